"""FITS1: the camera's own files, shown as areaDetector's file plugins are."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archon_ioc.errors import ArchonError, InputError
from archon_ioc.exposure.files import path_problem
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.settings import FileSettings
from archon_ioc.exposure.state import CameraState, FileState
from archon_ioc.live import Live
from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.plugins.ndfile_state import LOOK_PERIOD, shortened
from archon_ioc.plugins.plugin import Plugin, PluginSettings, PluginState


@dataclass(frozen=True, slots=True)
class FitsState(PluginState):
    """What the camera's state says of files, with the names of `NDFileState`."""

    settings: PluginSettings = field(default_factory=lambda: PluginSettings(array_callbacks=False))
    files: FileSettings = field(default_factory=FileSettings)
    path_exists: bool = False
    full_name: str = ""
    captured: int = 0
    capturing: bool = False
    writing: bool = False
    error: bool = False
    message: str = ""


_OF_FILE = ("path_exists", "full_name", "captured", "capturing", "writing", "error", "message")


class FitsPlugin(Plugin[FitsState]):
    """Files are written by the camera, which never loses an image; this is the plugin that clients see.

    Images are filed as they were exposed: they come from the camera only, and none is left out.
    """

    plugin_type = "NDFileFITS"
    file_format = "FITS"
    is_fixed = True
    kept = ()  # the camera keeps what there is; and after a restart images are filed, whoever disabled that

    def __init__(self, name: str) -> None:
        super().__init__(name, FitsState())
        self._filing: Filing | None = None
        self._file = FileState()

    def attach(self, filing: Filing, live: Live[CameraState]) -> None:
        """Show and change the files of a camera."""
        self._filing = filing
        filing.is_enabled = lambda: self.state.settings.enabled
        self._show(live.value)
        live.follow(self._show)

    async def run(self) -> None:
        """Take images until cancelled, and notice when the folder of the files vanishes or comes back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_path(), name=f"{self.name} folder")
            tasks.create_task(super().run(), name=f"{self.name} images")

    async def process(self, array: NDArray) -> NDArray | None:
        """Say which image it was; it is counted when its files are on the disk."""
        self.update(array=self.state.array.of(array, counts=False))
        return None

    def change(self, **settings: object) -> None:
        """Change settings; what is disabled captures nothing more.

        Raises:
            InputError: if images would be left out.
        """
        if settings.get("min_callback_seconds"):
            raise InputError("no image is left out of the files")
        super().change(**settings)
        is_useless = self._filing is not None and not self.state.settings.enabled
        problem = "the plugin was disabled during the capture"
        if is_useless and self._files.captures.break_off(problem):
            self.refused(problem)

    async def set_files(self, **changes: Any) -> None:
        """Change any of the `FileSettings`.

        Raises:
            ArchonError: if a value makes no sense now.
        """
        await self._files.change(**changes)
        state = self.state
        if state.capturing and 0 < state.files.num_capture <= state.captured:
            await self._files.capture(0)

    async def capture(self, start: int) -> None:
        """Begin a capture and wait for its end, or end it.

        Raises:
            ArchonError: if it cannot begin.
        """
        try:
            await self._files.capture(start)
        except ArchonError as error:
            self.update(error=True, message=shortened(str(error)))
            raise

    async def write_file(self, start: int) -> None:
        """Write the last image and wait until it is on the disk.

        Raises:
            ArchonError: if there is none, or it cannot be written.
        """
        if start:
            await self._files.write()

    async def free_capture(self, start: int) -> None:
        """There is nothing to do: images of a capture are filed one by one."""

    @property
    def _files(self) -> Filing:
        if self._filing is None:
            raise InputError("there is no camera")
        return self._filing

    async def _watch_path(self) -> None:
        while True:
            await asyncio.sleep(LOOK_PERIOD)
            if self._filing is None or not self._file.next_name:
                continue
            folder = str(Path(self._file.next_name).parent)
            problem = await self.in_thread(path_problem, folder)  # a disk that hangs holds up this plugin only
            if self.state.path_exists == bool(problem):
                await self._filing.look_at_path(may_create=False)

    def _show(self, camera: CameraState) -> None:
        file, old = camera.file, self._file
        if file is old and camera.settings.files is self.state.files:
            return
        self._file = file
        array = self.state.array
        if file.filed != old.filed:
            array = replace(array, counter=array.counter + file.filed - old.filed)
        self.update(files=camera.settings.files, array=array, **{name: getattr(file, name) for name in _OF_FILE})
