"""The charge on the CCD: what gathers it and what clears it."""

import pytest

from archon_ioc.sim.light import Light

SECOND = 10**8


@pytest.fixture
def light() -> Light:
    """A powered CCD of 100 lines, cleared at tick 0."""
    made = Light()
    made.set_lines(100)
    made.set_powered(True, 0, 0)
    return made


def test_charge_gathers_all_the_time_and_light_while_int_is_high(light: Light) -> None:
    light.advance(2 * SECOND, SECOND)
    assert light.read_out(5 * SECOND, 3 * SECOND) == (3, 5)


def test_reading_clears_the_ccd(light: Light) -> None:
    light.read_out(5 * SECOND, 3 * SECOND)
    assert light.read_out(7 * SECOND, 3 * SECOND) == (0, 2)


@pytest.mark.parametrize(("forced", "seconds"), [(True, 3), (False, 0), (None, 1)])
def test_the_shutter_may_be_forced(light: Light, forced: bool | None, seconds: int) -> None:
    light.set_shutter(forced, 0, 0)
    assert light.read_out(3 * SECOND, SECOND) == (seconds, 3)


def test_the_shutter_is_forced_from_a_moment_on(light: Light) -> None:
    light.set_shutter(True, 3 * SECOND, SECOND)
    light.set_shutter(False, 5 * SECOND, SECOND)
    assert light.read_out(9 * SECOND, 2 * SECOND) == (1 + 2, 9)


def test_shifting_all_lines_clears_the_ccd(light: Light) -> None:
    light.shifted(60, 1 * SECOND, SECOND)
    light.shifted(40, 2 * SECOND, SECOND)
    assert light.read_out(5 * SECOND, SECOND) == (0, 3)


def test_fewer_shifts_clear_nothing(light: Light) -> None:
    light.shifted(99, 2 * SECOND, SECOND)
    assert light.read_out(5 * SECOND, SECOND) == (1, 5)


def test_shifts_before_the_light_do_not_carry_it_away(light: Light) -> None:
    light.shifted(99, SECOND, 0)
    light.opened()
    light.shifted(50, 3 * SECOND, SECOND)
    assert light.read_out(5 * SECOND, SECOND) == (1, 5)


def test_shifts_do_not_add_up_over_readouts(light: Light) -> None:
    light.shifted(60, 1 * SECOND, 0)
    light.read_out(2 * SECOND, 0)
    light.shifted(60, 3 * SECOND, SECOND)
    assert light.read_out(4 * SECOND, SECOND) == (1, 2)


def test_without_power_there_is_no_charge(light: Light) -> None:
    light.set_powered(False, 2 * SECOND, SECOND)
    assert light.read_out(5 * SECOND, 3 * SECOND) == (0, 0)
    light.set_powered(True, 6 * SECOND, 3 * SECOND)
    assert light.read_out(8 * SECOND, 4 * SECOND) == (1, 2)
