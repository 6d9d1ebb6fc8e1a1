"""The time that a controller takes to answer."""

import pytest

from archon_ioc.sim.latency import latency


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        ("WCONFIG0000LINES=3", 0.002),
        ("RCONFIG3FFF", 0.002),
        ("APPLYSYSTEM", 0.229),
        ("LOADPARAMS", 0.24),
        ("RESETTIMING", 0.246),
        ("APPLYMOD0B", 1.5),
        ("APPLYALL", 3.0),
        ("FASTLOADPARAM IntMS 5", 0.001),
        ("STATUS", 0.001),
    ],
)
def test_latencies_are_those_of_the_protocol_sheet(command: str, seconds: float) -> None:
    assert latency(command) == seconds
