"""A camera on a simulated controller, as the tests of the exposure engine need it."""

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, FilesConfig, ScriptConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.shutter import PvShutter
from archon_ioc.exposure.state import CameraState
from archon_ioc.sim.answers import Answer
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import Scene, TestPattern
from archon_ioc.sim.server import SimServer

from .pausing import BY_HOLD, LightMeter, pausable
from .several import Groups, Wish, running_group

GOLDEN = Path(__file__).parents[1] / "golden" / "acf"
SMALL = Acf.read(GOLDEN / "small_on_demand.acf")
AT_ONCE = Acf.read(GOLDEN / "small_at_once.acf")
LINE_SECONDS = 0.02


def line_pause(seconds: float) -> int:
    """Return the value of LinePause with which a line takes so long."""
    return round(seconds * 1e5)


SCRIPT = {**SMALL.parameters, "LinePause": line_pause(LINE_SECONDS)}
"""Parameters of a script that integrates and reads out on separate demands."""
TRIGGERED_SCRIPT = {**AT_ONCE.parameters, "LinePause": line_pause(LINE_SECONDS), "ExternalTrigger": 1, "IntMS": 4}
"""Parameters of a script that reads out by itself, and can wait for Trigger In."""
TAPS = ("AD1L", "AD2R", "AD3L", "AD4R")


def small_acf(
    *, taps: tuple[str, ...] = TAPS, parameters: dict[str, int] = SCRIPT, lines: int = 20, pixels: int = 24, **keys: int
) -> Acf:
    """A small configuration; ``keys`` replaces or adds keys."""
    whole = AT_ONCE if "ExternalTrigger" in parameters else SMALL
    values: dict[str, Any] = {
        **whole.keys, "FRAMEMODE": 2, "PIXELCOUNT": pixels, "LINECOUNT": lines, "MOD2/HEATERATARGET": -100.0,
        "MOD2/SENSORATYPE": 0, "MOD2/SENSORBTYPE": 0, "MOD2/SENSORBLABEL": "ccd", **keys, "TAPLINES": len(taps),
    }  # fmt: skip
    values |= {f"TAPLINE{n}": f"{tap}, 1, 1000" for n, tap in enumerate(taps)}
    own = {name.upper(): value for name, value in parameters.items()}
    values |= {
        f"PARAMETER{n}": f"{name}={own.get(name.upper(), value)}"
        for n, (name, value) in enumerate(whole.parameters.items())
    }
    system = "[SYSTEM]\nBACKPLANE_TYPE=1\nBACKPLANE_REV=5\nBACKPLANE_VERSION=1.0.1252\nMOD2_TYPE=11\n"
    return Acf.parse(system + "[CONFIG]\n" + "\n".join(f"{key}={value}" for key, value in values.items()))


def renamed_acf(acf: Acf, **names: str) -> Acf:
    """Return a configuration whose script calls some parameters otherwise."""
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    return replace(acf, keys={k: pattern.sub(lambda m: names[m.group()], v) for k, v in acf.keys.items()})


class Recorder(SimArchon):
    """A simulated controller that notes what it was told."""

    def __init__(self, acf: Acf, **options: Any) -> None:
        self.commands: list[str] = []
        super().__init__(acf, **options)

    def handle(self, command: str, now: float) -> Answer:
        self.commands.append(command)
        return super().handle(command, now)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a test wants to differ from the usual."""

    acf: Acf = field(default_factory=small_acf)
    powered: bool = True
    applied: bool = True
    speed: float = 20.0
    latency: float = 0.0
    line_seconds: float | None = None
    scene: Scene = field(default_factory=TestPattern)
    fetch_rate: float | None = None
    site: dict[str, Any] = field(default_factory=dict[str, Any])
    script: dict[str, Any] = field(default_factory=dict[str, Any])
    shutter: PvShutter | None = None


@dataclass(frozen=True)
class Bench:
    """A camera that runs, and the simulated controller behind it."""

    sim: SimServer
    device: Recorder
    controller: ArchonController
    camera: Camera
    folder: Path
    running: asyncio.Task[None]
    controlling: asyncio.Task[None]

    @cached_property
    def operations(self) -> Operations:
        return Operations(self.camera)

    @property
    def files(self) -> list[str]:
        """Names of the files that clients can see."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_file() and path.name[0] != ".")

    async def until(self, predicate: Callable[[CameraState], bool], timeout: float = 10.0) -> CameraState:
        return await self.camera.live.until(predicate, timeout)

    async def until_phase(self, phase: Phase) -> CameraState:
        return await self.until(lambda state: state.phase is phase)

    def start(self) -> asyncio.Task[None]:
        """Begin an acquisition, as a client does."""
        return asyncio.create_task(self.camera.acquire(), name="client")

    def sim_line(self, seconds: float) -> None:
        """Let the lines of a frame take so long from now on."""
        self.device.handle(f"FASTLOADPARAM LinePause {line_pause(seconds)}", self.sim.now)

    def note_states(self) -> list[CameraState]:
        """Return a list that gets every state from now on; a watcher may skip some."""
        states: list[CameraState] = []
        original = self.camera.live.set

        def noting(state: CameraState) -> None:
            states.append(state)
            original(state)

        self.camera.live.set = noting
        return states

    def assert_resting(self) -> None:
        """The script idles as the configuration has it."""
        parameters = self.device.parameters
        assert [parameters.get(name, 0) for name in ("EXPOSURES", "READOUT", "CONTINUOUSEXPOSURES")] == [0, 0, 0]
        stored = {name.upper(): value for name, value in self.device.applied.parameters.items()}
        for name in ("AUTOFLUSH", "EXTERNALTRIGGER"):
            assert parameters.get(name) == stored.get(name)
        assert not self.device.timing.is_held

    async def good(self) -> None:
        """Take an exposure, which must work whatever was before."""
        before = self.files
        done = self.camera.state.image.unique_id
        self.camera.change(seconds=0.01, num_exposures=1, image_mode=0)
        await self.camera.acquire()
        assert len(self.files) == len(before) + 1
        assert self.camera.state.image.unique_id == done + 1
        assert self.camera.state.message == "Done"


def make_site(folder: Path, port: int, setup: Setup) -> SiteConfig:
    return SiteConfig(
        controller=ControllerConfig(host="127.0.0.1", port=port, status_period=0.05, frame_period=0.005),
        files=FilesConfig(path=folder / "images", state=folder / "state"),
        script=ScriptConfig(**{"readout_start": 5.0, "readout_stall": 1.0, **setup.script}),
        **setup.site,
    )


@asynccontextmanager
async def running_camera(folder: Path, setup: Setup) -> AsyncIterator[Bench]:
    (folder / "images").mkdir(exist_ok=True)
    device = Recorder(setup.acf, applied=setup.applied, now=-10.0)
    if setup.line_seconds is not None:
        device.handle(f"FASTLOADPARAM LinePause {line_pause(setup.line_seconds)}", -10.0)
    if setup.powered:
        device.handle("POWERON", -10.0)
    options = {"speed": setup.speed, "latency": setup.latency, "scene": setup.scene, "fetch_rate": setup.fetch_rate}
    async with SimServer(device, **options) as sim:
        site = make_site(folder, sim.port, setup)
        controller = ArchonController(site.controller.host, sim.port, config=site.controller, script=site.script)
        camera = Camera([controller], site, setup.shutter)
        controlling = asyncio.create_task(controller.run())
        running = asyncio.create_task(camera.run())
        try:
            await camera.live.until(lambda state: state.controller.is_up and state.file.path_exists, 10)
            yield Bench(sim, device, controller, camera, folder / "images", running, controlling)
        finally:
            for task in (running, controlling):  # in the order of a stop of the program
                task.cancel()
                await asyncio.wait([task])
        for task in (running, controlling):
            if not task.cancelled():
                task.result()


Benches = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def benches(tmp_path: Path) -> Benches:
    """Make a bench with what a test wants to be different: ``async with benches(speed=0) as bench``."""
    return lambda **changes: running_camera(tmp_path, Setup(**changes))


@pytest.fixture
async def bench(benches: Benches) -> AsyncIterator[Bench]:
    async with benches() as bench:
        yield bench


@pytest.fixture
def held_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let every image wait for this event before it is on disk."""
    released, real = threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if ".fits" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            released.wait(10)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return released


@pytest.fixture
def paused_bench(benches: Benches) -> Benches:
    """Make a bench at the speed of real hardware whose script can pause, "by hold" or "by parameter"."""

    def make(way: str = "by hold", **wishes: Any) -> AbstractAsyncContextManager[Bench]:
        setup = {"script": BY_HOLD} if way == "by hold" else {"acf": pausable(small_acf())}
        return benches(**{"speed": 1, "line_seconds": 0.002, "scene": LightMeter(), **setup, **wishes})

    return make


class FakeShutter:
    """A shutter of another IOC; ``fails`` and ``hangs`` name the methods that do, hang until ``released``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = self.hangs = ""
        self.released = asyncio.Event()

    async def open(self) -> None:
        await self._move("open")

    async def close(self) -> None:
        await self._move("close")

    async def _move(self, what: str) -> None:
        self.calls.append(what)
        if what in self.hangs:
            await self.released.wait()
        if what in self.fails:
            raise StateError(f"the shutter does not {what}")


@pytest.fixture
def fake_shutter() -> FakeShutter:
    return FakeShutter()


@pytest.fixture
def script() -> dict[str, int]:
    return dict(SCRIPT)


@pytest.fixture
def triggered_script() -> dict[str, int]:
    return dict(TRIGGERED_SCRIPT)


@pytest.fixture(name="renamed_acf")
def renamed_acf_fixture() -> Callable[..., Acf]:
    """Rename parameters of a script, see `renamed_acf`."""
    return renamed_acf


@pytest.fixture(name="make_acf")
def make_acf_fixture() -> Callable[..., Acf]:
    """Make a small configuration, see `small_acf`."""
    return small_acf


def powered(lines: int, line_seconds: float) -> tuple[Acf, Recorder]:
    """Return a configuration and a controller that has it, and CCD power."""
    acf = small_acf(lines=lines, parameters={**SCRIPT, "Lines": lines, "LinePause": line_pause(line_seconds)})
    device = Recorder(acf, applied=True, now=-10.0)
    device.handle("POWERON", -10.0)
    return acf, device


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    """Make a camera on several controllers: ``async with groups(3, sync="hardware") as group``."""
    return lambda count=2, **wishes: running_group(tmp_path, powered, Wish(count=count, **wishes))


@pytest.fixture(name="pattern")
def pattern_fixture() -> Callable[[Acf, int], npt.NDArray[np.uint32]]:
    """Return what the test pattern looks like in a frame, see `pattern`."""
    return pattern


def pattern(acf: Acf, frame: int) -> npt.NDArray[np.uint32]:
    """Return rows x columns.

    Each tap owns PIXELCOUNT columns. The first pixel of an R tap is at its right edge. Lines go down from the first
    row in mode 0, up from the last one in mode 1; in mode 2 the first half of the taps does the one in the upper
    half of the frame, the second half the other in the lower half.
    """
    pixels, lines, mode = int(acf.keys["PIXELCOUNT"]), int(acf.keys["LINECOUNT"]), int(acf.keys["FRAMEMODE"])
    names = [acf.keys[f"TAPLINE{n}"].partition(",")[0] for n in range(int(acf.keys["TAPLINES"]))]
    names = [name for name in names if name]
    down, up = np.arange(lines), np.arange(lines)[::-1]
    blocks: list[npt.NDArray[np.uint32]] = []
    for tap, name in enumerate(names):
        is_upward = mode == 1 or (mode == 2 and tap >= len(names) // 2)
        line = (up if is_upward else down)[:, None]
        pixel = np.arange(pixels)[:: -1 if name.endswith("R") else 1][None, :]
        if acf.keys["SAMPLEMODE"] == "1":
            blocks.append((tap * 2**24 + line * 4096 + pixel).astype(np.uint32))
        else:
            blocks.append(((tap * 5003 + line * 257 + pixel + frame * 17) % 65536).astype(np.uint32))
    if mode != 2:
        return np.hstack(blocks)
    half = len(blocks) // 2
    return np.vstack([np.hstack(blocks[:half]), np.hstack(blocks[half:])])
