"""What is derived from the camera's state."""

from dataclasses import replace

import pytest

from archon_ioc.driver.state import ControllerState, Link
from archon_ioc.driver.window import Window
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.state import CameraState, enter, update
from archon_ioc.live import Live


def state_of(make_acf, settings: ExposureSettings | None = None, hbin: int = 1, vbin: int = 1) -> CameraState:
    acf = make_acf(lines=20 // vbin, pixels=24 // hbin)
    window = Window(20, 24, hbin=hbin, vbin=vbin)
    return CameraState((ControllerState(acf=acf, window=window),), settings or ExposureSettings())


def test_without_a_configuration_there_is_no_size() -> None:
    state = CameraState()
    assert (state.full_size, state.window) == ((0, 0), (0, 0, 0, 0))


@pytest.mark.parametrize(("hbin", "vbin"), [(1, 1), (2, 1), (3, 4)])
def test_the_full_size_is_that_without_binning(make_acf, hbin: int, vbin: int) -> None:
    assert state_of(make_acf, hbin=hbin, vbin=vbin).full_size == (48, 40)


@pytest.mark.parametrize(
    ("settings", "window"),
    [
        ({}, (0, 0, 48, 40)),
        ({"size_x": 10}, (0, 0, 10, 40)),
        ({"min_x": 8, "min_y": 30}, (8, 30, 40, 10)),
        ({"min_x": 47, "size_x": 10, "min_y": 40, "size_y": 1}, (47, 0, 1, 40)),
        ({"min_x": 10**6, "size_y": 10**6}, (0, 0, 48, 40)),
    ],
)
def test_the_window_is_inside_the_frame(make_acf, settings: dict[str, int], window: tuple[int, ...]) -> None:
    assert state_of(make_acf, ExposureSettings().changed(**settings)).window == window


def test_changes() -> None:
    live = Live(CameraState())
    update(live, message="hello")
    enter(live, Phase.PREPARING)
    assert (live.value.message, live.value.phase) == ("hello", Phase.PREPARING)
    with pytest.raises(RuntimeError, match="PREPARING cannot be followed by SAVING"):
        enter(live, Phase.SAVING)
    assert live.value.phase is Phase.PREPARING


def test_several_controllers() -> None:
    blue, red = ControllerState(name="b1", link=Link.UP), ControllerState(name="r1")
    state = CameraState((blue, red))
    assert state.controller is blue, "the first one leads"
    assert not state.is_up, "one is down"
    assert replace(state, controllers=(blue, replace(red, link=Link.UP))).is_up
    assert state.alone("r1").controllers == (red,)
