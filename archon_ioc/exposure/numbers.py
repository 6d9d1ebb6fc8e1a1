"""The next file number, durable and safe between programs that share a folder. All methods block."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from archon_ioc.errors import SaveError
from archon_ioc.image.durable import sync_folder


class NumberFile:
    """Keeps the next file number in a small file; of programs that take one at the same moment each gets its own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "number"

    def read(self) -> int | None:
        """Return the next number, None if there is none yet.

        Raises:
            SaveError: if it cannot be read.
        """
        try:
            return int(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _cannot(self._path, error) from error
        except ValueError as error:
            raise SaveError(str(self._path), "it holds no number") from error

    def take(self, default: int, free: Callable[[int], int]) -> int:
        """Take a number: when this returns, nobody else can have it, not even after a crash.

        Args:
            default: the number where none was kept yet.
            free: returns the first number from its argument on whose files do not exist.

        Raises:
            SaveError: if the next one cannot be kept.
        """
        with self._locked():
            kept = self.read()
            number = free(default if kept is None else kept)
            self._write(number + 1)
            return number

    def set(self, number: int) -> None:
        """Let ``number`` be the next one.

        Raises:
            SaveError: if it cannot be kept.
        """
        with self._locked():
            self._write(number)

    def give_back(self, number: int) -> bool:
        """Let a number that was taken but not used be the next one again; return whether it is.

        It is not if somebody has taken another one since.

        Raises:
            SaveError: if it cannot be kept.
        """
        with self._locked():
            is_last = self.read() == number + 1
            if is_last:
                self._write(number)
            return is_last

    @contextmanager
    def _locked(self) -> Generator[None]:
        lock = self._path.with_suffix(".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("w")
        except OSError as error:
            raise _cannot(lock, error) from error
        with file:  # which also gives the lock back
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, number: int) -> None:
        part = self._path.with_suffix(".part")
        try:
            with part.open("w", encoding="ascii") as file:
                file.write(f"{number}\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise _cannot(self._path, error) from error


def _cannot(path: Path, error: OSError) -> SaveError:
    return SaveError(str(path), error.strerror or str(error))
