"""What the pixels show: a test pattern that names its place, or a field of stars."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from archon_ioc.acf.taps import TapArea
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.sim.shot import Shot, View

Pixels = NDArray[Any]
Floats = NDArray[np.float64]


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
_SMALLEST_TILE = 1 << 16
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
ACCUMULATOR_BITS = 16  # the 32-bit mode gives the sum over the sampling windows
_SKY_SEED = 20210223
_MOST_COSMICS = 1_000  # in one tap's part of one frame


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
        stars = _stars(shot) if shot.light_seconds else None
        lines, pixels = shot.shown.active(shot.geometry)
        for area in shot.geometry.areas:
            part = in_order(image, area)
            self._fill(part, area, shot, rng)
            active = part[:lines, :pixels]
            if active.size:
                self._add_charge(active, area, shot, stars, rng)
        return image.astype("<u4") << ACCUMULATOR_BITS if long else image

    def _add_charge(
        self, active: Pixels, area: TapArea, shot: Shot, stars: "_Stars | None", rng: np.random.Generator
    ) -> None:
        """Add what is more than a pixel wide, or narrower than a frame, to what a tap reads of the CCD."""
        view = shot.shown
        _add_hot_pixels(active, view, shot.dark_seconds, area.index)
        _add_cosmics(active, view, shot.dark_seconds, rng)
        if stars:
            _add_stars(active, view, stars.seen_by(area, view), _relative_gain(area) * shot.light_seconds)

    def _fill(self, part: Pixels, area: TapArea, shot: Shot, rng: np.random.Generator) -> None:
        """Fill a tap's area with bias and noise, and its part on the CCD with sky."""
        bias = area.tap.offset + area.index % 4 * 3
        part[...] = self._lines(bias, _READ_NOISE, part.shape, rng)
        view = shot.shown
        lines, pixels = view.active(shot.geometry)
        sky = _SKY * shot.light_seconds * _relative_gain(area) * view.line_bin * view.pixel_bin
        if sky and pixels:
            noise = (_READ_NOISE**2 + sky / _ELECTRONS_PER_ADU) ** 0.5
            part[:lines, :pixels] = self._lines(bias + sky, noise, (lines, pixels), rng)

    def _lines(self, level: float, noise: float, shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
        lines, columns = shape
        # As many as there are pixels, where that is enough to look random.
        size = min(max(lines * columns, 4 * columns, _SMALLEST_TILE), _TILE)
        start = rng.integers(0, _TILE - size + 1)
        tile = np.clip(self._noise[start : start + size] * noise + level, 0, _FULL).astype(np.uint16)
        return sliding_window_view(tile, columns)[rng.integers(0, size - columns, lines)]


@dataclass(frozen=True, slots=True)
class _Stars:
    """Where stars are, and the ADU per second in their brightest pixels."""

    rows: Floats
    columns: Floats
    peaks: Floats

    def seen_by(self, area: TapArea, view: View) -> "_Stars":
        """Return those that a tap reads, in its own lines and pixels of the CCD."""
        rows = self.rows - area.y // area.height * view.lines
        columns = self.columns - area.x // area.width * view.pixels
        rows = view.lines - 1 - rows if area.from_bottom else rows
        columns = view.pixels - 1 - columns if area.from_right else columns
        last_row = view.first_line + area.height * view.line_bin + _STAR_REACH
        last_column = view.first_pixel + area.width * view.pixel_bin + _STAR_REACH
        there = (rows > view.first_line - _STAR_REACH) & (rows < last_row)
        there &= (columns > view.first_pixel - _STAR_REACH) & (columns < last_column)
        return _Stars(rows[there], columns[there], self.peaks[there])


def _relative_gain(area: TapArea) -> float:
    return 1.0 + (area.index * 7 % 5 - 2) * 0.01


def _stars(shot: Shot) -> _Stars:
    """Return every star on the CCD, the same for each part of it: many faint, few bright."""
    rng = np.random.default_rng(_SKY_SEED)
    geometry, view = shot.geometry, shot.shown
    height = geometry.height // geometry.line_count * view.lines
    width = geometry.width // geometry.pixel_count * view.pixels
    count = min(height * width // _PIXELS_PER_STAR + 1, _MOST_STARS)
    return _Stars(rng.uniform(0, height, count), rng.uniform(0, width, count), 4.0 * rng.pareto(1.1, count))


def _add_stars(active: Pixels, view: View, stars: _Stars, gain: float) -> None:
    """Add stars to the part of the CCD that one tap reads."""
    for row, column, peak in zip(stars.rows.tolist(), stars.columns.tolist(), stars.peaks.tolist(), strict=True):
        lines = _profile(row, view.first_line, view.line_bin, active.shape[0])
        pixels = _profile(column, view.first_pixel, view.pixel_bin, active.shape[1])
        if lines is None or pixels is None:
            continue
        (top, down), (left, right) = lines, pixels
        part = active[top : top + len(down), left : left + len(right)]
        part[...] = np.minimum(part + np.outer(down, right) * (peak * gain), _FULL)


def _profile(centre: float, first: int, size: int, count: int) -> tuple[int, Floats] | None:
    """Return a star's profile along one axis, summed over bins, and the bin at which it begins.

    Bins are ``size`` pixels wide and there are ``count``, the first one at pixel ``first``. None if the star is
    not in any of them.
    """
    start = max((int(centre) - _STAR_REACH - first) // size, 0)
    end = min(-(-(int(centre) + _STAR_REACH - first) // size), count)
    if end <= start:
        return None
    pixels = np.arange(first + start * size, first + end * size)
    profile = np.exp(-((pixels - centre) ** 2) / (2 * _STAR_WIDTH**2))
    return start, profile.reshape(-1, size).sum(axis=1)


def _add_hot_pixels(active: Pixels, view: View, seconds: float, seed: int) -> None:
    rng = np.random.default_rng((_SKY_SEED, seed))
    count = view.lines * view.pixels // _PIXELS_PER_HOT_PIXEL + 1
    rows, columns = rng.integers(0, view.lines, count), rng.integers(0, view.pixels, count)
    charge = rng.uniform(2.0, 60.0, count) * seconds
    rows, columns = (rows - view.first_line) // view.line_bin, (columns - view.first_pixel) // view.pixel_bin
    seen = (rows >= 0) & (rows < active.shape[0]) & (columns >= 0) & (columns < active.shape[1])
    rows, columns = rows[seen], columns[seen]
    active[rows, columns] = np.minimum(active[rows, columns] + charge[seen], _FULL)


def _add_cosmics(active: Pixels, view: View, seconds: float, rng: np.random.Generator) -> None:
    """Add short straight tracks."""
    height, width = active.shape
    area = active.size * view.line_bin * view.pixel_bin
    for _ in range(min(int(rng.poisson(area * seconds / _PIXELS_PER_COSMIC_SECOND)), _MOST_COSMICS)):
        steps = np.arange(rng.uniform(2, 15), dtype=np.float64)
        angle = rng.uniform(0, 2 * math.pi)
        down = rng.random() * height + steps * math.sin(angle) / view.line_bin
        right = rng.random() * width + steps * math.cos(angle) / view.pixel_bin
        rows = np.clip(down, 0, height - 1).astype(np.intp)
        columns = np.clip(right, 0, width - 1).astype(np.intp)
        active[rows, columns] = np.minimum(active[rows, columns] + rng.uniform(200, 3000), _FULL)
