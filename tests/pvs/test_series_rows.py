"""Rows of a time series of statistics."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins.ndarray import EPICS_EPOCH
from archon_ioc.plugins.timeseries import SeriesPlugin
from archon_ioc.pvs.row import Pv
from archon_ioc.pvs.series_rows import series_rows

SETTINGS: dict[str, object] = {
    "TSNumPoints": 10, "TSAcquireMode": 1, "TSTimePerPoint": 0.5, "TSTimePerPointLink": 0.25, "TSAveragingTime": 0.3,
}  # fmt: skip


@pytest.fixture
def series() -> SeriesPlugin:
    return SeriesPlugin("STATS1_TS", "STATS1", lambda _: None)


def by_name(plugin: SeriesPlugin) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in series_rows(plugin)}


def put(plugin: SeriesPlugin, name: str, value: object) -> Any:
    row = by_name(plugin)[name]
    assert row.put
    return row.put(plugin, row.kind.accept(value))


def shown(plugin: SeriesPlugin, name: str) -> Any:
    return by_name(plugin)[name].read(plugin.state)


def test_it_takes_the_statistics(series: SeriesPlugin) -> None:
    assert [shown(series, name) for name in ("PortName", "PluginType", "NDArrayPort", "NDArrayAddress")] == [
        "STATS1_TS", "NDPluginTimeSeries", "STATS1", 1,
    ]  # fmt: skip


def test_every_row_has_a_reading(series: SeriesPlugin, faults: Callable[..., list[str]]) -> None:
    assert faults(series_rows(series), series.state, linked=True) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_put_is_read_back(name: str, series: SeriesPlugin) -> None:
    put(series, name, SETTINGS[name])
    assert shown(series, name) == pytest.approx(SETTINGS[name])


def test_the_time_of_points(series: SeriesPlugin) -> None:
    put(series, "TSTimePerPoint", 0.5)
    put(series, "TSAveragingTime", 1.1)
    assert (shown(series, "TSNumAverage"), shown(series, "TSAveragingTime")) == (2, 1.0), "what it is in fact"
    put(series, "TSNumPoints", 3)
    assert shown(series, "TSTimeAxis").tolist() == [0.0, 1.0, 2.0]
    series.update(times=np.array([EPICS_EPOCH + 5.0]))
    assert shown(series, "TSTimestamp").tolist() == [5.0]


async def test_a_start_ends_with_the_series(series: SeriesPlugin) -> None:
    task = asyncio.ensure_future(put(series, "TSAcquire", 1))
    await series.live.until(lambda state: state.acquiring, 5)
    assert (shown(series, "TSAcquire"), shown(series, "TSAcquiring")) == (True, True)
    assert not task.done()
    put(series, "TSRead", 1)
    put(series, "TSRead", 0)
    await put(series, "TSAcquire", 0)
    await task
    assert shown(series, "TSAcquiring") == 0
