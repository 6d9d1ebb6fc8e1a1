"""The snapshot of all that is known of one controller."""

import dataclasses

import pytest

from archon_ioc.driver.state import ConfigState, ControllerState, Link, Progress, Step
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import DeviceStatus

STATUS = "VALID=1 COUNT=1 LOG=0 POWER={} POWERGOOD=1 OVERHEAT=0 BACKPLANE_TEMP=28.0"


@pytest.mark.parametrize(
    ("code", "power", "is_powered"), [(4, Power.ON, True), (2, Power.OFF, False), (3, Power.INTERMEDIATE, False)]
)
def test_power_is_what_the_controller_reports(code: int, power: Power, is_powered: bool) -> None:
    state = ControllerState(link=Link.UP, status=DeviceStatus.parse(STATUS.format(code)))
    assert (state.power, state.is_powered) == (power, is_powered)


@pytest.mark.parametrize("link", [Link.DOWN, Link.SYNCING])
def test_without_a_link_the_power_is_not_known(link: Link) -> None:
    state = ControllerState(link=link, status=DeviceStatus.parse(STATUS.format(4)))
    assert not state.is_up
    assert (state.power, state.is_powered) == (Power.UNKNOWN, False)


def test_nothing_is_known_at_first() -> None:
    state = ControllerState()
    assert (state.is_up, state.power, state.config) == (False, Power.UNKNOWN, ConfigState.UNLOADED)


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ControllerState().link = Link.UP  # type: ignore[misc]


@pytest.mark.parametrize(("done", "total", "percent"), [(0, 4, 0.0), (1, 4, 25.0), (4, 4, 100.0), (0, 0, 100.0)])
def test_progress_in_percent(done: int, total: int, percent: float) -> None:
    assert Progress(Step.WRITING, done, total).percent == percent


def test_states_have_the_order_of_their_process_variable() -> None:
    assert [state.name for state in ConfigState] == [
        "UNLOADED", "LOADING", "LOADED", "APPLYING", "APPLIED", "MODIFIED", "ERROR",
    ]  # fmt: skip
    assert [int(state) for state in ConfigState] == list(range(7))
