"""Cutout: a rectangle of an image, binned, turned, scaled and converted, as NDPluginROI does it. Pure functions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from archon_ioc.plugins.conversion import AUTOMATIC, converted
from archon_ioc.plugins.ndarray import DATA_TYPES, Dimension, Pixels, data_type_of

EVERYTHING = 1_000_000
"""A size that means as far as the image goes."""
_FEW = 8
"""Pixels binned in a line up to which adding columns is faster than adding within lines."""
_SLAB_PIXELS = 1 << 20
_UNSCALED = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """What is wanted of one axis, in pixels of the image that comes in."""

    start: int = 0
    size: int = EVERYTHING
    binning: int = 1
    reverse: bool = False
    auto_size: bool = False
    enabled: bool = True

    def fitted(self, length: int) -> "Axis":
        """Return what an axis of this length can give: NDPluginROI's limits."""
        if not self.enabled:
            return Axis(0, length, enabled=False)
        start = min(max(self.start, 0), length - 1)
        size = min(max(length if self.auto_size else self.size, 1), length - start)
        return Axis(start, size, min(max(self.binning, 1), size), self.reverse, self.auto_size)

    @property
    def output_size(self) -> int:
        """Pixels that come out; the last ones, if they do not fill one, are lost."""
        return self.size // self.binning

    def slice(self) -> slice:
        """Return which pixels go into those that come out."""
        return slice(self.start, self.start + self.output_size * self.binning)

    def dimension(self, given: Dimension) -> Dimension:
        """Return what is known of this axis of the cutout, relative to the whole CCD."""
        length = self.output_size * self.binning
        skipped = given.size - self.start - length if given.reverse else self.start
        return Dimension(
            size=self.output_size,
            offset=given.offset + skipped * given.binning,
            full_size=given.full_size,
            binning=given.binning * self.binning,
            reverse=given.reverse != self.reverse,
        )


@dataclass(frozen=True, slots=True)
class Cutout:
    """``scale`` divides the binned pixels, if it is neither 0 nor 1; ``collapse`` turns one column into one row."""

    x: Axis
    y: Axis
    scale: float = 1.0
    data_type: str = AUTOMATIC
    collapse: bool = False

    @property
    def is_column(self) -> bool:
        """Whether one column is to be turned into a row."""
        return self.collapse and self.x.output_size == 1

    def dimensions(self, given: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
        """Return what is known of the axes of the cutout, the fastest first."""
        x, y = self.x.dimension(given[0]), self.y.dimension(given[1])
        return (y, x) if self.is_column else (x, y)


def cut(pixels: Pixels, cutout: Cutout) -> Pixels:
    """Return the cutout; it may share its memory with the image. Blocks; for use in a thread.

    Binned pixels are summed; a sum that does not fit the type that comes out becomes the end of its range.

    Args:
        pixels: rows x columns.
        cutout: fitted to their number.
    """
    part = pixels[cutout.y.slice(), cutout.x.slice()]
    result = _binned(part, cutout)[:: -1 if cutout.y.reverse else 1, :: -1 if cutout.x.reverse else 1]
    return np.ascontiguousarray(result.reshape(1, -1) if cutout.is_column else result)


def _binned(part: Pixels, cutout: Cutout) -> Pixels:
    data_type = data_type_of(part) if cutout.data_type == AUTOMATIC else cutout.data_type
    lines, columns = cutout.y.binning, cutout.x.binning
    if lines == columns == 1 and cutout.scale in _UNSCALED:
        return converted(part, data_type)
    result = np.empty((cutout.y.output_size, cutout.x.output_size), DATA_TYPES[data_type])
    step = max(_SLAB_PIXELS // (part.shape[1] * lines), 1)
    for first in range(0, len(result), step):
        slab = part[first * lines : (first + step) * lines]
        result[first : first + step] = _scaled(_summed(slab, lines, columns), cutout.scale, data_type)
    return result


def _summed(slab: Pixels, lines: int, columns: int) -> Pixels:
    """Sum groups of lines, then groups of columns."""
    if lines == columns == 1:
        return slab
    binned = slab[::lines].astype(_sum_type(slab.dtype, lines * columns))
    for line in range(1, lines):
        binned += slab[line::lines]
    if columns > _FEW:
        return binned.reshape(len(binned), -1, columns).sum(axis=2)
    result = binned[:, ::columns].copy()
    for column in range(1, columns):
        result += binned[:, column::columns]
    return result


def _sum_type(dtype: np.dtype[Any], count: int) -> np.dtype[Any]:
    """Return a type that holds the sum of this many pixels, the smaller the faster."""
    if np.issubdtype(dtype, np.floating):
        return np.dtype(np.float64)
    bits = 32 if 8 * dtype.itemsize + count.bit_length() <= 32 else 64
    return np.dtype(f"{dtype.kind}{bits // 8}")


def _scaled(pixels: Pixels, scale: float, data_type: str) -> Pixels:
    return converted(pixels if scale in _UNSCALED else pixels / scale, data_type)
