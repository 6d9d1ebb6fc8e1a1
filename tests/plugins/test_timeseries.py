"""The plugin that keeps the statistics of many images."""

import asyncio
from typing import Any

import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.stats import StatsPlugin
from archon_ioc.plugins.timeseries import MOST_POINTS, SeriesPlugin, SeriesSettings
from tests.plugins.arrays import array

TOTAL = 8
"""Place of the total among the statistics."""
ONE = 24 * 23 // 2
"""Total of the pixels that `array` counts up, but for what they begin with."""


def pair() -> tuple[StatsPlugin, SeriesPlugin]:
    stats = StatsPlugin("STATS1")
    return stats, SeriesPlugin("STATS1_TS", "STATS1", stats.show_series)


async def send(chain: Chain, *numbers: int) -> None:
    for number in numbers:
        await chain.send(array(number))
    await chain.settled()


async def started(series: SeriesPlugin) -> "asyncio.Task[None]":
    task = asyncio.create_task(series.acquire())
    await series.live.until(lambda state: state.acquiring, 5)
    return task


def begins(stats: StatsPlugin) -> list[float]:
    """Return with what number the pixels of each image began, by their totals."""
    return ((stats.state.series[:, TOTAL] - ONE) / 24).tolist()


async def test_a_fixed_number_of_points(running: Any) -> None:
    stats, series = pair()
    series.configure(length=3)
    async with running(stats, series) as chain:
        await send(chain, 1)
        assert series.state.point == 0, "it was not told to"
        task = await started(series)
        await send(chain, 2, 3)
        assert (series.state.point, series.state.acquiring) == (2, True)
        await send(chain, 4, 5)
        await task
    assert (series.state.point, series.state.acquiring) == (3, False)
    assert begins(stats) == [2, 3, 4]
    assert series.state.times.tolist() == [1002.0, 1003.0, 1004.0]
    assert series.state.elapsed_seconds > 0
    assert series.state.array.counter == 5


async def test_the_newest_points_of_an_endless_series(running: Any) -> None:
    stats, series = pair()
    series.configure(length=3, circular=True)
    async with running(stats, series) as chain:
        task = await started(series)
        await send(chain, 1, 2)
        series.show()
        assert begins(stats) == [1, 2]
        await send(chain, 3, 4, 5)
        assert series.state.point == 2
        series.show()
        assert begins(stats) == [3, 4, 5]
        series.stop_acquiring()
        await task
        await send(chain, 6)
    assert begins(stats) == [3, 4, 5]


async def test_a_new_start_forgets(running: Any) -> None:
    stats, series = pair()
    async with running(stats, series) as chain:
        task = await started(series)
        await send(chain, 1, 2)
        series.stop_acquiring()
        await task
        assert begins(stats) == [1, 2]
        again = await started(series)
        await send(chain, 3)
        series.stop_acquiring()
        await again
    assert begins(stats) == [3]


async def test_a_point_may_be_the_mean_of_several_images(running: Any) -> None:
    stats, series = pair()
    series.configure(averaging_seconds=0.31)
    assert (series.state.series.averaged, series.state.series.step_seconds) == (3, pytest.approx(0.3))
    async with running(stats, series) as chain:
        task = await started(series)
        await send(chain, 1, 2, 6, 7)
        series.stop_acquiring()
        await task
    assert begins(stats) == [3]
    assert series.state.times.tolist() == [1006.0]


async def test_points_are_shown_while_they_come(running: Any) -> None:
    stats, series = pair()
    async with running(stats, series) as chain:
        task = await started(series)
        await send(chain, 1, 2)
        await stats.live.until(lambda state: len(state.series) == 2, 5)
        assert series.state.acquiring
        series.stop_acquiring()
        await task


async def test_another_length_ends_a_series(running: Any) -> None:
    stats, series = pair()
    async with running(stats, series) as chain:
        task = await started(series)
        await send(chain, 1)
        series.configure(point_seconds=0.2)
        assert series.state.acquiring
        series.configure(length=100)
        await task
    assert begins(stats) == [1]


async def test_images_are_no_statistics(running: Any) -> None:
    stats, series = pair()
    told: list[str] = []
    series.tell = told.append
    async with running(stats, series) as chain:
        chain.connect(series, "CAM")
        await send(chain, 1)
    assert told
    assert "address 1 of a port with statistics is wanted" in told[0]


@pytest.mark.parametrize(
    "settings",
    [{"length": 0}, {"length": MOST_POINTS + 1}, {"point_seconds": 0.0}, {"averaging_seconds": -1.0}],
)
def test_nonsense_is_refused(settings: dict[str, Any]) -> None:
    _, series = pair()
    with pytest.raises(InputError):
        series.configure(**settings)
    assert series.state.series == SeriesSettings()


def test_at_first_there_are_no_points() -> None:
    stats, series = pair()
    series.show()
    assert stats.state.series.shape == (0, 23)
    assert np.array_equal(series.state.times, [])
