"""Rows of a region of interest."""

from collections.abc import Callable
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import Geometry
from archon_ioc.plugins.roi import RoiPlugin
from archon_ioc.pvs.roi_rows import roi_rows
from archon_ioc.pvs.row import Pv

SETPOINTS: dict[str, object] = {
    "Name": "star", "EnableScale": 1, "Scale": 4.0, "DataTypeOut": 8, "CollapseDims": 1,
    "BinX": 2, "BinY": 3, "BinZ": 4, "MinX": 5, "MinY": 6, "MinZ": 7, "SizeX": 8, "SizeY": 9, "SizeZ": 10,
    **{f"{name}{axis}": 1 for name in ("AutoSize", "Reverse") for axis in "XYZ"},
    **{f"Enable{axis}": 0 for axis in "XYZ"},
}  # fmt: skip


@pytest.fixture
def roi() -> RoiPlugin:
    plugin = RoiPlugin("ROI1")
    plugin.prime(Geometry(100, 50))
    return plugin


def by_name(roi: RoiPlugin) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in roi_rows(roi) if row.group == "Region of interest"}


def put(roi: RoiPlugin, name: str, value: object) -> None:
    row = by_name(roi)[name]
    assert row.put
    row.put(roi, row.kind.accept(value))


def shown(roi: RoiPlugin, name: str) -> Any:
    return by_name(roi)[name].read(roi.state)


def test_no_record_twice(roi: RoiPlugin) -> None:
    suffixes = [record.suffix for row in roi_rows(roi) for record in row.records()]
    assert len(suffixes) == len(set(suffixes))


def test_every_row_has_a_reading(roi: RoiPlugin, faults: Callable[..., list[str]]) -> None:
    assert faults(roi_rows(roi), roi.state, linked=True) == []
    assert faults(roi_rows(roi), RoiPlugin("NEW").state, linked=True) == []


@pytest.mark.parametrize("name", SETPOINTS)
def test_what_is_put_is_read_back(name: str, roi: RoiPlugin) -> None:
    row = by_name(roi)[name]
    put(roi, name, SETPOINTS[name])
    assert row.kind.accept(row.read(roi.state)) == row.kind.accept(SETPOINTS[name])
    assert row.rbv


def test_every_setpoint_is_tested(roi: RoiPlugin) -> None:
    assert {row.name for row in by_name(roi).values() if row.put} == set(SETPOINTS)


def test_what_is_not_possible_is_limited(roi: RoiPlugin) -> None:
    assert (shown(roi, "SizeX"), shown(roi, "SizeY"), shown(roi, "MaxSizeX"), shown(roi, "MaxY")) == (100, 50, 100, 50)
    put(roi, "MinX", 90)
    assert shown(roi, "SizeX") == 10
    put(roi, "MinX", -3)
    put(roi, "BinX", 0)
    put(roi, "SizeY", 500)
    assert [shown(roi, name) for name in ("MinX", "BinX", "SizeX", "SizeY")] == [0, 1, 100, 50]
    put(roi, "MinY", 77)
    assert (shown(roi, "MinY"), shown(roi, "SizeY")) == (49, 1)


def test_what_comes_out_is_shown_before_an_image(roi: RoiPlugin) -> None:
    for name, value in (("SizeX", 30), ("BinX", 2), ("SizeY", 20), ("DataTypeOut", "Float32")):
        put(roi, name, value)
    rows = {row.name: row for row in roi_rows(roi)}
    names = ("ArraySizeX", "ArraySizeY", "ArraySize", "DataType")
    assert [rows[name].read(roi.state) for name in names] == [15, 20, 15 * 20 * 4, "Float32"]


def test_nonsense_is_refused(roi: RoiPlugin) -> None:
    with pytest.raises(InputError, match="not a finite number"):
        put(roi, "Scale", float("nan"))
    with pytest.raises(InputError, match="Automatic"):
        put(roi, "DataTypeOut", "Complex64")
