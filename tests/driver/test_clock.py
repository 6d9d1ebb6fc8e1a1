"""The controller's TIMER in the time of the host."""

import random

import pytest

from archon_ioc.driver.clock import TimerClock

START = 1.8e9
"""Host time at which TIMER was 100 s."""


def ticks(host: float, rate: float = 0.0) -> int:
    return round((100 + (host - START) * (1 + rate)) * 1e8)


def noted(clock: TimerClock, seconds: float, *, rate: float = 0.0, begin: float = START, step: float = 1.0) -> None:
    """Let a clock see FRAME replies that take 0.2 to 40 ms, the answer somewhere in between."""
    rng = random.Random(1)
    for number in range(round(seconds / step) + 1):
        read = begin + number * step
        before, after = (rng.choice([1e-4, 2e-3, 2e-2]) * rng.random() for _ in range(2))
        clock.note(ticks(read, rate), read - before, read + after)


def test_nothing_is_known_at_once() -> None:
    clock = TimerClock()
    assert clock.time_of(ticks(START)) is None
    clock.note(ticks(START), START, START + 0.001)
    assert clock.time_of(ticks(START)) is None, "one pair cannot be compared with anything"


def test_the_shortest_round_trip_counts() -> None:
    clock = TimerClock()
    noted(clock, 8)
    assert clock.time_of(ticks(START + 3.25)) == pytest.approx(START + 3.25, abs=2e-4)


@pytest.mark.parametrize("rate", [60e-6, -60e-6])
def test_the_drift_is_corrected(rate: float) -> None:
    clock = TimerClock()
    noted(clock, 600, rate=rate)
    for later in (0.0, 20.0):
        time = START + 600 + later
        assert clock.time_of(ticks(time, rate)) == pytest.approx(time, abs=3e-4)


def test_a_timer_that_runs_at_another_speed_is_no_clock() -> None:
    clock = TimerClock()
    for number in range(100):
        host = START + number * 0.05
        clock.note(ticks(host, rate=19.0), host, host + 0.001)
        assert clock.time_of(ticks(host, rate=19.0)) is None


def test_a_restart_begins_anew() -> None:
    clock = TimerClock()
    noted(clock, 20)
    clock.note(round(5e8), START + 30, START + 30.001)
    assert clock.time_of(round(5e8)) is None
    clock.note(round(7e8), START + 32, START + 32.001)
    assert clock.time_of(round(6e8)) == pytest.approx(START + 31, abs=1e-3)


def test_a_step_of_the_host_begins_anew() -> None:
    clock = TimerClock()
    noted(clock, 20)
    clock.note(ticks(START + 21), START + 21 + 5, START + 21.001 + 5)
    assert clock.time_of(ticks(START + 21)) is None
    clock.note(ticks(START + 23), START + 23 + 5, START + 23.001 + 5)
    assert clock.time_of(ticks(START + 23)) == pytest.approx(START + 28, abs=1e-3)
