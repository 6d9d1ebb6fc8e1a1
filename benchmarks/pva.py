"""Images over PVAccess, and the same over Channel Access: this program's servers beside p4p alone."""

from contextlib import ExitStack
from statistics import median
from typing import Any

from environment import ca_environment
from figures import Figure, Settings, middle_ratio
from turns import Child

_KINDS = ("ours", "bare")
_SECONDS = 4.0
_SIDE = 4096


def measure(settings: Settings) -> list[Figure]:
    """Return how many images of 32 MiB a second reach a client, and how long the server's event loop waits for that."""
    seconds, side = (0.5, 512) if settings.small else (_SECONDS, _SIDE)
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    with ExitStack() as stack:
        servers = {
            kind: stack.enter_context(Child("pva_server.py", kind, f"{kind}:", side, environment=ca_environment()))
            for kind in _KINDS
        }
        addresses = " ".join(f"127.0.0.1:{server.first['port']}" for server in servers.values())
        own = {"EPICS_PVA_NAME_SERVERS": addresses, "EPICS_PVA_ADDR_LIST": "", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        client = stack.enter_context(Child("pva_client.py", environment=ca_environment() | own))
        for _ in range(min(settings.rounds, 5)):
            for kind, server in servers.items():
                server.say(str(seconds + 0.5))
                seen = client.turn(f"{kind}:IMAGE {seconds}")
                found[kind].append(server.listen() | {"rate": seen["images"] / max(seen["seconds"], 1e-9)})
    return [*_figures(found)]


def _figures(found: dict[str, list[dict[str, Any]]]) -> list[Figure]:
    rates = {kind: [turn["rate"] for turn in turns] for kind, turns in found.items()}
    lags = {kind: 1000 * median(turn["lag"] for turn in turns) for kind, turns in found.items()}
    return [
        *(Figure(f"PVAccess monitor: {kind}", median(rates[kind]), "images/s") for kind in _KINDS),
        Figure("PVAccess monitor: ours / bare p4p", middle_ratio(rates["ours"], rates["bare"]), at_least=0.9),
        *(Figure(f"event loop late, 99 %: {kind}", lags[kind], "ms") for kind in _KINDS),
    ]
