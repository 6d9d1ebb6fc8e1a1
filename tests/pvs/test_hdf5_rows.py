"""Rows of HDF1."""

from collections.abc import Callable
from typing import Any

import pytest

from archon_ioc.errors import ArchonError
from archon_ioc.plugins.hdf5 import Hdf5Plugin
from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.pvs.hdf5_rows import HDF5_GROUP, hdf5_rows
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Choice, Float, Pv, Text

VALUES: dict[str, object] = {"XMLFileName": "", "FlushNow": 0, "BloscCompressor": "ZSTD"}
REFUSED: dict[str, object] = {"BloscCompressor": "SNAPPY", "Compression": "JPEG", "PosIndexDimX": "x"}


@pytest.fixture
def plugin() -> Hdf5Plugin:
    return Hdf5Plugin("HDF", NDFileSettings())


def setpoints(plugin: Hdf5Plugin) -> dict[str, Pv[Any, Any]]:
    return {row.name: row for row in hdf5_rows(plugin) if row.put and row.group == HDF5_GROUP}


NAMES = sorted(setpoints(Hdf5Plugin("HDF", NDFileSettings())))


def another(row: Pv[Any, Any]) -> object:
    """Return a value that the setpoint does not have yet."""
    if row.name in VALUES:
        return VALUES[row.name]
    if isinstance(row.kind, Text):
        return "" if row.name.startswith("PosIndex") else "x"
    return {Choice: 1, Float: 1.5}.get(type(row.kind), 3)


@pytest.mark.parametrize("name", NAMES)
async def test_the_readback_is_what_was_put(plugin: Hdf5Plugin, name: str) -> None:
    row = setpoints(plugin)[name]
    value = row.kind.accept(another(row))
    await put(plugin, row, value)
    assert reading(row, plugin.state, linked=True).value == value


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_possible_is_refused(plugin: Hdf5Plugin, name: str) -> None:
    row = setpoints(plugin)[name]
    before = row.read(plugin.state)
    with pytest.raises(ArchonError):
        await put(plugin, row, row.kind.accept(REFUSED[name]))
    assert row.read(plugin.state) == before


async def put(plugin: Hdf5Plugin, row: Pv[Any, Any], value: object) -> None:
    assert row.put
    result = row.put(plugin, value)
    if result is not None:
        await result


async def test_a_layout_that_is_none_is_taken_and_told(plugin: Hdf5Plugin, faults: Callable[..., list[str]]) -> None:
    rows = {row.name: row for row in hdf5_rows(plugin)}
    await put(plugin, rows["XMLFileName"], "/none.xml")
    assert rows["XMLValid"].read(plugin.state) is False
    assert "cannot be read" in rows["XMLErrorMsg"].read(plugin.state)
    assert faults(tuple(rows.values()), plugin.state, linked=True) == []
