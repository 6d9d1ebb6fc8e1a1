"""What every plugin says of its images."""

from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.array_rows import array_rows, byte_count, data_type, size
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Pv


def row(name: str) -> Pv[CameraState, Any]:
    return next(row for row in array_rows("PORT") if row.name == name)


def test_plugins_differ_in_their_port_only() -> None:
    one, two = ({r.name: r.doc for r in array_rows(port)} for port in ("A", "B"))
    assert one == two
    assert row("PortName").read(CameraState()) == "PORT"


def test_who_the_controller_is(states: dict[str, CameraState]) -> None:
    texts = {name: row(name).read(states["connected"]) for name in ("Manufacturer", "Model", "SerialNumber")}
    assert texts == {"Manufacturer": "STA", "Model": "Archon X12 rev E", "SerialNumber": "0078F5C1427AF054"}
    assert row("FirmwareVersion").read(states["connected"]) == "1.0.876"
    assert reading(row("Model"), states["initial"], linked=False).status == "COMM"


@pytest.mark.parametrize(
    ("what", "expected"), [("initial", (0, 0)), ("connected", (30, 40)), ("idle", (30, 40)), ("disconnected", (30, 40))]
)
def test_size(what: str, expected: tuple[int, int], states: dict[str, CameraState]) -> None:
    assert size(states[what]) == expected


def test_a_promise_follows_the_settings_and_an_image_stays_as_it_is(states: dict[str, CameraState]) -> None:
    def windowed(state: CameraState) -> CameraState:
        return replace(state, settings=state.settings.changed(min_x=10, size_x=15, size_y=100))

    assert size(windowed(states["connected"])) == (15, 40)
    assert size(windowed(states["idle"])) == (30, 40)


def test_the_type_of_the_pixels(states: dict[str, CameraState]) -> None:
    assert data_type(states["initial"]) == "UInt16"
    assert data_type(states["connected"]) == "UInt32"  # as the configuration says
    image = replace(states["idle"].image, data_type="UInt16")
    assert data_type(replace(states["idle"], image=image)) == "UInt16"  # as the image is
    assert byte_count(states["connected"]) == 30 * 40 * 4


def test_both_sets_of_array_sizes_exist() -> None:
    suffixes = {record.suffix for r in array_rows("PORT") for record in r.records()}
    assert {f"ArraySize{n}{end}" for n in range(10) for end in ("", "_RBV")} <= suffixes


def test_the_memory_that_is_really_held(states: dict[str, CameraState]) -> None:
    names = ("PoolUsedMem", "PoolAllocBuffers", "PoolUsedBuffers", "PoolFreeBuffers")

    def pool(state: CameraState) -> list[float]:
        return [row(name).read(state) for name in names]

    assert pool(states["initial"]) == [0.0, 0, 0, 0]
    idle = replace(states["idle"], file=replace(states["idle"].file, held_bytes=3 << 20))
    assert pool(idle) == [3.0, 1, 0, 1]
    assert pool(replace(idle, acquiring=True)) == [3.0, 1, 1, 0]
    assert pool(replace(idle, file=replace(idle.file, writing=True))) == [3.0, 1, 1, 0]
