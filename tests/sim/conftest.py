"""Configurations and a client that the tests of the simulator share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus
from archon_ioc.protocol.wire import RECORD_SIZE, encode
from archon_ioc.sim.answers import BlockRequest
from archon_ioc.sim.device import SimArchon

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "acf"

ON_DEMAND = Acf.read(ROOT / "tests" / "golden" / "acf" / "small_on_demand.acf")
AT_ONCE = Acf.read(ROOT / "tests" / "golden" / "acf" / "small_at_once.acf")
SMALL = {"PIXELCOUNT": 6, "LINECOUNT": 4, "FRAMEMODE": 0}


def small(whole: Acf, parameters: dict[str, int], taps: tuple[str, ...], **keys: int) -> Acf:
    """Return a configuration with a frame of 4 lines and 6 pixels per tap; these parameters come first."""
    values = {**parameters, **{name: n for name, n in whole.parameters.items() if name not in parameters}}
    values |= {"Lines": 4, "Pixels": 6}
    lists = {f"PARAMETER{n}": f"{name}={value}" for n, (name, value) in enumerate(values.items())}
    lists |= {f"TAPLINE{n}": tap for n, tap in enumerate(taps)}
    changed = {**whole.keys, **SMALL, **lists, "PARAMETERS": len(values), "TAPLINES": len(taps), **keys}
    return Acf(MappingProxyType({key: str(value) for key, value in changed.items()}))


SYSTEM = {
    "BACKPLANE_TYPE": "1", "BACKPLANE_REV": "5", "BACKPLANE_VERSION": "1.0.1104",
    "MOD2_TYPE": "11", "MOD2_REV": "0", "MOD2_VERSION": "1.0.1104", "MOD2_ID": "013ADF5CE983EED1",
    "MOD4_TYPE": "9", "MOD5_TYPE": "2", "MOD9_TYPE": "8",
}  # fmt: skip


@pytest.fixture
def separate() -> Acf:
    """A script that integrates and reads on separate demands: 12 x 4 pixels."""
    names = ("ContinuousExposures", "Exposures", "IntMS", "NoIntMS", "ReadOut", "AbortExposure", "DoFlush", "AutoFlush")
    parameters = {**dict.fromkeys(names, 0), "FlushCount": 2}
    return replace(small(ON_DEMAND, parameters, ("AD1L, 1, 1000", "AD2R, 1, 2000")), system=SYSTEM)


@pytest.fixture
def at_once() -> Acf:
    """A script that reads after each integration and knows an external trigger."""
    return small(AT_ONCE, {}, ("AD1L, 1, 1000",), TRIGINENABLE=1)


@pytest.fixture
def slow(separate: Acf) -> Acf:
    """The same as ``separate``; a line takes 1 s."""
    key = next(key for key, value in separate.keys.items() if value.startswith("LinePause="))
    return separate.with_value(key, "LinePause=100000")


@pytest.fixture
def demo() -> Acf:
    return Acf.read(ROOT / "config" / "demo.acf")


@pytest.fixture(params=["BOSS_extra", "LVM_100kHz", "STA4800"])
def real(request: pytest.FixtureRequest) -> Acf:
    """A configuration of a real instrument; there may be none here."""
    path = REAL / f"{request.param}.acf"
    request.applymarker(pytest.mark.needs_shared)
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    return Acf.read(path)


@pytest.fixture
def changed() -> Callable[..., Acf]:
    """Return a configuration with other values, of keys that it may not have had."""

    def change(acf: Acf, **changes: object) -> Acf:
        return replace(acf, keys=MappingProxyType({**acf.keys, **{k: str(v) for k, v in changes.items()}}))

    return change


LOAD_SECONDS = 1e-5  # between two loads: the idle loop has looked at every parameter meanwhile


class Desk:
    """Asks a device directly, at times that the test chooses."""

    def __init__(self, device: SimArchon) -> None:
        self.device = device
        self.now = 0.0

    def ask(self, command: str, now: float | None = None) -> str:
        """Return the text of the reply."""
        self.now = self.now if now is None else now
        answer = self.device.handle(command, self.now)
        assert isinstance(answer, str), f"{command}: {answer}"
        return answer

    def set(self, now: float | None = None, **values: int) -> None:
        self.now = self.now if now is None else now
        for name, value in values.items():
            self.ask(f"FASTLOADPARAM {name} {value}")
            self.now += LOAD_SECONDS

    def frames(self, now: float | None = None) -> FrameStatus:
        return FrameStatus.parse(self.ask("FRAME", now))

    def status(self, now: float | None = None) -> DeviceStatus:
        return DeviceStatus.parse(self.ask("STATUS", now))

    def refused(self, command: str, now: float | None = None) -> str:
        """Return what the log says about a command that failed."""
        self.now = self.now if now is None else now
        while self.ask("FETCHLOG") != "(null)":
            pass
        answer = self.device.handle(command, self.now)
        assert not isinstance(answer, str | BlockRequest), f"{command}: {answer}"
        assert answer is not None, f"{command}: silence"
        return self.ask("FETCHLOG")


@pytest.fixture
def desk(slow: Acf) -> Desk:
    """A device that has a small configuration in its memory, not applied yet; a line takes 1 s."""
    return Desk(SimArchon(slow))


@pytest.fixture
def ready(slow: Acf) -> Desk:
    """A device whose configuration is applied and whose power is on since 2 s; now is 10."""
    desk = Desk(SimArchon(slow, applied=True))
    desk.ask("POWERON")
    desk.now = 10.0
    return desk


@pytest.fixture
def desk_of() -> Callable[..., Desk]:
    def make(*acf: Acf, **options: object) -> Desk:
        return Desk(SimArchon(*acf, **options))

    return make


class Client:
    """A bare client: bytes in, bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *commands: str) -> None:
        for ref, command in enumerate(commands):
            self.writer.write(encode(ref % 256, command))

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return (await self.reader.readline()).decode("latin-1").removesuffix("\n")

    async def ask(self, command: str) -> str:
        """Return the text of the reply to one command."""
        self.send(command)
        line = await self.line()
        assert line[:3] == "<00", f"{command}: {line}"
        return line[3:]

    async def frames(self) -> FrameStatus:
        return FrameStatus.parse(await self.ask("FRAME"))

    async def fetch(self, address: int, blocks: int) -> bytes:
        """Return the payload of a fetch."""
        self.send(f"FETCH{address:08X}{blocks:08X}")
        async with asyncio.timeout(30):
            records = await self.reader.readexactly(blocks * RECORD_SIZE)
        parts = [records[n * RECORD_SIZE : (n + 1) * RECORD_SIZE] for n in range(blocks)]
        assert all(part[:4] == b"<00:" for part in parts)
        return b"".join(part[4:] for part in parts)

    async def is_cut(self) -> bool:
        """Return whether the connection ends without another byte."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


Connect = Callable[[int], AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def connected(port: int) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    return connected


@pytest.fixture
def connect_again(connect: Connect) -> Connect:
    """Connect as `connect` does, but wait until the controller has booted."""

    @asynccontextmanager
    async def connected(port: int) -> AsyncIterator[Client]:
        async with asyncio.timeout(10), AsyncExitStack() as stack:
            client = None
            while client is None:
                with suppress(ConnectionError):
                    client = await stack.enter_async_context(connect(port))
                await asyncio.sleep(0)
            yield client

    return connected
