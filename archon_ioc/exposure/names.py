"""Names that are free: files that exist are never written over. All functions block."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace

from archon_ioc.errors import SaveError
from archon_ioc.exposure.files import Naming, Target, all_names

log = logging.getLogger(__name__)

_LONGEST_NAME = 235
"""Bytes of a file name; file systems allow 255, and while it is written it has some more."""

TargetsOf = Callable[[Naming], list[Target]]
"""Returns all files of an exposure."""


def check_names(naming: Naming, targets_of: TargetsOf, *, auto_increment: bool) -> None:
    """Refuse names that cannot become files, while nothing is lost by it.

    Raises:
        InputError: if no name can be made.
        SaveError: if a file of that name cannot be written.
    """
    if auto_increment:
        naming = replace(naming, number=free_number(naming, targets_of))
    for name in (name for target in targets_of(naming) for name in all_names(target, naming)):
        folder, file = os.path.split(name)
        if not os.path.isdir(folder or "."):  # noqa: PTH112 - Path.is_dir raises where nobody may look
            raise SaveError(name, f"there is no folder {folder}")
        if len(os.fsencode(file)) > _LONGEST_NAME:
            raise SaveError(name, f"the name is longer than {_LONGEST_NAME} bytes")
        if os.path.lexists(name):
            raise SaveError(name, "it exists already")


def free_number(naming: Naming, targets_of: TargetsOf) -> int:
    """Return the first number from the wanted one on whose files do not exist. Blocks."""

    def names(number: int) -> list[str]:
        wanted = replace(naming, number=number)
        return [name for target in targets_of(wanted) for name in all_names(target, wanted)]

    number, own = naming.number, names(naming.number)
    while any(map(os.path.lexists, names(number))):
        if own == names(number + 1):
            raise SaveError(own[0], "it exists, and the template has no number")
        number += 1
    if number != naming.number:
        log.warning("file numbers %d to %d exist already", naming.number, number - 1)
    return number
