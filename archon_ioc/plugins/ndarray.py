"""NDArray: one image on its way through the plugins, with what is known of it. It never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

DATA_TYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(name.lower())
    for name in (
        "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64",
    )
}  # fmt: skip
"""areaDetector's names of the types of pixels, in its order."""
EPICS_EPOCH = 631_152_000
"""POSIX seconds of 1990-01-01."""
_NAMES = {dtype: name for name, dtype in DATA_TYPES.items()}


def data_type_of(pixels: Pixels) -> str:
    """Return areaDetector's name of the type of pixels.

    Raises:
        KeyError: if it has none.
    """
    return _NAMES[pixels.dtype.newbyteorder("=")]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Columns, rows and type of the pixels of an image that is there or is to come; all 0 if nobody knows yet."""

    width: int = 0
    height: int = 0
    data_type: str = "UInt16"

    @property
    def byte_count(self) -> int:
        """Size of the pixels."""
        return self.width * self.height * DATA_TYPES[self.data_type].itemsize


@dataclass(frozen=True, slots=True)
class Dimension:
    """One axis of an image, relative to the whole CCD: offset and full size are in unbinned pixels."""

    size: int
    offset: int = 0
    full_size: int = 0
    binning: int = 1
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """An NDAttribute: a value known when the image was taken, and where it comes from.

    ``source_type`` is areaDetector's: ``Driver``, ``Param``, ``EPICS PV``, ``Function``, ``Const``. ``data_type`` is
    the name of the type that was asked for, ``Int16`` or ``String`` for instance; empty for that of the value.
    """

    value: float | int | str
    description: str = ""
    source: str = ""
    source_type: str = "Driver"
    data_type: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class NDArray:
    """An image: ``pixels`` (rows x columns, read-only) and ``dimensions``, the fastest (columns) first.

    ``timestamp`` is the begin of the integration, ``published`` when the image was given to the plugins, both in POSIX
    seconds.
    """

    pixels: Pixels
    unique_id: int
    timestamp: float
    published: float
    dimensions: tuple[Dimension, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict[str, Attribute])

    def __post_init__(self) -> None:
        self.pixels.flags.writeable = False

    @property
    def geometry(self) -> Geometry:
        """Columns, rows and type."""
        height, width = self.pixels.shape
        return Geometry(width, height, data_type_of(self.pixels))

    def with_pixels(self, pixels: Pixels, dimensions: tuple[Dimension, ...] | None = None) -> Self:
        """Return this array with other pixels, and other dimensions if they are another part of the CCD."""
        return replace(self, pixels=pixels, dimensions=self.dimensions if dimensions is None else dimensions)


@dataclass(frozen=True, slots=True)
class Pool:
    """Images in memory: ``queued`` wait for a plugin or are processed, ``free`` are only kept to be used once more.

    ``preallocated`` is what a client wished; it has no effect.
    """

    limit_bytes: float = 0.0
    used_bytes: int = 0
    images: int = 0
    free: int = 0
    queued: int = 0
    preallocated: int = 100


@dataclass(frozen=True, slots=True)
class ArrayState:
    """What a port says of its last array; before the first one, the geometry that is to be expected.

    ``counter`` can be set by clients; ``rate`` is images per second.
    """

    geometry: Geometry = Geometry()
    unique_id: int = 0
    timestamp: float = 0.0
    published: float = 0.0
    counter: int = 0
    rate: float = 0.0

    def of(self, array: NDArray, *, counts: bool = True) -> "ArrayState":
        """Return the state after an array."""
        geometry = array.geometry
        return replace(
            self,
            geometry=self.geometry if geometry == self.geometry else geometry,  # nothing new to look at
            unique_id=array.unique_id,
            timestamp=array.timestamp,
            published=array.published,
            counter=self.counter + counts,
        )
