"""Stats1:TS:, Stats2:TS: the statistics of many images one after the other, NDPluginTimeSeries."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.plugins.plugin import Plugin, PluginSettings, PluginState
from archon_ioc.plugins.statistics import Floats
from archon_ioc.plugins.stats import SIGNALS

MOST_POINTS = 16_384
"""Points that the records of a time series have room for."""
_SHOW_SECONDS = 1.0
"""Arrays are shown this often while points come, as NDTimeSeries.template reads them."""


@dataclass(frozen=True, slots=True)
class SeriesSettings:
    """What clients set; names and meaning are those of NDPluginTimeSeries.

    A point is the mean of as many images as take ``averaging_seconds`` if one comes every ``point_seconds``.
    """

    length: int = 2048
    circular: bool = False
    point_seconds: float = 0.1
    averaging_seconds: float = 0.1

    @property
    def averaged(self) -> int:
        """Images that make a point."""
        return max(int(self.averaging_seconds / self.point_seconds + 0.5), 1)

    @property
    def step_seconds(self) -> float:
        """Time from one point to the next."""
        return self.averaged * self.point_seconds

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        if not 1 <= new.length <= MOST_POINTS:
            raise InputError(f"a time series has 1 to {MOST_POINTS} points")
        if not 0 < new.point_seconds < math.inf or not 0 <= new.averaging_seconds < math.inf:
            raise InputError("the time of a point must be longer than 0")
        return new


@dataclass(frozen=True, slots=True)
class SeriesState(PluginState):
    """``times`` are the POSIX time stamps of the points that are shown, ``point`` is where the next one goes."""

    series: SeriesSettings = field(default_factory=SeriesSettings)
    acquiring: bool = False
    point: int = 0
    elapsed_seconds: float = 0.0
    times: Floats = field(default_factory=lambda: np.zeros(0))


class SeriesPlugin(Plugin[SeriesState]):
    """Collects what comes from address 1 of a port with statistics, while it is told to."""

    plugin_type = "NDPluginTimeSeries"
    kept = ("settings", "series")

    def __init__(self, name: str, source: str, show: Callable[[Floats], None]) -> None:
        """Collect what comes from the port ``source``, and call ``show`` with the points, the oldest first."""
        super().__init__(name, SeriesState(settings=PluginSettings(array_port=source, array_address=1)))
        self._show_points = show
        self._points = np.zeros((0, SIGNALS.width))
        self._waiting: list[Floats] = []
        self._has_wrapped = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def process(self, array: NDArray) -> NDArray | None:
        """Take the statistics of one image.

        Raises:
            InputError: if it is something else.
        """
        if array.geometry != SIGNALS:
            raise InputError(f"address 1 of a port with statistics is wanted, not images of {array.geometry}")
        if self.state.acquiring:
            self._waiting.append(array.pixels[0])
            if len(self._waiting) >= self.state.series.averaged:
                self._add(np.mean(self._waiting, axis=0), array.timestamp)
        return array

    async def acquire(self) -> None:
        """Collect points from now on, and return when there are as many as wanted, or at `stop_acquiring`."""
        self._erase()
        self._began = time.monotonic()
        self.update(acquiring=True, point=0, elapsed_seconds=0.0)
        await self.live.until(lambda state: not state.acquiring)

    def stop_acquiring(self) -> None:
        """Collect no more points, and show those that there are."""
        self.show()
        self.update(acquiring=False)

    def show(self) -> None:
        """Show the points that there are: TSRead."""
        self._cancel()
        point = self.state.point
        old = self._points[point:] if self._has_wrapped and self.state.series.circular else self._points[:0]
        shown = np.concatenate((old, self._points[:point]))
        self._show_points(shown)
        self.update(times=shown[:, -1])

    def configure(self, **changes: object) -> None:
        """Change settings of the time series; another length ends it.

        Raises:
            InputError: if a value makes no sense.
        """
        settings = self.state.series.changed(**changes)
        if settings.length != self.state.series.length and self.state.acquiring:
            self.stop_acquiring()
        self._waiting.clear()
        self.update(series=settings)

    async def stop(self) -> None:
        """Show nothing any more."""
        self._cancel()
        await super().stop()

    def _erase(self) -> None:
        self._cancel()
        self._points = np.zeros((self.state.series.length, SIGNALS.width))
        self._waiting.clear()
        self._has_wrapped = False

    def _add(self, point: Floats, timestamp: float) -> None:
        self._waiting.clear()
        index = self.state.point
        self._points[index] = point
        self._points[index, -1] = timestamp  # of the last image, not of all
        self.update(point=index + 1, elapsed_seconds=time.monotonic() - self._began)
        if index + 1 < len(self._points):
            self._show_soon()
        elif self.state.series.circular:
            self._has_wrapped = True
            self.update(point=0)
            self._show_soon()
        else:
            self.stop_acquiring()

    def _show_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SHOW_SECONDS, self.show)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
