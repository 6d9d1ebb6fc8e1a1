"""The time that a controller takes to answer."""

import pytest

from archon_ioc.sim.latency import Latency


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        ("WCONFIG0000LINES=3", 0.002),
        ("RCONFIG3FFF", 0.002),
        ("APPLYSYSTEM", 0.229),
        ("APPLYCDS", 0.24),
        ("LOADPARAMS", 0.24),
        ("LOADPARAM IntMS", 0.24),
        ("LOADTIMING", 0.25),
        ("RESETTIMING", 0.246),
        ("APPLYMOD0B", 1.5),
        ("APPLYALL", 3.0),
        ("FASTLOADPARAM IntMS 5", 0.001),
        ("STATUS", 0.001),
    ],
)
def test_latencies_are_those_measured_on_controllers(command: str, seconds: float) -> None:
    assert Latency().seconds(command) == pytest.approx(seconds, rel=0.02)


def test_slow_commands_vary_a_little_and_always_the_same() -> None:
    first, second = Latency(), Latency()
    times = [first.seconds("APPLYSYSTEM") for _ in range(20)]
    assert times == [second.seconds("APPLYSYSTEM") for _ in range(20)]
    assert 0.22 < min(times) < max(times) < 0.24


def test_configuration_lines_are_quicker_without_polling() -> None:
    latency = Latency()
    with_polling = latency.seconds("WCONFIG0000A=1")
    latency.seconds("POLLOFF")
    assert latency.seconds("WCONFIG0000A=1") < with_polling / 2
    assert latency.seconds("RCONFIG0000") < with_polling / 2
    latency.seconds("POLLON")
    assert latency.seconds("WCONFIG0000A=1") == with_polling


@pytest.mark.parametrize("command", ["REBOOT", "WARMBOOT"])
def test_polling_is_on_after_a_restart(command: str) -> None:
    latency = Latency()
    latency.seconds("POLLOFF")
    latency.seconds(command)
    assert latency.seconds("RCONFIG0000") == 0.002
