"""Quick look: bias level, read noise, saturation and light of each amplifier, to see at a glance what is wrong."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archon_ioc.acf.taps import TapArea
from archon_ioc.errors import ReadoutError
from archon_ioc.image.geometry import PixelArray
from archon_ioc.protocol.enums import SampleMode

OVERSCAN, OVERSCAN_LINES, EDGE = "overscan", "overscan lines", "edge lines"
"""Where bias level and read noise were taken from."""
FULL_SCALE: Mapping[SampleMode, int] = {SampleMode.BITS16: 0xFFFF, SampleMode.BITS32: 0xFFFF0000}
"""ADU at which the ADC is at its end; in 32 bits the ADC's 16 bits are the upper ones."""

_EDGE_LINES = 16
_TRAIL = 4
"""Overscan pixels with charge that was left behind, at most a quarter of them are left out for it."""
_MOST_SAMPLES = 1_000_000
"""Pixels of the whole frame that medians are made of."""
_MOST_DARK_SAMPLES = 400_000
"""Pixels of the whole frame that bias levels and noises are made of."""
_CHUNK = 1 << 18
"""Pixels that are compared at once: as many as stay in the processor's cache."""
_OUTLIER = 5.0
"""Standard deviations; of normal noise one in two million lies beyond."""
_GOLDEN = (math.sqrt(5) - 1) / 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Edges:
    """How many pixels and lines of each tap, as they are in the frame, are not of the CCD's light area; 0 is none.

    ``prescan`` pixels are the first ones of each line that the tap reads, ``overscan`` the last ones;
    ``overscan_lines`` are the last lines.
    """

    prescan: int = 0
    overscan: int = 0
    overscan_lines: int = 0


@dataclass(frozen=True, slots=True)
class Amplifier:
    """What one amplifier's part of a frame looks like. Levels are ADU of the image as it is filed.

    ``bias`` and ``noise`` are from ``reference``: the overscan, or where none is known from the first 16 lines, on
    which there may be light. ``median`` is of the light area.
    """

    tap: str
    bias: float
    noise: float
    saturated: int
    pixels: int
    median: float
    reference: str
    gain: float | None = None
    """Electrons per ADU, if the site knows it."""
    controller: str = ""

    @property
    def saturated_fraction(self) -> float:
        """Part of all its pixels that are saturated, 0 to 1."""
        return self.saturated / self.pixels

    @property
    def noise_electrons(self) -> float | None:
        """Read noise in electrons, None where the gain is not known."""
        return None if self.gain is None else self.noise * self.gain


def look(
    frame: PixelArray,
    areas: Sequence[TapArea],
    edges: Mapping[str, Edges],
    saturation: Mapping[str, int],
    gains: Mapping[str, float],
) -> tuple[Amplifier, ...]:
    """Return what each amplifier's part looks like, in the order of ``areas``. Blocks; for use in a thread.

    The frame is not copied. Saturated pixels are counted, all of them. The rest is made of a sample, here with its
    standard errors, sigma being the scatter of an amplifier's pixels, where there are eight amplifiers. Medians: 10^6
    pixels of the frame, 1.25 sigma / sqrt(n), or 0.4 % of sigma. Bias and noise: 400,000 pixels, sigma / sqrt(n), or
    0.5 % of the noise, and noise / sqrt(2 n), or 0.3 %.

    Args:
        frame: rows x columns.
        areas: where the taps' pixels are.
        edges: by tap; a tap without has none that are known.
        saturation: by tap, the ADU from which on a pixel is saturated.
        gains: by tap, as far as they are known.

    Raises:
        ReadoutError: if the edges leave nothing of a tap's part.
    """
    most, most_dark = (max(samples // max(len(areas), 1), 1) for samples in (_MOST_SAMPLES, _MOST_DARK_SAMPLES))
    amplifiers: list[Amplifier] = []
    for area in areas:
        name, part = area.tap.name, _as_read(frame, area)
        light, dark, reference = _divided(part, edges.get(name, Edges()), name)
        bias, noise = level_and_noise(_thinned(dark, most_dark))
        amplifiers.append(
            Amplifier(
                tap=name, bias=bias, noise=noise, saturated=_count(part, saturation[name]), pixels=part.size,
                median=float(np.median(_sample(light, most))), reference=reference, gain=gains.get(name),
            )
        )  # fmt: skip
    return tuple(amplifiers)


def level_and_noise(rows: npt.NDArray[Any]) -> tuple[float, float]:
    """Return mean and standard deviation without outliers, ADU.

    The standard deviation is that of pixels from the mean of their row, so that neither a slow drift of the bias nor
    rows that differ count as noise; what varies within a row, such as pickup, does.

    Args:
        rows: rows x columns.
    """
    if rows.shape[1] < 2:
        rows = rows.reshape(1, -1)
    values: Floats = rows.astype(np.float64)
    low, middle, high = np.percentile(values, (15.87, 50.0, 84.13))
    is_good = np.abs(values - middle) <= _OUTLIER * max((high - low) / 2, 1.0)
    residuals = values - _row_means(values, is_good)
    is_good &= np.abs(residuals) <= _OUTLIER * max(_deviation(residuals, is_good), 1.0)
    noise = _deviation(values - _row_means(values, is_good), is_good)
    return float(values[is_good].mean()), noise


def _row_means(values: Floats, is_good: npt.NDArray[np.bool_]) -> Floats:
    counts = np.maximum(is_good.sum(axis=1, keepdims=True), 1)
    return np.sum(values, axis=1, keepdims=True, where=is_good) / counts


def _deviation(residuals: Floats, is_good: npt.NDArray[np.bool_]) -> float:
    freedom = int(is_good.sum()) - int(is_good.any(axis=1).sum())  # each row's mean takes one
    return math.sqrt(float(np.sum(np.square(residuals), where=is_good)) / max(freedom, 1))


def _as_read(frame: PixelArray, area: TapArea) -> PixelArray:
    """The tap's part of the frame as a view, first line and first pixel first."""
    part = frame[area.y : area.y + area.height, area.x : area.x + area.width]
    return part[:: -1 if area.from_bottom else 1, :: -1 if area.from_right else 1]


def _divided(part: PixelArray, edges: Edges, name: str) -> tuple[PixelArray, PixelArray, str]:
    """The light area; what bias and noise are taken from, in short rows; and what that is."""
    lines, pixels = part.shape
    light = part[: max(lines - edges.overscan_lines, 0), edges.prescan : max(pixels - edges.overscan, 0)]
    if not light.size:
        raise ReadoutError(f"tap {name}: {edges} leaves nothing of {pixels} x {lines} pixels")
    if edges.overscan:
        trail = min(_TRAIL, edges.overscan // 4)
        return light, part[:, pixels - edges.overscan + trail :], OVERSCAN
    if edges.overscan_lines:
        return light, part[lines - edges.overscan_lines :].T, OVERSCAN_LINES
    return light, part[:_EDGE_LINES].T, EDGE


def _thinned(rows: PixelArray, most: int) -> PixelArray:
    """Some of the rows, whole, so that there are not more than ``most`` pixels."""
    return rows[:: -(-rows.size // most)]


def _sample(light: PixelArray, most: int) -> PixelArray:
    """Pixels where some lines and columns cross that are spread evenly but at no fixed distance.

    A fixed one could meet the spectra of a fibre spectrograph always or never.
    """
    step = math.sqrt(light.size / most)
    if step <= 1:
        return light
    lines, columns = (_spread(max(round(length / step), 1), length) for length in light.shape)
    return light[np.ix_(lines, columns)]


def _spread(count: int, length: int) -> npt.NDArray[np.intp]:
    places = (np.arange(count) * _GOLDEN) % 1.0 * length
    return np.sort(places.astype(np.intp))


def _count(part: PixelArray, saturation: int) -> int:
    """How many pixels are saturated."""
    lines = max(_CHUNK // max(part.shape[1], 1), 1)
    if saturation > np.iinfo(part.dtype).max:
        return 0
    chunks = (part[line : line + lines] for line in range(0, part.shape[0], lines))
    return sum(int(np.count_nonzero(chunk >= saturation)) for chunk in chunks)
