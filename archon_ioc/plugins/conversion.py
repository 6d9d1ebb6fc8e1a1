"""Conversion of pixels to another type. A value that does not fit becomes the nearest one that does."""

import math
from typing import Any

import numpy as np

from archon_ioc.plugins.ndarray import DATA_TYPES, Pixels

AUTOMATIC = "Automatic"
OUTPUT_TYPES = (*DATA_TYPES, AUTOMATIC)
"""Choices of DataTypeOut; the last one keeps the type."""


def converted(pixels: Pixels, data_type: str) -> Pixels:
    """Return pixels of another type, the same array if it has that already.

    Fractions are cut off, as in C. A value beyond the range becomes its end where areaDetector's wraps around, which
    would show bright pixels dark; what is not a number becomes 0.
    """
    wanted = DATA_TYPES.get(data_type, pixels.dtype)
    if pixels.dtype == wanted:
        return pixels
    if np.issubdtype(wanted, np.floating):
        with np.errstate(over="ignore"):
            return pixels.astype(wanted)
    if np.issubdtype(pixels.dtype, np.floating):
        return _within(pixels.astype(np.float64, copy=False), *_float_ends(wanted)).astype(wanted)
    low, high = _shared_ends(pixels.dtype, wanted)
    own = np.iinfo(pixels.dtype)
    fits = low <= own.min and own.max <= high
    return (pixels if fits else np.clip(pixels, low, high)).astype(wanted)


def _within(pixels: Pixels, low: float, high: float) -> Pixels:
    """Return pixels between the ends; those that are already are not copied."""
    darkest, brightest = float(pixels.min()), float(pixels.max())
    if math.isnan(darkest):
        return np.clip(np.where(np.isnan(pixels), 0.0, pixels), low, high)
    return pixels if low <= darkest and brightest <= high else np.clip(pixels, low, high)


def _float_ends(wanted: np.dtype[Any]) -> tuple[float, float]:
    """Ends of a type of whole numbers as floats that are not beyond them: 2**63 - 1 would be rounded up."""
    ends = np.iinfo(wanted)
    high = float(ends.max)
    return float(ends.min), high if int(high) <= ends.max else float(np.nextafter(high, 0.0))


def _shared_ends(given: np.dtype[Any], wanted: np.dtype[Any]) -> tuple[int, int]:
    ends = np.iinfo(given), np.iinfo(wanted)
    return max(int(end.min) for end in ends), min(int(end.max) for end in ends)
