"""File names and saving, as areaDetector's NDFile plugins do it."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import InputError, SaveError
from archon_ioc.exposure.fields import filled
from archon_ioc.image import fits, header, layout
from archon_ioc.image.geometry import PixelArray

_CONVERSION = re.compile(r"%(?P<flags>[-+ 0]*)(?P<width>\d*)(?P<precision>\.\d*)?[hl]*(?P<letter>.?)", re.DOTALL)
_LETTERS = ("s", "s", "diuxXo")  # of path, name, number
_WIDEST = 255
_HEADER_ROOM = 64 * 1024
_MOST_AT_ONCE = 4
_COMPRESSED = (".gz", ".fz", ".bz2", ".Z")


@dataclass(frozen=True, slots=True)
class Naming:
    """What the files of an exposure are called, and how they are written.

    Template, path, name and number are areaDetector's FileTemplate, FilePath, FileName and FileNumber; the fields
    ``{ccd}``, ``{controller}`` and ``{number}`` may stand in them.
    """

    template: str
    path: str
    name: str
    number: int
    several: bool = False
    """Whether the exposure has several files, so that the names of CCDs or controllers are needed."""
    layout: str = "ccd"
    """One of `archon_ioc.image.layout.LAYOUTS`."""
    compression: str = "none"
    """One of `archon_ioc.image.fits.COMPRESSIONS`."""
    sum_name: str = "none"
    """One of `archon_ioc.image.fits.SUMS`."""

    def full_name(self, ccd: str = "", controller: str = "") -> str:
        """Return the path of the file of one CCD, or of one controller where it has all its CCDs.

        Raises:
            InputError: if no file name can be made.
        """
        ending = fits.COMPRESSIONS[self.compression]
        own = controller if self.layout == "controller" else ccd
        printed = file_name(self.template.removesuffix(ending), self.path, self.name, self.number)
        fields = {"ccd": own or controller, "controller": controller, "number": self.number}
        full = filled(printed, fields)
        is_named = "{ccd}" in printed or (self.layout == "controller" and "{controller}" in printed)
        return (_with_suffix(full, own) if self.several and own and not is_named else full) + ending


@dataclass(frozen=True, slots=True)
class Target:
    """One file of an exposure: its name, and the images that it holds."""

    name: str
    images: tuple[str, ...]


def targets(images: Iterable[str], naming: Naming, controller: str = "") -> tuple[Target, ...]:
    """Return the files for one controller's images, given by CCD.

    Raises:
        InputError: if the names cannot be made.
    """
    images = tuple(images)
    if naming.layout == "controller":
        return (Target(naming.full_name(controller=controller), images),)
    naming = replace(naming, several=naming.several or len(images) > 1)
    return tuple(Target(naming.full_name(image, controller), (image,)) for image in images)


def normal_path(path: str) -> str:
    """Return a folder as FilePath_RBV shows it: with one ``/`` at the end; the empty path stays empty.

    >>> normal_path("/data"), normal_path("/data//"), normal_path("")
    ('/data/', '/data/', '')
    """
    return path.rstrip("/") + "/" if path else ""


def file_name(template: str, path: str, name: str, number: int) -> str:
    """Return the full name that a C printf template makes of path, name and number, in this order.

    The template may leave out what comes last.

    >>> file_name("%s%s_%3.3d.fits", "/data", "m31", 7)
    '/data/m31_007.fits'

    Raises:
        InputError: if the template has more or other conversions, or what it makes cannot be a file name.
    """
    full = _printed(template, (normal_path(path), name, number))
    last = full.rpartition("/")[2]
    if last in ("", ".", "..") or _has_control(full):
        raise InputError(f"{full!r} is not the name of a file")
    if last.endswith(_COMPRESSED):
        raise InputError(f"{last!r} would be a compressed file; that is what Compression is for")
    return full


def _with_suffix(name: str, suffix: str) -> str:
    """The name with a suffix before its extension."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{Path(last).stem}_{suffix}{Path(last).suffix}"


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
    only: Sequence[Target] | None = None,
) -> tuple[str, ...]:
    """Write one controller's files, several at once, and return their names. Blocks; for use in a thread.

    Nothing is written unless every name is free and there is room for all.

    Args:
        images: the arrays by CCD, as `archon_ioc.image.geometry.split` returns them.
        facts: what is known of the exposure; file name and detector are filled in here.
        naming: the names of the files, and how they are written.
        detectors: the CCDs of the site file.
        only: those of its `targets` that are to be written, by default all.

    Raises:
        InputError: if the names cannot be made.
        ConfigError: if a card of the site or the user cannot be written.
        SaveError: naming what was not written, and what was.
    """
    wanted = targets(images, naming, facts.controller) if only is None else only
    parts = {
        target.name: layout.units(
            naming.layout,
            {name: images[name] for name in target.images},
            replace(facts, file_name=Path(target.name).name),
            detectors,
        )
        for target in wanted
    }
    if not parts:  # all its CCDs are excluded
        return ()
    _check_room(naming, list(parts), sum(array.nbytes + _HEADER_ROOM for array in images.values()))
    return _write_all(parts, naming)


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


def all_names(target: Target, naming: Naming) -> tuple[str, ...]:
    """Return the names of a file and of that with its sum, if there is to be one."""
    own = () if naming.sum_name == "none" else (str(fits.sum_path(target.name, naming.sum_name)),)
    return target.name, *own


def _check_room(naming: Naming, names: Sequence[str], needed: int) -> None:
    for name in names:
        for taken in all_names(Target(name, ()), naming):
            if os.path.lexists(taken):
                raise SaveError(taken, "it exists already")
    folder = str(Path(names[0]).parent)
    free = free_bytes(folder)
    if free < needed:
        raise SaveError(names[0], f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free")


def _write_all(parts: Mapping[str, Sequence[fits.Unit]], naming: Naming) -> tuple[str, ...]:
    """Write all files that can be written, and say what could not."""

    def write(name: str) -> SaveError | None:
        try:
            fits.write(name, parts[name], naming.compression, naming.sum_name)
        except SaveError as error:
            return error
        return None

    with ThreadPoolExecutor(min(len(parts), _MOST_AT_ONCE), "files") as pool:
        errors = dict(zip(parts, pool.map(write, parts), strict=True))
    failed = [error for error in errors.values() if error is not None]
    if not failed:
        return tuple(parts)
    written = [name for name, error in errors.items() if error is None]
    others = [str(error) for error in failed[1:]]
    more = [*others, *([f"written: {', '.join(written)}"] if written else [])]
    raise SaveError(failed[0].path, "; ".join([failed[0].reason, *more])) from failed[0]
