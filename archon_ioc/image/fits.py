"""One image to one FITS file: whole on disk under its name, or not there."""

import errno
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from archon_ioc.errors import SaveError
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.header import Card

_CARD_LENGTH = 80
_BLOCK = 2880
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)


def write(path: str | Path, array: PixelArray, cards: Sequence[Card], *, checksum: bool = True) -> None:
    """Write a primary image; when this returns, the file is on the disk under its name.

    It is written under a hidden name in the same folder (``.name.fits.….part``, the only thing that a crash can
    leave behind) and renamed when it is whole. An existing file is never touched. Blocks; for use in a thread.

    Args:
        path: the file to make, in an existing folder.
        array: rows x columns, 16 or 32 bits without sign; the first row is the first of the file.
        cards: everything but the structure of the file, each keyword once.
        checksum: whether to add CHECKSUM and DATASUM.

    Raises:
        SaveError: if the file exists or cannot be written.
    """
    path = Path(path)
    signed = _signed(array)
    header = _header(signed, cards, checksum=checksum)
    try:
        with _new_file(path) as file:
            file.write(header)
            file.write(signed.data)
            file.write(bytes(-signed.nbytes % _BLOCK))
    except FileExistsError as error:
        raise SaveError(str(path), "it exists already") from error
    except OSError as error:
        raise SaveError(str(path), error.strerror or str(error)) from error


def _signed(array: PixelArray) -> npt.NDArray[Any]:
    """The pixels as FITS stores them: big endian, the highest bit turned over (BZERO)."""
    size = array.dtype.itemsize
    turned = np.empty(array.shape, f">u{size}")
    np.bitwise_xor(array, array.dtype.type(1 << (8 * size - 1)), out=turned)
    return turned.view(f">i{size}")


def _header(signed: npt.NDArray[Any], cards: Sequence[Card], *, checksum: bool) -> bytes:
    hdu: Any = fits.PrimaryHDU(signed)  # astropy has no types here
    hdu.header["BSCALE"] = 1
    hdu.header["BZERO"] = 1 << (8 * signed.dtype.itemsize - 1)
    hdu.header.extend([_card(card) for card in cards])
    hdu.verify("exception")
    if checksum:
        hdu.add_checksum("FITS checksum")  # a text of ours: that of astropy has the time in it
    return hdu.header.tostring().encode("ascii")


def _card(card: Card) -> fits.Card:
    """The card with as much of its comment as its line has room for; long text goes on in further lines."""
    image = fits.Card(card.keyword, card.value).image
    if len(image) > _CARD_LENGTH:
        return fits.Card(card.keyword, card.value, card.comment)
    room = _CARD_LENGTH - len(image.rstrip()) - len(" / ")
    return fits.Card(card.keyword, card.value, card.comment[: max(room, 0)])


@contextmanager
def _new_file(path: Path) -> Generator[BinaryIO]:
    """A file that gets its name when the block ends, and vanishes if it fails."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _rename(part, path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _rename(part: Path, path: Path) -> None:
    """Give ``part`` its name; unlike ``os.rename`` this fails if a file has it.

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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync files only
            raise
    finally:
        os.close(descriptor)
