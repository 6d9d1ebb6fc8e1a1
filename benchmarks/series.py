"""A thousand images of 512 x 512 in one acquisition, whose simulated readout takes no time: is one lost or late?"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import acfs
from astropy.io import fits
from environment import ca_environment
from figures import Figure, Settings
from turns import Child

_PREFIX = "BENCH:"
_COUNT = 1000


def measure(settings: Settings) -> list[Figure]:
    """Return how many images were counted, shown and filed, in which order, and how fast."""
    count, side = (10, 64) if settings.small else (_COUNT, 512)
    environment = ca_environment()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        acf = acfs.save(acfs.with_geometry(side // 2, side // 2, 4, split=True), folder / "series.acf")
        port = stack.enter_context(_simulator(acf))
        stack.enter_context(_ioc(folder, acf, port, environment))
        client = stack.enter_context(Child("series_client.py", _PREFIX, environment=environment, patience=900.0))
        found = client.turn(f"{count}")
        numbers = [fits.getheader(path)["EXPOSURE"] for path in sorted(folder.glob("data/*.fits"))]
    return [
        Figure("images asked for", count),
        Figure("counted by the camera", found["counted"], at_least=count),
        Figure("shown on image1", found["shown"], at_least=count if settings.small else None),
        Figure("filed, and numbered one after the other", len(numbers) * (numbers == sorted(set(numbers))),
               at_least=count),
        Figure("counters only went up", int(found["in_order"]), at_least=1),
        Figure("Acquire went up once, and down once and last",
               int(found["acquire"] == [1.0, 0.0] and found["is_last"]), at_least=1),
        Figure("images per second", count / found["seconds"], "1/s"),
    ]  # fmt: skip


@contextmanager
def _simulator(acf: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "archon_ioc", "sim", "--acf", str(acf), "--port", "0", "--applied", "--powered"]
    process = subprocess.Popen([*command, "--speed", "0", "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        while not (line := process.stdout.readline().decode()).startswith("simulated Archon at "):
            assert line
        yield int(line.rpartition(":")[2])
    finally:
        process.stdin.close()
        process.wait(10.0)
        process.stdout.close()


@contextmanager
def _ioc(folder: Path, acf: Path, port: int, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "archon_ioc", "--host", "127.0.0.1", "--port", f"{port}", "--prefix", _PREFIX]
    process = subprocess.Popen(
        [*command, "--acf", str(acf), "--data-dir", str(folder / "data"), "--log-level", "error"],
        env=environment, cwd=folder, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        while b"Ctrl-C" not in (line := process.stdout.readline()):
            assert line
        yield
    finally:
        process.terminate()
        process.wait(10.0)
        process.stdout.close()
