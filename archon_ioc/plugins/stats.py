"""Stats1, Stats2: statistics of each image, NDPluginStats. Images go on as they are, statistics by address 1."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from archon_ioc.errors import InputError
from archon_ioc.plugins import statistics
from archon_ioc.plugins.ndarray import Dimension, Geometry, NDArray, Pixels
from archon_ioc.plugins.plugin import Plugin, PluginState, Port
from archon_ioc.plugins.statistics import Centroid, Floats, Histogram, Levels

MOST_STEPS = 4096
"""Steps of a histogram that its record has room for."""
SIGNALS = Geometry(len(statistics.numbers(Levels(), Centroid())) + 1, 1, "Float64")
"""What goes out by address 1: the statistics of one image, and its time stamp."""
_NONE = np.zeros(0)


@dataclass(frozen=True, slots=True)
class StatsSettings:
    """What clients set; names and meaning are those of NDPluginStats."""

    compute_statistics: bool = True
    background_width: int = 1
    compute_centroid: bool = False
    centroid_threshold: float = 1.0
    compute_profiles: bool = False
    cursor_x: int = 256
    cursor_y: int = 256
    compute_histogram: bool = False
    histogram_size: int = 256
    histogram_low: float = 0.0
    histogram_high: float = 65535.0

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        if not all(map(math.isfinite, (new.centroid_threshold, new.histogram_low, new.histogram_high))):
            raise InputError("a threshold or an end of the histogram must be a finite number")
        if not 1 <= new.histogram_size <= MOST_STEPS:
            raise InputError(f"a histogram has 1 to {MOST_STEPS} steps")
        return new


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Lines through an image; x runs along the columns. ``centroid`` and ``cursor`` are those that go through it."""

    average_x: Floats = field(default_factory=lambda: _NONE)
    average_y: Floats = field(default_factory=lambda: _NONE)
    threshold_x: Floats = field(default_factory=lambda: _NONE)
    threshold_y: Floats = field(default_factory=lambda: _NONE)
    centroid_x: Floats = field(default_factory=lambda: _NONE)
    centroid_y: Floats = field(default_factory=lambda: _NONE)
    cursor_x: Floats = field(default_factory=lambda: _NONE)
    cursor_y: Floats = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class StatsState(PluginState):
    """Results are those of the last image of which they were wanted.

    ``series`` are the statistics of several images, one in each row.
    """

    stats: StatsSettings = field(default_factory=StatsSettings)
    levels: Levels = field(default_factory=Levels)
    centroid: Centroid = field(default_factory=Centroid)
    profiles: Profiles = field(default_factory=Profiles)
    histogram: Histogram = field(default_factory=lambda: Histogram(_NONE))
    cursor_value: float = 0.0
    series: Floats = field(default_factory=lambda: np.zeros((0, SIGNALS.width)))


class StatsPlugin(Plugin[StatsState]):
    """Computes in its own thread what is wanted."""

    plugin_type = "NDPluginStats"
    kept = ("settings", "stats")

    def __init__(self, name: str) -> None:
        super().__init__(name, StatsState())
        self.ports = (self.port, Port(name))

    async def process(self, array: NDArray) -> NDArray | None:
        """Return the image as it is."""
        self.update(**await self.in_thread(measured, array.pixels, self.state.stats))
        await self._send_numbers(array)
        return array

    def prime(self, source: Geometry) -> None:
        """Expect images of this geometry."""
        super().prime(source)
        self.ports[1].prime(SIGNALS)

    async def configure(self, **changes: Any) -> None:
        """Change settings; what a threshold or a cursor changes of the last image is computed at once.

        Raises:
            InputError: if a value makes no sense.
        """
        self.update(stats=self.state.stats.changed(**changes))
        if self.last is not None and not {"centroid_threshold", "cursor_x", "cursor_y"}.isdisjoint(changes):
            self.update(**await self.in_thread(located, self.last.pixels, self.state.stats))

    def set_result(self, result: str, **values: float) -> None:
        """Overwrite numbers of ``levels``, ``centroid`` or ``histogram`` until the next image."""
        self.update(**{result: replace(getattr(self.state, result), **values)})

    def show_series(self, series: Floats) -> None:
        """Show the statistics of several images, one in each row, in the order of the signals."""
        self.update(series=series)

    async def _send_numbers(self, array: NDArray) -> None:
        if not self.ports[1].behind:
            return
        row = np.array([[*statistics.numbers(self.state.levels, self.state.centroid), array.timestamp]])
        await self.ports[1].send(array.with_pixels(row, (Dimension(SIGNALS.width), Dimension(1))))


def measured(pixels: Pixels, wanted: StatsSettings) -> dict[str, object]:
    """Return fields of `StatsState` for an image: those that are wanted. Blocks; for use in a thread."""
    results: dict[str, object] = {}
    if wanted.compute_statistics:
        results["levels"] = statistics.levels(pixels, wanted.background_width)
    results |= located(pixels, wanted)
    if wanted.compute_histogram:
        ends = wanted.histogram_low, wanted.histogram_high
        results["histogram"] = statistics.histogram(pixels, wanted.histogram_size, *ends)
    return results


def located(pixels: Pixels, wanted: StatsSettings) -> dict[str, object]:
    """Return the fields that depend on threshold and cursor. Blocks; for use in a thread."""
    x, y = _inside(pixels, wanted.cursor_x, wanted.cursor_y)
    results: dict[str, object] = {"cursor_value": float(pixels[y, x])}
    if not wanted.compute_centroid and not wanted.compute_profiles:
        return results
    projection = statistics.project(pixels, wanted.centroid_threshold)
    middle = statistics.centroid(projection)
    if wanted.compute_centroid:
        results["centroid"] = middle
    if wanted.compute_profiles:
        at = _inside(pixels, int(middle.x + 0.5), int(middle.y + 0.5))
        results["profiles"] = _profiles(pixels, projection, at, (x, y))
    return results


def _profiles(
    pixels: Pixels, projection: statistics.Projection, middle: tuple[int, int], cursor: tuple[int, int]
) -> Profiles:
    height, width = pixels.shape
    return Profiles(
        average_x=projection.x / height,
        average_y=projection.y / width,
        threshold_x=projection.bright_x / height,
        threshold_y=projection.bright_y / width,
        centroid_x=pixels[middle[1]].astype(np.float64),
        centroid_y=pixels[:, middle[0]].astype(np.float64),
        cursor_x=pixels[cursor[1]].astype(np.float64),
        cursor_y=pixels[:, cursor[0]].astype(np.float64),
    )


def _inside(pixels: Pixels, x: int, y: int) -> tuple[int, int]:
    """Return the pixel of the image that is the nearest to this place."""
    height, width = pixels.shape
    return min(max(x, 0), width - 1), min(max(y, 0), height - 1)
