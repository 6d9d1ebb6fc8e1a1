"""The whole program with a small simulated CCD in processes of its own, and each client in another."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from archon_ioc.acf.file import Acf

PREFIX = "ARCHON:"
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ("answering.py", "libca_script.py", "ophyd_script.py", "ophyd_async_script.py", "pva_script.py")
collect_ignore = [
    *SCRIPTS,
    "pvapy_script.py",
    "beamline_script.py",
    "tiled_script.py",
]  # they run in processes of their own

LINES, PIXELS = 64, 64
SHAPE = (2 * LINES, 2 * PIXELS)
"""Rows and columns of the simulated CCD, which is read at its four corners."""


def small_camera() -> str:
    """Return an ACF of a CCD that is read in a few milliseconds."""
    acf = Acf.read(ROOT / "tests" / "golden" / "acf" / "small_on_demand.acf")
    taps = ("AD1L", "AD2R", "AD3L", "AD4R")
    keys: dict[str, object] = {
        **acf.keys, "FRAMEMODE": 2, "PIXELCOUNT": PIXELS, "LINECOUNT": LINES, "TAPLINES": len(taps),
        "MOD2/HEATERATARGET": -100.0, "MOD2/SENSORATYPE": 0, "MOD2/SENSORBTYPE": 0,
    }  # fmt: skip
    keys |= {f"TAPLINE{n}": f"{tap}, 1, 1000" for n, tap in enumerate(taps)}
    values = {**acf.parameters, "Lines": LINES, "Pixels": PIXELS, "LinePause": 0}
    keys |= {f"PARAMETER{n}": f"{name}={value}" for n, (name, value) in enumerate(values.items())}
    system = "[SYSTEM]\nBACKPLANE_TYPE=1\nBACKPLANE_REV=5\nBACKPLANE_VERSION=1.0.1252\nMOD2_TYPE=11\n"
    return system + "[CONFIG]\n" + "\n".join(f"{key}={value}" for key, value in keys.items()) + "\n"


def line_with(lines: IO[str], words: str) -> str:
    """Return the next line of a process's output that has these words."""
    seen = []
    for line in lines:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} was not printed:\n{''.join(seen)}")


@dataclass(frozen=True)
class Ioc:
    """A running IOC, its folder, and where it writes what it has to say."""

    folder: Path
    process: subprocess.Popen[str]

    @property
    def log(self) -> str:
        return (self.folder / "ioc.log").read_text(encoding="utf-8")


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "archon_ioc", *arguments]


@pytest.fixture(scope="session")
def environment(ca_environment: dict[str, str]) -> dict[str, str]:
    """Both protocols on the loopback interface and on ports of this session only."""
    return ca_environment


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a simulated controller that is configured and powered."""
    acf = tmp_path_factory.mktemp("acf") / "small.acf"
    acf.write_text(small_camera(), encoding="ascii")
    options = ("--port", "0", "--applied", "--powered", "--speed", "50", "--pattern", "--until-eof")
    with subprocess.Popen(
        program("sim", "--acf", str(acf), *options), text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield int(line_with(process.stdout, "simulated Archon at").rpartition(":")[2])
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def ioc(simulator: int, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ioc]:
    """Run the program in a folder of its own until the tests of a file are over."""
    folder = tmp_path_factory.mktemp("ioc")
    where = ("--prefix", PREFIX, "--host", "127.0.0.1", "--port", str(simulator), "--data-dir", str(folder / "fits"))
    with (folder / "ioc.log").open("w") as log, subprocess.Popen(
        program("run", *where), text=True, cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=log,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            line_with(process.stdout, "Ctrl-C")
            yield Ioc(folder, process)
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
    print((folder / "ioc.log").read_text())


class Script:
    """A process with a client's library; calls evaluate an expression there (see answering.py)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, expression: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(expression + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client died of {expression}"
        answer = json.loads(line)
        assert "error" not in answer, f"{expression}:\n{answer['error']}"
        return answer["value"]


@contextmanager
def client(name: str, ioc: Ioc, environment: dict[str, str], python: str = sys.executable) -> Iterator[Script]:
    """Run a client's script in its Python."""
    own = {
        "PATH": "",  # libca finds no caRepeater, which it would leave behind
        "PYTHONPATH": f"{HERE}:{HERE.parent}",
        "HOME": str(ioc.folder),
    }
    log_file = ioc.folder / f"{name}.log"
    with log_file.open("w") as log, subprocess.Popen(
        [python, HERE / name, PREFIX, ioc.folder], text=True, env=environment | own, cwd=ioc.folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
    ) as process:  # fmt: skip
        try:
            yield Script(process)
        finally:
            process.kill()  # it has nothing to finish, and it may hang
    print(log_file.read_text())


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest, ioc: Ioc, environment: dict[str, str]) -> Iterator[Script]:
    """Run the client that the file of tests names in ``SCRIPT``."""
    with client(request.module.SCRIPT, ioc, environment) as running:
        yield running


@pytest.fixture(scope="module")
def beamline(ioc: Ioc, environment: dict[str, str]) -> Iterator[Script]:
    """Run the client of beamlines, in an environment that is made where it is missing."""
    made = subprocess.run([ROOT / "scripts" / "peer", "beamline"], check=True, stdout=subprocess.PIPE, text=True)
    with client("beamline_script.py", ioc, environment, made.stdout.strip()) as running:
        yield running
