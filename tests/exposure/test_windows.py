"""Windows by number, by name and as a region: what is set, what the image is, and what a refusal leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError, InputError, RejectedError, StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.windows import CUSTOM, DEFAULT, Windows, mode, parsed, shown
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import empty_image, in_order
from archon_ioc.sim.server import SimServer
from archon_ioc.sim.shot import Shot

Benches = Callable[..., AbstractAsyncContextManager[Any]]

DEMO = Acf.read(Path(__file__).parents[2] / "config" / "demo.acf")
SMALL = {
    "PIXELCOUNT": 20, "LINECOUNT": 33, "Lines": 31, "OverscanLines": 2, "Pixels": 16, "OverscanPixels": 4, "NoIntMS": 0,
}  # fmt: skip
NAMED = {"strip": {"lines": 10, "preskiplines": 5, "postskiplines": 16}, "half": {"hbin": 2, "vbin": 2}}
OVERSCAN = 65535


def small(mode: int) -> Acf:
    """The demonstration's script with 4 taps of 16 x 31 pixels, 4 overscan pixels and 2 overscan lines."""
    values = {DEMO.parameter_key(name): f"{name}={SMALL[name]}" for name in SMALL if DEMO.parameter_name(name)}
    return DEMO.with_values(values | {key: f"{SMALL[key]}" for key in ("PIXELCOUNT", "LINECOUNT")}).with_value(
        "FRAMEMODE", str(mode)
    )


class CcdScene:
    """Each pixel says which tap and which pixel of the CCD it is, the first one of those that are binned."""

    def render(self, shot: Shot) -> npt.NDArray[Any]:
        image, view = empty_image(shot), shot.shown
        lines, pixels = view.active(shot.geometry)
        for area in shot.geometry.areas:
            part = in_order(image, area)
            part[...] = OVERSCAN
            line = view.first_line + view.line_bin * np.arange(lines)
            pixel = view.first_pixel + view.pixel_bin * np.arange(pixels)
            part[:lines, :pixels] = np.add.outer(100 * line, pixel) + 10_000 * area.index
        return image


@pytest.fixture
def frame_mode() -> int:
    """Parametrize it where others matter."""
    return 0


EVERY_MODE = pytest.mark.parametrize("frame_mode", [0, 1, 2])


@pytest.fixture
async def bench(benches: Benches, frame_mode: int) -> AsyncIterator[Any]:
    async with benches(acf=small(frame_mode), speed=0, scene=CcdScene(), site={"windows": NAMED}) as made:
        yield made


class Kept:
    """A sink that keeps pictures."""

    def __init__(self) -> None:
        self.taken: list[npt.NDArray[np.uint16]] = []

    async def take(self, exposure: Any) -> None:
        self.taken.append(exposure.picture)

    async def settled(self) -> None:
        pass


async def picture(bench: Any) -> npt.NDArray[np.uint16]:
    """Take an image and return it; the readbacks must have told its size before."""
    keep = Kept()
    _, _, columns, rows = bench.camera.state.window
    window = bench.controller.status.window
    bench.camera.sinks.append(keep)
    try:
        await bench.good()
    finally:
        bench.camera.sinks.remove(keep)
    assert keep.taken[0].shape == (max(rows // window.vbin, 1), max(columns // window.hbin, 1))
    return keep.taken[0]


def tap_of(acf: Acf, image: npt.NDArray[np.uint16], tap: int) -> npt.NDArray[np.uint16]:
    """Return the part of an image that a tap has read, in the order in which it was read."""
    width, split = image.shape[1] // (2 if acf.number("FRAMEMODE") == 2 else 4), acf.number("FRAMEMODE") == 2
    column = tap % 2 if split else tap
    part = image[:, column * width : (column + 1) * width]
    if split:
        part = part[: image.shape[0] // 2] if tap < 2 else part[image.shape[0] // 2 :]
    is_upward = tap >= 2 if split else acf.number("FRAMEMODE") == 1
    return part[:: -1 if is_upward else 1, :: -1 if tap % 2 else 1]


@EVERY_MODE
async def test_skips_binning_and_overscan_reach_the_right_pixels(bench, frame_mode: int) -> None:
    await bench.operations.windows.set(
        preskiplines=4, lines=20, postskiplines=7, preskippixels=3, pixels=8, postskippixels=5, vbin=2, hbin=4
    )
    image = await picture(bench)
    for tap in range(4):
        part = tap_of(small(frame_mode), image, tap)
        assert part.shape == (11, 3)
        light = 10_000 * tap + np.add.outer(100 * np.arange(4, 24, 2), np.arange(3, 11, 4))
        np.testing.assert_array_equal(part[:10, :2], light)
        assert (part[10:] == OVERSCAN).all()
        assert (part[:, 2:] == OVERSCAN).all()


@EVERY_MODE
async def test_a_region_of_rows_is_what_cutting_the_frame_gives(bench, frame_mode: int) -> None:
    whole, full = await picture(bench), 66 if frame_mode == 2 else 33
    for first, count in ((5, 9), (0, 7), (20, 13), (32, 1)):
        await bench.operations.windows.set_region(size_y=count)
        await bench.operations.windows.set_region(min_y=first)
        assert bench.camera.state.window == (0, first, bench.camera.state.full_size[0], count)
        np.testing.assert_array_equal(await picture(bench), whole[first : first + count])
        is_overscan_only = first >= 31 if frame_mode == 0 else first + count <= 2
        is_cut = frame_mode == 2 or is_overscan_only
        assert bench.controller.status.frames.newest.height == (full if is_cut else count)
    await bench.operations.windows.set_region(min_y=0, size_y=full)
    np.testing.assert_array_equal(await picture(bench), whole)


@EVERY_MODE
async def test_a_region_is_given_in_any_order(bench) -> None:
    """As clients do it: the start may at first leave less than the size that was asked for before."""
    region = bench.operations.windows.set_region
    await region(size_y=12)
    await region(min_y=25)
    assert bench.camera.state.window[1::2] == (25, 12 if bench.camera.state.full_size[1] == 66 else 8)
    await region(min_y=3)
    assert bench.camera.state.window[1::2] == (3, 12)
    assert (await picture(bench)).shape[0] == 12


async def test_a_region_is_left_out_on_the_ccd_again_after_another_configuration(bench) -> None:
    await bench.operations.windows.set_region(min_y=5, size_y=9)
    told = len(bench.device.commands)
    await bench.operations.windows.set_region(size_y=9)
    written = [command for command in bench.device.commands[told:] if command.startswith(("WCONFIG", "APPLY"))]
    assert written == [], "that is set already"
    await bench.controller.set_window(reset=True)
    await bench.until(lambda state: state.controller.window == state.controller.default_window)
    assert bench.camera.state.window[1::2] == (5, 9), "what is read is cut"
    assert (await picture(bench)).shape[0] == 9
    await bench.operations.windows.set_region(min_y=5)
    assert bench.controller.status.window.lines == 9


async def test_a_region_outside_the_image(bench) -> None:
    before = bench.camera.state.window
    for name, value in (("min_y", 33), ("size_x", 0), ("min_x", -1), ("size_y", 34)):
        with pytest.raises(InputError, match=name):
            await bench.operations.windows.set_region(**{name: value})
    assert bench.camera.state.window == before


@EVERY_MODE
async def test_whoever_speaks_last_is_heard(bench) -> None:
    windows = bench.operations.windows
    await windows.set_region(min_y=20, size_y=5)
    await windows.set_region(min_x=3, size_x=7)
    await windows.set(hbin=1, vbin=1)
    assert bench.camera.state.window == (3, 20, 7, 5)
    await windows.set(lines=8, preskiplines=1, postskiplines=22, overscanlines=0)
    assert bench.camera.state.window[::2] == (3, 7)
    assert bench.camera.state.window[3] == (16 if bench.camera.state.full_size[1] == 16 else 8)
    await windows.choose(DEFAULT)
    assert bench.camera.state.window == (0, 0, *bench.camera.state.full_size)


async def test_a_window_by_its_name(bench) -> None:
    windows, live = bench.operations.windows, bench.camera.live
    assert mode(live.value) == DEFAULT
    await windows.choose("strip")
    await live.until(lambda state: mode(state) == "strip", 10)
    window = bench.controller.status.window
    assert (window.lines, window.preskiplines, window.postskiplines) == (10, 5, 16)
    await windows.choose("half")
    window = bench.controller.status.window
    assert (window.lines, window.hbin, window.vbin) == (31, 2, 2), "what it does not give is as it was loaded"
    await windows.set(vbin=1)
    await live.until(lambda state: mode(state) == CUSTOM, 10)
    await windows.set(hbin=1)
    await live.until(lambda state: mode(state) == DEFAULT, 10)
    with pytest.raises(InputError, match="there is no window 'nosuch', but default, strip, half"):
        await windows.choose("nosuch")
    assert mode(live.value) == DEFAULT


async def test_a_window_as_text(bench) -> None:
    await bench.operations.windows.set_text("Lines=10, hbin=2 vbin=2")
    window = bench.controller.status.window
    assert (window.lines, window.hbin, window.vbin) == (10, 2, 2)
    before = shown(window)
    for text in ("lines", "lines=-1", "lines=ten", "", "lines=5, nosuch=1", "lines=5 vbin=70000"):
        with pytest.raises(InputError):
            await bench.operations.windows.set_text(text)
    assert shown(bench.controller.status.window) == before
    assert parsed(before) == parsed("lines=10 vbin=2 hbin=2") | parsed(before)


async def test_nothing_is_changed_during_an_exposure(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    windows = bench.operations.windows
    for call in (windows.set(lines=5), windows.choose("strip"), windows.set_text("hbin=2")):
        with pytest.raises(StateError, match="the camera is integrating; abort first"):
            await call
    assert bench.controller.status.window == bench.controller.status.default_window
    await bench.camera.abort()
    await client


async def test_a_region_that_the_controller_refuses_is_not_asked_for(benches: Benches) -> None:
    async with benches(acf=small(0), speed=0) as bench:
        before = bench.camera.state.window
        bench.device.faults.reject = "APPLYCDS"
        with pytest.raises(RejectedError):
            await bench.operations.windows.set_region(min_y=5)
        bench.device.faults.reject = ""
        assert bench.camera.state.window == before
        assert (await picture(bench)).shape == (33, 80)


async def test_rows_of_several_ccds_are_left_out_together(benches: Benches) -> None:
    ccds = [{"name": "red", "taps": ["AD1L", "AD2R"]}, {"name": "blue", "taps": ["AD5L", "AD6R"]}]
    async with benches(acf=small(0), speed=0, scene=CcdScene(), site={"detectors": ccds}) as bench:
        await bench.operations.windows.set_region(min_y=5)
        await bench.operations.windows.set_region(size_y=9)
        assert bench.camera.state.window == (0, 5, 80, 9)
        with pytest.raises(InputError, match="only where the whole frame is one CCD"):
            await bench.operations.windows.set_region(min_x=5)
        await bench.operations.windows.set_region(min_x=0, size_x=80)  # as it is
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        assert bench.controller.status.frames.newest.height == 9


async def test_a_frame_that_another_program_has_windowed_is_kept_whole(benches: Benches) -> None:
    async with benches(acf=small(2), speed=0) as bench:
        await bench.operations.windows.set_region(min_x=3, size_x=7)
        number = bench.device.applied.line_number("LINECOUNT")
        for command in (f"WCONFIG{number:04X}LINECOUNT=12", "APPLYCDS", "FASTLOADPARAM Lines 10"):
            bench.device.handle(command, bench.sim.now)
        await bench.good()
        image = bench.camera.state.image
        assert (image.width, image.height) == (40, 24)


# Several controllers


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Operations, list[SimArchon]]]:
    """A camera on two controllers, that never takes an image."""
    devices = [SimArchon(small(0), applied=True) for _ in range(2)]
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(SimServer(device, speed=0, latency=0.0)) for device in devices]
        units = tuple(
            ControllerConfig(name=name, host="127.0.0.1", port=server.port, status_period=0.05)
            for name, server in zip(("b1", "r1"), servers, strict=True)
        )
        archons = [ArchonController(unit.host, unit.port, config=unit) for unit in units]
        for archon in archons:
            await stack.enter_async_context(archon)
        site = SiteConfig(controllers=units, files=FilesConfig(path=tmp_path, state=tmp_path / "state"))
        camera = Camera(archons, site)
        following = asyncio.create_task(camera.run())
        await camera.live.until(lambda state: state.is_up, 10)
        yield Operations(camera), devices
        following.cancel()
        await asyncio.wait([following])


def lines(operations: Operations) -> list[int]:
    windows = [controller.status.window for controller in operations.camera.controllers]
    return [window.lines for window in windows if window]


async def test_all_controllers_get_the_window_or_one_alone(pair: tuple[Operations, list[SimArchon]]) -> None:
    operations, _ = pair
    await operations.windows.set(lines=10)
    assert lines(operations) == [10, 10]
    await Windows(operations.camera, operations.camera.controllers[1:]).set(lines=7)
    assert lines(operations) == [10, 7]
    await operations.windows.set_region(size_y=5)
    assert lines(operations) == [5, 5]
    await operations.windows.choose(DEFAULT)
    assert lines(operations) == [31, 31]


@pytest.mark.parametrize("failing", [0, 1])
async def test_no_controller_has_the_window_when_one_fails(
    pair: tuple[Operations, list[SimArchon]], failing: int
) -> None:
    operations, devices = pair
    await operations.windows.set(lines=20)
    devices[failing].faults.reject = "APPLYCDS"
    with pytest.raises(ArchonError, match="APPLYCDS"):
        await operations.windows.set(lines=10)
    assert lines(operations) == [20, 20]
    assert [device.applied.line_count for device in devices] == [22, 22]


async def test_no_controller_is_touched_when_one_cannot(pair: tuple[Operations, list[SimArchon]]) -> None:
    operations, _ = pair
    other = small(0)
    other = replace(other, keys={key: text.replace("PreSkipLines", "Skip") for key, text in other.keys.items()})
    await operations.camera.controllers[1].write_config(other)
    with pytest.raises(ArchonError, match="no parameter PreSkipLines"):
        await operations.windows.set(preskiplines=3)
    assert all(c.status.window == c.status.default_window for c in operations.camera.controllers)
