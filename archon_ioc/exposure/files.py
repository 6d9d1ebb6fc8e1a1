"""File names and saving, as areaDetector's NDFile plugins do it."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import InputError, SaveError
from archon_ioc.image import fits, header, layout
from archon_ioc.image.geometry import PixelArray

_CONVERSION = re.compile(r"%(?P<flags>[-+ 0]*)(?P<width>\d*)(?P<precision>\.\d*)?[hl]*(?P<letter>.?)", re.DOTALL)
_LETTERS = ("s", "s", "diuxXo")  # of path, name, number
_WIDEST = 255
_HEADER_ROOM = 64 * 1024
_COMPRESSED = (".gz", ".fz", ".bz2", ".Z")


@dataclass(frozen=True, slots=True)
class Naming:
    """What a file name is made of: areaDetector's FileTemplate, FilePath, FileName and FileNumber."""

    template: str
    path: str
    name: str
    number: int
    several: bool = False
    """Whether the exposure has several images, so that the names of the CCDs are needed."""

    def full_name(self, ccd: str = "") -> str:
        """Return the path of the file of one CCD, see `file_name`."""
        return file_name(self.template, self.path, self.name, self.number, ccd if self.several else "")


def normal_path(path: str) -> str:
    """Return a folder as FilePath_RBV shows it: with one ``/`` at the end; the empty path stays empty.

    >>> normal_path("/data"), normal_path("/data//"), normal_path("")
    ('/data/', '/data/', '')
    """
    return path.rstrip("/") + "/" if path else ""


def file_name(template: str, path: str, name: str, number: int, ccd: str = "") -> str:
    """Return the full name that a C printf template makes of path, name and number, in this order.

    The template may leave out what comes last. The name of a CCD goes before the extension.

    >>> file_name("%s%s_%3.3d.fits", "/data", "m31", 7)
    '/data/m31_007.fits'
    >>> file_name("%s%s_%3.3d.fits", "/data", "m31", 7, "b1")
    '/data/m31_007_b1.fits'

    Raises:
        InputError: if the template has more or other conversions, or what it makes cannot be a file name.
    """
    full = _printed(template, (normal_path(path), name, number))
    folder, slash, last = full.rpartition("/")
    if last in ("", ".", "..") or _has_control(full):
        raise InputError(f"{full!r} is not the name of a file")
    if last.endswith(_COMPRESSED):
        raise InputError(f"{last!r} would be a compressed file; this program writes plain FITS")
    return folder + slash + (f"{Path(last).stem}_{ccd}{Path(last).suffix}" if ccd else last)


def path_problem(path: str, create_levels: int = 0) -> str:
    """Return why no file can be made in a folder, in words; the empty text if one can. Blocks.

    Args:
        path: the folder; the empty path is the folder that the program runs in.
        create_levels: areaDetector's CreateDirectory. 0 makes nothing; +n makes folders below the first n, of
            which ``/`` is the first; -n makes up to n folders at the end of the path.
    """
    if _has_control(path):
        return f"{path!r} is not the name of a folder"
    folder = Path(path)
    try:
        if _may_create(folder, create_levels):
            folder.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            return f"{path} does not exist"
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not folder.is_dir():
        return f"{path} is not a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{path} is not writable"


def check_path(path: str, create_levels: int = 0) -> bool:
    """Return whether files can be made in a folder, which is made first if it may be (see `path_problem`)."""
    return not path_problem(path, create_levels)


def free_bytes(path: str) -> int:
    """Return the space that is free for files in a folder, in bytes.

    Raises:
        SaveError: if there is no such folder.
    """
    try:
        return shutil.disk_usage(path or ".").free
    except OSError as error:
        raise SaveError(path, error.strerror or str(error)) from error


def save(
    images: Mapping[str, PixelArray],
    facts: header.Facts,
    naming: Naming,
    detectors: Sequence[DetectorConfig] = (),
) -> tuple[str, ...]:
    """Write one exposure, a file per CCD, and return the files' names. Blocks; for use in a thread.

    Nothing is written unless every name is free and there is room for all.

    Args:
        images: the arrays by CCD, as `archon_ioc.image.geometry.split` returns them.
        facts: what is known of the exposure; file name and detector are filled in here.
        naming: the parts of the names; with more than one CCD each name gets that of the CCD.
        detectors: the CCDs of the site file.

    Raises:
        InputError: if the names cannot be made.
        ConfigError: if a card of the site or the user cannot be written.
        SaveError: naming what was not written, and what was.
    """
    naming = replace(naming, several=naming.several or len(images) > 1)
    names = {ccd: naming.full_name(ccd) for ccd in images}
    units = {
        ccd: layout.units("ccd", {ccd: images[ccd]}, replace(facts, file_name=Path(name).name), detectors)
        for ccd, name in names.items()
    }
    _check_room(list(names.values()), sum(array.nbytes + _HEADER_ROOM for array in images.values()))
    return _write_all([(names[ccd], units[ccd]) for ccd in images])


def _printed(template: str, arguments: tuple[str | int, ...]) -> str:
    """What C's printf makes of the template."""
    waiting = list(zip(_LETTERS, arguments, strict=True))

    def converted(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        if not waiting:
            raise InputError(f"{template!r} has more conversions than path, name and number")
        letters, argument = waiting.pop(0)
        if not match["letter"] or match["letter"] not in letters:
            raise InputError(f"{match.group()!r} in {template!r}: '%{letters[0]}' is possible here")
        return _converted(match, argument)

    return _CONVERSION.sub(converted, template)


def _converted(match: re.Match[str], argument: str | int) -> str:
    flags, width, precision = match["flags"], match["width"], match["precision"] or ""
    if max(int(width or 0), int(precision[1:] or 0)) > _WIDEST:
        raise InputError(f"{match.group()!r} is wider than {_WIDEST} characters")
    if precision:
        flags = flags.replace("0", "")  # as in C; Python would still fill with zeros
    return f"%{flags}{width}{precision}{match['letter']}" % argument


def _may_create(folder: Path, create_levels: int) -> bool:
    """Whether the folders above those that may be made exist."""
    names = folder.parts[1:] if folder.is_absolute() else folder.parts
    kept = create_levels - 1 if create_levels > 0 else max(len(names) + create_levels, 0)
    return Path(folder.anchor, *names[:kept]).is_dir()


def _has_control(text: str) -> bool:
    return any(ord(c) < 32 for c in text)


def _check_room(names: Sequence[str], needed: int) -> None:
    for name in names:
        if os.path.lexists(name):
            raise SaveError(name, "it exists already")
    folder = str(Path(names[0]).parent)
    free = free_bytes(folder)
    if free < needed:
        raise SaveError(names[0], f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")


def _write_all(parts: Sequence[tuple[str, Sequence[fits.Unit]]]) -> tuple[str, ...]:
    written: list[str] = []
    for name, units in parts:
        try:
            fits.write(name, units)
        except SaveError as error:
            if written:
                raise SaveError(error.path, f"{error.reason}; written before: {', '.join(written)}") from error
            raise
        written.append(name)
    return tuple(written)
