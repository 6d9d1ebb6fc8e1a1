"""Files that are whole on the disk under their name, or not there."""

import errno
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def new_file(path: Path) -> Generator[BinaryIO]:
    """Open a file that gets its name when the block ends, and vanishes if it fails. Blocks.

    It is written under a hidden name in the same folder (``.name.….part``, the only thing that a crash can leave
    behind). When the block has ended well, file and name are on the disk. An existing file is never touched.

    Raises:
        FileExistsError: if a file has the name.
        OSError: if it cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        give_name(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let the names of a folder reach the disk.

    Raises:
        OSError: if they do not.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync files only
            raise
    finally:
        os.close(descriptor)


def give_name(part: Path, path: Path) -> None:
    """Give a file in the same folder its name; unlike ``os.rename`` this fails if a file has it. Blocks.

    Raises:
        FileExistsError: if a file has the name.
    """
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        path.touch(exist_ok=False)  # take the name, then put the whole file in its place
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise
    else:
        part.unlink()
