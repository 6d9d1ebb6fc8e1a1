"""What every plugin shows and takes."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.ndarray import Geometry
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.plugins.standard_arrays import StandardArrays
from archon_ioc.pvs.plugin_rows import plugin_rows
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Pv

SETPOINTS: dict[str, object] = {
    "NDArrayPort": "OTHER", "NDArrayAddress": 0, "EnableCallbacks": 0, "BlockingCallbacks": 1, "ArrayCallbacks": 0,
    "MinCallbackTime": 0.5, "MaxArrayRate": 4.0, "MaxByteRate": 1e6, "QueueSize": 7, "SortMode": 1, "SortTime": 0.25,
    "SortSize": 3, "NumThreads": 1, "DroppedArrays": 5, "DroppedOutputArrays": 6, "DisorderedArrays": 7,
    "ArrayCounter": 8, "NumPreAllocBuffers": 9, "NDimensions": 2, "ColorMode": 0,
}  # fmt: skip
"""Another value for each setpoint with a readback."""


@pytest.fixture
def plugin() -> Plugin[PluginState]:
    one, other = (Plugin(name, PluginState()) for name in ("ONE", "OTHER"))
    Chain("CAM", (one, other)).prime(Geometry(6, 4, "UInt32"))
    return one


def by_name(plugin: Plugin[PluginState]) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in plugin_rows(plugin) if row.put or row.name not in ("Acquire",)}


@pytest.mark.parametrize("name", SETPOINTS)
def test_what_is_put_is_read_back(name: str, plugin: Plugin[PluginState]) -> None:
    row = by_name(plugin)[name]
    assert row.put
    assert row.rbv
    row.put(plugin, row.kind.accept(SETPOINTS[name]))
    assert row.read(plugin.state) == row.kind.accept(SETPOINTS[name])


def test_every_setpoint_with_a_readback_is_tested(plugin: Plugin[PluginState]) -> None:
    assert {row.name for row in plugin_rows(plugin) if row.put and row.rbv} - {"DataType"} == set(SETPOINTS)


def test_no_record_twice(plugin: Plugin[PluginState]) -> None:
    suffixes = [record.suffix for row in plugin_rows(plugin) for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


def test_every_row_has_a_reading(plugin: Plugin[PluginState], faults: Callable[..., list[str]]) -> None:
    assert faults(plugin_rows(plugin), PluginState(), linked=True) == []
    assert faults(plugin_rows(plugin), plugin.state, linked=True) == []


def test_who_it_is_and_what_it_expects(plugin: Plugin[PluginState]) -> None:
    names = ("PortName", "PluginType", "NDArrayPort", "ArraySizeX", "ArraySizeY", "DataType")
    assert [by_name(plugin)[name].read(plugin.state) for name in names] == [
        "ONE", "NDPluginDriver", "CAM", 6, 4, "UInt32",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NDArrayPort", "NOWHERE", "no port NOWHERE"),
        ("NDArrayAddress", 1, "CAM has no address 1"),
        ("NDArrayPort", "ONE", "feed itself"),
        ("DataType", 3, "that of the images that come in"),
        ("NDimensions", 3, "2 dimensions"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: object, words: str, plugin: Plugin[PluginState]) -> None:
    before = plugin.state
    put = by_name(plugin)[name].put
    assert put
    with pytest.raises(InputError, match=words):
        put(plugin, value)
    assert plugin.state is before


def test_the_same_type_can_be_put(plugin: Plugin[PluginState]) -> None:
    row = by_name(plugin)["DataType"]
    assert row.put
    row.put(plugin, row.kind.accept("UInt32"))


async def test_momentary_actions(plugin: Plugin[PluginState]) -> None:
    for row in plugin_rows(plugin):
        if row.put and not row.rbv and row.name not in ("ProcessPlugin", "NDAttributesFile", "NDAttributesMacros"):
            result = row.put(plugin, 1)
            assert not inspect.isawaitable(result)
            assert row.read(plugin.state) == 0
    put = by_name(plugin)["ProcessPlugin"].put
    assert put
    with pytest.raises(InputError, match="no array"):
        await put(plugin, 1)
    await put(plugin, 0)


def test_the_queue(plugin: Plugin[PluginState]) -> None:
    state = replace(plugin.state, queued=3)
    found = {name: row.read(state) for name, row in by_name(plugin).items()}
    assert (found["QueueUse"], found["QueueFree"], found["NumQueuedArrays"]) == (3, 17, 3)
    assert found["PoolUsedMem"] == 3 * 6 * 4 * 4 / (1 << 20)


def test_a_queue_that_fills_is_an_alarm(plugin: Plugin[PluginState]) -> None:
    row = by_name(plugin)["QueueUse"]
    shown = [reading(row, replace(plugin.state, queued=queued), linked=True).status for queued in (14, 15, 20)]
    assert shown == ["NO_ALARM", "HIGH", "HIHI"]


def test_a_viewer_that_is_behind_is_no_alarm() -> None:
    plugin = StandardArrays("Image1")
    state = replace(plugin.state, queued=2)
    assert reading(by_name(plugin)["QueueUse"], state, linked=True).status == "NO_ALARM"


async def test_attributes(plugin: Plugin[PluginState]) -> None:
    rows = by_name(plugin)
    for name, value, status in (
        ("NDAttributesFile", "/nowhere/$(A).xml", 1),
        ("NDAttributesFile", '<Attributes><Attribute name="a" type="CONST" source="$(A)"/></Attributes>', 3),
        ("NDAttributesMacros", "A=1", 0),
    ):
        put = rows[name].put
        assert put
        await put(plugin, value)
        assert rows[name].read(plugin.state) == value
        assert rows["NDAttributesStatus"].read(plugin.state) == status
