"""NDFile: what the file plugins of areaDetector have in common. Formats differ in what writes a file."""

import asyncio
import contextlib
import logging
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from archon_ioc.errors import ArchonError, InputError, SaveError, StateError
from archon_ioc.exposure.files import path_problem
from archon_ioc.exposure.settings import LARGEST_NUMBER, FileWriteMode
from archon_ioc.plugins.file_names import first_free_number, free_path
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.ndfile_state import (
    LOOK_PERIOD,
    NDFileSettings,
    NDFileState,
    driver_file,
    is_last,
    is_meant_for,
    names_its_file,
    require_memory,
    require_same,
    shortened,
    steered,
)
from archon_ioc.plugins.open_file import OpenFile, Opening, Writer, part_of
from archon_ioc.plugins.plugin import Plugin

log = logging.getLogger(__name__)

_Claim = tuple[Path, NDFileSettings]
"""The name of a file that is to be opened, and the settings that it was made of."""

F = TypeVar("F", bound=NDFileState)


class FilePlugin(Plugin[F], Generic[F]):
    """Writes images into files, by the rules of NDFile; a subclass says how with `create`.

    Existing files are never written over. ``resolve`` replaces what stands in FilePath for the date, for instance.
    """

    file_format = ""
    holds_many = False
    """Whether a file can have more than one image."""
    kept = ("settings", "files")

    def __init__(self, name: str, state: F, resolve: Callable[[str], str] = str) -> None:
        super().__init__(name, state)
        self._resolve = resolve
        self._file_turn = asyncio.Lock()
        self._path_turn = asyncio.Lock()
        self._looked_at: Path | None = None
        self._file: OpenFile | None = None
        self._claimed: _Claim | None = None
        self._buffer: deque[NDArray] = deque()
        self._ended = asyncio.Event()

    @property
    def is_patient(self) -> bool:
        """Whether images are waited for: no image of a file is lost."""
        return self.state.capturing or self._writes_each

    @property
    def _writes_each(self) -> bool:
        return self.state.files.write_mode is FileWriteMode.SINGLE and self.state.files.auto_save

    @abstractmethod
    def create(self, opening: Opening) -> Writer:
        """Return a new file; blocks, is called in the thread of this plugin.

        Raises:
            SaveError: if it cannot be made; then there is none.
            InputError: if settings do not fit.
        """

    def results(self) -> Mapping[str, object]:
        """Return what is to be changed in the state, as of now; called after each step that concerns the file."""
        return {}

    async def run(self) -> None:
        """Write images until cancelled; then the file is closed. Numbers of files from before are not used again."""
        files = self.state.files
        number = await asyncio.to_thread(first_free_number, files, self._resolve)
        if self.state.files == files:  # nobody has set others meanwhile
            self.update(files=replace(files, number=number))
        await self.look_at_path()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_enabled(), name=f"{self.name} enabled")
            tasks.create_task(self._watch_path(), name=f"{self.name} folder")
            tasks.create_task(super().run(), name=f"{self.name} images")

    async def stop(self) -> None:
        """Close what is open; called when no more images come."""
        async with self._file_turn:
            if self.state.capturing:
                await self._break_off("the program ended")

    async def process(self, array: NDArray) -> NDArray | None:
        """Write it, keep it, or leave it, as the settings want."""
        if not is_meant_for(array, self.name):
            return None
        array = self.attributes.added_to(array)  # they are of the file, though nothing goes out
        async with self._file_turn, self._ending_at_errors():
            if self._writes_each:
                return await self._write_alone(array)
            if not self.state.capturing:
                return None
            is_kept = self.state.files.write_mode is FileWriteMode.CAPTURE
            return await (self._keep(array) if is_kept else self._append(array))

    def refused(self, message: str) -> None:
        """Tell why something could not be done, also where file plugins tell it."""
        super().refused(message)
        self.update(message=shortened(message))

    async def set_files(self, **changes: Any) -> None:
        """Change any of the `NDFileSettings`, in any order and at once; what became of the path is known then.

        Raises:
            InputError: if a value makes no sense.
            StateError: if the mode is changed during a capture.
        """
        files = self.state.files.changed(**changes)
        if self.state.capturing and files.write_mode is not self.state.files.write_mode:
            raise StateError("FileWriteMode cannot be changed during a capture")
        self.update(files=files)
        if {"path", "create_directory"} & changes.keys():
            await self.look_at_path()

    async def look_at_path(self) -> bool:
        """Find out whether files can be made in the folder, which is made if CreateDirectory allows it."""
        async with self._path_turn:  # the last one sees the newest settings
            files = self.state.files
            self._looked_at = None
            try:
                folder = self._resolve(files.path)
            except InputError as error:
                problem = str(error)
            else:
                problem = await asyncio.to_thread(path_problem, folder, files.create_directory)
                self._looked_at = Path(folder)
            said = self.state.message if self.state.error else ""
            self.update(path_exists=not problem, message=shortened(problem) or said)
            return not problem

    async def capture(self, start: int) -> None:
        """Begin a capture and wait for its end, or end it.

        Raises:
            ArchonError: if it cannot begin.
        """
        if start:
            await self._begin()
            await self._ended.wait()
            return
        async with self._file_turn, self._ending_at_errors():
            if self.state.capturing:
                await self._finish()

    async def write_file(self, start: int = 1) -> None:
        """Write the last image or the buffer, and wait until it is on the disk.

        Raises:
            StateError: if there is none.
            ArchonError: if it cannot be written.
        """
        if not start:
            return
        async with self._file_turn:
            mode = self.state.files.write_mode
            if mode is FileWriteMode.STREAM or self.state.capturing:
                raise StateError("the images of a capture are written by itself")
            async with self._ending_at_errors():
                if mode is FileWriteMode.SINGLE and self.last:
                    await self._write_alone(self.last)
                elif mode is FileWriteMode.CAPTURE and self._buffer:
                    await self._write_buffer()
                else:
                    raise StateError("there is no image to write")

    async def free_capture(self, start: int = 1) -> None:
        """Forget the images of the buffer.

        Raises:
            StateError: during a capture.
        """
        if not start:
            return
        if self.state.capturing:
            raise StateError("the capture must be ended first")
        async with self._file_turn:
            self._buffer.clear()
            self.update(captured=0)

    async def flush(self, start: int = 1) -> None:
        """Let what is written reach those who read the open file."""
        async with self._file_turn, self._ending_at_errors():
            if start and self._file:
                await self.in_thread(self._file.writer.flush)
                self.update(**self.results())

    async def _begin(self) -> None:
        async with self._file_turn:
            if self.state.capturing:
                return
            self.update(error=False, message="", full_name="", captured=0)
            async with self._ending_at_errors():
                await self._prepare()
            self._ended = asyncio.Event()
            is_stream = self.state.files.write_mode is FileWriteMode.STREAM
            self.update(captured=0, capturing=True, writing=is_stream, **self.results())

    async def _prepare(self) -> None:
        """Find out before the first image comes whether it can be written, and open the file if it is wanted."""
        state, files = self.state, self.state.files
        if not state.settings.enabled:
            raise StateError("the plugin gets no images: EnableCallbacks is Disable")
        if files.write_mode is FileWriteMode.SINGLE:
            raise StateError("there is no Capture in FileWriteMode Single")
        is_named_later = self.last is not None and names_its_file(self.last)
        if not is_named_later:
            await self._free_path(files)
        if files.write_mode is FileWriteMode.CAPTURE:
            self._buffer.clear()
            self._require_memory()
        elif self.holds_many and not is_named_later:
            if not files.lazy_open and not state.source.byte_count:
                raise StateError("the size of images is not known: take one first, or set LazyOpen")
            self._claimed = await self._claim()  # ophyd reads the number now, also where the file is opened later
            if not files.lazy_open:
                await self._open(state.source)

    def _require_memory(self) -> None:
        count = self.state.files.num_capture
        if not count:
            raise InputError("a capture in memory has an end: NumCapture is 0")
        require_memory(count, self.state.source, self.memory_limit)

    async def _keep(self, array: NDArray) -> NDArray:
        try:
            self._require_place(array)
        except InputError:
            if self.state.files.auto_save:
                await self._write_buffer()
            raise
        self._buffer.append(array)
        self.update(captured=len(self._buffer))
        if len(self._buffer) >= self.state.files.num_capture:
            await self._finish()
        return array

    def _require_place(self, array: NDArray) -> None:
        if self.holds_many and self._buffer:
            require_same(array, self._buffer[0].geometry)
        require_memory(len(self._buffer) + 1, array.geometry, self.memory_limit)

    async def _append(self, array: NDArray) -> NDArray:
        if self._file and steered(self._file.settings, array) != self._file.settings:
            await self._close()
            self.update(captured=0)
        await self._add(array)
        if not self.holds_many:
            await self._close()
        captured = self.state.captured + 1
        self.update(captured=captured, **self.results())
        await self._delete_driver_file(array)
        if is_last(array) or 0 < self.state.files.num_capture <= captured:
            await self._finish()
        return array

    async def _write_alone(self, array: NDArray) -> NDArray:
        self.update(writing=True, error=False, message="", captured=0)
        await self._add(array, single=True)
        await self._close()
        self.update(writing=False, captured=1, **self.results())
        await self._delete_driver_file(array)
        return array

    async def _write_buffer(self) -> None:
        self.update(writing=True, error=False, message="")
        while self._buffer:
            array = self._buffer[0]
            await self._add(array)
            if not self.holds_many:
                await self._close()
            self._buffer.popleft()
            self.update(captured=len(self._buffer), **self.results())
            await self._delete_driver_file(array)
        await self._close()
        self.update(writing=False, **self.results())

    async def _add(self, array: NDArray, *, single: bool = False) -> None:
        """Write an image into the open file, or a new one."""
        file = self._file
        if file is None:
            self._steer(array)
            file = await self._open(array.geometry, single=single)
        require_same(array, file.geometry)
        await self.in_thread(file.writer.write, array)

    def _steer(self, array: NDArray) -> None:
        wanted = steered(self.state.files, array)
        if wanted != self.state.files:
            self._claimed = None
            self.update(files=wanted)

    async def _free_path(self, files: NDFileSettings) -> Path:
        await self.look_at_path()  # it may be the first file of a night
        return await asyncio.to_thread(free_path, files, self._resolve)

    async def _claim(self) -> _Claim:
        """Take the next name. Clients that begin a capture take the file for that before FileNumber."""
        files = self.state.files
        path = await self._free_path(files)
        now = self.state.files
        if files.auto_increment and now.number == files.number:  # else somebody has just set the next one
            self.update(files=replace(now, number=min(files.number + 1, LARGEST_NUMBER)))
        return path, files

    async def _open(self, geometry: Geometry, *, single: bool = False) -> OpenFile:
        claimed, self._claimed = self._claimed, None
        path, files = claimed or await self._claim()
        self.update(full_name=str(path))
        is_whole = single or not self.holds_many
        part = part_of(path, files.temp_suffix, is_whole=is_whole)
        count = len(self._buffer) or self.state.files.num_capture
        writer = await self.in_thread(self.create, Opening(part, path, geometry, single, count))
        self._file = file = OpenFile(writer, part, path, geometry, files, is_whole)
        self.update(**self.results())
        return file

    async def _close(self) -> None:
        file, self._file, self._claimed = self._file, None, None
        if file:
            await self.in_thread(file.close)
            log.info("%s wrote %s", self.name, file.path)

    async def _finish(self) -> None:
        """End a capture that went well."""
        await self._close()
        if self._buffer and self.state.files.auto_save:
            await self._write_buffer()
        self.update(capturing=False, writing=False, **self.results())
        self._ended.set()

    @contextlib.asynccontextmanager
    async def _ending_at_errors(self) -> AsyncGenerator[None]:
        """Whatever goes wrong is shown and ends the capture, and the file can be read."""
        problem = "the program ended, or has a fault that its log tells"
        try:
            yield
            problem = ""
        except ArchonError as error:
            problem = str(error)
            raise
        finally:
            if problem:
                await self._break_off(problem)

    async def _break_off(self, problem: str) -> None:
        file, self._file, self._claimed = self._file, None, None
        if file:
            try:
                await self.in_thread(file.abandon)
            except (SaveError, OSError) as error:
                problem = f"{problem}; {error}"
        self.update(capturing=False, writing=False, error=True, message=shortened(problem), **self.results())
        self._ended.set()

    async def _watch_enabled(self) -> None:
        """End a capture that gets no images any more."""
        while True:
            await self.live.until(lambda state: state.capturing and not state.settings.enabled)
            async with self._file_turn:
                if self.state.capturing and not self.state.settings.enabled:
                    await self._break_off("the plugin was disabled during the capture")
                    self.refused(self.state.message)

    async def _watch_path(self) -> None:
        """Notice when the folder vanishes or comes back; it is made when a file needs it."""
        while True:
            await asyncio.sleep(LOOK_PERIOD)
            if folder := self._looked_at:
                problem = await self.in_thread(path_problem, str(folder))  # a disk that hangs holds up nobody else
                if folder is self._looked_at and self.state.path_exists == bool(problem):
                    self.update(path_exists=not problem)

    async def _delete_driver_file(self, array: NDArray) -> None:
        if not self.state.files.delete_driver_file or not driver_file(array):
            return
        try:
            await self.in_thread(Path(driver_file(array)).unlink)
        except OSError as error:
            self.update(message=shortened(f"cannot delete {driver_file(array)}: {error.strerror}"))
