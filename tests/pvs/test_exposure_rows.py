"""PVs of exposures beyond areaDetector."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.config import FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import InputError, StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import FrameType
from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.camera_rows import detector_state
from archon_ioc.pvs.exposure_rows import EXPOSURE_ROWS
from archon_ioc.pvs.render import reading

ROWS = {row.name: row for row in EXPOSURE_ROWS}
VALUES: dict[str, Any] = {
    "ArchonExposureType": "twilight", "ArchonWithDark": "Yes", "ArchonReadout": "No", "ArchonReadoutDelay": 2.5,
    "ArchonFlushCount": 5, "ArchonAbortFlush": "Yes",
}  # fmt: skip


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    site = SiteConfig.model_validate(
        {"files": FilesConfig(path=tmp_path, state=tmp_path / "state"), "exposure_types": {"twilight": {}}}
    )
    return Operations(Camera([ArchonController("127.0.0.1")], site))


async def put(operations: Operations, name: str, value: Any) -> None:
    row = ROWS[name]
    assert row.put
    result = row.put(operations, row.kind.accept(value))
    if inspect.isawaitable(result):
        await result


def shown(operations: Operations, name: str) -> Any:
    return reading(ROWS[name], operations.camera.state, linked=True).value


@pytest.mark.parametrize("name", VALUES)
async def test_the_readback_is_what_was_put(operations: Operations, name: str) -> None:
    await put(operations, name, VALUES[name])
    assert shown(operations, name) == ROWS[name].kind.accept(VALUES[name])


async def test_type_and_frame_type_agree(operations: Operations) -> None:
    await put(operations, "ArchonExposureType", "bias")
    assert operations.camera.state.settings.frame_type is FrameType.BACKGROUND
    operations.camera.change(frame_type=FrameType.FLAT_FIELD)
    assert shown(operations, "ArchonExposureType") == "flat"
    assert shown(operations, "ArchonExposureTypes") == "object, arc, flat, dark, bias, twilight"
    with pytest.raises(InputError, match="no exposure type"):
        await put(operations, "ArchonExposureType", "comet")


@pytest.mark.parametrize("name", ["ArchonFlushCount", "ArchonReadoutDelay"])
async def test_a_number_that_makes_no_sense(operations: Operations, name: str) -> None:
    with pytest.raises(InputError):
        operations.camera.change(
            **{"ArchonFlushCount": {"flush_count": 0}, "ArchonReadoutDelay": {"readout_delay": -1}}[name]
        )


async def test_commands_without_an_exposure(operations: Operations) -> None:
    await put(operations, "ArchonStop", 1)
    await put(operations, "ArchonRead", 0)
    with pytest.raises(StateError, match="no readout pending"):
        await put(operations, "ArchonRead", 1)
    with pytest.raises(StateError):
        await put(operations, "ArchonFlush", 1)


async def test_a_pause_without_an_exposure(operations: Operations) -> None:
    await put(operations, "ArchonPause", 0)
    with pytest.raises(StateError, match="only an integration can be paused"):
        await put(operations, "ArchonPause", 1)


def test_a_pause_is_shown() -> None:
    paused = CameraState(phase=Phase.PAUSED, acquiring=True, paused_seconds=2.5)
    assert reading(ROWS["ArchonPause"], paused, linked=True).value == 1
    assert reading(ROWS["ArchonPausedTime"], paused, linked=True).value == 2.5
    assert detector_state(paused) == "Waiting"


def test_what_a_hook_did_wrong_is_shown() -> None:
    state = CameraState(hook_problem="post_process: no space")
    assert reading(ROWS["ArchonHookMessage"], state, linked=True).value == "post_process: no space"


def test_every_state_can_be_shown(states: dict[str, CameraState], faults: Callable[..., list[str]]) -> None:
    assert [fault for state in states.values() for fault in faults(EXPOSURE_ROWS, state, linked=True)] == []
    assert reading(ROWS["ArchonReadoutPending"], states["PENDING"], linked=True).value == 1
