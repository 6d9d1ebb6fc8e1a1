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
from archon_ioc.pvs.source import PvValues


class Nobody:
    def accepted(self) -> None: ...

    def refused(self, message: str) -> None:
        raise AssertionError(message)


@pytest.fixture
def live(states: dict[str, CameraState]) -> Live[CameraState]:
    return Live(states["idle"])


@pytest.fixture
def pvs(live: Live[CameraState]) -> PvValues:
    tables: list[Table[Any, Any]] = [
        Table(prefix, rows, live, Nobody(), lambda state: state.controller.is_up)
        for prefix, rows in (("cam1:", CAMERA_ROWS), ("image1:", image_rows(StandardArrays("Image1"), Pixels())[-1:]))
    ]
    return PvValues("X:", tables)


def test_names(pvs: PvValues) -> None:
    assert pvs.reaches("X:cam1:AcquireTime")
    assert pvs.reaches("X:cam1:AcquireTime_RBV")
    assert not any(pvs.reaches(name) for name in ("cam1:AcquireTime", "X:AcquireTime", "X:image1:ArrayData", ""))


def test_values_are_those_of_now(pvs: PvValues, live: Live[CameraState]) -> None:
    assert pvs.read("X:cam1:AcquireTime_RBV", as_text=False) == 1.0
    live.set(replace(live.value, settings=live.value.settings.changed(seconds=2.5, frame_type=1)))
    assert pvs.read("X:cam1:AcquireTime_RBV", as_text=False) == 2.5
    assert pvs.read("X:cam1:AcquireTime", as_text=True) == "2.5"
    assert pvs.read("X:cam1:FrameType", as_text=False) == 1
    assert pvs.read("X:cam1:FrameType", as_text=True) == "Background"


def test_what_is_not_valid_is_not_known(pvs: PvValues, live: Live[CameraState], states: dict[str, CameraState]) -> None:
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=False) == 30
    live.set(states["disconnected"])
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=False) is None
    assert pvs.read("X:cam1:MaxSizeX_RBV", as_text=True) is None


def test_parameters_of_ports(live: Live[CameraState]) -> None:
    table = Table("cam1:", CAMERA_ROWS, live, Nobody())
    found = PvValues("X:", [table], {"CAM": "cam1:"})
    params = ("ACQ_TIME", "ARRAY_COUNTER", "NIMAGES", "STATUS", "TEMPERATURE_ACTUAL", "UNIQUE_ID", "PORT_NAME_SELF")
    assert [found.of_param("CAM", param) for param in params] == [
        "X:cam1:AcquireTime_RBV", "X:cam1:ArrayCounter_RBV", "X:cam1:NumImages_RBV", "X:cam1:DetectorState_RBV",
        "X:cam1:TemperatureActual", "X:cam1:UniqueId_RBV", "X:cam1:PortName_RBV",
    ]  # fmt: skip
    assert found.of_param("CAM", "NOTHING") is None
    assert found.of_param("OTHER", "ACQ_TIME") is None


class Others:
    def __init__(self) -> None:
        self.watched: list[frozenset[tuple[str, bool]]] = []

    def watch(self, names: frozenset[tuple[str, bool]]) -> None:
        self.watched.append(names)

    def read(self, name: str, *, as_text: bool) -> str | int | float | None:
        return {("M:x", False): 2.5}.get((name, as_text))


def test_values_of_other_programs(live: Live[CameraState]) -> None:
    others = Others()
    found = PvValues("X:", [Table("cam1:", CAMERA_ROWS, live, Nobody())], None, others)
    assert found.reaches("M:x")
    assert not found.reaches("X:cam1:Missing"), "which is nobody else's"
    found.follow("one", frozenset({("M:x", False), ("X:cam1:AcquireTime", False)}))
    found.follow("two", frozenset({("M:y", True)}))
    found.follow("one", frozenset())
    x, y = ("M:x", False), ("M:y", True)
    assert others.watched == [{x}, {x, y}, {y}]
    assert found.read("M:x", as_text=False) == 2.5
    assert found.read("M:y", as_text=True) is None
