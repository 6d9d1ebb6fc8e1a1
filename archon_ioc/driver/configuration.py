"""Configuration: what is in one controller's configuration memory, and changing it."""

import asyncio
import logging
from collections.abc import Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from archon_ioc.acf.file import Acf
from archon_ioc.acf.keys import apply_for
from archon_ioc.config import ScriptConfig
from archon_ioc.driver import adoption, upload
from archon_ioc.driver.connection import Connection
from archon_ioc.driver.inspection import inspect, require_readable
from archon_ioc.driver.keeper import Keeper
from archon_ioc.driver.state import ConfigState, Progress, Step
from archon_ioc.driver.timing import Timing
from archon_ioc.driver.window import Window
from archon_ioc.errors import ArchonError, InputError, RejectedError, StateError
from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command
from archon_ioc.protocol.enums import Power

log = logging.getLogger(__name__)

T = TypeVar("T")

_STATUS_SECONDS = 5.0
"""Longest time for STATUS to show a change; how often the controller refreshes it is not published."""


class Configuration:
    """The owner of ``config``, ``acf``, ``doubtful``, ``parameters`` and ``window`` of a controller's state."""

    def __init__(self, keeper: Keeper, timing: Timing, names: ScriptConfig) -> None:
        self._keeper = keeper
        self._timing = timing
        self._names = names
        self._original: Acf | None = None  # as it was loaded; the state's has the changes since
        self._remarks = ""  # what the check found when it was loaded
        self._complaints: dict[str, str] = {}  # what else is not as the state says, by subject
        self._is_torn = False  # the memory may hold a mixture, or something else than what is applied

    def require(self) -> Acf:
        """Return the loaded configuration.

        Raises:
            StateError: if none is loaded.
        """
        acf = self._keeper.state.acf
        if acf is None:
            raise StateError("no configuration is loaded")
        return acf

    async def read(self) -> Acf:
        """Read back the configuration memory."""
        async with self._keeper.undisturbed():
            return await self._read(self._keeper.connection)

    async def write(
        self,
        source: Acf | str | PathLike[str],
        overrides: Mapping[str, str],
        apply_all: bool,
        slots: Sequence[int],
    ) -> None:
        """Replace the configuration memory, verify it, and apply all or the modules in ``slots``.

        Raises:
            ConfigError: if the file is wrong or refused, or what was written cannot be read back.
            InputError: for an override of a key that the ACF does not have, or a slot that is none.
            RejectedError: if a line or an apply is refused; the state then says that nothing is sure.
        """
        acf = source if isinstance(source, Acf) else await asyncio.to_thread(Acf.read, Path(source))
        acf = acf.with_values({key: str(value) for key, value in overrides.items()})
        upload.require_whole(acf)
        applies = [commands.apply_module(slot) for slot in slots]
        async with self._keeper.undisturbed():
            connection = self._keeper.connection
            self._remarks = await inspect(acf, self._keeper.state.system, self._keeper.config, self._names)
            self._is_torn = True
            self._take(None)
            self._tell(ConfigState.LOADING, f"loading {_label(acf)}")
            with self._sure(f"{_label(acf)} is not fully loaded"):
                async with self._keeper.explaining():
                    await upload.write_config(connection, acf, self._report)
                self._tell(ConfigState.LOADED, self._remarked(f"{_label(acf)} is loaded, not applied"))
                if apply_all:
                    await self._apply_all(acf)
                for command in applies:
                    await self._keeper.request(command)
                self._take(acf)
                self._is_torn = False
        await self._see_power_off() if apply_all else await self._keeper.refresh()

    async def apply_all(self) -> None:
        """Make the loaded configuration take effect. CCD power is off afterwards.

        Raises:
            StateError: if none is loaded.
            RejectedError: if the controller refuses it.
        """
        async with self._keeper.undisturbed():
            acf = self.require()
            with self._sure(f"{_label(acf)} is not applied"):
                await self._apply_all(acf)
            self._keeper.update(parameters=dict(acf.parameters))
        await self._see_power_off()

    async def write_line(self, key: str, value: float | str, apply: bool | str = True) -> None:
        """Change one key; see `ArchonController.write_line`."""
        async with self._keeper.undisturbed():
            changed = self.require().with_value(key, str(value))
            command = _apply_command(changed, key, apply)
            await _to_its_end(self._write_line(changed, key, command))

    async def _write_line(self, changed: Acf, key: str, command: Command | None) -> None:
        try:
            await self._change(changed, key, command)
        finally:
            self._tell_doubts()

    async def set_window(self, changes: Mapping[str, int], *, reset: bool) -> Window:
        """Change the window; see `ArchonController.set_window`."""
        async with self._keeper.undisturbed():
            window, doubt = await self._planned(changes, reset)
            await _to_its_end(self._set_window(window))
            if doubt:
                self._tell(self._keeper.state.config, f"the window is set, but {doubt}")
            return window

    async def check_window(self, changes: Mapping[str, int], *, reset: bool) -> Window:
        """Return the window that `set_window` would set; see `ArchonController.check_window`."""
        window, _ = await self._planned(changes, reset)
        return window

    async def _planned(self, changes: Mapping[str, int], reset: bool) -> tuple[Window, str]:
        """Return the new window, and why nobody knows whether its frames will be whole, if so."""
        state, original = self._keeper.state, self._original
        if original is None or state.window is None or state.default_window is None:
            raise StateError("no configuration is loaded")
        window = (state.default_window if reset else state.window).changed(changes)
        # What is wrong with it is told before anything is changed.
        windowed = original.with_values(window.entries(original, self._names))
        return window, await require_readable(windowed, original, self._names)

    async def _set_window(self, window: Window) -> None:
        current, original = self._keeper.state.window, self._original
        if current is None or original is None:
            raise StateError("no configuration is loaded")
        try:
            await self._use(window, original)
            self._complaints.pop("window", None)
        except ArchonError:
            await self._return_to(current, original)
            raise
        finally:
            self._tell_doubts()

    async def synchronise(self, connection: Connection) -> None:
        """Find out on a new link whether the configuration is still ours, or else which one there is."""
        if self._is_torn:
            return  # half a configuration must not be taken for a whole one
        state = self._keeper.state
        acf = await self._read_back(connection) if state.acf else None
        if acf is not None:
            changed = await upload.differing_keys(connection, acf, self._changed_since_load(acf))
            if not changed:
                if not adoption.is_configured(state):
                    self._tell(ConfigState.LOADED, self._remarked(f"{_label(acf)} is loaded, not applied"))
                return
            log.warning("%s: the configuration was changed: %s", self._keeper.config.name, ", ".join(changed))
        await self._adopt(await self._read(connection))

    def _changed_since_load(self, acf: Acf) -> list[str]:
        original = self._original or acf
        return [key for key, value in acf.keys.items() if original.keys[key] != value]

    async def _read_back(self, connection: Connection) -> Acf | None:
        """Return our configuration with the doubtful lines as they are, None if one is of another key."""
        acf, keys = self.require(), sorted(self._keeper.state.doubtful)
        stored = await connection.request_many([commands.read_config(acf.line_number(key)) for key in keys])
        found = Acf.from_lines(stored).keys
        if list(found) != keys:
            return None
        acf = acf.with_values(found)
        self._keeper.update(acf=acf)
        return acf

    async def _adopt(self, found: Acf) -> None:
        """Take over what the controller's memory holds: after a restart of this program all goes on."""
        finding = await adoption.judge(found, self._keeper.state, self._names)
        self._take(finding.acf, finding.original)
        self._remarks = ""
        self._tell(finding.config, finding.message)
        self._tell_doubts()

    async def _apply_all(self, acf: Acf) -> None:
        self._tell(ConfigState.APPLYING, f"applying {_label(acf)}")
        self._report(Progress(Step.APPLYING, 0, 1))
        await self._keeper.request(commands.apply_all())
        self._complaints.clear()
        self._keeper.update(doubtful=frozenset())
        self._tell(ConfigState.APPLIED, self._remarked(f"{_label(acf)} is applied"))

    async def _see_power_off(self) -> None:
        """Wait until STATUS, which is older than a reply, shows that APPLYALL has switched the CCD power off."""
        try:
            await self._keeper.refresh_until(lambda status: status.power is not Power.ON, _STATUS_SECONDS)
        except TimeoutError:
            log.warning("%s: the CCD power is still reported ON after APPLYALL", self._keeper.config.name)

    async def _change(self, changed: Acf, key: str, command: Command | None) -> None:
        """Write the line of ``key`` and apply it; a rejection is undone in the memory and where it is applied."""
        old, doubtful = self.require(), self._keeper.state.doubtful
        await self._check_memory(old, changed, key)
        self._keeper.update(doubtful=doubtful | {old.find(key)})
        try:
            await self._store(changed, key, command)
        except RejectedError:
            was_stored = self.require() is changed
            try:
                await self._store(old, key, command if was_stored else None)
            except ArchonError as error:  # the one that led here is raised, and the key stays doubtful
                log.warning("%s: %s could not be written back: %s", self._keeper.config.name, key, error)
            else:
                if command is None or not was_stored:
                    self._keeper.update(doubtful=doubtful)
            raise

    async def _check_memory(self, old: Acf, changed: Acf, key: str) -> None:
        number = old.line_number(key)
        stored = await self._keeper.request(commands.read_config(number))
        if stored not in (old.lines[number], changed.lines[number]):
            message = f"another program changed the configuration: line {number} is {stored!r}"
            self._complaints["memory"] = message
            raise StateError(f"{message}; load it again")

    async def _store(self, acf: Acf, key: str, command: Command | None) -> None:
        number = acf.line_number(key)
        await self._keeper.request(commands.write_config(number, acf.lines[number]))
        log.info("%s: %s", self._keeper.config.name, acf.lines[number])
        self._keeper.update(acf=acf)
        if command is not None:
            await self._apply(command)

    async def _apply(self, command: Command) -> None:
        """Apply what was written; what was changed is doubtful until the reply is there."""
        await self._keeper.request(command)
        acf, state = self.require(), self._keeper.state
        self._trust(key for key in state.doubtful if _is_applied_by(acf, key, command))
        if command.text.startswith(("LOADTIMING", "LOADPARAMS", "APPLYALL")):
            self._keeper.update(parameters=dict(acf.parameters))
        elif command.text.startswith("LOADPARAM "):
            name = acf.parameter_name(command.text.partition(" ")[2]) or ""
            self._keeper.update(parameters={**state.parameters, name: acf.parameters.get(name, 0)})

    def _trust(self, keys: Iterable[str]) -> None:
        self._keeper.update(doubtful=self._keeper.state.doubtful - set(keys))

    def _tell_doubts(self) -> None:
        """Say MODIFIED while something is not as it should be, and APPLIED again when all is."""
        state = self._keeper.state
        if state.config not in (ConfigState.APPLIED, ConfigState.MODIFIED):
            return
        reasons = list(self._complaints.values())
        if state.doubtful:
            reasons.append(f"changed, and perhaps not applied: {', '.join(sorted(state.doubtful))}")
        if reasons:
            self._tell(ConfigState.MODIFIED, "; ".join(reasons))
        elif state.config is ConfigState.MODIFIED:
            self._tell(ConfigState.APPLIED, self._remarked(f"{_label(self.require())} is applied"))

    async def _use(self, window: Window, original: Acf) -> None:
        entries = window.entries(original, self._names)
        for key, value in entries.items():
            acf = self.require()
            if acf.keys[key] != value or key in self._keeper.state.doubtful:
                await self._change(acf.with_value(key, value), key, None)
        await self._apply(commands.apply_cds())
        await self._timing.set_parameters(window.parameters(original, self._names))
        self._trust(entries)
        self._keeper.update(window=window)

    async def _return_to(self, window: Window, original: Acf) -> None:
        try:
            await self._use(window, original)
        except ArchonError as error:  # the one that led here is raised
            self._complaints["window"] = f"the window was not set as a whole, set it again: {error}"

    async def _read(self, connection: Connection) -> Acf:
        try:
            return await upload.read_config(connection, self._report)
        finally:
            self._keeper.update(upload=None)

    @contextmanager
    def _sure(self, failure: str) -> Generator[None]:
        """Say that nothing is sure of the configuration when the block fails or is cancelled."""
        reason = "it was cut short"
        try:
            yield
            reason = ""
        except ArchonError as error:
            reason = str(error)
            raise
        finally:
            if reason:
                self._tell(ConfigState.ERROR, f"{failure}: {reason}")
            self._keeper.update(upload=None)

    def _report(self, progress: Progress) -> None:
        self._keeper.update(upload=progress)

    def _remarked(self, message: str) -> str:
        return f"{message}; {self._remarks}" if self._remarks else message

    def _tell(self, state: ConfigState, message: str) -> None:
        log.info("%s: %s", self._keeper.config.name, message)
        self._keeper.update(config=state, config_message=message)

    def _take(self, acf: Acf | None, original: Acf | None = None) -> None:
        self._original = original = original or acf
        self._complaints.clear()
        self._keeper.update(
            acf=acf,
            doubtful=self._keeper.state.doubtful & set(acf.keys if acf else ()),
            parameters=dict(acf.parameters) if acf else {},
            window=Window.of(acf, self._names, original) if acf else None,
            default_window=Window.of(original, self._names) if original else None,
        )


def _apply_command(changed: Acf, key: str, apply: bool | str) -> Command | None:
    """Return the command that makes a changed key take effect.

    Raises:
        InputError: if the key's value is wrong, or no command that is ever sent applies it.
    """
    own = changed.find(key)
    if problems := Acf({own: changed.keys[own]}).problems():
        raise InputError(problems[0])
    if isinstance(apply, str):
        return commands.raw(apply)
    if not apply:
        return None
    name = changed.keys[own].partition("=")[0].strip()
    # LOADPARAMS would load every other parameter as well.
    is_parameter = own.startswith("PARAMETER") and name in changed.parameters
    command = commands.load_param(name) if is_parameter else apply_for(own)
    if command is None:
        raise InputError(f"no command that this program sends makes {own} take effect; give apply=False")
    return command


def _is_applied_by(acf: Acf, key: str, command: Command) -> bool:
    own = apply_for(key)
    texts = {"APPLYALL", own.text if own else ""}
    if key.startswith("PARAMETER"):
        name = acf.keys[key].partition("=")[0].strip()
        texts |= {"LOADTIMING", f"LOADPARAM {name}".upper()}
    return command.text.upper() in texts


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work that no cancellation cuts short: it is delivered when the work is done."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is None:
        return task.result()
    if not task.cancelled() and (failure := task.exception()):
        log.warning("failed while it was being cancelled: %s", failure)
    raise cancellation


def _label(acf: Acf) -> str:
    return Path(acf.path).name or "the configuration"
