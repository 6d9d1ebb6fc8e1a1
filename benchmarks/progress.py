"""How well time left and progress, as clients see them, agree with what happens in a controller at real speed."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import acfs
from environment import ca_environment
from figures import Figure, Settings
from turns import Child

from archon_ioc.acf.estimate import estimate_readout
from archon_ioc.acf.file import Acf

_REAL = Path(__file__).parents[2] / "shared" / "data" / "acf" / "LVM_100kHz.acf"
_PREFIX = "BENCH:"
_SECONDS = 5.0
_GOAL = 2.0  # percent
_FETCH_RATE = 100 << 20  # bytes per second of the simulator: a gigabit network


def measure(settings: Settings) -> list[Figure]:
    """Return the largest errors during one exposure; with a real instrument's configuration where it is."""
    acf, seconds = _configuration(settings)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = acfs.save(acf, Path(folder) / "progress.acf")
        sim = stack.enter_context(Child("progress_sim.py", path))
        environment = ca_environment()
        stack.enter_context(_ioc(folder, sim.first["port"], environment))
        client = stack.enter_context(Child("progress_client.py", f"{_PREFIX}cam1:", environment=environment))
        found = client.turn(f"{seconds}")
        return _figures(acf, sim.turn(), found, seconds)


def _configuration(settings: Settings) -> tuple[Acf, float]:
    if settings.small:
        return acfs.with_geometry(60, 40, 4, split=True).with_parameter("WaitCount", 20), 0.5
    if _REAL.exists():
        return Acf.read(_REAL), _SECONDS
    return acfs.with_geometry(2060, 2040, 12, split=True).with_parameter("WaitCount", 20), _SECONDS


def _figures(acf: Acf, truth: Mapping[str, float], found: Mapping[str, Any], seconds: float) -> list[Figure]:
    told: list[tuple[float, str, float]] = found["told"]
    began, ended = truth["frame began"], truth["frame ended"]
    length, light = ended - began, truth["light ended"] - truth["light began"]
    left = [(at, value) for at, name, value in told if name == "TimeRemaining" and value > 0]
    expected = estimate_readout(acf)
    assert expected is not None
    fetch = _image_bytes(acf) / _FETCH_RATE
    fetched = next(value for _, name, value in reversed(told) if name == "ArchonFetchTime")
    exposing = [at + value - truth["light began"] - seconds for at, value in left if at < truth["light ended"]]
    reading = [at + value - ended for at, value in left if began < at < ended]
    return [
        Figure("exposure: light was collected", light, "s"),
        Figure("exposure: largest error of the time left", _largest(exposing, seconds), "%", at_most=_GOAL),
        Figure("readout: predicted, first to last pixel", expected.length.seconds, "s"),
        Figure("readout: true", length, "s"),
        Figure("readout: error of the prediction", _largest([expected.length.seconds - length], length), "%",
               at_most=_GOAL),
        Figure("readout: time left at its beginning", reading[0] + ended - left[-len(reading)][0], "s"),
        Figure("readout: largest error of the time left", _largest(reading, length), "%", at_most=_GOAL),
        Figure("readout: largest error of the progress", _worst_progress(told, began, ended), "%", at_most=_GOAL),
        Figure("fetch: expected at 100 MiB/s", fetch, "s"),
        Figure("fetch: took", fetched, "s"),
        Figure("fetch: error of the end by the last progress", _fetch_error(told), "%", at_most=_GOAL),
        Figure("news about time left", len(left)),
    ]  # fmt: skip


def _image_bytes(acf: Acf) -> int:
    rows, columns = acf.frame_shape
    return rows * columns * acf.sample_mode.bytes_per_pixel


def _largest(errors: list[float], whole: float) -> float:
    return 100 * max(map(abs, errors), default=0.0) / whole


def _worst_progress(told: list[tuple[float, str, float]], began: float, ended: float) -> float:
    """Return how far the progress of the readout was from the truth, in percent of the whole."""
    shown = [(at, value) for at, name, value in told if name == "ArchonReadoutProgress" and began < at < ended]
    return max((abs(value - 100 * (at - began) / (ended - began)) for at, value in shown), default=0.0)


def _fetch_error(told: list[tuple[float, str, float]]) -> float:
    """Return by how much the last progress before its end misses the end of the fetch, in percent of the whole."""
    shown = [(at, value) for at, name, value in told if name == "ArchonFetchProgress"]
    running = [n for n, (_, value) in enumerate(shown) if value < 100]
    if len(running) < 2:
        return 0.0
    (began, low), (at, value), (ended, _) = shown[running[0]], shown[running[-1]], shown[running[-1] + 1]
    foretold = began + (at - began) * (100 - low) / (value - low)
    return 100 * abs(foretold - ended) / (ended - began)


@contextmanager
def _ioc(folder: str, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "archon_ioc", "--host", "127.0.0.1", "--port", f"{port}", "--prefix", _PREFIX]
    process = subprocess.Popen(
        [*command, "--data-dir", folder, "--log-level", "error"], env=environment, cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10.0)
