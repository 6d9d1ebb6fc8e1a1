"""States in which every row must have something sensible to say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ConfigState, ControllerState, Link, Progress, Step
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.state import CameraState, FileState, ImageState
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, SystemInfo
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Int, Pixels, Pv, Severity, Text

GOLDEN = Path(__file__).parents[1] / "golden"


def reply(name: str) -> str:
    return (GOLDEN / "replies" / f"{name}.txt").read_text(encoding="ascii").splitlines()[0]


def connected() -> ControllerState:
    acf = Acf.read(GOLDEN / "acf" / "small.acf")
    return ControllerState(
        link=Link.UP,
        system=SystemInfo.parse(reply("SYSTEM-revE-876")),
        status=DeviceStatus.parse(reply("STATUS-revE-876")),
        frames=FrameStatus.parse(reply("FRAME-revE-876")),
        config=ConfigState.APPLIED,
        acf=acf,
        parameters=dict(acf.parameters),
    )


def camera_states() -> dict[str, CameraState]:
    up, long = connected(), "x" * 1000
    busy = replace(up, upload=Progress(Step.WRITING, 1, 3), fetch=Progress(Step.FETCHING, 0, 0), log=(long, long))
    image = ImageState(7, 1.8e9, 1.8e9 + 2.5, 30, 40, "UInt32", 3, 0.5)
    idle = CameraState((up,), outcome=Outcome.DONE, image=image, file=FileState(True, "data/a_0001.fits"))
    return {
        "initial": CameraState(),
        "never connected": CameraState((ControllerState(reason="cannot connect", link_errors=3),)),
        "connected": CameraState((up,)),
        "without a configuration": CameraState((replace(up, acf=None, config=ConfigState.UNLOADED),)),
        "idle": idle,
        "disconnected": replace(idle, controllers=(replace(up, link=Link.DOWN, reason="the link was lost"),)),
        **{
            phase.name: replace(idle, controllers=(busy,), phase=phase, acquiring=True, remaining=1.5)
            for phase in Phase
            if phase is not Phase.IDLE
        },
        "failed": replace(
            idle, outcome=Outcome.FAILED, message="no space", file=FileState(error=True, message=long[:255])
        ),
        "aborted": replace(idle, outcome=Outcome.ABORTED),
    }


def find_faults(rows: tuple[Pv[Any, Any], ...], state: Any, *, linked: bool) -> list[str]:
    """Return the rows whose reading a record could not show."""
    wrong: list[str] = []
    for row in rows:
        shown = reading(row, state, linked=linked)
        value, kind = shown.value, row.kind
        if shown.status == "CALC":
            wrong.append(f"{row.name} cannot be rendered")
        elif isinstance(kind, Text) and value is not None and not (isinstance(value, str) and len(value) < kind.size):
            wrong.append(f"{row.name} does not fit: {value!r:.60}")
        elif isinstance(kind, Int) and value is not None and not -(1 << 31) <= value < 1 << 31:
            wrong.append(f"{row.name} is no whole number of 32 bits: {value!r:.60}")
        elif not isinstance(kind, Pixels) and not row.linked and shown.severity is Severity.INVALID and value is None:
            wrong.append(f"{row.name} is unknown although it does not need the controller")
    return wrong


@pytest.fixture
def faults() -> Callable[..., list[str]]:
    return find_faults


@pytest.fixture
def states() -> dict[str, CameraState]:
    return camera_states()
