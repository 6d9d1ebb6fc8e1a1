"""A camera on several simulated controllers, which can die and come back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode
from archon_ioc.exposure.state import CameraState
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer
from archon_ioc.sim.sync import SyncSet

SPEED = 20.0
NAMES = ("b1", "r1", "z1", "g1")


@dataclass
class Box:
    """One simulated controller, which can be switched off and on at its port."""

    name: str
    device: Any
    clock: Clock
    acf: Any
    options: dict[str, Any]
    sim: SimServer

    async def die(self) -> None:
        """Be gone from the network; what the controller does goes on."""
        await self.sim.__aexit__(None, None, None)

    async def live(self) -> None:
        """Be back at the same port."""
        self.sim = SimServer(
            self.device, port=self.sim.port, clock=self.clock, scene=TestPattern(), **self.options
        )  # fmt: skip
        await self.sim.__aenter__()


@dataclass
class Group:
    """A camera on several simulated controllers that have one clock and were switched on at the same time."""

    boxes: dict[str, Box]
    camera: Camera
    folder: Path
    running: asyncio.Task[None]
    links: list[asyncio.Task[None]]

    async def end_without_a_word(self) -> None:
        """End the program so that it can stop nothing: its links are gone."""
        for task in (*self.links, self.running):
            task.cancel()
            await asyncio.wait([task])

    @asynccontextmanager
    async def next_life(self) -> AsyncIterator[Camera]:
        """Run another program with the same controllers and folders."""
        camera, links = begin(self.camera._site)
        running = asyncio.create_task(camera.run())
        try:
            yield camera
        finally:
            for task in (running, *links):
                task.cancel()
                await asyncio.wait([task])

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    @property
    def state(self) -> CameraState:
        return self.camera.state

    def header(self, file: str) -> fits.Header:
        return fits.getheader(self.folder / file)

    async def until(self, predicate: Callable[[CameraState], bool], timeout: float = 10.0) -> CameraState:
        return await self.camera.live.until(predicate, timeout)

    async def until_phase(self, phase: Phase) -> CameraState:
        return await self.until(lambda state: state.phase is phase)

    @property
    def starts(self) -> list[int]:
        """When the last frame of each controller began, in ticks; their clocks were started together."""
        return [
            state.frames.newest.timestamp for state in self.state.controllers if state.frames and state.frames.newest
        ]

    @property
    def spread(self) -> float:
        """How far these are apart, in seconds of the host."""
        return (max(self.starts) - min(self.starts)) * TICK / SPEED

    def start(self, **settings: Any) -> asyncio.Task[None]:
        self.camera.change(**settings)
        return asyncio.create_task(self.camera.acquire(), name="client")

    async def good(self, number: int) -> None:
        """Take an exposure, which must work whatever was before."""
        await self.until(lambda state: state.is_up)
        self.camera.change(seconds=0.01, num_exposures=1, image_mode=ImageMode.SINGLE)
        await self.camera.acquire()
        assert [name for name in self.files if f"_{number:04}_" in name] == sorted(
            f"archon_{number:04}_{name}.fits" for name in self.boxes
        )
        assert (self.state.outcome, self.state.phase, self.state.message) == (Outcome.DONE, Phase.IDLE, "Done")
        assert not any(box.device.timing.is_held or box.device.timing.is_integrating for box in self.boxes.values())


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a test wants to differ from the usual."""

    count: int = 2
    line_seconds: float = 0.02
    sync: str = "host"
    latency: float = 0.0
    fetch_rate: float | None = None
    site: dict[str, Any] = field(default_factory=dict[str, Any])
    shutter: Any = None


Groups = Callable[..., AbstractAsyncContextManager[Group]]
Devices = Callable[[int, float], tuple[Acf, Any]]
"""Makes a powered controller whose frame has so many lines of so many seconds."""


@asynccontextmanager
async def running_group(folder: Path, devices: Devices, wish: Wish) -> AsyncIterator[Group]:
    clock = Clock(SPEED)
    boxes: dict[str, Box] = {}
    async with AsyncExitStack() as stack:
        for number, name in enumerate(NAMES[: wish.count]):
            lines = 20 + 2 * number  # so that no controller's pixels can be taken for another's
            acf, device = devices(lines, wish.line_seconds)
            options = {"latency": wish.latency, "fetch_rate": wish.fetch_rate}
            boxes[name] = Box(name, device, clock, acf, options, SimServer(device))
            await boxes[name].live()
            stack.push_async_callback(boxes[name].die)
        if wish.sync == "hardware":
            SyncSet([box.device for box in boxes.values()])
        (folder / "images").mkdir(exist_ok=True)
        site = make_site(folder, boxes, wish)
        camera, links = begin(site, wish.shutter)
        running = asyncio.create_task(camera.run())
        try:
            await camera.live.until(lambda state: state.is_up and state.file.path_exists, 10)
            yield Group(boxes, camera, folder / "images", running, links)
        finally:
            for task in (running, *links):  # in the order of a stop of the program
                task.cancel()
                await asyncio.wait([task])


def begin(site: SiteConfig, shutter: Any = None) -> tuple[Camera, list[asyncio.Task[None]]]:
    """Return a camera that does not run yet, and the links of its controllers, which do."""
    controllers = [ArchonController("127.0.0.1", unit.port, config=unit, script=site.script) for unit in site.units]
    links = [asyncio.create_task(controller.run()) for controller in controllers]
    return Camera(controllers, site, shutter), links


def make_site(folder: Path, boxes: dict[str, Box], wish: Wish) -> SiteConfig:
    often = {"status_period": 0.05, "frame_period": 0.005, "longest_retry": 0.2}
    units = [{"name": name, "host": "127.0.0.1", "port": box.sim.port, **often} for name, box in boxes.items()]
    return SiteConfig.model_validate({
        "controllers": units,
        "sync": wish.sync,
        "files": {"path": folder / "images", "state": folder / "state"},
        "script": {"readout_start": 5.0, "readout_stall": 0.6},
        **wish.site,
    })  # fmt: skip
