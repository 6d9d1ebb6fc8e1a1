"""Bias frames back to back, at the real speed of the readout: what each costs beyond its readout, files written."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import acfs
from environment import ca_environment
from figures import Figure, Settings
from turns import Child

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf

_LEAST = 0.05
"""Seconds that a frame may cost in any case."""
_PART = 0.03
"""… or this part of its readout, if that is more."""
_REAL = 1.0
"""Latency of the commands: that of a real controller; and the speed of time."""


def measure(settings: Settings) -> list[Figure]:
    """Return the overhead per frame, and what it consists of."""
    if settings.small:
        return _of("100 x 40", acfs.with_geometry(50, 20, 4, split=True), 3)
    short = acfs.with_geometry(280, 140, 4, split=True)
    return _of("560 x 280", short, 100) + _of("demonstration", Acf.read(demo_acf()), 30)


def _of(name: str, acf: Acf, count: int) -> list[Figure]:
    turn = _expose(acf, count)
    readout, period = turn["readout"], turn["period"]
    goal = 1000 * max(_LEAST, _PART * readout)
    shown = [
        Figure(f"{name}: readout", 1000 * readout, "ms"),
        Figure(f"{name}: overhead per frame, {turn['files']} files", 1000 * (period - readout), "ms", at_most=goal),
        Figure(f"{name}: longest", 1000 * (turn["longest"] - readout), "ms"),
    ]
    return shown + [Figure(f"{name}: of a frame, {what}", 1000 * seconds, "ms") for what, seconds in turn["parts"]]


def _expose(acf: Acf, count: int) -> Any:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = acfs.save(acf, Path(folder) / "benchmark.acf")
        server = stack.enter_context(Child("sim_server.py", path, _REAL, _REAL))
        environment = ca_environment()
        ours = Child("bias_ours.py", server.first["port"], path, folder, count, environment=environment)
        return stack.enter_context(ours).turn()
