"""Runs the program on a disk that takes 2 MB/s: as on any disk, what was written is on it when ``fsync`` returns."""

import os
import runpy
import threading

BYTES_PER_SECOND = 2e6
ACCESS_SECONDS = 0.03


def slowly(descriptor: int) -> None:
    """Put a file on the disk."""
    threading.Event().wait(ACCESS_SECONDS + os.fstat(descriptor).st_size / BYTES_PER_SECOND)
    _fsync(descriptor)


if __name__ == "__main__":
    _fsync, os.fsync = os.fsync, slowly
    runpy.run_module("archon_ioc", run_name="__main__", alter_sys=True)
