"""Rows of arithmetic on images."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import Geometry
from archon_ioc.plugins.process import ProcessPlugin
from archon_ioc.pvs.process_rows import process_rows
from archon_ioc.pvs.row import Pv

COEFFICIENTS = ("OC1", "OC2", "OC3", "OC4", "FC1", "FC2", "FC3", "FC4", "RC1", "RC2")
SETTINGS: dict[str, object] = {
    "DataTypeOut": 8, "EnableBackground": 1, "EnableFlatField": 1, "ScaleFlatField": 9.0, "EnableOffsetScale": 1,
    "Offset": -2.5, "Scale": 3.5, "EnableLowClip": 1, "LowClipThresh": 4.0, "LowClipValue": 5.0, "LowClip": 6.0,
    "EnableHighClip": 1, "HighClipThresh": 7.0, "HighClipValue": 8.0, "HighClip": 9.0, "EnableFilter": 1,
    "ResetFilter": 1, "AutoResetFilter": 1, "FilterCallbacks": 1, "NumFilter": 4, "FilterType": 2,
    "OOffset": 1.5, "OScale": 2.5, "FOffset": 3.5, "FScale": 4.5, "ROffset": 5.5,
    **{name: 1.25 * number for number, name in enumerate(COEFFICIENTS, 1)},
}  # fmt: skip


@pytest.fixture
def process() -> ProcessPlugin:
    plugin = ProcessPlugin("PROC1")
    plugin.prime(Geometry(20, 10))
    return plugin


def by_name(plugin: ProcessPlugin) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in process_rows(plugin)}


def put(plugin: ProcessPlugin, name: str, value: object) -> Any:
    row = by_name(plugin)[name]
    assert row.put
    return row.put(plugin, row.kind.accept(value))


def shown(plugin: ProcessPlugin, name: str) -> Any:
    row = by_name(plugin)[name]
    return row.kind.accept(row.read(plugin.state))


def coefficients(plugin: ProcessPlugin) -> list[float]:
    return [shown(plugin, name) for name in COEFFICIENTS]


def test_no_record_twice(process: ProcessPlugin) -> None:
    suffixes = [record.suffix for row in process_rows(process) for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


def test_every_row_has_a_reading(process: ProcessPlugin, faults: Callable[..., list[str]]) -> None:
    assert faults(process_rows(process), process.state, linked=True) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_put_is_read_back(name: str, process: ProcessPlugin) -> None:
    before = {other: shown(process, other) for other in SETTINGS}
    put(process, name, SETTINGS[name])
    after = {other: shown(process, other) for other in SETTINGS if shown(process, other) != before[other]}
    assert after.pop(name) == SETTINGS[name]
    together = {"LowClip": 2, "LowClipThresh": 1, "HighClip": 2, "HighClipThresh": 1}
    if name not in ("NumFilter", "FilterType"):
        assert len(after) == together.get(name, 0), after


def test_no_reset_is_no_reset(process: ProcessPlugin) -> None:
    put(process, "ResetFilter", 0)
    assert shown(process, "ResetFilter") == 0


def test_both_parts_of_a_clip(process: ProcessPlugin) -> None:
    put(process, "HighClip", 1000.0)
    assert (shown(process, "HighClipThresh"), shown(process, "HighClipValue")) == (1000.0, 1000.0)


def test_a_filter_type_sets_all_coefficients(process: ProcessPlugin) -> None:
    assert coefficients(process) == [1, -1, 0, 1, 1, -1, 0, 1, 0, 1]
    put(process, "FilterType", "Average")
    put(process, "NumFilter", 4)
    assert coefficients(process) == [1, 0, 0.25, 0, 1, 0, 0.25, 0, 0, 0]
    assert shown(process, "NumFilterRecip") == 0.25
    put(process, "OC1", 9.0)
    put(process, "FilterTypeSeq", 1)
    assert shown(process, "OC1") == 1.0
    put(process, "DifferenceSeq", 1)
    assert coefficients(process) == [-1, 0, 1, 0, 0, 0, 1, 0, 0, 1]
    assert shown(process, "FilterType") == 3


@pytest.mark.parametrize("name", ["SaveBackground", "SaveFlatField"])
def test_there_must_be_an_image_to_save(name: str, process: ProcessPlugin) -> None:
    put(process, name, 0)
    with pytest.raises(InputError, match="no image yet"):
        put(process, name, 1)
    assert (shown(process, name), shown(process, "ValidBackground"), shown(process, "ValidFlatField")) == (0, 0, 0)


def test_files_are_not_read(process: ProcessPlugin) -> None:
    with pytest.raises(InputError, match="not read back"):
        put(process, "ReadBackgroundTIFFSeq", 1)


async def test_an_automatic_scale_waits_for_an_image_or_is_called_off(process: ProcessPlugin) -> None:
    task = asyncio.ensure_future(put(process, "AutoOffsetScale", 1))
    await process.live.until(lambda state: state.auto_scaling, 5)
    assert shown(process, "AutoOffsetScale") == 1
    await put(process, "AutoOffsetScale", 0)
    await task
    assert shown(process, "EnableOffsetScale") == 0
