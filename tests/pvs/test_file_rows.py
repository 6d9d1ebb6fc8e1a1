"""Rows of FITS1: what all file plugins have, and its own."""

from collections.abc import Callable

from archon_ioc.exposure.state import CameraState
from archon_ioc.plugins.fits import FitsPlugin
from archon_ioc.pvs.file_rows import FITS_ROWS, fits_rows


def test_every_row_has_a_reading_in_every_state(
    states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    found = {what: faults(FITS_ROWS, state, linked=state.controller.is_up) for what, state in states.items()}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}


def test_own_rows_have_other_names(faults: Callable[..., list[str]]) -> None:
    plugin = FitsPlugin("FITS")
    rows = fits_rows(plugin)
    assert not {row.name for row in rows} & {row.name for row in FITS_ROWS}
    assert faults(rows, plugin.state, linked=True) == []
    assert next(row for row in rows if row.name == "PluginType").read(plugin.state) == "NDFileFITS"
