"""CCD power at chosen times."""

import pytest

from archon_ioc.errors import StateError
from archon_ioc.protocol.enums import Power
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.power import PowerSequence, step_level


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a ramp take a second, for round numbers."""
    monkeypatch.setattr("archon_ioc.sim.power._RAMP_SECONDS", 1.0)


def test_power_walks_from_not_configured_to_on() -> None:
    power = PowerSequence(Faults())
    assert power.state(0) is Power.NOT_CONFIGURED
    power.configure(5)
    assert power.state(5) is Power.OFF
    power.switch_on(10)
    assert power.state(10.5) is Power.INTERMEDIATE
    assert power.state(11) is Power.ON
    power.switch_off(20)
    assert power.state(20.5) is Power.INTERMEDIATE
    assert power.level(20.25) == 0.75
    assert power.state(21) is Power.OFF


def test_power_needs_a_configuration() -> None:
    with pytest.raises(StateError, match="APPLYALL"):
        PowerSequence(Faults()).switch_on(0)


def test_power_that_is_on_cannot_be_switched_on() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    power.switch_on(0.5)
    with pytest.raises(StateError, match="already"):
        power.switch_on(2)


def test_a_configuration_switches_off_at_once() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    power.configure(2)
    assert (power.state(2), power.level(2), power.is_wanted) == (Power.OFF, 0, False)


def test_after_a_trip_another_configuration_is_needed() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    power.trip(2)
    assert power.state(2) is Power.OFF
    with pytest.raises(StateError, match="APPLYALL"):
        power.switch_on(3)
    power.configure(4)
    power.switch_on(4)
    assert power.state(5) is Power.ON


def test_a_ramp_that_turns_back_starts_where_it_is() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    power.switch_off(0.5)
    assert power.level(0.75) == 0.25
    assert power.state(1) is Power.OFF


def test_power_may_be_stuck() -> None:
    power = PowerSequence(Faults(power_stuck=True))
    power.configure(0)
    power.switch_on(0)
    assert power.state(100) is Power.INTERMEDIATE


def test_an_instant_ramp_takes_no_time() -> None:
    power = PowerSequence(Faults(), instant=True)
    power.configure(0)
    power.switch_on(0)
    assert power.state(0) is Power.ON
    power.switch_off(0)
    assert power.state(0) is Power.OFF


@pytest.mark.parametrize(
    ("level", "levels"), [(0, [0, 0]), (0.25, [0.5, 0]), (0.5, [1, 0]), (0.75, [1, 0.5]), (1, [1, 1])]
)
def test_groups_follow_each_other(level: float, levels: list[float]) -> None:
    assert [step_level(level, step, 2) for step in (0, 1)] == levels


def test_groups_are_the_orders_that_there_are() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.set_groups({7, 0, 2})
    power.switch_on(0)
    assert power.reach(0.5) == pytest.approx({0: 1.0, 2: 0.5, 7: 0.0})
    power.switch_off(0.5)
    assert power.reach(0.75) == pytest.approx({0: 0.75, 2: 0.0, 7: 0.0})


def test_without_any_group_there_is_a_ramp_all_the_same() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.set_groups(())
    power.switch_on(0)
    assert power.reach(0.5) == {0: 0.5}


def test_each_group_is_verified_once_when_it_has_come_up() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.set_groups({1, 2})
    assert list(power.to_verify(1)) == []
    power.switch_on(10)
    assert list(power.to_verify(10.4)) == []
    assert list(power.to_verify(10.6)) == [(1, 10.5)]
    assert list(power.to_verify(10.6)) == []
    assert list(power.to_verify(20)) == [(2, 11.0)]
    power.switch_off(20)
    assert list(power.to_verify(22)) == []


def test_a_ramp_that_turns_back_verifies_only_what_went_down() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.set_groups({1, 2})
    power.switch_on(0)
    assert len(list(power.to_verify(1))) == 2
    power.switch_off(2)
    power.switch_on(2.25)
    assert list(power.to_verify(5)) == [(2, 2.5)]


def test_instantly_all_groups_are_verified_at_once() -> None:
    power = PowerSequence(Faults(), instant=True)
    power.configure(0)
    power.set_groups({1, 2})
    power.switch_on(3)
    assert list(power.to_verify(3)) == [(1, 3), (2, 3)]


def test_after_a_restart_a_configuration_is_needed() -> None:
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    power.restart()
    assert power.state(1) is Power.NOT_CONFIGURED
    with pytest.raises(StateError, match="APPLYALL"):
        power.switch_on(1)


def test_a_ramp_is_over_when_others_look_once_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    power = PowerSequence(Faults())
    power.configure(0)
    power.switch_on(0)
    assert (power.state(0.8), power.state(0.9)) == (Power.INTERMEDIATE, Power.ON)
