"""The program is killed in the middle of exposures, and nothing is lost. ``-m "not slow"`` leaves these minutes out."""

import asyncio
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LONGEST = 240
"""Seconds after which a slow machine may stop."""


@pytest.mark.slow
@pytest.mark.timeout(LONGEST + 120)
@pytest.mark.parametrize(("sync", "runs"), [("host", 300), ("hardware", 60)])
async def test_no_kill_loses_an_exposure(sync: str, runs: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "kill.py", "--runs", str(runs), "--seconds", str(LONGEST), "--sync", sync, cwd=BENCHMARKS,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    print(output.decode())
    assert (process.returncode, output.decode().splitlines()[-1]) == (0, "nothing was lost")
