"""Single values by the full names of process variables."""

from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.exposure.state import CameraState
from archon_ioc.live import Live
from archon_ioc.plugins.standard_arrays import StandardArrays
from archon_ioc.pvs.camera_rows import CAMERA_ROWS
from archon_ioc.pvs.image_rows import image_rows
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Pixels
from archon_ioc.pvs.source import OwnPvs


class Nobody:
    def accepted(self) -> None: ...

    def refused(self, message: str) -> None:
        raise AssertionError(message)


@pytest.fixture
def live(states: dict[str, CameraState]) -> Live[CameraState]:
    return Live(states["idle"])


@pytest.fixture
def pvs(live: Live[CameraState]) -> OwnPvs:
    tables: list[Table[Any, Any]] = [
        Table(prefix, rows, live, Nobody(), lambda state: state.controller.is_up)
        for prefix, rows in (("cam1:", CAMERA_ROWS), ("image1:", image_rows(StandardArrays("Image1"), Pixels())[-1:]))
    ]
    return OwnPvs("X:", tables)


def test_names(pvs: OwnPvs) -> None:
    assert pvs.knows("X:cam1:AcquireTime")
    assert pvs.knows("X:cam1:AcquireTime_RBV")
    assert not any(pvs.knows(name) for name in ("cam1:AcquireTime", "X:AcquireTime", "X:image1:ArrayData", ""))


def test_values_are_those_of_now(pvs: OwnPvs, live: Live[CameraState]) -> None:
    assert pvs.read("X:cam1:AcquireTime_RBV", as_text=False) == 1.0
    live.set(replace(live.value, settings=live.value.settings.changed(seconds=2.5, frame_type=1)))
    assert pvs.read("X:cam1:AcquireTime_RBV", as_text=False) == 2.5
    assert pvs.read("X:cam1:AcquireTime", as_text=True) == "2.5"
    assert pvs.read("X:cam1:FrameType", as_text=False) == 1
    assert pvs.read("X:cam1:FrameType", as_text=True) == "Background"


def test_what_is_not_valid_is_not_known(pvs: OwnPvs, live: Live[CameraState], states: dict[str, CameraState]) -> None:
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=False) == 30
    live.set(states["disconnected"])
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=False) is None
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=True) is None
