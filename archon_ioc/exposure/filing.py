"""Filing: where images go, under which number, and what became of them."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.errors import ArchonError, InputError, SaveError, StateError
from archon_ioc.exposure.files import Naming, free_bytes, normal_path, path_problem, save
from archon_ioc.exposure.picture import Exposure
from archon_ioc.exposure.settings import LARGEST_NUMBER, FileSettings
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_LONGEST_NAME = 235
"""Bytes of a file name; file systems allow 255, and while it is written it has some more."""
_SPARE_BYTES = 8 << 20
"""Room beyond the pixels that must be free before an exposure begins."""


@dataclass(eq=False)
class FileSet:
    """The files of one exposure, which all have the same number. A controller's are there when it has its image."""

    naming: Naming | None = None
    """None: no number was taken yet."""
    exposures: list[Exposure] = field(default_factory=list[Exposure])
    names: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Of the files that are on disk, by controller."""
    problem: str = ""

    @property
    def unwritten(self) -> list[Exposure]:
        """What is not on disk."""
        return [exposure for exposure in self.exposures if exposure.facts.controller not in self.names]


class Filing:
    """Writes images by the rules of areaDetector's file plugins.

    The owner of ``file`` and ``settings.files`` of the camera's state. ``store`` makes the settings durable; it is
    awaited after a file number is taken and before it is used, so that no crash gives a number twice.
    """

    def __init__(
        self,
        live: Live[CameraState],
        site: SiteConfig,
        store: Callable[[], Awaitable[None]],
    ) -> None:
        self._live = live
        self._site = site
        self._store = store
        self._last: FileSet | None = None
        self._turn = asyncio.Lock()  # to take a number
        self._by_hand = asyncio.Lock()
        self._writing = 0

    @property
    def settings(self) -> FileSettings:
        """Where files go."""
        return self._live.value.settings.files

    async def change(self, **changes: Any) -> None:
        """Set any of the file settings; the folder is made if CreateDirectory allows it.

        Raises:
            InputError: if no file name can be made of them.
        """
        wanted = self.settings.changed(**changes)
        wanted = replace(wanted, path=normal_path(wanted.path))
        if wanted.name:
            _naming(wanted).full_name()
        self._set(wanted)
        if {"path", "create_directory"} & set(changes):
            await self.look_at_path()

    async def look_at_path(self) -> bool:
        """Find out whether files can be made in the folder, show and return it."""
        settings = self.settings
        problem = await asyncio.to_thread(path_problem, settings.path, settings.create_directory)
        # While this one was looked at, another may have been chosen.
        if (settings.path, settings.create_directory) == (self.settings.path, self.settings.create_directory):
            self._show(path_exists=not problem, message=problem)
        return not problem

    async def require_room(self, image_bytes: int) -> None:
        """Check before an exposure that its files can be written.

        Raises:
            StateError: if the folder cannot be written to or is full.
        """
        if not self.settings.auto_save:
            return
        if not await self.look_at_path():
            raise StateError(f"files cannot be written: {self._live.value.file.message}")
        try:
            await asyncio.to_thread(_check_names, self._naming(), self._images, self.settings.auto_increment)
        except (InputError, SaveError) as error:
            raise StateError(f"files cannot be written: {error}") from error
        free = await asyncio.to_thread(free_bytes, self.settings.path)
        if free < image_bytes + _SPARE_BYTES:
            raise StateError(f"the disk of {self.settings.path} is full: {free / 1e6:.0f} MB are free")

    async def reserve(self, files: FileSet) -> Naming:
        """Take a number for a set of files that has none yet, and keep it; return what the files are called."""
        async with self._turn:
            if files.naming:
                return files.naming
            naming = self._naming()
            if self.settings.auto_increment:
                number = await asyncio.to_thread(_free_number, naming, self._images)
                if self.settings.number == naming.number:  # else somebody has just set the next one
                    self._set(replace(self.settings, number=min(number + 1, LARGEST_NUMBER)))
                naming = replace(naming, number=number)
                await self._store_number()
            files.naming = naming
            return naming

    async def take(self, files: FileSet, exposure: Exposure) -> None:
        """Take what one controller has of a new image: it is written now with AutoSave, else with `write`.

        Raises:
            SaveError: if it could not be written; `write` can be tried again.
        """
        self._last = files
        files.exposures.append(exposure)
        self._show(held_bytes=sum(image.nbytes for held in files.exposures for image in held.images.values()))
        if self.settings.auto_save:
            await self._write(files, [exposure])

    async def write(self) -> None:
        """Write the last image, or what is missing of its files.

        Raises:
            StateError: if there is none.
            SaveError: if a file could not be written.
        """
        async with self._by_hand:
            files = self._last
            if files is None:
                raise StateError("there is no image to write yet")
            await self._live.until(lambda state: not state.file.writing)
            if not files.names or not files.unwritten:
                files.naming, files.names = None, {}  # all of it, under a number of its own
            files.problem = ""
            await self._write(files, files.unwritten)

    def drop(self) -> None:
        """Forget the last image; `write` has none then."""
        self._last = None
        self._show(held_bytes=0)

    async def _write(self, files: FileSet, exposures: Sequence[Exposure]) -> None:
        self._writing += 1
        self._show(writing=True, message=files.problem)
        try:
            naming = await self.reserve(files)
            for exposure in exposures:
                await self._save(files, naming, exposure)
        except ArchonError as error:
            files.problem = str(error)[:255]
            self._show(error=True, message=files.problem)
            raise
        finally:
            self._writing -= 1
            self._show(writing=self._writing > 0)
        written = [name for unit in self._site.units for name in files.names.get(unit.name, ())]
        self._show(error=bool(files.problem), full_name=written[0])

    async def _save(self, files: FileSet, naming: Naming, exposure: Exposure) -> None:
        facts = replace(exposure.facts, number=naming.number)
        detectors = self._site.detectors_of(facts.controller)
        names = await asyncio.to_thread(save, exposure.images, facts, naming, detectors)
        files.names[facts.controller] = names
        log.info("wrote %s", ", ".join(names))

    def _naming(self) -> Naming:
        return replace(_naming(self.settings), several=len(self._images) > 1)

    @property
    def _images(self) -> tuple[str, ...]:
        return self._site.image_names

    async def _store_number(self) -> None:
        try:
            await self._store()
        except SaveError as error:
            # An image is worth more than its number; files that exist are never written over.
            log.error("the next file number is not kept: %s", error)

    def _set(self, settings: FileSettings) -> None:
        update(self._live, settings=replace(self._live.value.settings, files=settings))

    def _show(self, **changes: Any) -> None:
        update(self._live, file=replace(self._live.value.file, **changes))


def _naming(settings: FileSettings) -> Naming:
    return Naming(settings.template, settings.path, settings.name, settings.number)


def _check_names(naming: Naming, ccds: Sequence[str], auto_increment: bool) -> None:
    """Refuse names that cannot become files, while nothing is lost by it. Blocks.

    Raises:
        InputError: if no name can be made.
        SaveError: if a file of that name cannot be written.
    """
    if auto_increment:
        naming = replace(naming, number=_free_number(naming, ccds))
    for name in map(naming.full_name, ccds):
        folder, file = os.path.split(name)
        if not os.path.isdir(folder or "."):  # noqa: PTH112 - Path.is_dir raises where nobody may look
            raise SaveError(name, f"there is no folder {folder}")
        if len(os.fsencode(file)) > _LONGEST_NAME:
            raise SaveError(name, f"the name is longer than {_LONGEST_NAME} bytes")
        if os.path.lexists(name):
            raise SaveError(name, "it exists already")


def _free_number(naming: Naming, ccds: Sequence[str]) -> int:
    """Return the first number from the wanted one on whose files do not exist. Blocks."""
    number = naming.number
    while any(os.path.lexists(replace(naming, number=number).full_name(ccd)) for ccd in ccds):
        if naming.full_name() == replace(naming, number=number + 1).full_name():
            raise SaveError(naming.full_name(), "it exists, and the template has no number")
        number += 1
    if number != naming.number:
        log.warning("file numbers %d to %d exist already", naming.number, number - 1)
    return number
