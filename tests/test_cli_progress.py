"""What the terminal shows while a camera works."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from archon_ioc.cli_progress import of_camera, of_fetch
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.state import CameraState

FETCHING = ControllerState(name="b1", fetch=Progress(Step.FETCHING, 3, 4))
BEHIND = ControllerState(name="r1", fetch=Progress(Step.FETCHING, 1, 4))
BAR = "fetching     [##################       ]  75 %"


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (CameraState(), ""),
        (CameraState(phase=Phase.INTEGRATING, remaining=12.34), "exposing, 12.3 s left"),
        (CameraState(phase=Phase.PAUSED, remaining=2.0), "paused, 2.0 s left"),
        (CameraState(controllers=(FETCHING,)), BAR),
        (CameraState(controllers=(FETCHING, BEHIND)), "fetching     [######                   ]  25 %"),
        (
            CameraState(controllers=(replace(FETCHING, upload=Progress(Step.READING_BACK, 7, 0)),)),
            "reading back the configuration, 7 lines",
        ),
    ],
)
def test_a_camera_in_one_line(state: CameraState, line: str) -> None:
    assert of_camera(state) == line


def test_a_fetch_in_one_line() -> None:
    assert of_fetch(FETCHING) == f"b1: {BAR}"
    assert of_fetch(ControllerState()) == ""


async def test_an_exposure_shows_its_progress_on_a_terminal(tmp_path: Path) -> None:
    terminal, end = os.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "archon_ioc", "expose", "--seconds", "0.3", "--simulate", "--data-dir", str(tmp_path),
        stdout=subprocess.PIPE, stderr=end,
    )  # fmt: skip
    os.close(end)
    shown = await asyncio.to_thread(until_closed, terminal)
    out, _ = await process.communicate()
    assert process.returncode == 0, shown
    assert out.decode().strip() == f"{tmp_path}/archon_0001.fits"
    assert "exposing, 0." in shown
    assert "reading out  [####" in shown


def until_closed(terminal: int) -> str:
    """Read what is written to a terminal until nobody has it any more."""
    parts: list[bytes] = []
    with open(terminal, "rb", buffering=0) as file:
        try:
            while part := file.read(4096):
                parts.append(part)
        except OSError:  # how Linux says that the other side is closed
            pass
    return b"".join(parts).decode()
