"""Images to one FITS file: whole on disk under its name, or not there."""

import gzip
import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from archon_ioc.errors import SaveError
from archon_ioc.image.durable import new_file
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.header import Card

COMPRESSIONS = {"none": "", "gzip": ".gz", "rice": ".fz"}
"""What it adds to the name of a file."""
SUMS = ("none", "md5", "sha1", "sha256")

_CARD_LENGTH = 80
_LONG_TEXT = fits.Card("LONGSTRN", "OGIP 1.0", "Long text goes on in CONTINUE")
_BLOCK = 2880
_GZIP_LEVEL = 1
"""A bias frame at level 1: 38 % of its size in 0.9 s per 73.5 MB; level 6 needs sixteen times as long for 37 %."""
_TILE_ROWS = 16
"""Rows that are compressed as one; single ones take twice as long."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One header, and its image if it has one: rows x columns, 16 or 32 bits without sign, the first row first.

    ``cards`` are everything but the structure of the file, each keyword once. All but the first unit of a file have
    a ``name``, their EXTNAME.
    """

    cards: Sequence[Card]
    array: PixelArray | None = None
    name: str = ""


def write(path: str | Path, units: Sequence[Unit], compression: str = "none", sum_name: str = "none") -> None:
    """Write a file; when this returns, it is on the disk under its name. Blocks; for use in a thread.

    Nothing but a hidden ``.part`` file can be left behind by a crash. An existing file is never touched. Each unit
    has CHECKSUM and DATASUM. The sum goes to a file of its own, as ``sha256sum`` makes it, once the image is there.

    Args:
        path: the file to make, in an existing folder; see `sum_path` for that of the sum.
        units: the first is the primary one; with ``rice`` its image goes to an extension, as FITS demands.
        compression: one of `COMPRESSIONS`.
        sum_name: one of `SUMS`.

    Raises:
        SaveError: if the file exists or cannot be written.
    """
    path = Path(path)
    with _save_errors(path), new_file(path) as file:
        _WRITERS[compression](file, units)
    if sum_name != "none":
        add_sum(path, sum_name)


def add_sum(path: str | Path, sum_name: str) -> None:
    """Write the sum of a file that is there to a file of its own, see `sum_path`. Blocks; for use in a thread.

    Raises:
        SaveError: if it cannot be written, or a file with another sum is there.
    """
    path, own = Path(path), sum_path(path, sum_name)
    with _save_errors(own):
        with path.open("rb") as file:
            line = _sum_line(hashlib.file_digest(file, sum_name).hexdigest(), path.name)
        if own.exists() and own.read_bytes() == line:
            return
        with new_file(own) as file:
            file.write(line)


@contextmanager
def _save_errors(path: Path) -> Generator[None]:
    try:
        yield
    except FileExistsError as error:
        raise SaveError(str(path), "it exists already") from error
    except OSError as error:
        raise SaveError(str(path), error.strerror or str(error)) from error


def sum_path(path: str | Path, sum_name: str) -> Path:
    """Return the name of the file with the sum of another one.

    >>> str(sum_path("m31_0001.fits", "md5"))
    'm31_0001.fits.md5'
    """
    return Path(f"{path}.{sum_name}")


def _sum_line(digest: str, name: str) -> bytes:
    escaped = name.replace("\\", r"\\")  # as the sum programs of GNU do it
    mark = "" if name == escaped else "\\"
    return f"{mark}{digest}  {escaped}\n".encode()


def _write_plain(file: BinaryIO, units: Sequence[Unit]) -> None:
    for piece in _pieces(units):
        file.write(piece)


def _write_gzip(file: BinaryIO, units: Sequence[Unit]) -> None:
    with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
        for piece in _pieces(units):
            packed.write(piece)


def _write_rice(file: BinaryIO, units: Sequence[Unit]) -> None:
    hdus: list[Any] = []
    for unit in units:
        header = fits.Header(_cards(unit))
        if unit.array is None:
            hdus.append(fits.ImageHDU(None, header, name=unit.name) if hdus else fits.PrimaryHDU(None, header))
            continue
        if not hdus:
            hdus.append(fits.PrimaryHDU())
        hdus.append(_compressed(unit.array, header, unit.name))
    units_of_file: Any = fits.HDUList(hdus)
    units_of_file.writeto(file, output_verify="exception", checksum=True)


def _compressed(array: PixelArray, header: fits.Header, name: str) -> Any:
    rows, columns = array.shape
    pixels = np.ascontiguousarray(array)
    tile = min(_TILE_ROWS, rows), columns
    return fits.CompImageHDU(pixels, header, name or None, compression_type="RICE_1", tile_shape=tile)


_WRITERS = {"none": _write_plain, "gzip": _write_gzip, "rice": _write_rice}


def _pieces(units: Sequence[Unit]) -> Iterator[bytes | memoryview]:
    for number, unit in enumerate(units):
        signed = None if unit.array is None else _signed(unit.array)
        yield _header(unit, signed, is_first=number == 0)
        if signed is not None:
            yield signed.data.cast("B")
            yield bytes(-signed.nbytes % _BLOCK)


def _signed(array: PixelArray) -> npt.NDArray[Any]:
    """The pixels as FITS stores them: big endian, the highest bit turned over (BZERO)."""
    size = array.dtype.itemsize
    turned = np.empty(array.shape, f">u{size}")
    np.bitwise_xor(array, array.dtype.type(1 << (8 * size - 1)), out=turned)
    return turned.view(f">i{size}")


def _header(unit: Unit, signed: npt.NDArray[Any] | None, *, is_first: bool) -> bytes:
    hdu: Any = fits.PrimaryHDU(signed) if is_first else fits.ImageHDU(signed, name=unit.name)  # no types in astropy
    if signed is not None:
        hdu.header["BSCALE"] = 1
        hdu.header["BZERO"] = 1 << (8 * signed.dtype.itemsize - 1)
    hdu.header.extend(_cards(unit))
    hdu.verify("exception")
    hdu.add_checksum("FITS checksum")  # a text of ours: that of astropy has the time in it
    return hdu.header.tostring().encode("ascii")


def _cards(unit: Unit) -> list[fits.Card]:
    cards = [_card(card) for card in unit.cards]
    is_long = any(len(card.image) > _CARD_LENGTH for card in cards)
    return [_LONG_TEXT, *cards] if is_long else cards


def _card(card: Card) -> fits.Card:
    """The card with as much of its comment as its line has room for; long text goes on in further lines."""
    value = " " if card.value == "" else card.value  # of '' astropy cannot tell where it ends
    image = fits.Card(card.keyword, value).image
    if len(image) > _CARD_LENGTH:
        return fits.Card(card.keyword, value, card.comment)
    room = _CARD_LENGTH - len(image.rstrip()) - len(" / ")
    return fits.Card(card.keyword, value, card.comment[: max(room, 0)])
