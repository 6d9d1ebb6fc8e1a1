"""Arithmetic on images by NDPluginProcess' formulas: background, flat field, scale, clips, recursive filter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archon_ioc.plugins.conversion import converted
from archon_ioc.plugins.ndarray import DATA_TYPES, Pixels, data_type_of

Floats = npt.NDArray[np.float64]

_SLAB_PIXELS = 1 << 16


@dataclass(frozen=True, slots=True)
class Clip:
    """Pixels beyond ``limit`` become ``value``."""

    limit: float
    value: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What a filter makes of its memory F and an image I: ``offset + scale * (a * F + b * I)``.

    Where N is the number of images since the reset, a is ``c1 + c2 / N`` and b is ``c3 + c4 / N``.
    """

    offset: float = 0.0
    scale: float = 1.0
    c1: float = 0.0
    c2: float = 0.0
    c3: float = 0.0
    c4: float = 0.0

    def of(self, count: int) -> tuple[float, float, float]:
        """Return the offset, and the factors of memory and image."""
        return self.offset, self.scale * (self.c1 + self.c2 / count), self.scale * (self.c3 + self.c4 / count)


@dataclass(frozen=True, slots=True)
class Filter:
    """A recursive filter: what goes out, what is remembered, and what its memory is at a reset."""

    output: Weights
    memory: Weights
    reset: Weights
    length: int = 1
    """Images up to which N counts."""
    resets_itself: bool = False
    """Whether it begins again after that."""


FILTER_TYPES: Mapping[str, tuple[float, ...]] = {
    "RecursiveAve": (1, -1, 0, 1, 1, -1, 0, 1, 0, 1),
    "Average": (1, 0, 0, 0, 1, 0, 0, 0, 0, 0),
    "Sum": (1, 0, 1, 0, 1, 0, 1, 0, 0, 0),
    "Difference": (-1, 0, 1, 0, 0, 0, 1, 0, 0, 1),
    "RecursiveAveDiff": (-1, 0, 1, 0, 1, -1, 0, 1, 0, 1),
    "CopyToFilter": (0, 0, 1, 0, 0, 0, 1, 0, 0, 1),
}
"""OC1 to OC4, FC1 to FC4, RC1 and RC2 of each, in areaDetector's order. OC3 and FC3 of Average are 1 / NumFilter."""


def filter_coefficients(kind: str, length: int) -> tuple[float, ...]:
    """Return OC1 to OC4, FC1 to FC4, RC1 and RC2 of a kind of filter."""
    coefficients = list(FILTER_TYPES[kind])
    if kind == "Average":
        coefficients[2] = coefficients[6] = 1 / length
    return tuple(float(number) for number in coefficients)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What is done with each pixel, in this order; None is left out."""

    background: Pixels | None = None
    flat_field: Pixels | None = None
    flat_field_scale: float = 1.0
    offset_scale: tuple[float, float] | None = None
    """Added first, then multiplied."""
    high: Clip | None = None
    low: Clip | None = None
    filter: Filter | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether pixels stay as they are."""
        parts = self.background, self.flat_field, self.offset_scale, self.high, self.low, self.filter
        return all(part is None for part in parts)


@dataclass(slots=True)
class Memory:
    """What a filter remembers: an image, and how many went into it since the reset."""

    pixels: Floats | None = None
    count: int = 0
    is_reset: bool = field(default=False)
    """Whether the next image begins anew."""


def processed(pixels: Pixels, steps: Steps, memory: Memory, data_type: str) -> Pixels:
    """Return the processed image, and change the memory of the filter. Blocks; for use in a thread.

    Args:
        pixels: rows x columns.
        steps: with arrays of that shape.
        memory: of the filter.
        data_type: areaDetector's name of the type that comes out, or Automatic for that of the image.
    """
    if steps.is_nothing:
        return converted(pixels, data_type)
    begins = _begin(pixels, steps.filter, memory) if steps.filter else ""
    result = np.empty(pixels.shape, DATA_TYPES.get(data_type, pixels.dtype))
    shown_type = data_type_of(result)
    for part in _parts(pixels):
        values = _corrected(pixels[part].astype(np.float64), part, steps)
        if steps.filter and memory.pixels is not None:
            values = _filtered(values, memory.pixels[part], steps.filter, memory.count, begins=begins)
        result[part] = converted(values, shown_type)
    return result


def auto_scale(pixels: Pixels, data_type: str) -> tuple[float, float, float]:
    """Return offset, scale and top, by which an image fills the range of a type from 0 on."""
    wanted = DATA_TYPES.get(data_type, pixels.dtype)
    top = float(np.iinfo(wanted).max) if wanted.kind in "iu" else 2.0 ** (8 * wanted.itemsize) - 1
    low, high = float(pixels.min()), float(pixels.max())
    return -low, top / (high - low) if high > low else 1.0, top


def _begin(pixels: Pixels, wanted: Filter, memory: Memory) -> str:
    """Count an image, and return how the memory begins: not, ``again`` from what it was, ``new`` from the image."""
    is_empty = memory.pixels is None or memory.pixels.shape != pixels.shape
    is_done = wanted.resets_itself and memory.count >= wanted.length
    begins = "new" if is_empty else "again" if memory.is_reset or is_done else ""
    if is_empty:
        memory.pixels = np.empty(pixels.shape)
    memory.count = min(0 if begins else memory.count, wanted.length - 1) + 1
    memory.is_reset = False
    return begins


def _parts(pixels: Pixels) -> list[slice]:
    step = max(_SLAB_PIXELS // pixels.shape[1], 1)
    return [slice(first, first + step) for first in range(0, pixels.shape[0], step)]


def _corrected(values: Floats, part: slice, steps: Steps) -> Floats:
    if steps.background is not None:
        values -= steps.background[part]
    if steps.flat_field is not None:
        flat = steps.flat_field[part]
        values = np.divide(values, flat, out=np.ones_like(values), where=flat != 0)
        values *= steps.flat_field_scale
    if steps.offset_scale is not None:
        values += steps.offset_scale[0]
        values *= steps.offset_scale[1]
    if steps.high is not None:
        np.copyto(values, steps.high.value, where=values > steps.high.limit)
    if steps.low is not None:
        np.copyto(values, steps.low.value, where=values < steps.low.limit)
    return values


def _filtered(values: Floats, memory: Floats, wanted: Filter, count: int, *, begins: str) -> Floats:
    """Return what goes out for corrected pixels, and change the memory."""
    if begins:
        memory[:] = _mixed(wanted.reset.of(1), values if begins == "new" else memory, values)
    result = _mixed(wanted.output.of(count), memory, values)
    memory[:] = _mixed(wanted.memory.of(count), memory, values)
    return result


def _mixed(weights: tuple[float, float, float], memory: Floats, values: Floats) -> Floats:
    offset, of_memory, of_values = weights
    result = memory * of_memory if of_memory else np.zeros_like(values)
    if of_values:
        result += values * of_values
    if offset:
        result += offset
    return result
