"""Rows of the files, in every state."""

from collections.abc import Callable

import pytest

from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.file_rows import FITS_ROWS
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Severity


def test_every_row_has_a_reading_in_every_state(
    states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    found = {what: faults(FITS_ROWS, state, linked=state.controller.is_up) for what, state in states.items()}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(("name", "what"), [("WriteStatus", "failed"), ("FilePathExists", "initial")])
def test_an_alarm_for_what_is_wrong(name: str, what: str, states: dict[str, CameraState]) -> None:
    row = next(row for row in FITS_ROWS if row.name == name)
    assert reading(row, states[what], linked=True).severity is Severity.MAJOR
