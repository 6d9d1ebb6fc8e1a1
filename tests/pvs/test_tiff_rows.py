"""Rows of TIFF1."""

from collections.abc import Callable

from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.plugins.tiff import TiffPlugin
from archon_ioc.pvs.tiff_rows import tiff_rows


def test_every_row_has_a_reading(faults: Callable[..., list[str]]) -> None:
    plugin = TiffPlugin("TIFF", NDFileSettings())
    rows = {row.name: row for row in tiff_rows(plugin)}
    assert faults(tuple(rows.values()), plugin.state, linked=True) == []
    assert rows["PluginType"].read(plugin.state) == "NDFileTIFF"
