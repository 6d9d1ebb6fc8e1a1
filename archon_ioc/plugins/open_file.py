"""OpenFile: a file of a plugin from its first byte to its name."""

import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archon_ioc.errors import SaveError
from archon_ioc.image.durable import give_name, sync_folder
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.ndfile_state import NDFileSettings

NO_RESERVING = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What disks say that cannot set room aside."""


class Writer(Protocol):
    """A file that is open for writing. The methods block; they are called in the plugin's thread."""

    def write(self, array: NDArray) -> None:
        """Add an image; a reader has it when this returns."""
        ...

    def flush(self) -> None:
        """Let everything that was written reach its readers."""
        ...

    def close(self) -> None:
        """Close the file; it is on the disk when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a file when it is opened: ``count`` images of one geometry, 0 if nobody knows how many.

    It is written at ``path`` and called ``name`` in the end, also in errors. A ``single`` file never has more than one
    image, which needs no axis for its number.
    """

    path: Path
    name: Path
    geometry: Geometry
    single: bool
    count: int


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file while it is written, and the name that it gets when it is closed. The methods block.

    One that ``is_whole`` has one image, and is seen only when it is there; others grow.
    """

    writer: Writer
    part: Path
    path: Path
    geometry: Geometry
    settings: NDFileSettings
    is_whole: bool

    def close(self) -> None:
        """Close it and give it its name.

        Raises:
            SaveError: if it cannot be written, or a file has the name.
        """
        self.writer.close()
        if self.part != self.path:
            try:
                give_name(self.part, self.path)
                sync_folder(self.path.parent)
            except OSError as error:
                raise SaveError(str(self.path), error.strerror or str(error)) from error

    def abandon(self) -> None:
        """Close a file that went wrong: what is whole in one of many images stays, half an image does not.

        Raises:
            SaveError: if it cannot be written.
        """
        if not self.is_whole:
            self.close()
            return
        try:
            self.writer.close()
        finally:
            self.part.unlink(missing_ok=True)


def reserve(descriptor: int, start: int, count: int) -> None:
    """Have the disk set room aside in a file, where it can; before a byte is written it is clear whether there is any.

    Raises:
        OSError: if there is no room.
    """
    try:
        os.posix_fallocate(descriptor, start, count)
    except OSError as error:
        if error.errno not in NO_RESERVING:
            raise


def part_of(path: Path, suffix: str, *, is_whole: bool) -> Path:
    """Return what a file is called while it is written; one that is seen only when it is whole is hidden."""
    if suffix:
        return path.with_name(path.name + suffix)
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part") if is_whole else path
