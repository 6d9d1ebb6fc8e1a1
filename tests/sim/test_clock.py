"""The simulated time."""

import time

import pytest

from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.clock import Clock


def elapsed(clock: Clock) -> tuple[float, float]:
    """Let some time pass; return simulated and real seconds."""
    wall, simulated = time.monotonic(), clock.now
    while time.monotonic() < wall + 0.01:
        pass
    return clock.now - simulated, time.monotonic() - wall


@pytest.mark.parametrize(("speed", "factor"), [(1, 1), (50, 50), (0, 1)])
def test_it_runs_so_many_times_faster(speed: float, factor: float) -> None:
    simulated, real = elapsed(Clock(speed))
    assert factor * 0.00999 <= simulated <= factor * real


def test_the_speed_can_change_and_time_never_jumps() -> None:
    clock = Clock(1)
    before = clock.now
    clock.set_speed(1000)
    assert clock.speed == 1000
    assert before <= clock.now < before + 1
    assert elapsed(clock)[0] > 9.9


@pytest.mark.parametrize(("old", "new"), [(1, 0), (1, -2), (1, float("nan")), (0, 1)])
def test_time_that_counts_does_so_always(old: float, new: float) -> None:
    with pytest.raises(InputError, match="cannot change"):
        Clock(old).set_speed(new)


def test_times_are_whole_ticks() -> None:
    clock = Clock(3)
    ticks = [clock.now / TICK for _ in range(100)]
    assert max(abs(tick - round(tick)) for tick in ticks) < 1e-6
