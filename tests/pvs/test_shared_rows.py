"""What a camera says of several controllers at once is never better than the worst of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.driver.state import ConfigState, ControllerState, Link
from archon_ioc.exposure.state import CameraState
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import DeviceStatus
from archon_ioc.pvs.controller_rows import CONTROLLER_ROWS
from archon_ioc.pvs.render import Reading, reading
from archon_ioc.pvs.row import Severity
from archon_ioc.pvs.shared_rows import own_rows, shared_rows

SHARED = shared_rows(CONTROLLER_ROWS)


@pytest.fixture
def up(states: dict[str, CameraState]) -> ControllerState:
    return states["connected"].controller


def with_status(unit: ControllerState, **changes: Any) -> ControllerState:
    assert isinstance(unit.status, DeviceStatus)
    return replace(unit, status=replace(unit.status, **changes))


def shown(suffix: str, *units: ControllerState) -> Reading:
    named = tuple(replace(unit, name=name) for unit, name in zip(units, ("b1", "r1", "z1"), strict=False))
    row = next(row for row in SHARED if suffix in {record.suffix for record in row.records()})
    return reading(row, CameraState(named), linked=any(unit.is_up for unit in units))


@pytest.mark.parametrize(
    ("powers", "setpoint", "expected"),
    [
        ((Power.ON, Power.ON), 1, Power.ON),
        ((Power.ON, Power.OFF), 0, Power.INTERMEDIATE),
        ((Power.OFF, Power.ON), 0, Power.INTERMEDIATE),
        ((Power.OFF, Power.OFF), 0, Power.OFF),
        ((Power.ON, Power.NOT_CONFIGURED), 0, Power.INTERMEDIATE),
    ],
)
def test_the_power_is_on_or_off_when_all_are(
    up: ControllerState, powers: tuple[Power, ...], setpoint: int, expected: Power
) -> None:
    units = [with_status(up, power=power) for power in powers]
    assert shown("ArchonPowerMode_RBV", *units).value == expected
    assert shown("ArchonPowerMode", *units).value == setpoint


def test_the_power_of_one_without_a_link_is_not_known(up: ControllerState) -> None:
    on = with_status(up, power=Power.ON)
    for units in ((on, replace(on, link=Link.DOWN)), (replace(on, link=Link.DOWN), on)):
        power = shown("ArchonPowerMode_RBV", *units)
        assert (power.value, power.severity) == (Power.UNKNOWN, Severity.INVALID)
        assert shown("ArchonPowerMode", *units).value == 0


def test_one_fault_is_a_fault_of_all(up: ControllerState) -> None:
    good, bad = with_status(up, power_good=True, overheat=False), with_status(up, power_good=False, overheat=True)
    down = replace(good, link=Link.DOWN)
    for units in ((good, bad), (bad, good), (bad, down)):
        assert shown("ArchonPowerStatus_RBV", *units) == Reading(0, "STATE", Severity.MAJOR)
        assert shown("ArchonOverheated_RBV", *units) == Reading(1, "STATE", Severity.MAJOR)
    assert (shown("ArchonPowerStatus_RBV", good, good).value, shown("ArchonOverheated_RBV", good, good).value) == (1, 0)
    for name in ("ArchonPowerStatus_RBV", "ArchonOverheated_RBV"):
        assert shown(name, good, down).severity is Severity.INVALID, "the other one may have a fault"


def test_the_worst_configuration_is_shown(up: ControllerState) -> None:
    for worst in set(ConfigState) - {ConfigState.APPLIED}:
        assert shown("ArchonConfigStatus_RBV", up, replace(up, config=worst)).value == worst
    assert shown("ArchonConfigStatus_RBV", up, up).value == ConfigState.APPLIED
    assert shown("ArchonConfigStatus_RBV", up, replace(up, link=Link.DOWN)).severity is Severity.INVALID
    loading = replace(up, config=ConfigState.LOADING)
    assert [shown("ArchonConfigLoad", up, unit).value for unit in (loading, up)] == [1, 0]


def test_a_link_that_is_down_is_named(up: ControllerState) -> None:
    down = replace(up, link=Link.DOWN, reason="the cable is out", link_errors=3)
    assert shown("ArchonLink_RBV", up, down) == Reading(0, "STATE", Severity.MAJOR)
    assert shown("ArchonLink_RBV", up, up).value == 1
    assert shown("ArchonLinkErrors_RBV", up, down, down).value == 6
    assert shown("ArchonMessage_RBV", up, down).value == "r1: the cable is out"
    one, other = replace(up, config_message="loaded"), replace(up, config_message="1 warning")
    assert shown("ArchonMessage_RBV", one, one).value == "loaded"
    assert shown("ArchonMessage_RBV", one, other).value == "b1: loaded; r1: 1 warning"


def test_every_row_has_a_reading_in_every_state(
    states: dict[str, CameraState], faults: Callable[..., list[str]]
) -> None:
    twice = [replace(state, controllers=2 * state.controllers) for state in states.values()]
    assert [fault for state in twice for fault in faults(SHARED, state, linked=state.is_up)] == []


def test_no_row_is_missing_or_there_twice() -> None:
    assert len(SHARED) + len(own_rows(CONTROLLER_ROWS)) == len(CONTROLLER_ROWS)
    assert {row.name for row in SHARED}.isdisjoint(row.name for row in own_rows(CONTROLLER_ROWS))
