"""The benchmarks still run; how fast is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


@pytest.mark.parametrize(
    ("what", "figure"),
    [
        ("fetch", "throughput, ours / bare"),
        ("upload", "no latency: archon-ioc, written and read back"),
        ("start", "start to first get"),
        ("image", "100 x 40: last pixel to end of Acquire"),
        ("images", "monitor, 4 clients: ours"),
        ("pva", "PVAccess monitor: ours / bare p4p"),
        ("series", "Acquire went up once, and down once and last"),
        ("chain", "images in the HDF5 file, of those sent"),
        ("bias", "100 x 40: overhead per frame, 3 files"),
        ("timing", "demonstration, 2048 x 2048 per tap: core / reference"),
        ("rate", "frames per second, fetched"),
        ("progress", "readout: true"),
    ],
)
def test_benchmark_measures(what: str, figure: str, tmp_path: Path) -> None:
    options = ["--small", "--no-peer", "--rounds", "1", "--json", str(tmp_path / "figures.json")]
    command = [sys.executable, str(RUN), what, *options]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=55)

    assert run.returncode == 0, run.stderr
    assert f"\n{what}\n" in run.stdout
    figures = {shown["name"]: shown["value"] for shown in json.loads((tmp_path / "figures.json").read_text())[what]}
    assert figures[figure] > 0
