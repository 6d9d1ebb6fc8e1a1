"""The cryostat's plates."""

import pytest

from archon_ioc.sim.cryostat import Cryostat

OFF = (0.0, 0.0, 0.0)


def after(seconds: float, watts: tuple[float, ...] = OFF, steps: int = 1) -> Cryostat:
    cryostat = Cryostat()
    for _ in range(steps):
        cryostat.advance(seconds / steps, watts)
    return cryostat


def test_many_short_steps_are_one_long_one() -> None:
    assert after(1000, (0.5, 0.2, 0.1), steps=500).celsius == pytest.approx(after(1000, (0.5, 0.2, 0.1)).celsius)


def test_without_heat_every_plate_ends_cold_in_its_order() -> None:
    a, b, c, head = after(1e6).celsius
    assert -150 < c < b < a < -130
    assert head == pytest.approx(-166, abs=1)


def test_a_heated_plate_warms_the_others_a_little() -> None:
    cold, warm = after(1e6).celsius, after(1e6, (0.8, 0, 0)).celsius
    assert warm[0] > cold[0] + 25
    assert 0.5 < warm[1] - cold[1] < 5
    assert 0.1 < warm[2] - cold[2] < warm[1] - cold[1]


def test_without_cooling_everything_becomes_as_warm_as_the_surroundings() -> None:
    cryostat = Cryostat()
    cryostat.is_cooled = False
    cryostat.advance(600, OFF)
    assert -166 < cryostat.celsius[3] < -150
    cryostat.advance(1e6, OFF)
    assert cryostat.celsius == pytest.approx([20] * 4, abs=0.1)


def test_the_response_is_what_a_watt_does() -> None:
    cryostat = Cryostat()
    with_heat, without = after(10, (0, 1, 0)), after(10)
    for plate in range(3):
        gained = with_heat.celsius[plate] - without.celsius[plate]
        assert cryostat.response(10, heated=1, sensed=plate) == pytest.approx(gained)


def test_steps_of_many_lengths_stay_right() -> None:
    one = Cryostat()
    for n in range(1, 60):
        one.advance(n / 10, OFF)
    assert one.celsius == pytest.approx(after(sum(range(1, 60)) / 10).celsius)
