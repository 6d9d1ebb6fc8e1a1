"""What the pixels show: a test pattern that names its place, or a field of stars."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from archon_ioc.acf.taps import TapArea
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.sim.frames import Shot

Pixels = NDArray[Any]


class Scene(Protocol):
    """Where pixels come from."""

    def render(self, shot: Shot) -> Pixels:
        """Return the image of ``shot``: little-endian, 16 or 32 bits, rows by columns.

        Called in a worker thread, one call at a time.
        """
        ...


class TestPattern:
    """Each pixel says where it comes from.

    16 bits: ``(tap*5003 + line*257 + pixel + frame*17) mod 2**16``; 32 bits: ``(tap*2**24 + line*4096 + pixel)
    mod 2**32``. Taps count in the order of TAPLINE, lines and pixels in the order in which the tap reads them,
    all from 0.
    """

    __test__ = False  # pytest: not a test in spite of its name

    def render(self, shot: Shot) -> Pixels:
        image = empty_image(shot)
        long = shot.geometry.sample_mode is SampleMode.BITS32
        for area in shot.geometry.areas:
            first = area.index * 2**24 if long else area.index * 5003 + shot.frame * 17
            line = np.arange(area.height, dtype=np.uint64) * (4096 if long else 257) + first
            pixel = np.arange(area.width, dtype=np.uint64)
            in_order(image, area)[...] = np.add.outer(line.astype(image.dtype), pixel.astype(image.dtype))
        return image


def empty_image(shot: Shot) -> Pixels:
    """Return an image of the right shape and type, its pixels not set."""
    long = shot.geometry.sample_mode is SampleMode.BITS32
    return np.empty((shot.geometry.height, shot.geometry.width), dtype="<u4" if long else "<u2")


def in_order(image: Pixels, area: TapArea) -> Pixels:
    """Return the tap's part of the image as the tap reads it: first line first, first pixel first."""
    part = image[area.y : area.y + area.height, area.x : area.x + area.width]
    part = part[::-1] if area.from_bottom else part
    return part[:, ::-1] if area.from_right else part


_TILE = 1 << 20  # pixels of noise; every line of every tap takes its own piece of it
_READ_NOISE = 4.0  # ADU
_SKY = 1.5  # ADU per second and pixel
_ELECTRONS_PER_ADU = 1.6
_FULL = 65535
_PIXELS_PER_STAR = 2_500
_MOST_STARS = 2_000
_PIXELS_PER_HOT_PIXEL = 40_000
_PIXELS_PER_COSMIC_SECOND = 10_000_000
_STAR_WIDTH = 1.6  # pixels, standard deviation
_STAR_REACH = 12
_SHIFT_32 = 16  # bits: the 32-bit mode gives the sum over the sampling windows
_SKY_SEED = 20210223


@dataclass(frozen=True, slots=True)
class _Patch:
    """The part of a tap's area that is on the CCD, and the CCD's pixel at its first row and column."""

    rows: slice
    columns: slice
    ccd_row: int
    ccd_column: int


class StarField:
    """A CCD image: bias per amplifier, read noise, overscan, sky, stars, hot pixels and cosmics.

    Sky and stars grow with the time that the shutter was open, hot pixels and cosmics with the time that charge
    gathered. The sky is the same for every frame, the noise is not.
    """

    def __init__(self) -> None:
        self._noise = np.random.default_rng(_SKY_SEED).standard_normal(_TILE, dtype=np.float32)

    def render(self, shot: Shot) -> Pixels:
        rng = np.random.default_rng((_SKY_SEED, shot.frame))
        long = shot.geometry.sample_mode is SampleMode.BITS32
        image = np.empty((shot.geometry.height, shot.geometry.width), np.uint16) if long else empty_image(shot)
        stars = _stars(shot) if shot.light_seconds else []
        for area in shot.geometry.areas:
            self._fill(image, area, shot, rng)
            patch = _patch(area, shot)
            active = image[patch.rows, patch.columns]
            gain = _relative_gain(area)
            _add_hot_pixels(active, shot.dark_seconds, area.index)
            _add_cosmics(active, shot.dark_seconds, rng)
            for row, column, adu_per_second in stars if shot.light_seconds else ():
                _add_star(
                    active,
                    row - patch.ccd_row,
                    column - patch.ccd_column,
                    adu_per_second * gain * shot.light_seconds,
                )
        return image.astype("<u4") << _SHIFT_32 if long else image

    def _fill(self, image: Pixels, area: TapArea, shot: Shot, rng: np.random.Generator) -> None:
        """Fill a tap's area with bias and noise, and its part on the CCD with sky."""
        pixels = in_order(image, area)
        bias = area.tap.offset + area.index % 4 * 3
        pixels[...] = self._lines(bias, _READ_NOISE, pixels.shape, rng)
        if sky := _SKY * shot.light_seconds * _relative_gain(area):
            lines, columns = _on_ccd(shot, area)
            noise = (_READ_NOISE**2 + sky / _ELECTRONS_PER_ADU) ** 0.5
            pixels[:lines, :columns] = self._lines(bias + sky, noise, (lines, columns), rng)

    def _lines(self, level: float, noise: float, shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
        tile = np.clip(self._noise * noise + level, 0, _FULL).astype(np.uint16)
        lines, columns = shape
        return sliding_window_view(tile, columns)[rng.integers(0, _TILE - columns, lines)]


def _on_ccd(shot: Shot, area: TapArea) -> tuple[int, int]:
    """Return how many lines and pixels of a tap are on the CCD; without a word about it, 1 % is overscan."""
    lines = area.height - (shot.overscan_lines or area.height // 100)
    columns = area.width - (shot.overscan_pixels or area.width // 100)
    return max(lines, 1), max(columns, 1)


def _patch(area: TapArea, shot: Shot) -> _Patch:
    lines, columns = _on_ccd(shot, area)
    top = area.y + (area.height - lines if area.from_bottom else 0)
    left = area.x + (area.width - columns if area.from_right else 0)
    return _Patch(
        slice(top, top + lines),
        slice(left, left + columns),
        area.y // area.height * lines,
        area.x // area.width * columns,
    )


def _relative_gain(area: TapArea) -> float:
    return 1.0 + (area.index * 7 % 5 - 2) * 0.01


def _stars(shot: Shot) -> list[tuple[float, float, float]]:
    """Return row, column and ADU per second in the brightest pixel of every star: many faint, few bright."""
    rng = np.random.default_rng(_SKY_SEED)
    height, width = shot.geometry.height, shot.geometry.width
    count = min(height * width // _PIXELS_PER_STAR + 1, _MOST_STARS)
    rows, columns = rng.uniform(0, height, count), rng.uniform(0, width, count)
    brightness = 4.0 * rng.pareto(1.1, count)
    return list(zip(rows.tolist(), columns.tolist(), brightness.tolist(), strict=True))


def _add_star(active: Pixels, row: float, column: float, peak: float) -> None:
    """Add a star to the part of the CCD that one tap reads."""
    height, width = active.shape
    top, left = max(int(row) - _STAR_REACH, 0), max(int(column) - _STAR_REACH, 0)
    bottom, right = min(int(row) + _STAR_REACH, height), min(int(column) + _STAR_REACH, width)
    if bottom <= top or right <= left:
        return
    profile_down = np.exp(-((np.arange(top, bottom) - row) ** 2) / (2 * _STAR_WIDTH**2))
    profile_right = np.exp(-((np.arange(left, right) - column) ** 2) / (2 * _STAR_WIDTH**2))
    part = active[top:bottom, left:right]
    part[...] = np.minimum(part + np.outer(profile_down, profile_right) * peak, _FULL)


def _add_hot_pixels(active: Pixels, seconds: float, seed: int) -> None:
    rng = np.random.default_rng((_SKY_SEED, seed))
    height, width = active.shape
    count = active.size // _PIXELS_PER_HOT_PIXEL + 1
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    charge = rng.uniform(2.0, 60.0, count) * seconds
    active[rows, columns] = np.minimum(active[rows, columns] + charge, _FULL)


def _add_cosmics(active: Pixels, seconds: float, rng: np.random.Generator) -> None:
    """Add short straight tracks."""
    height, width = active.shape
    for _ in range(int(rng.poisson(active.size * seconds / _PIXELS_PER_COSMIC_SECOND))):
        steps = np.arange(rng.uniform(2, 15), dtype=np.float64)
        angle = rng.uniform(0, 2 * math.pi)
        down = rng.random() * height + steps * math.sin(angle)
        right = rng.random() * width + steps * math.cos(angle)
        rows = np.clip(down, 0, height - 1).astype(np.intp)
        columns = np.clip(right, 0, width - 1).astype(np.intp)
        active[rows, columns] = np.minimum(active[rows, columns] + rng.uniform(200, 3000), _FULL)
