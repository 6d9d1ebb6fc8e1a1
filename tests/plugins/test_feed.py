"""From the camera to the plugins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.errors import InputError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.picture import Exposure
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.state import CameraState, ImageState, update
from archon_ioc.image.header import Facts
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.feed import Feed, array_of, next_geometry
from archon_ioc.plugins.ndarray import Dimension, Geometry, NDArray, Pool
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"


def exposure(number: int = 1, **changes: Any) -> Exposure:
    now = datetime.now(UTC)
    facts = Facts(
        number=number, image_type="object", requested_seconds=1.0, exposure_seconds=1.0, dark_seconds=1.0, started=now,
        ended=now, written=now, buffer=BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, *[0] * 12),
        controller="archon", binning=(2, 4),
    )  # fmt: skip
    made = Exposure(
        picture=np.full((5, 10), number, np.uint16), images={}, facts=facts,
        settings=ExposureSettings(reverse_y=True), timestamp=1000.0, window=(6, 8, 20, 20), full_size=(40, 60),
        unique_id=number, published=1001.0,
    )  # fmt: skip
    return replace(made, **changes)


class Gated(Plugin[PluginState]):
    """Waits at a gate with each array."""

    def __init__(self, name: str = "GATED") -> None:
        super().__init__(name, PluginState())
        self.gate = asyncio.Event()

    async def process(self, array: NDArray) -> NDArray | None:
        await self.gate.wait()
        if array.unique_id == 13:
            raise InputError("13 is not wanted")
        return array


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    site = SiteConfig(files=FilesConfig(path=tmp_path, state=tmp_path / "state"))
    return Camera([ArchonController("127.0.0.1")], site)


@pytest.fixture
async def make(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Feed]]:
    monkeypatch.setattr("archon_ioc.plugins.feed._MEMORY_PERIOD", 0.01)
    tasks: list[asyncio.Task[None]] = []

    def start(*plugins: Plugin[Any], limit_bytes: float = 0.0) -> Feed:
        feed = Feed(camera, Chain("CAM", plugins), limit_bytes)
        tasks.append(asyncio.create_task(feed.run()))
        return feed

    yield start
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def configured(**settings: Any) -> CameraState:
    acf = Acf.read(SMALL)
    return CameraState((ControllerState(acf=acf),), ExposureSettings().changed(**settings))


def test_an_image_as_plugins_take_it() -> None:
    array = array_of(exposure(7))
    assert (array.unique_id, array.timestamp, array.published) == (7, 1000.0, 1001.0)
    assert array.geometry == Geometry(10, 5, "UInt16")
    assert array.dimensions == (Dimension(10, 6, 40, 2, reverse=False), Dimension(5, 8, 60, 4, reverse=True))


def test_files_may_still_write_to_the_pixels_that_plugins_only_read() -> None:
    given = exposure()
    assert not array_of(given).pixels.flags.writeable
    assert given.picture.flags.writeable


def test_the_next_image() -> None:
    assert next_geometry(configured()) == Geometry(30, 40, "UInt32")
    assert next_geometry(configured(min_x=10, size_x=15)) == Geometry(15, 40, "UInt32")
    state = configured()
    window = Window(lines=40, pixels=30, hbin=2, vbin=4)
    binned = replace(state, controllers=(replace(state.controller, window=window),))
    assert next_geometry(binned) == Geometry(30, 40, "UInt32"), "the size of the frame that is stored"
    assert next_geometry(CameraState()) == Geometry()
    seen = CameraState(image=ImageState(1, width=8, height=9, data_type="UInt32"))
    assert next_geometry(seen) == Geometry(8, 9, "UInt32")


def test_sums_take_32_bits() -> None:
    state = configured(num_exposures=2)
    acf = state.controller.acf
    assert acf
    short = replace(state, controllers=(replace(state.controller, acf=acf.with_value("SAMPLEMODE", "0")),))
    assert next_geometry(short).data_type == "UInt32"
    assert next_geometry(replace(short, settings=ExposureSettings())).data_type == "UInt16"


async def test_plugins_expect_at_once_what_the_settings_promise(camera: Camera, make: Callable[..., Feed]) -> None:
    plugin = Gated()
    make(plugin)
    update(camera.live, controllers=configured().controllers)
    assert plugin.state.array.geometry == Geometry(30, 40, "UInt32")
    camera.change(size_x=12)
    assert plugin.state.array.geometry == Geometry(12, 40, "UInt32")


async def test_what_is_on_its_way_is_counted(camera: Camera, make: Callable[..., Feed]) -> None:
    one, two = Gated("ONE"), Gated("TWO")
    two.gate.set()
    feed = make(one, two)
    await feed.take(exposure(1))
    await feed.live.until(lambda state: state.pool.queued == 1, 5)
    update(camera.live, queued=2)
    assert feed.live.value.pool.queued == 3
    update(camera.live, queued=0)
    settled = asyncio.create_task(feed.settled())
    one.gate.set()
    await settled
    assert feed.live.value.pool.queued == 0


async def test_memory_is_counted_once_and_given_back(camera: Camera, make: Callable[..., Feed]) -> None:
    one, two = Gated("ONE"), Gated("TWO")
    two.gate.set()
    feed = make(one, two, limit_bytes=1e6)
    await feed.take(exposure(1))
    await feed.take(exposure(2))
    used = await feed.live.until(lambda state: (state.pool.images, state.pool.queued) == (2, 2), 5)
    assert used.pool == Pool(1e6, used_bytes=2 * 10 * 5 * 2, images=2, free=0, queued=2)
    one.gate.set()
    await feed.settled()
    kept = await feed.live.until(lambda state: state.pool.images == 1, 5)
    assert (kept.pool.free, kept.pool.used_bytes) == (1, 100)
    feed.empty()
    assert (feed.live.value.pool.images, feed.live.value.pool.used_bytes) == (0, 0)
    with pytest.raises(InputError):
        await one.again()
    feed.preallocate(5)
    assert feed.live.value.pool.preallocated == 5


async def test_what_goes_wrong_is_told_by_the_camera(camera: Camera, make: Callable[..., Feed]) -> None:
    plugin = Gated()
    plugin.gate.set()
    feed = make(plugin)
    await feed.take(exposure(13))
    await feed.settled()
    assert camera.state.message == "GATED: 13 is not wanted"
    plugin.refused("no room")
    assert camera.state.message == "GATED: no room"
    plugin.accepted()
    assert camera.state.message == ""
    feed.refused("no")
    assert camera.state.message == "no"
    feed.accepted()
    assert camera.state.message == ""
