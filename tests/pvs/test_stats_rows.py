"""Rows of statistics."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins.ndarray import EPICS_EPOCH, Geometry
from archon_ioc.plugins.statistics import Centroid, Levels
from archon_ioc.plugins.stats import SIGNALS, StatsPlugin, measured
from archon_ioc.pvs.row import Pv
from archon_ioc.pvs.stats_rows import SIGNAL_NAMES, stats_rows

SETTINGS: dict[str, object] = {
    "ComputeStatistics": 0, "BgdWidth": 3, "ComputeCentroid": 1, "CentroidThreshold": 7.5, "ComputeProfiles": 1,
    "CursorX": 3, "CursorY": 4, "ComputeHistogram": 1, "HistSize": 16, "HistMin": -1.0, "HistMax": 9.0,
}  # fmt: skip
RESULTS = (
    "MinValue", "MaxValue", "MeanValue", "SigmaValue", "Total", "Net", "MinX", "MinY", "MaxX", "MaxY",
    "CentroidTotal", "CentroidX", "CentroidY", "SigmaX", "SigmaY", "SigmaXY", "SkewX", "SkewY", "KurtosisX",
    "KurtosisY", "Eccentricity", "Orientation", "HistBelow", "HistAbove", "HistEntropy",
)  # fmt: skip


@pytest.fixture
async def stats() -> StatsPlugin:
    plugin = StatsPlugin("STATS1")
    plugin.prime(Geometry(20, 10))
    await plugin.configure(compute_centroid=True, compute_profiles=True, compute_histogram=True, histogram_low=5.0,
                           histogram_high=100.0)  # fmt: skip
    pixels = (np.arange(200).reshape(10, 20) ** 2 % 151).astype(np.uint16)
    plugin.update(**measured(pixels, plugin.state.stats))
    return plugin


def by_name(plugin: StatsPlugin) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in stats_rows(plugin)}


async def put(plugin: StatsPlugin, name: str, value: object) -> None:
    row = by_name(plugin)[name]
    assert row.put
    done = row.put(plugin, row.kind.accept(value))
    if inspect.isawaitable(done):
        await done


def shown(plugin: StatsPlugin, name: str) -> Any:
    return by_name(plugin)[name].read(plugin.state)


def test_no_record_twice(stats: StatsPlugin) -> None:
    suffixes = [record.suffix for row in stats_rows(stats) for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


def test_every_row_has_a_reading(stats: StatsPlugin, faults: Callable[..., list[str]]) -> None:
    assert faults(stats_rows(stats), stats.state, linked=True) == []
    assert faults(stats_rows(stats), StatsPlugin("NEW").state, linked=True) == []


@pytest.mark.parametrize("name", SETTINGS)
async def test_what_is_put_is_read_back(name: str, stats: StatsPlugin) -> None:
    await put(stats, name, SETTINGS[name])
    assert shown(stats, name) == SETTINGS[name]
    assert by_name(stats)[name].rbv


def test_each_number_has_a_row_of_its_own(stats: StatsPlugin) -> None:
    level, middle, histogram = stats.state.levels, stats.state.centroid, stats.state.histogram
    numbers = {name: shown(stats, name) for name in RESULTS}
    assert set(numbers.values()) >= {getattr(level, one.name) for one in fields(Levels)}
    assert set(numbers.values()) >= {getattr(middle, one.name) for one in fields(Centroid)}
    assert [numbers[name] for name in ("MinX", "MaxY", "SigmaValue", "SigmaX", "KurtosisY")] == [
        level.min_x, level.max_y, level.sigma, middle.sigma_x, middle.kurtosis_y,
    ]  # fmt: skip
    assert (numbers["HistBelow"], numbers["HistAbove"]) == (histogram.below, histogram.above)
    assert shown(stats, "Sigma") == level.sigma
    assert [record.suffix for record in by_name(stats)["Sigma"].records()] == ["Sigma_RBV"]
    assert [record.suffix for record in by_name(stats)["SigmaValue"].records()] == ["SigmaValue"]


@pytest.mark.parametrize("name", RESULTS)
async def test_numbers_can_be_overwritten_one_by_one(name: str, stats: StatsPlugin) -> None:
    before = {other: shown(stats, other) for other in RESULTS}
    await put(stats, name, 7)
    assert {other: shown(stats, other) for other in RESULTS} == {**before, name: 7}


@pytest.mark.parametrize(("name", "left"), [("Reset", 0), ("Reset1", 10), ("Reset2", 20)])
async def test_resets(name: str, left: int, stats: StatsPlugin) -> None:
    for result in RESULTS:
        await put(stats, result, 7)
    await put(stats, name, 1)
    assert [result for result in RESULTS if shown(stats, result) != 0] == list(RESULTS[:left])


def test_arrays(stats: StatsPlugin) -> None:
    assert [shown(stats, f"ProfileSize{axis}") for axis in "XY"] == [20, 10]
    for kind in ("Average", "Threshold", "Centroid", "Cursor"):
        assert [len(shown(stats, f"Profile{kind}{axis}")) for axis in "XY"] == [20, 10]
    assert len(shown(stats, "Histogram")) == len(shown(stats, "HistogramX")) == 256
    assert shown(stats, "HistogramX")[0] == 5.0
    assert shown(stats, "CursorVal") == stats.state.cursor_value


def test_a_time_series_has_a_column_for_each_statistic(stats: StatsPlugin) -> None:
    stats.show_series(np.arange(2.0 * SIGNALS.width).reshape(2, -1))
    for index, name in enumerate(SIGNAL_NAMES):
        offset = EPICS_EPOCH if name == "Timestamp" else 0
        assert shown(stats, f"TS{name}").tolist() == [index - offset, index + SIGNALS.width - offset]
