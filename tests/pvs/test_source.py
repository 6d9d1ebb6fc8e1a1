"""Single values by the full names of process variables."""

from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.config import SiteConfig
from archon_ioc.exposure.state import CameraState
from archon_ioc.live import Live
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.ndarray import Attribute
from archon_ioc.plugins.standard_arrays import StandardArrays
from archon_ioc.pvs.camera_rows import CAMERA_ROWS
from archon_ioc.pvs.detector import build_plugins
from archon_ioc.pvs.image_rows import image_rows
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Pixels
from archon_ioc.pvs.source import PvValues
from tests.plugins.arrays import array


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


async def test_a_result_of_a_plugin_goes_out_with_its_image() -> None:
    """What ophyd-async sets up to have the sum of an image in its file."""
    parts = {part.plugin.name: part for part in build_plugins(SiteConfig(), Pixels(12))}
    stats, image = parts["STATS1"].plugin, parts["Image1"].plugin
    chain = Chain("ARCHON", [part.plugin for part in parts.values()])
    tables = [Table(part.prefix, part.rows, part.plugin.live, part.plugin) for part in parts.values()]
    stats.attributes.source = PvValues("X:", tables, {part.plugin.name: part.prefix for part in parts.values()})
    image.connect("STATS1")
    stats.change(
        blocking=True,
        attributes_file='<Attributes><Attribute name="det-sum" type="PARAM" source="TOTAL" addr="0" datatype="DOUBLE"'
        ' description="Sum of the array"/></Attributes>',
    )
    image.change(blocking=True)
    for plugin in chain.camera.behind.copy():
        if plugin is not stats:
            plugin.change(enabled=False)
    await stats.attributes.load()
    await chain.send(array(1))
    assert image.last
    assert image.last.attributes == {"det-sum": Attribute(24 * 25 / 2, "Sum of the array", "TOTAL", "Param", "Float64")}
