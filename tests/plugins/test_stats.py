"""The plugin that computes statistics of images."""

from typing import Any

import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins import statistics
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.plugins.statistics import Centroid, Levels
from archon_ioc.plugins.stats import MOST_STEPS, SIGNALS, StatsPlugin, StatsSettings
from tests.plugins.arrays import array

IMAGE = array(100, (4, 6))
PIXELS = IMAGE.pixels
ALL = {"compute_centroid": True, "compute_profiles": True, "compute_histogram": True}


async def after_one(running: Any, **settings: Any) -> StatsPlugin:
    plugin = StatsPlugin("STATS1")
    await plugin.configure(**settings)
    async with running(plugin) as chain:
        await chain.send(IMAGE)
        await chain.settled()
    return plugin


async def test_levels_alone_are_what_is_wanted_at_first(running: Any) -> None:
    state = (await after_one(running)).state
    assert state.levels == statistics.levels(PIXELS, 1)
    assert (state.levels.total, state.levels.min_x, state.levels.max_y) == (sum(range(100, 124)), 0, 3)
    assert state.centroid == Centroid()
    assert state.profiles.average_x.size == state.histogram.counts.size == 0
    assert state.cursor_value == 123, "the pixel that is the nearest to the cursor"
    assert state.array.counter == 1


async def test_nothing_is_computed_that_is_not_wanted(running: Any) -> None:
    state = (await after_one(running, compute_statistics=False)).state
    assert state.levels == Levels()


async def test_all_together(running: Any) -> None:
    state = (await after_one(running, **ALL, centroid_threshold=112.0, cursor_x=2, cursor_y=1, histogram_size=10)).state
    assert state.centroid == statistics.centroid(statistics.project(PIXELS, 112.0))
    bright = np.where(PIXELS >= 112, PIXELS, 0)
    profiles = state.profiles
    assert profiles.average_x == pytest.approx(PIXELS.mean(axis=0))
    assert profiles.average_y == pytest.approx(PIXELS.mean(axis=1))
    assert profiles.threshold_x == pytest.approx(bright.mean(axis=0))
    assert profiles.threshold_y == pytest.approx(bright.mean(axis=1))
    x, y = round(state.centroid.x), round(state.centroid.y)
    assert profiles.centroid_x.tolist() == PIXELS[y].tolist()
    assert profiles.centroid_y.tolist() == PIXELS[:, x].tolist()
    assert profiles.cursor_x.tolist() == PIXELS[1].tolist()
    assert profiles.cursor_y.tolist() == PIXELS[:, 2].tolist()
    assert state.cursor_value == PIXELS[1, 2]
    assert state.histogram.counts.tolist() == [24, *[0] * 9]


async def test_a_centroid_needs_no_profiles(running: Any) -> None:
    state = (await after_one(running, compute_centroid=True)).state
    assert state.centroid.total == sum(range(100, 124))
    assert state.profiles.average_x.size == 0


async def test_profiles_need_no_centroid(running: Any) -> None:
    state = (await after_one(running, compute_profiles=True)).state
    assert state.centroid == Centroid()
    assert state.profiles.average_x.size == 6


async def test_cursor_and_threshold_take_effect_on_the_last_image(running: Any) -> None:
    plugin = StatsPlugin("STATS1")
    await plugin.configure(**ALL)
    async with running(plugin) as chain:
        await chain.send(IMAGE)
        await chain.settled()
        await plugin.configure(cursor_x=4)
        await plugin.configure(cursor_y=2)
        assert plugin.state.cursor_value == PIXELS[2, 4]
        assert plugin.state.profiles.cursor_y.tolist() == PIXELS[:, 4].tolist()
        await plugin.configure(centroid_threshold=123.0)
        assert plugin.state.centroid == Centroid(total=123.0, x=5.0, y=3.0)
    assert plugin.state.array.counter == 1, "it is still the same image"


@pytest.mark.parametrize(
    "settings",
    [
        {"centroid_threshold": float("nan")},
        {"histogram_high": float("inf")},
        {"histogram_size": 0},
        {"histogram_size": MOST_STEPS + 1},
    ],
)
async def test_nonsense_is_refused(settings: dict[str, Any]) -> None:
    plugin = StatsPlugin("STATS1")
    with pytest.raises(InputError):
        await plugin.configure(**settings)
    assert plugin.state.stats == StatsSettings()


async def test_results_can_be_overwritten(running: Any) -> None:
    plugin = await after_one(running, **ALL)
    plugin.set_result("levels", mean=0.0, total=7.0)
    plugin.set_result("histogram", below=3)
    assert (plugin.state.levels.mean, plugin.state.levels.total, plugin.state.levels.maximum) == (0.0, 7.0, 123.0)
    assert plugin.state.histogram.below == 3
    assert plugin.state.histogram.counts.sum() == 24


async def test_images_go_on_and_numbers_by_another_address(running: Any) -> None:
    plugin, images, numbers = StatsPlugin("STATS1"), Plugin("A", PluginState()), Plugin("B", PluginState())
    seen: list[NDArray] = []

    async def keep(one: NDArray) -> None:
        seen.append(one)

    numbers.process = keep
    async with running(plugin, images, numbers) as chain:
        chain.connect(images, "STATS1")
        chain.connect(numbers, "STATS1", 1)
        chain.prime(Geometry(6, 4))
        assert (images.state.source, numbers.state.source) == (Geometry(6, 4), SIGNALS)
        await chain.send(IMAGE)
        await chain.settled()
    (one,) = seen
    assert one.geometry == SIGNALS
    assert one.pixels[0].tolist() == [*statistics.numbers(plugin.state.levels, Centroid()), IMAGE.timestamp]
    assert images.state.array.unique_id == 100
