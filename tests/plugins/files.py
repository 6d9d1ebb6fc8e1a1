"""File plugins for tests, which write the numbers of images as text."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from archon_ioc.errors import SaveError
from archon_ioc.plugins.ndarray import Attribute, NDArray
from archon_ioc.plugins.ndfile import FilePlugin
from archon_ioc.plugins.ndfile_state import NDFileSettings, NDFileState
from archon_ioc.plugins.open_file import Opening
from tests.plugins.arrays import array


class Numbers:
    """A file with the number of each image; 13 cannot be written."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("x", encoding="ascii")
        except OSError as error:
            raise SaveError(str(path), str(error.strerror)) from error
        self.closed = False

    def write(self, array: NDArray) -> None:
        if array.unique_id == 13:
            raise SaveError(self._file.name, "no space left on device")
        if array.unique_id == 14:
            raise ZeroDivisionError
        self._file.write(f"{array.unique_id}\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Many(FilePlugin[NDFileState]):
    """Writes many images into one file."""

    holds_many = True

    def create(self, opening: Opening) -> Numbers:
        return Numbers(opening.path)


class One(Many):
    """Writes each image into a file of its own."""

    holds_many = False


def settings(folder: Path, **changes: Any) -> NDFileState:
    files = NDFileSettings(path=f"{folder}/", name="a", template="%s%s_%2.2d.txt")
    return NDFileState(files=files.changed(**changes))


async def begun(plugin: FilePlugin[NDFileState]) -> asyncio.Task[None]:
    """Begin a capture; the task ends with it."""
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    return task


async def give(plugin: FilePlugin[NDFileState], *numbers: int) -> None:
    for number in numbers:
        await plugin.take(array(number))
    await plugin.idle()


def found(folder: Path) -> dict[str, list[int]]:
    """Return the numbers in each file."""
    return {path.name: [int(line) for line in path.read_text().split()] for path in sorted(folder.iterdir())}


def named(number: int, **attributes: float | int | str) -> NDArray:
    return replace(array(number), attributes={name: Attribute(value) for name, value in attributes.items()})
