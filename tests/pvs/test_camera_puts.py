"""What is put is what is read back: clients wait for that."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.config import FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.operations import Operations
from archon_ioc.pvs.camera_rows import CAMERA_ROWS
from archon_ioc.pvs.file_rows import FITS_ROWS
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Pv

ROWS = {"cam1": CAMERA_ROWS, "FITS1": FITS_ROWS}
VALUES: dict[str, object] = {
    "cam1:AcquireTime": 2.5, "cam1:AcquirePeriod": 10, "cam1:NumExposures": 3, "cam1:NumImages": 5,
    "cam1:ImageMode": "Multiple", "cam1:TriggerMode": "External", "cam1:FrameType": "FlatField", "cam1:Gain": 1,
    "cam1:WaitForPlugins": "No", "cam1:ArrayCallbacks": 0, "cam1:ArrayCounter": 7, "cam1:MinX": 3, "cam1:MinY": 4,
    "cam1:SizeX": 5, "cam1:SizeY": 6, "cam1:ReverseX": 1, "cam1:ReverseY": "Yes", "cam1:ColorMode": "Mono",
    "cam1:ShutterMode": "None", "cam1:ShutterOpenDelay": 0.5, "cam1:ShutterCloseDelay": 0.25,
    "cam1:NDimensions": 2, "cam1:NDAttributesFile": "/none.xml", "cam1:NDAttributesMacros": "A=1",
    "cam1:ShutterFanout": 0,
    "FITS1:Layout": "MEF", "FITS1:Compression": "Rice", "FITS1:Checksum": "md5", "FITS1:DateDir": "MJD",
    "FITS1:HeaderJSON": '{"A": 1}',
}  # fmt: skip
"""Another value for each setpoint of which the readback is the same."""
OTHERWISE = {
    "cam1:Acquire", "cam1:ReadStatus", "cam1:ShutterControl", "cam1:BinX", "cam1:BinY", "cam1:DataType",
    "cam1:Temperature", "FITS1:HeaderFile",
}  # fmt: skip
"""Setpoints that need the controller, or have a meaning of their own; tests/exposure and tests/system put them."""


@pytest.fixture
def operations(tmp_path: Path) -> Operations:
    site = SiteConfig(files=FilesConfig(path=tmp_path, state=tmp_path / "state"))
    return Operations(Camera([ArchonController("127.0.0.1")], site))


def setpoints() -> dict[str, Pv[Any, Any]]:
    return {f"{table}:{row.name}": row for table, rows in ROWS.items() for row in rows if row.put}


def shown(operations: Operations, row: Pv[Any, Any]) -> Any:
    return reading(row, operations.camera.state, linked=True).value


async def put(operations: Operations, row: Pv[Any, Any], value: object) -> None:
    assert row.put
    result = row.put(operations, row.kind.accept(value))
    if inspect.isawaitable(result):
        await result


def test_no_setpoint_is_forgotten() -> None:
    assert set(setpoints()) == set(VALUES) | OTHERWISE
    assert set(VALUES) & OTHERWISE == set()


@pytest.mark.parametrize("name", VALUES)
async def test_the_readback_is_what_was_put(operations: Operations, name: str) -> None:
    row = setpoints()[name]
    await put(operations, row, VALUES[name])
    assert shown(operations, row) == row.kind.accept(VALUES[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cam1:AcquireTime", "x"),
        ("cam1:FrameType", "DblCorrelation"),
        ("cam1:ImageMode", 3),
        ("cam1:ColorMode", "RGB1"),
        ("cam1:NDimensions", 3),
        ("cam1:Acquire", 1),
        ("cam1:DataType", "Float64"),
    ],
)
async def test_what_is_refused_changes_nothing(operations: Operations, name: str, value: object) -> None:
    row = setpoints()[name]
    before = shown(operations, row)
    with pytest.raises(ArchonError):
        await put(operations, row, value)
    assert shown(operations, row) == before


@pytest.mark.parametrize(
    ("name", "value", "clamped"), [("cam1:AcquireTime", -1, 0.0), ("cam1:NumImages", 0, 1), ("cam1:Gain", 5, 1.0)]
)
async def test_a_number_beyond_its_limits_is_clamped(
    operations: Operations, name: str, value: object, clamped: float
) -> None:
    row = setpoints()[name]
    await put(operations, row, value)
    assert shown(operations, row) == clamped
