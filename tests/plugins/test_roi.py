"""The plugin that cuts a part out of images."""

from typing import Any

import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.cutout import EVERYTHING, Axis
from archon_ioc.plugins.ndarray import Geometry
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.plugins.roi import RoiPlugin, RoiSettings
from tests.plugins.arrays import array

SOURCE = Geometry(100, 50)


def primed(**settings: Any) -> RoiPlugin:
    roi = RoiPlugin("ROI1")
    roi.configure(**settings)
    roi.prime(SOURCE)
    return roi


def test_before_anything_is_known_it_shows_what_is_asked_for() -> None:
    state = RoiPlugin("ROI1").state
    assert [state.shown(axis) for axis in range(3)] == [Axis()] * 3
    assert [state.max_size(axis) for axis in range(3)] == [0, 0, 0]


def test_everything_is_the_whole_image() -> None:
    roi = primed()
    assert (roi.state.shown(0), roi.state.shown(1)) == (Axis(0, 100), Axis(0, 50))
    assert roi.state.array.geometry == SOURCE


def test_what_comes_out_is_known_at_once() -> None:
    roi = primed(sizes=(30, 20, 1))
    assert roi.state.array.geometry == Geometry(30, 20)
    roi.set_axis("binnings", 0, 7)
    assert roi.port.geometry == Geometry(4, 20)
    roi.configure(data_type="Float32")
    assert roi.state.array.geometry == Geometry(4, 20, "Float32")
    roi.configure(collapse=True, sizes=(1, 20, 1))
    assert roi.state.array.geometry == Geometry(20, 1, "Float32")


def test_a_smaller_image_limits_and_a_larger_one_gives_what_was_asked_for() -> None:
    roi = primed(starts=(80, 0, 0), sizes=(20, 40, 1))
    roi.prime(Geometry(90, 30))
    assert (roi.state.shown(0), roi.state.shown(1)) == (Axis(80, 10), Axis(0, 30))
    roi.prime(SOURCE)
    assert (roi.state.shown(0), roi.state.shown(1)) == (Axis(80, 20), Axis(0, 40))


def test_a_disabled_axis_shows_what_is_asked_for_and_gives_all() -> None:
    roi = primed(starts=(80, 0, 0), sizes=(500, 40, 1), enables=(False, True, True))
    assert roi.state.shown(0).size == 500
    assert roi.state.array.geometry == Geometry(100, 40)


def test_a_third_axis_is_remembered() -> None:
    roi = primed()
    roi.set_axis("sizes", 2, 7)
    assert roi.state.shown(2) == Axis(size=7)


def test_nonsense_is_refused() -> None:
    roi = primed()
    with pytest.raises(InputError, match="finite"):
        roi.configure(scale=float("nan"))
    assert roi.state.roi == RoiSettings()
    assert roi.state.roi.sizes[0] == EVERYTHING


async def test_parts_go_to_the_plugins_behind(running: Any) -> None:
    roi, behind = RoiPlugin("ROI1"), Plugin("BEHIND", PluginState())
    seen: list[Any] = []

    async def keep(one: Any) -> None:
        seen.append(one)

    async with running(roi, behind) as chain:
        chain.connect(behind, "ROI1")
        behind.process = keep
        roi.configure(starts=(1, 1, 0), sizes=(4, 2, 1), binnings=(2, 1, 1), reverses=(True, False, False))
        await chain.send(array(5, (4, 6)))
        await chain.settled()
    (one,) = seen
    whole = array(5, (4, 6)).pixels
    assert np.array_equal(one.pixels, (whole[1:3, 1:5:2] + whole[1:3, 2:6:2])[:, ::-1])
    assert (one.unique_id, one.timestamp) == (5, 1005.0)
    assert [(axis.size, axis.offset, axis.binning, axis.reverse) for axis in one.dimensions] == [
        (2, 1, 2, True), (2, 1, 1, False),
    ]  # fmt: skip
    assert roi.state.array.geometry == behind.state.source == Geometry(2, 2)
