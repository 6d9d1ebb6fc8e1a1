"""Rows of Stats1:TS: and Stats2:TS:, areaDetector's NDTimeSeries. The points are rows of Stats1 and Stats2."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from archon_ioc.plugins.ndarray import EPICS_EPOCH
from archon_ioc.plugins.timeseries import MOST_POINTS, SeriesPlugin, SeriesState
from archon_ioc.pvs.array_rows import DONE_ACQUIRE, DONE_ACQUIRING
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Pv

_GROUP = "Time series"
_POINTS = Array(MOST_POINTS, "DOUBLE", "s")


def series_rows(plugin: SeriesPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that keeps the statistics of many images."""
    # Points first: who sees the end looks at them.
    return (*plugin_rows(plugin), *_point_rows(), *_setting_rows(), *_acquire_rows())


def _point_rows() -> Iterator[PluginPv]:
    yield _show("TSTimestamp", _POINTS, "Begin of integration since 1990", lambda s: s.times - EPICS_EPOCH)
    yield _show("TSTimeAxis", _POINTS, "Time of each point at even steps", _time_axis)
    yield _show("TSCurrentPoint", Int(), "Where the next point goes", lambda s: s.point)
    yield _show("TSElapsedTime", Float("s", 3), "From the start to the last point", lambda s: s.elapsed_seconds)


def _setting_rows() -> Iterator[PluginPv]:
    yield _setting("TSNumPoints", Int(low=1, high=MOST_POINTS), "Points of the series", "length", rbv=False)
    yield _setting("TSAcquireMode", Choice(("Fixed length", "Circ. buffer")), "Whether it ends when it is full",
                   "circular", convert=bool)  # fmt: skip
    yield _setting("TSTimePerPoint", Float("s", 3, 0.001), "Time from one image to the next", "point_seconds")
    yield _setting("TSTimePerPointLink", Float("s", 3, 0.001), "The same", "point_seconds", rbv=False)
    yield Pv(name="TSAveragingTime", kind=Float("s", 3, 0.0), doc="Time of which a point is the mean", group=_GROUP,
             read=lambda s: s.series.step_seconds,
             put=lambda plugin, value: plugin.configure(averaging_seconds=value))  # fmt: skip
    yield _show("TSNumAverage", Int(), "Images of which a point is the mean", lambda s: s.series.averaged)


def _acquire_rows() -> Iterator[PluginPv]:
    yield _show("TSAcquiring", DONE_ACQUIRING, "Whether points are collected", lambda s: s.acquiring)
    yield Pv(name="TSAcquire", kind=DONE_ACQUIRE, doc="Collect points, from the first one on", group=_GROUP,
             read=lambda s: s.acquiring, put=_acquire, rbv=False,
             more="A put with completion waits for the end.")  # fmt: skip
    yield Pv(name="TSRead", kind=Choice(("Done", "Read")), doc="Show the points there are", group=_GROUP,
             read=lambda _: 0, put=_read, rbv=False, more="Once a second they are shown anyway.")  # fmt: skip


async def _acquire(plugin: SeriesPlugin, value: int) -> None:
    if value:
        await plugin.acquire()
    else:
        plugin.stop_acquiring()


def _read(plugin: SeriesPlugin, value: int) -> None:
    if value:
        plugin.show()


def _setting(
    name: str, kind: Kind, doc: str, field: str, *, convert: Callable[[Any], Any] | None = None, rbv: bool = True
) -> PluginPv:
    def put(plugin: SeriesPlugin, value: Any) -> None:
        plugin.configure(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=_GROUP, read=lambda s: getattr(s.series, field), put=put, rbv=rbv)


def _show(name: str, kind: Kind, doc: str, read: Callable[[SeriesState], Any]) -> PluginPv:
    return Pv(name=name, kind=kind, doc=doc, group=_GROUP, read=read, rbv=False)


def _time_axis(state: SeriesState) -> Any:
    return np.arange(state.series.length, dtype=np.float64) * state.series.step_seconds
