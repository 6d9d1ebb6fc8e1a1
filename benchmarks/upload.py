"""Upload of a configuration of 1244 lines to our simulator: ours and the peer's, in turns."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import acfs
from figures import Figure, Settings, middle_ratio
from turns import Child

_LINES = 1244


def measure(settings: Settings) -> list[Figure]:
    """Return lines per second, without latency and with 2 ms per command."""
    with tempfile.TemporaryDirectory() as folder:
        acf = acfs.padded(_LINES)
        path = acfs.save(acf, Path(folder) / "benchmark.acf")
        shown = [Figure("lines of the configuration", len(acf.keys))]
        shown += _compare(settings, path, 0.0, "no latency", 5.0)
        # As measured on real controllers: 2 ms for a line written or read.
        slow = Settings(min(settings.rounds, 3), settings.peer, settings.small)
        return shown + _compare(slow, path, 0.01 if settings.small else 1.0, "2 ms per command", 1.0)


def _compare(settings: Settings, path: Path, latency: float, label: str, goal: float) -> list[Figure]:
    with ExitStack() as stack:

        def client(script: str, **options: Any) -> Child:
            server = stack.enter_context(Child("sim_server.py", path, latency))
            return stack.enter_context(Child(script, server.first["port"], path, **options))

        ours = client("upload_ours.py")
        peer = client("upload_peer.py", python=settings.peer) if settings.peer else None
        mine: list[Any] = []
        theirs: list[Any] = []
        for _ in range(settings.rounds):
            mine.append(ours.turn())
            if peer:
                theirs.append(peer.turn())
    lines = mine[0]["lines"]
    written, verified = [turn["written"] for turn in mine], [turn["verified"] for turn in mine]
    shown = [
        Figure(f"{label}: archon-ioc, written", lines / median(written), "lines/s"),
        Figure(f"{label}: archon-ioc, written and read back", lines / median(verified), "lines/s"),
    ]
    if theirs:
        others = [turn["written"] for turn in theirs]
        shown += [
            Figure(f"{label}: sdss-archon, written", lines / median(others), "lines/s"),
            Figure(f"{label}: written, ours / sdss-archon", middle_ratio(others, written), "", goal),
            Figure(f"{label}: ours with reading back / sdss-archon", middle_ratio(others, verified)),
        ]
    return shown
