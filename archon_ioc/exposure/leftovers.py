"""Leftovers: what a program that was killed has left among the files of an exposure. All functions block."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import SaveError
from archon_ioc.exposure.files import Naming, Target, all_names, save, targets
from archon_ioc.image import header
from archon_ioc.image.fits import add_sum
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.header import Card

_SAME = ("SPEC", "ARCHBACK", "ARCHFRAM", "ARCHTIME")
"""Cards that no two exposures have in common."""


class TakenError(SaveError):
    """The names that the files of an exposure were to have belong to other files."""


def finish(
    images: Mapping[str, PixelArray], facts: header.Facts, naming: Naming, detectors: Sequence[DetectorConfig] = ()
) -> tuple[str, ...]:
    """Write those files of an exposure that are not there yet, and return the names of all of them.

    Args:
        images: the arrays by CCD.
        facts: what is known of the exposure.
        naming: the names that its files were to have, which are nobody else's.
        detectors: the CCDs of the site file.

    Raises:
        TakenError: if other files have their names, and none of its own is there.
        SaveError: if they cannot be written.
    """
    wanted, cards = targets(images, naming, facts.controller), header.cards(facts)
    missing: list[Target] = []
    try:
        remove_parts(name for target in wanted for name in all_names(target, naming))
        for target in wanted:
            if not holds(target.name, cards):
                missing.append(target)
            elif naming.sum_name != "none":
                add_sum(target.name, naming.sum_name)
    except OSError as error:
        raise SaveError(wanted[0].name, str(error)) from error
    if len(missing) == len(wanted) and (taken := [one.name for one in wanted if os.path.lexists(one.name)]):
        raise TakenError(taken[0], "another file has this name")
    if missing:
        save(images, facts, naming, detectors, missing)
    return tuple(target.name for target in wanted)


def remove_parts(names: Iterable[str]) -> list[str]:
    """Remove the hidden files under which the files of an exposure were being written, and return their names.

    The names of an exposure's files are its own, so nobody else can be writing them.

    Raises:
        OSError: if a folder cannot be read, or a file not be removed.
    """
    removed: list[str] = []
    for name in map(Path, names):
        pattern = re.compile(rf"\.{re.escape(name.name)}\.[\w.-]+\.part")
        if name.parent.is_dir():
            found = [path for path in name.parent.iterdir() if pattern.fullmatch(path.name)]
            for path in found:
                path.unlink(missing_ok=True)
            removed += [str(path) for path in found]
    return removed


def holds(name: str, cards: Iterable[Card]) -> bool:
    """Return whether a file is there and is the one of an exposure: files are whole or not there.

    Where there are no hard links, a name is taken by an empty file first; that is removed.

    Args:
        name: the file; its name is the exposure's own.
        cards: the header that the exposure gives it.

    Raises:
        OSError: if it cannot be read.
    """
    path = Path(name)
    if not path.exists():
        return False
    if path.stat().st_size == 0:
        path.unlink()
        return False
    wanted = {card.keyword: card.value for card in cards if card.keyword in _SAME}
    try:
        opened: Any = fits.open(path)  # astropy has no types here  # pyright: ignore[reportUnknownMemberType]
        with opened as hdus:
            headers = [hdu.header for hdu in hdus]
    except OSError as error:
        if error.errno is None:  # it can be read, and is no FITS file
            return False
        raise
    return all(any(header.get(keyword) == value for header in headers) for keyword, value in wanted.items())
