"""Filing: where images go, under which number, and what became of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.errors import ArchonError, InputError, SaveError, StateError
from archon_ioc.exposure.captures import Captures
from archon_ioc.exposure.fields import LATE, dated, filled, night_fields
from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.files import (
    Naming,
    Target,
    free_bytes,
    normal_path,
    path_problem,
    save,
    targets,
)
from archon_ioc.exposure.leftovers import TakenError, finish
from archon_ioc.exposure.names import check_names, free_number
from archon_ioc.exposure.numbers import NumberFile
from archon_ioc.exposure.picture import Exposure
from archon_ioc.exposure.settings import LARGEST_NUMBER, FileSettings, FileWriteMode
from archon_ioc.exposure.state import CameraState, FileState, update
from archon_ioc.image.geometry import PixelArray
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_SPARE_BYTES = 8 << 20
"""Room beyond the pixels that must be free before an exposure begins."""


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
        self._numbers = NumberFile(site.files.state)
        self._last: FileSet | None = None
        self.is_enabled: Callable[[], bool] = lambda: True
        """Whether images are filed by themselves at all."""
        self.captures = Captures(self._file, self._show)
        self._turn = asyncio.Lock()  # to take a number
        self._by_hand = asyncio.Lock()
        self._writing = 0

    @property
    def settings(self) -> FileSettings:
        """Where files go."""
        return self._live.value.settings.files

    @property
    def is_filing(self) -> bool:
        """Whether an image that came now would be filed: with AutoSave, or because it is captured."""
        return self.is_enabled() and (self.settings.auto_save or self.captures.has_room(self.settings.num_capture))

    @property
    def written(self) -> tuple[str, ...]:
        """The files of the last image, in the order of the controllers."""
        names = self._last.names if self._last else {}
        return tuple(name for unit in self._site.units for name in names.get(unit.name, ()))

    def settings_of(self, files: FileSet) -> FileSettings:
        """Return where files go, with the number of a set that has one."""
        return replace(self.settings, number=files.naming.number) if files.naming else self.settings

    async def change(self, **changes: Any) -> None:
        """Set any of the file settings; the folder is made if CreateDirectory allows it.

        Raises:
            InputError: if no file name can be made of them.
            StateError: if the mode is changed during a capture.
        """
        wanted = self.settings.changed(**changes)
        wanted = replace(wanted, path=normal_path(wanted.path))
        if self._file().capturing and wanted.write_mode is not self.settings.write_mode:
            raise StateError("FileWriteMode cannot be changed during a capture")
        if wanted.name:
            self._targets(self._naming(wanted))
        self._set(wanted)
        if "number" in changes:
            await self._keep_number(wanted.number)
        if {"path", "create_directory", "date_folder"} & set(changes):
            await self.look_at_path()
        await self._show_next()

    async def start(self) -> None:
        """Show where files go, and the number that is kept; programs that share its folder share it."""
        await self._load_number()
        await self.look_at_path()
        await self._show_next()

    async def _load_number(self) -> None:
        try:
            number = await asyncio.to_thread(self._numbers.read)
        except SaveError as error:
            log.error("%s", error)
            return
        if number is not None:
            self._set(replace(self.settings, number=min(number, LARGEST_NUMBER)))

    async def _show_next(self) -> None:
        """Show what the next file will be called, the first of several."""
        naming = self._naming()
        try:
            if self.settings.auto_increment:
                number = await asyncio.to_thread(free_number, naming, self._targets)
                naming = replace(naming, number=number)
            names = [target.name for target in self._targets(naming)]
        except (InputError, SaveError) as error:
            self._show(next_name="")
            log.debug("there is no next file name: %s", error)
            return
        self._show(next_name=names[0] if names else "")

    async def look_at_path(self, *, may_create: bool = True) -> bool:
        """Find out whether files can be made in the folder, which is made if it may be; show and return it."""
        settings = self.settings
        try:
            folder = self._naming(settings).path
        except InputError as error:
            folder, problem = settings.path, str(error)
        else:
            problem = await asyncio.to_thread(path_problem, folder, _levels(settings) if may_create else 0)
        # While this one was looked at, another may have been chosen.
        if (settings.path, settings.create_directory) == (self.settings.path, self.settings.create_directory):
            self._show(path_exists=not problem, message=problem)
        return not problem

    async def require_room(self, image_bytes: int) -> None:
        """Check before an exposure that its files can be written.

        Raises:
            StateError: if the folder cannot be written to or is full.
        """
        if not self.is_filing:
            return
        if not await self.look_at_path():
            raise StateError(f"files cannot be written: {self._live.value.file.message}")
        try:
            naming = self._naming()
            await asyncio.to_thread(check_names, naming, self._targets, auto_increment=self.settings.auto_increment)
        except (InputError, SaveError) as error:
            raise StateError(f"files cannot be written: {error}") from error
        free = await asyncio.to_thread(free_bytes, naming.path)
        if free < image_bytes + _SPARE_BYTES:
            raise StateError(f"the disk of {naming.path} is full: {free / 1e6:.0f} MB are free")

    async def capture(self, start: int) -> None:
        """Begin a capture and wait for its end, or end it. Its images are filed one by one, also without AutoSave.

        Raises:
            StateError: in FileWriteMode Single, or if nothing is filed.
            SaveError: if the first file cannot be written.
        """
        if not start:
            self.captures.end()
            return
        if not self._file().capturing:
            if self.settings.write_mode is FileWriteMode.SINGLE:
                raise StateError("there is no Capture in FileWriteMode Single")
            if not self.is_enabled():
                raise StateError("no images are filed: EnableCallbacks is Disable")
            await asyncio.to_thread(check_names, self._naming(), self._targets, auto_increment=False)
            self.captures.begin()
        await self.captures.ended()

    async def reserve(self, files: FileSet) -> Naming:
        """Take a number for a set of files that has none yet, and keep it; return what the files are called."""
        async with self._turn:
            if files.naming:
                return files.naming
            naming = self._naming()
            if self.settings.auto_increment:
                number = await self._take_number(naming)
                if self.settings.number == naming.number:  # else somebody has just set the next one
                    self._set(replace(self.settings, number=min(number + 1, LARGEST_NUMBER)))
                naming = replace(naming, number=number)
                await self._store_number()
            files.naming = naming
            return naming

    async def _take_number(self, naming: Naming) -> int:
        def free(number: int) -> int:
            return free_number(replace(naming, number=number), self._targets)

        try:
            return await asyncio.to_thread(self._numbers.take, naming.number, free)
        except SaveError as error:
            # An image is worth more than its number; files that exist are never written over.
            log.error("the next file number is not kept: %s", error)
            return await asyncio.to_thread(free, naming.number)

    async def _keep_number(self, number: int) -> None:
        try:
            await asyncio.to_thread(self._numbers.set, number)
        except SaveError as error:
            log.error("the next file number is not kept: %s", error)

    async def take(self, files: FileSet, exposure: Exposure) -> None:
        """Take what one controller has of a new image: it is written now or, if it is not to be filed, with `write`.

        Raises:
            SaveError: if it could not be written; `write` can be tried again.
        """
        self._last = files
        files.exposures.append(exposure)
        self._show(held_bytes=sum(image.nbytes for held in files.exposures for image in held.images.values()))
        is_captured = self.captures.take(files, self.settings.num_capture)
        if self.is_enabled() and (self.settings.auto_save or is_captured):
            await self._write(files, [exposure])
        else:
            await files.released(exposure.facts.controller)

    async def give_back(self, files: FileSet) -> None:
        """Let the number of a set without any file be the next one again, if no other was taken or set since."""
        async with self._turn:
            naming, files.naming = files.naming, None
            if naming is None or not self.settings.auto_increment or self.settings.number != naming.number + 1:
                return
            try:
                is_next = await asyncio.to_thread(self._numbers.give_back, naming.number)
            except SaveError as error:
                log.error("the next file number is not kept: %s", error)
                return
            if is_next:
                self._set(replace(self.settings, number=naming.number))

    async def restore(self, files: FileSet, exposure: Exposure) -> tuple[str, ...]:
        """Write what a program that died has left out of a controller's files; return the names of all of them.

        Where other files have their names meanwhile, they get the next free number.

        Raises:
            SaveError: if they cannot be written.
        """
        naming = await self.reserve(files)
        if problem := await asyncio.to_thread(path_problem, naming.path, _levels(exposure.settings.files)):
            raise SaveError(naming.path, problem.removeprefix(naming.path).lstrip(": "))
        try:
            names = await self._finish(exposure, naming)
        except TakenError as error:
            log.error("exposure %d gets another number: %s", naming.number, error)
            files.naming = naming = replace(naming, number=await self._take_number(naming))
            names = await self._finish(exposure, naming)
        await files.settled(exposure.facts.controller, names)
        self._show(error=False, full_name=names[0] if names else "")
        return names

    async def _finish(self, exposure: Exposure, naming: Naming) -> tuple[str, ...]:
        facts = replace(exposure.facts, number=naming.number)
        detectors = self._site.detectors_of(facts.controller)
        return await asyncio.to_thread(finish, exposure.images, facts, naming, detectors)

    async def write(self) -> None:
        """Write the last image, or what is missing of its files; in FileWriteMode Capture never a second time.

        Raises:
            StateError: if there is none, or only some controllers have their part of it yet.
            SaveError: if a file could not be written.
        """
        async with self._by_hand:
            files = self._last
            if files is None:
                raise StateError("there is no image to write yet")
            if self._live.value.acquiring and len(files.exposures) < len(self._site.units):
                raise StateError("the image is not complete yet, some controllers are still read out")
            await self._live.until(lambda state: not state.file.writing)
            is_written = bool(files.names) and not files.unwritten
            if is_written and self.settings.write_mode is FileWriteMode.CAPTURE:
                return  # clients of areaDetector want the buffer to be written, and all of it is
            if is_written or not files.names:
                files.naming, files.names = None, {}  # all of it, under a number of its own
            files.problem = ""
            await self._write(files, files.unwritten)

    @property
    def held(self) -> tuple[PixelArray, ...]:
        """The pixels of the last image, which can still be written."""
        exposures = self._last.exposures if self._last else []
        return tuple(image for exposure in exposures for image in exposure.images.values())

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
            self.captures.end()
            raise
        finally:
            self._writing -= 1
            self._show(writing=self._writing > 0)
        written = [name for unit in self._site.units for name in files.names.get(unit.name, ())]
        filed = self._file().filed + (len(files.names) == len(self._site.units))
        self._show(error=bool(files.problem), full_name=written[0] if written else "", filed=filed)
        if len(files.names) == len(self._site.units):
            self.captures.filed(files, self.settings.num_capture)
        await self._show_next()

    async def _save(self, files: FileSet, naming: Naming, exposure: Exposure) -> None:
        facts = replace(exposure.facts, number=naming.number)
        detectors = self._site.detectors_of(facts.controller)
        names = await asyncio.to_thread(save, exposure.images, facts, naming, detectors)
        await files.settled(facts.controller, names)
        log.info("wrote %s", ", ".join(names))

    def _naming(self, settings: FileSettings | None = None) -> Naming:
        """What files are called that begin now.

        Raises:
            InputError: if path, name or template have a field that there is not.
        """
        settings, now = settings or self.settings, datetime.now(UTC)
        fields = night_fields(self._site, now)
        folder = "" if settings.date_folder == "none" else f"{{{settings.date_folder}}}/"
        files = self._site.units if settings.layout == "controller" else self._site.image_names
        return Naming(
            template=filled(settings.template, fields, LATE),
            path=filled(dated(settings.path, now) + folder, fields),
            name=filled(settings.name, fields, LATE),
            number=settings.number,
            several=len(files) > 1,
            layout=settings.layout,
            compression=settings.compression,
            sum_name=settings.checksum,
        )

    def _targets(self, naming: Naming) -> list[Target]:
        """All files of an exposure, of all controllers."""
        images = {unit.name: self._site.images_of(unit.name) for unit in self._site.units}
        return [target for name, own in images.items() if own for target in targets(own, naming, name)]

    async def _store_number(self) -> None:
        try:
            await self._store()
        except SaveError as error:
            log.error("the next file number is not kept: %s", error)

    def _file(self) -> FileState:
        return self._live.value.file

    def _set(self, settings: FileSettings) -> None:
        update(self._live, settings=replace(self._live.value.settings, files=settings))

    def _show(self, **changes: Any) -> None:
        update(self._live, file=replace(self._live.value.file, **changes))


def _levels(settings: FileSettings) -> int:
    """CreateDirectory for the folder of a file: that of the night may always be made."""
    levels = settings.create_directory
    return levels if settings.date_folder == "none" or levels > 0 else levels - 1
