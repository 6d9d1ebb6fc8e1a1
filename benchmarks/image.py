"""One exposure end to end, for geometries in use: from the last pixel to the end of Acquire, the file being on disk."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import acfs
from environment import ca_environment
from figures import Figure, Settings, middle_ratio, percentile
from turns import Child

from archon_ioc.acf.file import Acf

_PEER_ROUNDS = 7
"""The peer waits for 3 s in each."""


def measure(settings: Settings) -> list[Figure]:
    """Return seconds of each geometry; of the first one those of the peer as well."""
    shown: list[Figure] = []
    for number, acf in enumerate(_configurations(settings)):
        rows, columns = acf.frame_shape
        name = f"{columns} x {rows}"
        mine, theirs = _expose(acf, settings, with_peer=number == 0)
        lags = [lag for turn in mine for lag in turn["lags"]]
        shown += [
            Figure(f"{name}: size", rows * columns * 2 / 1e6, "MB"),
            Figure(f"{name}: fetch", _middle(mine, "fetch"), "s"),
            Figure(f"{name}: last pixel to end of Acquire", _middle(mine, "whole"), "s", at_most=1.0),
            Figure(f"{name}: event-loop lag, p99", 1000 * percentile(lags, 99), "ms"),
        ]
        if theirs:
            whole = [turn["whole"] for turn in theirs]
            shown += [
                Figure(f"{name}: sdss-archon, fetch", _middle(theirs, "fetch"), "s"),
                Figure(f"{name}: sdss-archon, last pixel noticed to file", median(whole), "s"),
                Figure(f"{name}: sdss-archon / ours", middle_ratio(whole, [turn["whole"] for turn in mine])),
            ]
    return shown


def _middle(turns: list[Any], what: str) -> float:
    return median(turn[what] for turn in turns)


def _configurations(settings: Settings) -> list[Acf]:
    if settings.small:
        return [acfs.with_geometry(50, 20, 4, split=True)]
    return [
        acfs.with_geometry(4352, 2112, 4, split=True),
        acfs.with_geometry(2060, 2040, 12, split=True),
        acfs.with_geometry(1200, 300, 4, split=False),
    ]


def _expose(acf: Acf, settings: Settings, *, with_peer: bool) -> tuple[list[Any], list[Any]]:
    """Let both take turns; what the first round took does not count, it warms up."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = acfs.save(acf, Path(folder) / "benchmark.acf")

        def client(script: str, *arguments: object, **options: Any) -> Child:
            server = stack.enter_context(Child("sim_server.py", path, 0))
            own = Path(folder) / script
            own.mkdir()
            return stack.enter_context(Child(script, server.first["port"], path, own, *arguments, **options))

        ours = client("image_ours.py", environment=ca_environment())
        peers = settings.peer if with_peer else None
        peer = client("image_peer.py", acf.number("TAPLINES"), python=peers) if peers else None
        rounds = min(settings.rounds, _PEER_ROUNDS) if peer else settings.rounds
        mine: list[Any] = []
        theirs: list[Any] = []
        for _ in range(rounds + 1):
            mine.append(ours.turn())
            if peer:
                theirs.append(peer.turn())
        return mine[1:], theirs[1:]
