"""Statistics of images by NDPluginStats' formulas: level and scatter, centroid, profiles, histogram. Pure functions."""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archon_ioc.plugins.ndarray import Pixels

Floats = npt.NDArray[np.float64]

_SLAB_PIXELS = 1 << 18
"""Pixels that are looked at in one go: their copy stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Positions are columns and rows from 0; ``net`` is the total without the background of the edges."""

    minimum: float = 0.0
    min_x: float = 0.0
    min_y: float = 0.0
    maximum: float = 0.0
    max_x: float = 0.0
    max_y: float = 0.0
    mean: float = 0.0
    sigma: float = 0.0
    total: float = 0.0
    net: float = 0.0


@dataclass(frozen=True, slots=True)
class Centroid:
    """Moments of the pixels from the threshold on, in pixels; ``orientation`` in degrees from the x axis.

    ``sigma_xy`` is the correlation of x and y, ``kurtosis`` that in excess of a Gaussian's. ``eccentricity`` is 0 for
    what is round and 1 for a line.
    """

    total: float = 0.0
    x: float = 0.0
    y: float = 0.0
    sigma_x: float = 0.0
    sigma_y: float = 0.0
    sigma_xy: float = 0.0
    skew_x: float = 0.0
    skew_y: float = 0.0
    kurtosis_x: float = 0.0
    kurtosis_y: float = 0.0
    eccentricity: float = 0.0
    orientation: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Sums of columns (``x``) and of rows (``y``); of all pixels, and of the ``bright`` ones from the threshold on."""

    x: Floats
    y: Floats
    bright_x: Floats
    bright_y: Floats
    cross: float
    """Sum of column times row times value of the bright pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Numbers of pixels by value; ``below`` and ``above`` are those beyond the ends."""

    counts: Floats
    below: int = 0
    above: int = 0
    entropy: float = 0.0


def levels(pixels: Pixels, background_width: int = 0) -> Levels:
    """Return level and scatter of an image. Blocks; for use in a thread.

    Whole numbers of up to 16 bits are summed without any loss.

    Args:
        pixels: rows x columns.
        background_width: columns and rows along each edge whose mean is the background; none with 0. Pixels in the
            corners count twice, as in NDPluginStats.
    """
    darkest, brightest = int(pixels.argmin()), int(pixels.argmax())
    width = pixels.shape[1]
    total, mean, variance = _moments(pixels)
    return Levels(
        minimum=float(pixels.flat[darkest]),
        min_x=darkest % width,
        min_y=darkest // width,
        maximum=float(pixels.flat[brightest]),
        max_x=brightest % width,
        max_y=brightest // width,
        mean=mean,
        sigma=math.sqrt(variance) if variance > 0 else 0.0,
        total=total,
        net=total - _background(pixels, background_width) * pixels.size,
    )


def project(pixels: Pixels, threshold: float) -> Projection:
    """Return sums of columns and rows. Blocks; for use in a thread."""
    height, width = pixels.shape
    columns, bright_columns = np.zeros(width), np.zeros(width)
    rows, bright_rows = np.zeros(height), np.zeros(height)
    cross = 0.0
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    for part, slab in _slabs(pixels):
        values = slab.astype(np.float64)
        columns += values.sum(axis=0)
        rows[part] = values.sum(axis=1)
        values *= values >= threshold
        bright_columns += values.sum(axis=0)
        bright_rows[part] = values.sum(axis=1)
        cross += float((np.einsum("ij,j->i", values, x) * y[part]).sum())
    return Projection(columns, rows, bright_columns, bright_rows, cross)


def centroid(projection: Projection) -> Centroid:
    """Return position, width and shape of what is bright; all 0 if nothing is.

    The eccentricity is that of NDPluginStats' documentation, 0 to 1. Its code has the other sign before the mixed
    moment, and is negative for what is tilted.
    """
    total = float(projection.bright_x.sum())
    if not total > 0:
        return Centroid()
    x, variance_x, skew_x, kurtosis_x = _shape(projection.bright_x, total)
    y, variance_y, skew_y, kurtosis_y = _shape(projection.bright_y, total)
    mixed = projection.cross / total - x * y
    sigma_x, sigma_y = math.sqrt(variance_x), math.sqrt(variance_y)
    size = (variance_x + variance_y) ** 2
    return Centroid(
        total=total,
        x=x,
        y=y,
        sigma_x=sigma_x,
        sigma_y=sigma_y,
        sigma_xy=mixed / (sigma_x * sigma_y) if sigma_x and sigma_y else 0.0,
        skew_x=skew_x,
        skew_y=skew_y,
        kurtosis_x=kurtosis_x,
        kurtosis_y=kurtosis_y,
        eccentricity=((variance_x - variance_y) ** 2 + 4 * mixed**2) / size if size else 0.0,
        orientation=math.degrees(0.5 * math.atan2(2 * mixed, variance_x - variance_y)),
    )


def histogram(pixels: Pixels, size: int, low: float, high: float) -> Histogram:
    """Return how many pixels have which value, in ``size`` steps from ``low`` to ``high``. Blocks; for use in a thread.

    A value belongs to the nearest step, as in NDPluginStats; so the first and the last one have half the width.
    """
    scale = (size - 1) / (high - low) if high > low else 0.0
    counts, below, above = np.zeros(size), 0, 0
    for values, weights in _counted(pixels):
        below += int(weights[values < low].sum())
        steps = np.floor((values - low) * scale + 0.5)
        is_shown = (values >= low) & (values <= high) & (steps < size)
        counts += np.bincount(steps[is_shown].astype(np.intp), weights[is_shown], size)
        above += int(weights[(values >= low) & ~is_shown].sum())
    filled = counts[counts > 0]
    return Histogram(counts, below, above, -float((filled * np.log(filled)).sum()) / pixels.size)


def histogram_axis(size: int, low: float, high: float) -> Floats:
    """Return the values that the steps of a histogram stand for; those of NDPluginStats end one step too early."""
    return np.linspace(low, high, size)


def numbers(level: Levels, middle: Centroid) -> tuple[float, ...]:
    """Return the statistics in the order of NDPluginStats' time series."""
    return (*astuple(level), *astuple(middle))


def _slabs(pixels: Pixels) -> Iterator[tuple[slice, Pixels]]:
    """Yield pieces of an image with the rows that they are."""
    step = max(_SLAB_PIXELS // pixels.shape[1], 1)
    for first in range(0, pixels.shape[0], step):
        part = slice(first, first + step)
        yield part, pixels[part]


def _moments(pixels: Pixels) -> tuple[float, float, float]:
    """Return total, mean and variance."""
    if pixels.dtype.itemsize <= 2:
        return _whole_moments(pixels)
    pivot = float(pixels.flat[0])  # squares of small differences lose no digits
    total = squares = 0.0
    for _, slab in _slabs(pixels):
        values = slab.astype(np.float64)
        values -= pivot
        total += float(values.sum())
        squares += float(np.einsum("ij,ij->", values, values))
    offset = total / pixels.size
    return total + pivot * pixels.size, offset + pivot, squares / pixels.size - offset**2


def _whole_moments(pixels: Pixels) -> tuple[float, float, float]:
    wide = np.dtype(f"{pixels.dtype.kind}4")
    total = squares = 0
    for _, slab in _slabs(pixels):
        values = slab.astype(wide)
        total += int(values.sum(dtype=np.int64))
        np.multiply(values, values, out=values)  # 65535**2 fits in 32 bits
        squares += int(values.sum(dtype=np.int64))
    count = pixels.size
    return float(total), total / count, (count * squares - total**2) / count**2


def _background(pixels: Pixels, width: int) -> float:
    """Return the mean of the edges, 0 if they are not to be taken."""
    if width <= 0:
        return 0.0
    edges = pixels[:, :width], pixels[:, -width:], pixels[:width], pixels[-width:]
    return sum(float(edge.sum(dtype=np.float64)) for edge in edges) / sum(edge.size for edge in edges)


def _shape(profile: Floats, total: float) -> tuple[float, float, float, float]:
    """Return mean, variance, skewness and excess kurtosis of a profile."""
    places = np.arange(profile.size, dtype=np.float64)
    mean = float((profile * places).sum()) / total
    places -= mean
    variance = max(float((profile * places**2).sum()) / total, 0.0)
    if not variance:
        return mean, 0.0, 0.0, 0.0
    skew = float((profile * places**3).sum()) / (total * variance**1.5)
    return mean, variance, skew, float((profile * places**4).sum()) / (total * variance**2) - 3.0


def _counted(pixels: Pixels) -> Iterator[tuple[Floats, npt.NDArray[Any]]]:
    """Yield values and how often each of them is there; of 16 bits every value once."""
    if pixels.dtype.itemsize > 2:
        for _, slab in _slabs(pixels):
            yield slab.ravel().astype(np.float64), np.ones(slab.size, np.intp)
        return
    ends = np.iinfo(pixels.dtype)
    counts = np.zeros(int(ends.max) - int(ends.min) + 1, np.intp)
    for _, slab in _slabs(pixels):
        counts += np.bincount(slab.ravel().astype(np.intp) - int(ends.min), minlength=counts.size)
    yield np.arange(int(ends.min), int(ends.max) + 1, dtype=np.float64), counts
