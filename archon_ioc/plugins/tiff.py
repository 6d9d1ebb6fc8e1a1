"""TIFF1: areaDetector's NDFileTIFF. Every file has one image."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tifffile

from archon_ioc import __version__
from archon_ioc.errors import SaveError
from archon_ioc.plugins.ndarray import EPICS_EPOCH, Attribute, NDArray
from archon_ioc.plugins.ndfile import FilePlugin
from archon_ioc.plugins.ndfile_state import NDFileSettings, NDFileState
from archon_ioc.plugins.open_file import Opening, reserve

# Tags of areaDetector's own (docs of NDFileTIFF): the attributes of the image follow in the order of their names.
_TIME_STAMP, _UNIQUE_ID, _SECONDS, _NANOSECONDS = 65000, 65001, 65002, 65003
_FIRST_ATTRIBUTE, _LAST_ATTRIBUTE = 65010, 65535
_ASCII, _LONG, _DOUBLE = "s", "I", "d"
_BIG = 1 << 31
"""Bytes from which on a file needs 64 bits for its offsets."""

Tag = tuple[int, str, int, Any, bool]


class TiffWriter:
    """One file, which gets its image in one go."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path, self._name = path, name

    def write(self, array: NDArray) -> None:
        """Write the image with its attributes.

        Raises:
            SaveError: if it cannot be written.
        """
        words = {
            name: str(attribute.value)
            for name in ("Manufacturer", "Model", "TIFFImageDescription")
            if (attribute := array.attributes.get(name)) is not None
        }
        try:
            with self._path.open("xb") as file:
                reserve(file.fileno(), 0, array.pixels.nbytes)
                tifffile.imwrite(
                    file, array.pixels, bigtiff=array.pixels.nbytes > _BIG, photometric="minisblack", metadata=None,
                    software=f"archon-ioc {__version__}", description=words.get("TIFFImageDescription"),
                    extratags=[*_maker(words), *_tags(array)],
                )  # fmt: skip
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SaveError(str(self._name), error.strerror or str(error)) from error

    def flush(self) -> None:
        """There is nothing to do: what was written is on the disk."""

    def close(self) -> None:
        """There is nothing to do."""


class TiffPlugin(FilePlugin[NDFileState]):
    """Writes each image into a TIFF file of its own."""

    plugin_type = "NDFileTIFF"
    file_format = "TIFF"

    def __init__(self, name: str, files: NDFileSettings, resolve: Callable[[str], str] = str) -> None:
        super().__init__(name, NDFileState(files=files), resolve)

    def create(self, opening: Opening) -> TiffWriter:
        """Return a file that will be made when its image is there."""
        return TiffWriter(opening.path, opening.name)


def _maker(words: dict[str, str]) -> Iterator[Tag]:
    for tag, name in ((271, "Manufacturer"), (272, "Model")):
        if name in words:
            yield _text(tag, words[name])


def _tags(array: NDArray) -> Iterator[Tag]:
    seconds, nanoseconds = divmod(round(array.published * 1e9), 1_000_000_000)
    yield _TIME_STAMP, _DOUBLE, 1, array.timestamp - EPICS_EPOCH, True
    yield _UNIQUE_ID, _LONG, 1, array.unique_id, True
    yield _SECONDS, _LONG, 1, max(seconds - EPICS_EPOCH, 0), True
    yield _NANOSECONDS, _LONG, 1, nanoseconds, True
    tags = range(_FIRST_ATTRIBUTE, _LAST_ATTRIBUTE + 1)
    for tag, (name, attribute) in zip(tags, sorted(array.attributes.items()), strict=False):
        yield _text(tag, f"{name}:{_written(attribute)}")


def _text(tag: int, text: str) -> Tag:
    written = text.encode("ascii", "replace")
    return tag, _ASCII, len(written) + 1, written, True


def _written(attribute: Attribute) -> str:
    value = attribute.value
    return f"{value:f}" if isinstance(value, float) else str(value)
