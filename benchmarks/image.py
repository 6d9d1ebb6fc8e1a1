"""One exposure end to end, for geometries in use: from the last pixel to the end of Acquire, the file being on disk."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import acfs
from environment import ca_environment
from figures import Figure, Settings, percentile
from turns import Child

from archon_ioc.acf.file import Acf


def measure(settings: Settings) -> list[Figure]:
    """Return seconds of each geometry."""
    shown: list[Figure] = []
    for acf in _configurations(settings):
        rows, columns = acf.frame_shape
        turns = _expose(acf, settings.rounds)
        name = f"{columns} x {rows}"
        lags = [lag for turn in turns for lag in turn["lags"]]
        shown += [
            Figure(f"{name}: size", rows * columns * 2 / 1e6, "MB"),
            Figure(f"{name}: fetch", median(turn["fetch"] for turn in turns), "s"),
            Figure(f"{name}: last pixel to end of Acquire", median(turn["whole"] for turn in turns), "s"),
            Figure(f"{name}: event-loop lag, p99", 1000 * percentile(lags, 99), "ms"),
        ]
    return shown


def _configurations(settings: Settings) -> list[Acf]:
    if settings.small:
        return [acfs.with_geometry(50, 20, 4, split=True)]
    return [
        acfs.with_geometry(4352, 2112, 4, split=True),
        acfs.with_geometry(2060, 2040, 12, split=True),
        acfs.with_geometry(1200, 300, 4, split=False),
    ]


def _expose(acf: Acf, rounds: int) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = acfs.save(acf, Path(folder) / "benchmark.acf")
        server = stack.enter_context(Child("sim_server.py", path, 0))
        ours = Child("image_ours.py", server.first["port"], path, folder, environment=ca_environment())
        client = stack.enter_context(ours)
        return [client.turn() for _ in range(rounds + 1)][1:]  # the first warms up
