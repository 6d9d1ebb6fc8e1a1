"""Rows of the quick look: one element per amplifier, and sense in every state."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.exposure.state import CameraState
from archon_ioc.image.quicklook import OVERSCAN, Amplifier
from archon_ioc.pvs.quicklook_rows import MOST_AMPLIFIERS, QUICK_LOOK_ROWS
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Array, Severity

ONE = Amplifier("AD1L", 1000.25, 3.5, 5, 1000, 1010.0, OVERSCAN, gain=2.0, controller="b1")
OTHER = replace(ONE, tap="AM12R", bias=900.0, gain=None)


def shown(state: CameraState) -> dict[str, Any]:
    return {row.name: reading(row, state, linked=True).value for row in QUICK_LOOK_ROWS}


def test_one_element_per_amplifier() -> None:
    assert shown(CameraState(quick_look=(ONE, OTHER))) == {
        "ArchonQuickLook": 1,
        "ArchonAmpNames": "AD1L AM12R",
        "ArchonAmpReference": "overscan",
        "ArchonAmpBias": (1000.25, 900.0),
        "ArchonAmpNoise": (3.5, 3.5),
        "ArchonAmpNoiseE": (7.0, math.nan),
        "ArchonAmpSaturated": (5, 5),
        "ArchonAmpSaturation": (0.5, 0.5),
        "ArchonAmpMedian": (1010.0, 1010.0),
    }


def test_with_several_controllers_names_say_whose_tap_it_is() -> None:
    state = CameraState(quick_look=(ONE, replace(ONE, controller="r1")))
    assert shown(state)["ArchonAmpNames"] == "b1/AD1L r1/AD1L"


@pytest.mark.parametrize("amplifiers", [0, 1, MOST_AMPLIFIERS, MOST_AMPLIFIERS + 1])
def test_rows_make_sense_in_every_state(
    states: dict[str, CameraState], faults: Callable[..., list[str]], amplifiers: int
) -> None:
    for state in states.values():
        looked = replace(state, quick_look=(replace(ONE, tap="AM72R", controller="camera12"), ONE) * amplifiers)
        assert faults(QUICK_LOOK_ROWS, looked, linked=state.controller.is_up) == []
        for row in QUICK_LOOK_ROWS:
            answer = reading(row, looked, linked=True)
            assert answer.severity is Severity.NO_ALARM
            assert not isinstance(row.kind, Array) or len(answer.value) == min(2 * amplifiers, MOST_AMPLIFIERS)
