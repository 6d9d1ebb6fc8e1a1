"""From the start of a process to the first value that a libca client gets; and the memory it takes."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median

import psutil
from environment import ca_environment
from figures import Figure, Settings
from turns import Child

from archon_ioc.pvs.camera_rows import CAMERA_ROWS

_ROWS = 1500
_SMALL = 30
_PREFIX = "BENCH:"


def measure(settings: Settings) -> list[Figure]:
    """Return seconds and megabytes, of a server with 1500 rows and of the IOC with its simulator."""
    rows = _SMALL if settings.small else _ROWS
    rounds = 1 if settings.small else min(settings.rounds, 7)
    many = [_start_rows(rows) for _ in range(rounds)]
    ioc = [_start_ioc() for _ in range(rounds)]
    return [
        Figure("rows", rows),
        Figure("records", many[0]["records"]),
        Figure("start to first get", median(turn["seconds"] for turn in many), "s", at_most=2.0),
        Figure("memory after all were read", median(turn["megabytes"] for turn in many), "MB", at_most=200.0),
        Figure("archon-ioc --simulate: start to first get", median(turn["seconds"] for turn in ioc), "s"),
        Figure("archon-ioc --simulate: memory of the IOC", median(turn["megabytes"] for turn in ioc), "MB"),
    ]


def _start_rows(rows: int) -> dict[str, float]:
    environment = ca_environment()
    wanted = [f"{_PREFIX}0:{name}" for name in _readbacks()]
    with Child("libca_client.py", environment=environment) as client:
        client.say(json.dumps(["first", wanted]))
        started = time.monotonic()
        with Child("rows_server.py", _PREFIX, rows, environment=environment) as server:
            seconds = client.listen()["at"] - started
            names = server.first["names"]
            heard = client.turn(json.dumps(["all", names]))["answered"]
            if heard < len(names):
                raise RuntimeError(f"only {heard} of {len(names)} records answered")
            return {"seconds": seconds, "megabytes": _megabytes(server.pid), "records": len(names)}


def _start_ioc() -> dict[str, float]:
    environment = ca_environment()
    wanted = [f"{_PREFIX}cam1:{name}" for name in _readbacks()]
    with Child("libca_client.py", environment=environment) as client, tempfile.TemporaryDirectory() as folder:
        client.say(json.dumps(["first", wanted]))
        started = time.monotonic()
        with _ioc(folder, environment) as pid:
            return {"seconds": client.listen()["at"] - started, "megabytes": _megabytes(pid)}


@contextmanager
def _ioc(folder: str, environment: Mapping[str, str]) -> Iterator[int]:
    command = [sys.executable, "-m", "archon_ioc", "--simulate", "--prefix", _PREFIX, "--data-dir", folder]
    process = subprocess.Popen([*command, "--log-level", "error"], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(10.0)


def _readbacks() -> list[str]:
    return [record.suffix for row in CAMERA_ROWS for record in row.records() if not record.writable]


def _megabytes(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6
