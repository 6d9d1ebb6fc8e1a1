"""How long a simulated controller takes, and what its clients share."""

import asyncio

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.sim.bench import GIGABIT, Bench
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern


def bench(speed: float, **options: float) -> Bench:
    return Bench(SimArchon(), TestPattern(), Clock(speed), **options)


@pytest.mark.parametrize(
    ("speed", "options", "seconds"),
    [(1, {}, 0.001), (10, {}, 0.0001), (0, {}, 0), (10, {"latency": 2.0}, 0.002), (0, {"latency": 1.0}, 0.001)],
)
def test_replies_take_their_time(speed: float, options: dict[str, float], seconds: float) -> None:
    assert bench(speed, **options).reply_seconds("STATUS") == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("speed", "options", "seconds"),
    [(1, {}, 1), (4, {}, 0.25), (0, {}, 0), (4, {"fetch_rate": GIGABIT / 2}, 2), (1, {"fetch_rate": 0}, 0)],
)
def test_bytes_take_as_long_as_on_a_network(speed: float, options: dict[str, float], seconds: float) -> None:
    assert bench(speed, **options).seconds_of(GIGABIT) == pytest.approx(seconds)


def test_a_change_of_the_speed_changes_both() -> None:
    one = bench(1)
    one.clock.set_speed(2)
    assert one.reply_seconds("STATUS") == 0.0005
    assert one.seconds_of(GIGABIT) == 0.5


async def test_nothing_else_is_done_while_a_configuration_is_parsed(demo: Acf) -> None:
    shared = Bench(SimArchon(demo), TestPattern(), Clock(0))
    applying = asyncio.create_task(shared.ask("APPLYALL"))
    await asyncio.sleep(0)
    assert shared.clock.lock.locked()
    assert await shared.ask("POWERON") == "", "it was done before APPLYALL"
    assert await applying == ""
