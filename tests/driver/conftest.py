"""A driver, a simulated controller that remembers what it was told, and a server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ConfigState
from archon_ioc.driver.timing import Integration
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo, Frame, FrameStatus
from archon_ioc.sim.answers import Answer
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "acf"

SMALL = {
    "PIXELCOUNT": "60", "LINECOUNT": "33", "PARAMETER14": "PreSkipLines=0", "PARAMETER15": "Lines=31",
    "PARAMETER17": "OverscanLines=2", "PARAMETER19": "Pixels=56", "PARAMETER21": "OverscanPixels=4",
    "PARAMETER11": "NoIntMS=0",
}  # fmt: skip


@pytest.fixture(scope="session")
def acf() -> Acf:
    """The demonstration's script with a small CCD: 120 x 66 pixels, 15.5 blocks."""
    return Acf.read(ROOT / "config" / "demo.acf").with_values(SMALL)


@pytest.fixture(params=["BOSS_extra", "LVM_100kHz", "STA4800"])
def real(request: pytest.FixtureRequest) -> Acf:
    """A configuration of a real instrument; there may be none here."""
    path = REAL / f"{request.param}.acf"
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    return Acf.read(path)


@pytest.fixture
def at_once() -> Acf:
    """A script that reads out after each integration by itself, as SLAC's do."""
    return Acf.read(ROOT / "tests" / "golden" / "acf" / "small_at_once.acf")


class Witness(SimArchon):
    """A simulated controller that remembers what it was told."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.heard: list[str] = []
        self.count = Live(0)
        self._loop = asyncio.get_running_loop()
        super().__init__(*args, **options)

    def handle(self, command: str, now: float) -> Answer:
        self.heard.append(command)
        # Some commands are done in a thread.
        self._loop.call_soon_threadsafe(self.count.set, len(self.heard))
        return super().handle(command, now)

    async def told(self, prefix: str) -> None:
        """Wait until a command that begins so was done after this call."""
        start = len(self.heard)
        await self.count.until(lambda _: any(c.startswith(prefix) for c in self.heard[start:]), 10)

    def since(self, start: int, *without: str) -> list[str]:
        return [command for command in self.heard[start:] if not command.startswith(without or ("\0",))]


@pytest.fixture
def witness() -> type[Witness]:
    return Witness


class Lab:
    """A simulated controller on a port, and the driver for it."""

    def __init__(self, device: Witness, server: SimServer, archon: ArchonController) -> None:
        self.device = device
        self.server = server
        self.archon = archon
        self.faults = device.faults

    async def up(self) -> None:
        await self.archon.live.until(lambda state: state.is_up, 10)

    async def down(self) -> None:
        await self.archon.live.until(lambda state: not state.is_up, 10)

    async def relinked(self) -> None:
        """Lose the link and get it back."""
        self.server.link_drop()
        await self.down()
        await self.up()

    @property
    def config(self) -> ConfigState:
        return self.archon.status.config

    def mark(self) -> int:
        return len(self.device.heard)

    def ask(self, command: str) -> str:
        """Do a command as another program would."""
        answer = self.device.handle(command, self.server.now)
        assert isinstance(answer, str), command
        return answer

    async def exposed(self, seconds: float = 0.0) -> FrameStatus:
        """Begin an exposure and return the buffers as they were before it."""
        before = await self.archon.timing.prepare(Integration(seconds))
        await self.archon.timing.begin()
        return before

    async def shoot(self) -> BufferInfo:
        """Take a frame and return its buffer."""
        return await self.archon.timing.new_frame(await self.exposed())


MakeLab = Callable[..., AbstractAsyncContextManager[Lab]]

QUICK = {"status_period": 0.05, "frame_period": 0.002, "longest_retry": 0.05, "connect_timeout": 5.0}


@pytest.fixture
def make_lab(acf: Acf) -> MakeLab:
    @asynccontextmanager
    async def made(
        flash: Acf | None = acf,
        *,
        applied: bool = True,
        script: ScriptConfig | None = None,
        started: bool = True,
        speed: float = 0.0,
        kind: type[Witness] = Witness,
        **config: Any,
    ) -> AsyncIterator[Lab]:
        # Without a configuration it has the modules that the tests' one is for.
        device = kind(flash or replace(acf, keys={}), applied=applied and flash is not None)
        async with SimServer(device, speed=speed, latency=0.0, scene=TestPattern()) as server:
            settings = ControllerConfig(**(QUICK | config))
            archon = ArchonController("127.0.0.1", server.port, config=settings, script=script)
            try:
                yield Lab(device, server, await archon.start() if started else archon)
            finally:
                await archon.stop()

    return made


@pytest.fixture
async def lab(make_lab: MakeLab) -> AsyncIterator[Lab]:
    """A connected controller with its configuration applied; everything takes no time."""
    async with make_lab() as made:
        yield made


@pytest.fixture
async def powered(lab: Lab) -> Lab:
    await lab.archon.power(True)
    return lab


def pattern(acf: Acf, frame: int) -> NDArray[np.uint16]:
    """Return the simulator's test pattern of a split frame with taps L, R above and L, R below."""
    lines = np.arange(acf.line_count)[:, None]
    pixels = np.arange(acf.pixel_count)[None, :]
    taps = [(tap * 5003 + lines * 257 + pixels + frame * 17).astype(np.uint16) for tap in range(4)]
    above = np.hstack([taps[0], taps[1][:, ::-1]])
    below = np.hstack([taps[2], taps[3][:, ::-1]])[::-1]
    return np.vstack([above, below])


@pytest.fixture
def assert_pattern(acf: Acf) -> Callable[[Frame], None]:
    def check(frame: Frame) -> None:
        shape = (frame.info.height, frame.info.width)
        found = np.frombuffer(frame.data, "<u2").reshape(shape)
        np.testing.assert_array_equal(found, pattern(acf, frame.info.frame))

    return check


class Peer:
    """The server's side of one connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.heard: list[str] = []
        self.refs: list[bytes] = []

    def reply(self, ref: bytes, text: bytes = b"") -> None:
        self.writer.write(b"<" + ref + text + b"\n")


Act = Callable[[Peer, bytes, str], None]
Scripted = Callable[[Act], AbstractAsyncContextManager[int]]


@pytest.fixture
def scripted() -> Scripted:
    """Return a context manager that runs a server; ``act(peer, ref, command)`` does what it likes."""

    @asynccontextmanager
    async def run(act: Act) -> AsyncIterator[int]:
        serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def converse(reader: asyncio.StreamReader, peer: Peer) -> None:
            while line := await reader.readline():
                ref, command = line[1:3], line[3:-1].decode("latin-1")
                peer.refs.append(ref)
                peer.heard.append(command)
                act(peer, ref, command)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if task := asyncio.current_task():
                serving[task] = writer
            with suppress(ConnectionError):
                await converse(reader, Peer(writer))
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in serving.values():
                writer.transport.abort()
            if serving:
                await asyncio.wait(serving)

    return run
