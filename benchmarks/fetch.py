"""A frame of 33.6 MB as fast as loopback allows: ours, the peer's and the least Python can do, in turns."""

from contextlib import ExitStack
from statistics import median
from typing import Any

from figures import Figure, Settings, middle_ratio, percentile
from turns import Child

_SIZE = 4096, 4096
_SMALL = 100, 30


def measure(settings: Settings) -> list[Figure]:
    """Return throughput, processor time and event-loop lag.

    Raises:
        RuntimeError: if a client got wrong pixels.
    """
    width, height = _SMALL if settings.small else _SIZE
    with ExitStack() as stack:
        server = stack.enter_context(Child("fetch_server.py", width, height))
        port, crc = server.first["port"], server.first["crc"]
        clients = {
            "ours": stack.enter_context(Child("fetch_ours.py", port)),
            "bare": stack.enter_context(Child("fetch_bare.py", port)),
        }
        if settings.peer:
            clients["peer"] = stack.enter_context(Child("fetch_peer.py", port, python=settings.peer))
        turns: dict[str, list[Any]] = {name: [] for name in clients}
        lags: list[float] = []
        for number in range(settings.rounds + 1):  # the first warms up
            for name, client in clients.items():
                result = client.turn()
                if result["crc"] != crc:
                    raise RuntimeError(f"{name} got wrong pixels")
                if number:
                    turns[name].append(result)
            lags += clients["ours"].turn("with ticker")["lags"]
    return list(_figures(turns, lags, width * height * 2 / 1e6))


def _figures(turns: dict[str, list[Any]], lags: list[float], megabytes: float) -> list[Figure]:
    seconds = {name: [turn["seconds"] for turn in results] for name, results in turns.items()}
    cpu = {name: [turn["cpu"] for turn in results] for name, results in turns.items()}
    labels = {"ours": "archon-ioc", "peer": "sdss-archon", "bare": "bare recv_into and numpy"}
    shown = [Figure("size of the frame", megabytes, "MB")]
    for name in turns:
        shown.append(Figure(f"{labels[name]}: throughput", megabytes / median(seconds[name]), "MB/s"))
        shown.append(Figure(f"{labels[name]}: processor time per frame", 1000 * median(cpu[name]), "ms"))
    if "peer" in turns:
        shown.append(Figure("throughput, ours / sdss-archon", middle_ratio(seconds["peer"], seconds["ours"]), "", 6.0))
        shown.append(Figure("processor time, ours / sdss-archon", middle_ratio(cpu["ours"], cpu["peer"]), at_most=0.1))
    shown.append(Figure("throughput, ours / bare", middle_ratio(seconds["bare"], seconds["ours"]), "", 0.75))
    shown.append(Figure("event-loop lag during our fetch, p99", 1000 * percentile(lags, 99), "ms", at_most=20.0))
    shown.append(Figure("event-loop lag during our fetch, longest", 1000 * max(lags), "ms"))
    return shown
