"""Captures: areaDetector's Capture for the camera's own files, so many images that are filed in any case."""

import asyncio
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.state import FileState


class _Show(Protocol):
    def __call__(self, **changes: object) -> None: ...


class Captures:
    """One capture after the other; what they show are fields of `FileState`."""

    def __init__(self, file: Callable[[], FileState], show: _Show) -> None:
        self._file, self._show = file, show
        self._taken: WeakSet[FileSet] = WeakSet()
        self._count = 0
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """Begin one; no image was captured yet."""
        self._taken.clear()
        self._count = 0
        self._ended = asyncio.Event()
        self._show(captured=0, full_name="", error=False, message="")
        self._show(capturing=True)

    def end(self) -> None:
        """End it, if there is one."""
        self._show(capturing=False)
        self._ended.set()

    def break_off(self, problem: str) -> bool:
        """End it with an error; return whether there was one."""
        if not self._file().capturing:
            return False
        self._show(error=True, message=problem)
        self.end()
        return True

    async def ended(self) -> None:
        """Wait until the capture that is going on has ended."""
        await self._ended.wait()

    def has_room(self, most: int) -> bool:
        """Return whether the next image belongs to a capture of ``most`` images, 0 for no end."""
        return self._file().capturing and not 0 < most <= self._count

    def take(self, files: FileSet, most: int) -> bool:
        """Return whether an image belongs to the capture, to which it is added if there is room."""
        if files not in self._taken and self.has_room(most):
            self._taken.add(files)
            self._count += 1
        return files in self._taken

    def filed(self, files: FileSet, most: int) -> None:
        """All files of an image are on the disk."""
        if files not in self._taken or not self._file().capturing:
            return
        self._taken.discard(files)  # it may be written once more
        captured = self._file().captured + 1
        self._show(captured=captured)
        if 0 < most <= captured:
            self.end()
