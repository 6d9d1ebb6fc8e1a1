"""Channel Access side by side: this program, pythonSoftIOC and stock caproto; images, scalars and a client that stops.

Clients are libca's, each in a process of its own. Everybody has the same priority: as root, EPICS base would otherwise
take real-time priorities, in servers and clients.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from environment import ca_environment
from figures import Figure, Settings, middle_ratio, percentile
from turns import Child

_KINDS = ("ours", "softioc", "stock")
_CLIENTS = 4
_ROUNDS = 5
_NUMBERS = 100
_NUMBERS_RATE = 10.0
_SLOW_RATE = 4.0
_MIB = 1 << 20

Found = dict[str, Any]


def measure(settings: Settings) -> list[Figure]:
    """Return figures of all three servers, ours compared with the others, and ours with a client that stops."""
    with ExitStack() as stack:
        bench = _Bench(stack, settings)
        works: dict[str, Callable[[str], Found]] = {
            "get, 1 client": lambda kind: bench.gets(kind, 1),
            f"get, {_CLIENTS} clients": lambda kind: bench.gets(kind, _CLIENTS),
            "monitor, 1 client": lambda kind: bench.monitors(kind, 1),
            f"monitor, {_CLIENTS} clients": lambda kind: bench.monitors(kind, _CLIENTS),
            "scalars": bench.scalars,
        }
        found: dict[tuple[str, str], list[Found]] = {}
        for _ in range(min(settings.rounds, _ROUNDS)):
            for what, work in works.items():
                for kind in _KINDS:
                    found.setdefault((what, kind), []).append(work(kind))
        stopped = bench.one_stops("ours")
    shown = [figure for what in works if what != "scalars" for figure in _image_figures(what, found)]
    return [*shown, *_scalar_figures(found), *_memory_figures(found, stopped)]


def _image_figures(what: str, found: dict[tuple[str, str], list[Found]]) -> Iterator[Figure]:
    unit = "MB/s" if what.startswith("get") else "images/s"
    rates = {kind: [turn["rate"] for turn in found[what, kind]] for kind in _KINDS}
    for kind in _KINDS:
        yield Figure(f"{what}: {kind}", median(rates[kind]), unit)
    yield Figure(f"{what}: ours / softioc", middle_ratio(rates["ours"], rates["softioc"]), at_least=1.0)
    goal = 10.0 if unit == "images/s" else None
    yield Figure(f"{what}: ours / stock", middle_ratio(rates["ours"], rates["stock"]), at_least=goal)
    for kind in _KINDS:
        waits = [1000 * seconds for turn in found[what, kind] for seconds in turn["scalar"]]
        goals = (15.0, 50.0) if kind == "ours" else (None, None)
        yield Figure(f"{what}: {kind}, scalar get meanwhile, p99", percentile(waits, 99), "ms", at_most=goals[0])
        yield Figure(f"{what}: {kind}, scalar get meanwhile, worst", max(waits), "ms", at_most=goals[1])
    lags = [1000 * lag for turn in found[what, "ours"] for lag in turn["idle"]]
    yield Figure(f"{what}: an idle process meanwhile, p99 of its lag", percentile(lags, 99), "ms")


def _scalar_figures(found: dict[tuple[str, str], list[Found]]) -> Iterator[Figure]:
    for kind in _KINDS:
        turns = found["scalars", kind]
        latencies = [1000 * latency for turn in turns for latency in turn["latencies"]]
        is_ours = kind == "ours"
        yield Figure(f"scalars: {kind}, latency, median", percentile(latencies, 50), "ms")
        goal = 50.0 if is_ours else None
        yield Figure(f"scalars: {kind}, latency, p99", percentile(latencies, 99), "ms", at_most=goal)
        share = 100 * sum(turn["arrived"] for turn in turns) / sum(turn["expected"] for turn in turns)
        yield Figure(f"scalars: {kind}, updates that arrived", share, "%")
        complete = 100 * sum(turn["complete"] for turn in turns) / len(turns)
        yield Figure(f"scalars: {kind}, last values that arrived", complete, "%", at_least=100.0 if is_ours else None)


def _memory_figures(found: dict[tuple[str, str], list[Found]], stopped: Found) -> Iterator[Figure]:
    busiest = f"monitor, {_CLIENTS} clients"
    for kind in _KINDS:
        most = max(turn["frames"] for turn in found[busiest, kind])
        yield Figure(f"memory, {busiest}: {kind}", most, "frames", at_most=8.0 if kind == "ours" else None)
    yield Figure("memory, one of them stops reading: ours", stopped["frames"], "frames", at_most=8.0)
    yield Figure("one of them stops reading: the others get", stopped["share"], "%")


class _Bench:
    """The servers, and clients that can reach all of them."""

    def __init__(self, stack: ExitStack, settings: Settings) -> None:
        small = settings.small
        self.frame = 2 * _MIB if small else 32 * _MIB
        self.seconds = 0.3 if small else 2.0
        self.silence = 0.5 if small else 60.0
        equal = {"EPICS_ALLOW_POSIX_THREAD_PRIORITY_SCHEDULING": "NO"}
        self.servers: dict[str, Child] = {}
        for kind in _KINDS:
            arguments = (kind, f"{kind}:", self.frame // 2, _NUMBERS)
            child = Child("images_server.py", *arguments, environment=ca_environment() | equal)
            self.servers[kind] = stack.enter_context(child)
        addresses = " ".join(f"127.0.0.1:{server.first['port']}" for server in self.servers.values())
        own = {"EPICS_CA_ADDR_LIST": addresses, "PATH": ""}  # libca would leave a caRepeater behind
        environment = ca_environment() | equal | own
        clients = [stack.enter_context(Child("images_client.py", environment=environment)) for _ in range(_CLIENTS + 2)]
        *self.clients, self.scalar, self.idle = clients
        for kind in _KINDS:  # everybody has served an image before anything counts
            with self._showing(kind, "images", 1.0):
                self._all(_CLIENTS, "gets", f"{kind}:IMAGE", self.seconds / 4)

    def gets(self, kind: str, count: int) -> Found:
        """Let clients get the image over and over; return MB/s of all together."""
        with self._watching(kind) as found:
            answers = self._all(count, "gets", f"{kind}:IMAGE", self.seconds)
        return found | {"rate": sum(one["bytes"] / one["seconds"] for one in answers) / 1e6}

    def monitors(self, kind: str, count: int) -> Found:
        """Let clients watch an image that changes as fast as it goes; return images per second of the middle one."""
        with self._showing(kind, "images", 0.0) as shown, self._watching(kind) as found:
            answers = self._all(count, "monitor", f"{kind}:IMAGE", self.seconds)
        return found | shown | {"rate": median(_rate(one, self.seconds) for one in answers)}

    def scalars(self, kind: str) -> Found:
        """Let clients watch many scalars."""
        self._all(_CLIENTS, "numbers", [f"{kind}:N{number}" for number in range(_NUMBERS)])
        with self._showing(kind, "numbers", _NUMBERS_RATE) as shown:
            time.sleep(self.seconds)
        answers = self._all(_CLIENTS, "seen", shown["last"], 3.0)
        latencies = [latency for one in answers for latency in one["latencies"]]
        return {
            "latencies": latencies,
            "arrived": len(latencies),
            "expected": shown["shown"] * _NUMBERS * _CLIENTS,
            "complete": all(one["complete"] for one in answers),
        }

    def one_stops(self, kind: str) -> Found:
        """Let one of several clients stop while images come, for longer than a server should wait for it."""
        stopped, *others = self.clients
        with self._showing(kind, "images", _SLOW_RATE) as found:
            for client in self.clients:
                client.say(json.dumps(["monitor", f"{kind}:IMAGE", self.silence]))
            time.sleep(self.silence / 10)
            os.kill(stopped.pid, signal.SIGSTOP)
            try:
                answers = [client.listen() for client in others]
            finally:
                os.kill(stopped.pid, signal.SIGCONT)
            stopped.listen()
        return found | {"share": 100 * min(one["images"] for one in answers) / (self.silence * _SLOW_RATE)}

    def _all(self, count: int, *command: object) -> list[Any]:
        for client in self.clients[:count]:
            client.say(json.dumps(command))
        return [client.listen() for client in self.clients[:count]]

    @contextmanager
    def _watching(self, kind: str) -> Iterator[Found]:
        """Let another client get a scalar meanwhile, and an idle process see how busy the machine is."""
        found: Found = {}
        self.scalar.say(json.dumps(["number", f"{kind}:N0", self.seconds]))
        self.idle.say(json.dumps(["idle", self.seconds]))
        yield found
        found["scalar"] = self.scalar.listen()["seconds"]
        found["idle"] = self.idle.listen()["lags"]

    @contextmanager
    def _showing(self, kind: str, what: str, rate: float) -> Iterator[Found]:
        """Let a server show images or numbers; what it says afterwards, and how much its memory grew."""
        server = self.servers[kind]
        found: Found = {}
        before = _memory(server.pid, "VmRSS")
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins here
        server.turn(f"{what} {rate}")
        yield found
        found |= server.turn("stop")
        # One image is there all the time, and counts.
        found["frames"] = 1 + max(_memory(server.pid, "VmHWM") - before, 0) * _MIB / self.frame


def _rate(answer: Any, seconds: float) -> float:
    """Images per second between the first and the last one; of fewer than two, one in the whole time."""
    return (answer["images"] - 1) / answer["seconds"] if answer["images"] > 1 else 1 / seconds


def _memory(pid: int, what: str) -> float:
    """Return MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))
