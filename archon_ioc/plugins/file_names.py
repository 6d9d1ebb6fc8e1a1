"""What the next file of a plugin is called: files that exist are never written over. All functions block."""

import os
from collections.abc import Callable
from pathlib import Path

from archon_ioc.errors import InputError, SaveError
from archon_ioc.exposure.files import file_name
from archon_ioc.plugins.ndfile_state import NDFileSettings

_MOST_TRIED = 10_000


def free_path(files: NDFileSettings, resolve: Callable[[str], str]) -> Path:
    """Return the next file's name, which no file has.

    Raises:
        InputError: if no name can be made.
        SaveError: if there is a file of that name, or no folder.
    """
    name = file_name(files.template, resolve(files.path), files.name, files.number)
    if not os.path.isdir(Path(name).parent):  # noqa: PTH112 - Path.is_dir raises where nobody may look
        raise SaveError(name, f"there is no folder {Path(name).parent}")
    if not _is_taken(name, files.temp_suffix):
        return Path(name)
    free = _free_number(files, resolve)
    raise SaveError(name, "it exists already" + (f"; the next free FileNumber is {free}" if free is not None else ""))


def _free_number(files: NDFileSettings, resolve: Callable[[str], str]) -> int | None:
    """The first number from the next one on whose file does not exist, None if there is none. Blocks."""
    folder, before = resolve(files.path), ""
    for number in range(files.number, files.number + _MOST_TRIED):
        name = file_name(files.template, folder, files.name, number)
        if name == before:  # the template has no number
            return None
        if not _is_taken(name, files.temp_suffix):
            return number
        before = name
    return None


def first_free_number(files: NDFileSettings, resolve: Callable[[str], str]) -> int:
    """Return the next number whose file does not exist; the one that is set if there is none."""
    try:
        number = _free_number(files, resolve)
    except InputError:  # which is told when a file is wanted
        number = None
    return files.number if number is None else number


def _is_taken(name: str, suffix: str) -> bool:
    return os.path.lexists(name) or (bool(suffix) and os.path.lexists(name + suffix))
