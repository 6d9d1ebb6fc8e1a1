"""Codecs of images on their way to viewers: those that areaDetector's NDPluginCodec has without loss."""

import importlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

from archon_ioc.errors import InputError

CODECS = ("", "lz4", "bslz4", "blosc")
"""Names as NTNDArray has them; the empty one is none."""
_PACKAGES = {"lz4": "lz4.block", "bslz4": "bitshuffle", "blosc": "blosc"}
_LARGEST_BLOSC = (1 << 31) - 33
"""Bytes that one Blosc buffer takes."""


def is_available(codec: str) -> bool:
    """Return whether the package that a codec needs is installed."""
    return not codec or importlib.util.find_spec(_PACKAGES[codec].partition(".")[0]) is not None


def compressed(pixels: npt.NDArray[Any], codec: str) -> bytes:
    """Return pixels (flat, in the byte order of the machine) compressed. Blocks; for a thread.

    Raises:
        InputError: if there is no such codec here, or the pixels are too many for it.
    """
    if codec not in _PACKAGES or not is_available(codec):
        raise InputError(f"the codec {codec!r} is not available here; install archon-ioc[pva,codecs]")
    package: Any = importlib.import_module(_PACKAGES[codec])
    if codec == "lz4":
        return package.compress(pixels.view(np.uint8).data, store_size=False)
    if codec == "bslz4":
        return package.compress_lz4(pixels).tobytes()
    if pixels.nbytes > _LARGEST_BLOSC:
        raise InputError(f"Blosc takes at most {_LARGEST_BLOSC} bytes, the image has {pixels.nbytes}")
    return package.compress(pixels.view(np.uint8).data, typesize=pixels.itemsize, clevel=1, cname="lz4")
