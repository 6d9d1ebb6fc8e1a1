"""Journal: what was exposed and is not on the disk yet, kept so that no crash can lose it."""

import fcntl
import json
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TextIO

from pydantic import TypeAdapter, ValidationError

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.errors import SaveError
from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.image.durable import sync_folder
from archon_ioc.image.header import Value
from archon_ioc.protocol.replies import BufferInfo, DeviceStatus, FrameStatus, SystemInfo

FORMAT: Literal[1] = 1
"""Of the entries; those of another format are not understood."""
LOST = "lost"
"""Folder in the journal's, for what could not be recovered."""
_REASONS = "reasons.txt"
_MOST_EARLIER = 2
"""A controller has three frame buffers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known of a controller when it begins to expose; its replies as they came.

    ``acf`` is the digest of its configuration, which the journal keeps beside the entries.
    """

    name: str
    system: Mapping[str, str]
    status: Mapping[str, str]
    acf: str = ""
    acf_path: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict[str, int])
    window: Window | None = None
    default_window: Window | None = None

    @classmethod
    def of(cls, state: ControllerState) -> "Snapshot":
        """Return that of a controller."""
        return cls(
            name=state.name,
            system=dict(state.system.fields) if state.system else {},
            status=dict(state.status.fields) if state.status else {},
            acf=state.acf.digest if state.acf else "",
            acf_path=state.acf.path if state.acf else "",
            parameters=dict(state.parameters),
            window=state.window,
            default_window=state.default_window,
        )

    @property
    def backplane(self) -> str:
        """The serial number of the controller's backplane, nothing if it has none."""
        return self.system.get("BACKPLANE_ID", "")

    def state(self, acf: Acf | None) -> ControllerState:
        """Return the controller as it was then, not connected, with its configuration."""
        text = " ".join(f"{key}={value}" for key, value in self.status.items())
        return ControllerState(
            name=self.name,
            system=SystemInfo.from_fields(self.system) if self.system else None,
            status=DeviceStatus.parse(text) if text else None,
            acf=acf,
            parameters=self.parameters,
            window=self.window,
            default_window=self.default_window,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One exposure of one controller, from before it began until its files are on the disk.

    ``before`` is what FRAME said at ``noted``, when the timing cores were held: the exposure's frame is one that
    is not in it. ``frame`` and ``moments`` are known when that has been read out. Everything else is what it takes
    to make the same files: of ``seconds`` of light and ``pause`` seconds until the first pixel is read. While an
    exposure is ``held``, its charge stays on the CCD, and ``moments`` are known but for the dark time.

    Without AutoSave there is no ``naming``: nobody wants files, and the entry only lets the next program know that the
    hardware may have been left as it is during an exposure. Of a sum this is the exposure number ``nth``; ``earlier``
    are those of the others that a controller can still have.
    """

    name: str
    noted: datetime
    controller: Snapshot
    before: FrameStatus
    seconds: float
    settings: ExposureSettings
    naming: Naming | None
    pause: float = 0.0
    triggered: bool = False
    cards: Mapping[str, tuple[Value, str]] = field(default_factory=dict[str, tuple[Value, str]])
    frame: BufferInfo | None = None
    moments: Moments | None = None
    held: bool = False
    paused: float = 0.0
    """Seconds of its pauses, those that are over."""
    nth: int = 1
    earlier: tuple[tuple[BufferInfo, Moments], ...] = ()
    format: Literal[1] = FORMAT

    def __str__(self) -> str:
        number = self.naming.number if self.naming else "without AutoSave"
        frame = f", frame {self.frame.frame}" if self.frame else ""
        return f"exposure {number} of {self.controller.name}{frame}, {self.noted:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def summed(self) -> tuple[tuple[BufferInfo, Moments], ...]:
        """What was read out of a sum, as far as a controller can have it beside one more frame."""
        own = ((self.frame, self.moments),) if self.frame and self.moments else ()
        return (*self.earlier, *own)[-_MOST_EARLIER:]


def new_name(controller: str, noted: datetime) -> str:
    """Return the name of a new entry; names sort by time.

    >>> new_name("blue", datetime(2026, 3, 1, 4, 5, 6, 7, UTC))
    '20260301T040506000007-blue'
    """
    return f"{noted.astimezone(UTC):%Y%m%dT%H%M%S%f}-{controller}"


_ENTRY = TypeAdapter(Entry)


class Journal:
    """Entries in one small file each, whole or not there. The methods block; any thread may call them.

    An entry that this program wrote or adopted is locked (flock) as long as the program lives: another program with
    the same folder leaves it alone, and finds it free when this one has died, however that happened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, tuple[Entry, TextIO]] = {}
        self._turn = threading.RLock()
        self.entries: tuple[Entry, ...] = ()
        """The entries of this program, the oldest first; to be looked at without waiting for a slow disk."""

    def write(self, entry: Entry, acf: Acf | None = None) -> None:
        """Write an entry, or put it in the place of the one with its name; when this returns, it is on the disk.

        Raises:
            SaveError: if it cannot be written; the one before it is still there.
        """
        path = self._path(entry.name)
        with self._turn, _explained(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            if acf is not None:
                self._keep(acf)
            # Not `dump_json`: that turns numbers that JSON has not, of a card for instance, into nothing.
            self._hold(entry, _written(path, json.dumps(_ENTRY.dump_python(entry, mode="json"), indent=1)))
            sync_folder(self._folder)

    def remove(self, name: str) -> None:
        """Forget an entry: its files are on the disk, or nobody wants them.

        Raises:
            SaveError: if its file cannot be removed.
        """
        path = self._path(name)
        with self._turn, _explained(path):
            path.unlink(missing_ok=True)
            self._release(name)

    def lose(self, name: str, reason: str) -> Path:
        """Move an entry aside, with the reason, and return where it is now.

        Raises:
            SaveError: if it cannot be moved.
        """
        path = self._path(name)
        with self._turn, _explained(path):
            moved = self._aside(path, reason)
            self._release(name)
        return moved

    def adopt(self, controllers: Mapping[str, str]) -> list[str]:
        """Take over the entries of programs that have died, and return what is wrong with those moved aside.

        Those of other controllers are for the programs that have these.

        Args:
            controllers: the serial number of the backplane of each controller by its name, nothing if not known.

        Raises:
            SaveError: if the folder cannot be read.
        """
        problems: list[str] = []
        with self._turn, _explained(self._folder):
            for path, file in self._orphans():
                try:
                    self._take_over(_read(path, file), file, controllers)
                except ValueError as error:
                    file.close()
                    problems.append(f"{self._aside(path, str(error))}: {error}")
        return problems

    def _take_over(self, entry: Entry, file: TextIO, controllers: Mapping[str, str]) -> None:
        if controllers.get(entry.controller.name) in ("", entry.controller.backplane):
            self._hold(entry, file)
        else:
            file.close()

    def release(self, name: str) -> None:
        """Leave an entry to another program."""
        with self._turn:
            self._release(name)

    def is_used_elsewhere(self, controller: str, backplane: str = "") -> bool:
        """Return whether another program, which lives, has an entry of a controller: it may be exposing with it.

        Args:
            controller: its name.
            backplane: the serial number of its backplane, nothing if not known: another one may have the same name.
        """
        with self._turn:
            own = set(self._held)
        others = [path for path in self._entry_paths() if path.stem not in own and _of(path.stem) == controller]
        return any(_is_held(path) and _may_be_of(path, backplane) for path in others)

    def acf(self, entry: Entry) -> Acf | None:
        """Return the configuration that an entry was exposed with, None without one.

        Raises:
            SaveError: if it is not there any more.
        """
        digest = entry.controller.acf
        if not digest:
            return None
        path = self._acf_path(digest)
        with _explained(path):
            kept: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        keys, system = MappingProxyType(kept["keys"]), MappingProxyType(kept["system"])
        return Acf(keys, system, entry.controller.acf_path)

    def close(self) -> None:
        """Give up the entries; the next program can adopt them."""
        with self._turn:
            for name in list(self._held):
                self._release(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _acf_path(self, digest: str) -> Path:
        return self._folder / f"{digest}.acf.json"

    def _hold(self, entry: Entry, file: TextIO) -> None:
        before = self._held.get(entry.name)
        self._held[entry.name] = entry, file
        if before:
            before[1].close()
        self._list()

    def _release(self, name: str) -> None:
        if held := self._held.pop(name, None):
            held[1].close()
        self._list()

    def _list(self) -> None:
        self.entries = tuple(entry for _, (entry, _) in sorted(self._held.items()))

    def _keep(self, acf: Acf) -> None:
        path = self._acf_path(acf.digest)
        if path.exists():
            return
        _written(path, json.dumps({"keys": dict(acf.keys), "system": dict(acf.system)})).close()
        self._forget_acfs({acf.digest, *(entry.controller.acf for entry in self.entries)})

    def _forget_acfs(self, used: Iterable[str]) -> None:
        """Remove the configurations that no entry names, but for those that another program may be about to use."""
        if any(path.stem not in self._held for path in self._entry_paths()):
            return
        wanted = {self._acf_path(digest) for digest in used}
        for path in set(self._folder.glob("*.acf.json")) - wanted:
            path.unlink(missing_ok=True)

    def _entry_paths(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.json") if not path.name.endswith(".acf.json"))

    def _orphans(self) -> Iterator[tuple[Path, TextIO]]:
        """Yield the entries that nobody holds, locked, and remove what was never finished."""
        for part in self._folder.glob("*.part"):
            if file := _locked(part):
                part.unlink(missing_ok=True)
                file.close()
        for path in self._entry_paths():
            if path.stem not in self._held and (file := _locked(path)):
                yield path, file

    def _aside(self, path: Path, reason: str) -> Path:
        moved = self._folder / LOST / path.name
        moved.parent.mkdir(exist_ok=True)
        path.replace(moved)
        with (moved.parent / _REASONS).open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {path.name}: {reason}\n")
        return moved


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn what the system says of a file into a `SaveError`."""
    try:
        yield
    except OSError as error:
        raise SaveError(str(path), error.strerror or str(error)) from error


def _written(path: Path, text: str) -> TextIO:
    """Put a file in its place, whole, and return it, locked."""
    part = path.with_suffix(".part")
    file = part.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        file.close()
        raise
    return file


def _locked(path: Path) -> TextIO | None:
    """Return a file that nobody else holds, locked."""
    try:
        file = path.open("r+", encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(file.fileno()).st_ino:  # else its owner has just replaced it
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None


def _is_held(path: Path) -> bool:
    if file := _locked(path):
        file.close()
    return file is None and path.exists()


def _may_be_of(path: Path, backplane: str) -> bool:
    """Whether another program's entry is of the controller with this backplane, as far as both are known."""
    try:
        entry = _ENTRY.validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return "" in (backplane, entry.controller.backplane) or entry.controller.backplane == backplane


def _of(name: str) -> str:
    """The controller of an entry with this name."""
    return name.partition("-")[2]


def _read(path: Path, file: TextIO) -> Entry:
    """Understand an entry.

    Raises:
        ValueError: if it is not one, or one of another format.
    """
    try:
        entry = _ENTRY.validate_json(file.read())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"not an entry: {'.'.join(map(str, first['loc']))} {first['msg']}".strip()) from error
    if entry.name != path.stem:
        raise ValueError(f"the entry of {entry.name}")
    return entry
