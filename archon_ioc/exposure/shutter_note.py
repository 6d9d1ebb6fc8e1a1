"""ShutterNote: tells the next program that a shutter was left open by one that died."""

import fcntl
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

from archon_ioc.errors import SaveError
from archon_ioc.image.durable import sync_folder


class ShutterNote:
    """A small file that is there while a shutter is open outside an exposure. The methods block.

    It is locked (flock) as long as its program lives: another one with the same folder and ``prefix`` leaves it alone.
    """

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._path = folder / "-".join(["shutter-open", *re.findall(r"[\w.-]+", prefix, re.ASCII)])
        self._file: TextIO | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is one, of this program or of one that died."""
        return self._file is not None

    def read(self) -> str:
        """Return since when the shutter is open by the note of a program that died, nothing without one.

        Raises:
            SaveError: if it cannot be read.
        """
        try:
            return self._taken("r+").read()
        except (FileNotFoundError, BlockingIOError):
            return ""
        except OSError as error:
            raise SaveError(str(self._path), error.strerror or str(error)) from error

    def write(self) -> None:
        """Note that the shutter is open now; when this returns, it is on the disk.

        Raises:
            SaveError: if that is not possible.
        """
        if self._file:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._taken("a+")
            file.truncate(0)
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
            os.fsync(file.fileno())
            sync_folder(self._path.parent)
        except OSError as error:
            raise SaveError(str(self._path), error.strerror or str(error)) from error

    def remove(self) -> None:
        """The shutter is closed.

        Raises:
            SaveError: if the note cannot be removed.
        """
        if self._file is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise SaveError(str(self._path), error.strerror or str(error)) from error
        self.leave()

    def leave(self) -> None:
        """Leave the note, if there is one, to the next program."""
        if self._file:
            self._file.close()
            self._file = None

    def _taken(self, mode: Literal["r+", "a+"]) -> TextIO:
        file = self._path.open(mode, encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise
        self._file = file
        return file
