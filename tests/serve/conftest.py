"""A small state with rows, served to real clients."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from typing import Any

import caproto as ca
import numpy as np
import pytest
from caproto.asyncio import server as stock

from archon_ioc.errors import StateError
from archon_ioc.live import Live
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import AlarmLimits, Array, Choice, Float, Int, Pixels, Pv, Severity, Text
from archon_ioc.serve.ca import CaServer


@dataclass(frozen=True)
class State:
    seconds: float = 1.5
    count: int = 3
    mode: int = 1
    path: str = "/data/night one/"
    label: str = "bias"
    acquire: int = 0
    temperature: float | None = None
    sizes: tuple[int, ...] = (4, 3)
    levels: tuple[float, ...] = ()
    is_linked: bool = True
    message: str = ""


@dataclass
class Target:
    live: Live[State] = field(default_factory=lambda: Live(State()))
    finish: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, **changes: object) -> None:
        self.live.set(replace(self.live.value, **changes))

    def set_seconds(self, seconds: float) -> None:
        if seconds > 100:
            raise StateError("too long")
        self.update(seconds=round(seconds, 3))

    def set_count(self, count: int) -> None:
        self.update(count=count)

    def set_mode(self, mode: int) -> None:
        self.update(mode=mode)

    def set_path(self, path: str) -> None:
        self.update(path=path if path.endswith("/") else path + "/")

    def set_label(self, label: str) -> None:
        self.update(label=label)

    async def acquire(self, wanted: int) -> None:
        self.update(acquire=wanted)
        await self.finish.wait()
        self.finish.clear()
        self.update(acquire=0)

    def set_power(self, power: int) -> None:
        self.update(count=power)

    def crash(self, value: int) -> None:
        raise RuntimeError("a bug")

    def accepted(self) -> None: ...

    def refused(self, message: str) -> None:
        self.update(message=message)


def wrong(state: State) -> float:
    raise RuntimeError("a bug")


LIMITS = AlarmLimits(lolo=-120.0, low=-110.0, high=-90.0, hihi=-80.0)
MODES = ("Single", "Multiple", "Continuous")

ROWS: tuple[Pv[State, Target], ...] = (
    Pv(name="Wrong", kind=Float(), doc="A row with a bug", group="Test", read=wrong),
    Pv(name="AcquireTime", kind=Float("s", 3, 0.0, 3600.0), doc="Exposure time", group="Test",
       read=lambda s: s.seconds, put=Target.set_seconds),
    Pv(name="NumImages", kind=Int(low=1, high=1000), doc="Images", group="Test",
       read=lambda s: s.count, put=Target.set_count),
    Pv(name="ImageMode", kind=Choice(MODES), doc="Mode", group="Test", read=lambda s: s.mode, put=Target.set_mode),
    Pv(name="FilePath", kind=Text(256), doc="Folder", group="Test", read=lambda s: s.path, put=Target.set_path),
    Pv(name="Label", kind=Text(), doc="Label", group="Test", read=lambda s: s.label, put=Target.set_label),
    Pv(name="Acquire", kind=Choice(("Done", "Acquire")), doc="Expose", group="Test",
       read=lambda s: s.acquire, put=Target.acquire),
    Pv(name="Temperature", kind=Float("C", 1, alarms=LIMITS), doc="Temperature", group="Test",
       read=lambda s: s.temperature, rbv=False, linked=True),
    Pv(name="Dimensions", kind=Array(10), doc="Sizes", group="Test", read=lambda s: np.array(s.sizes)),
    Pv(name="Levels", kind=Array(256, "DOUBLE", "adu"), doc="Levels", group="Test", read=lambda s: s.levels),
    Pv(name="Power", kind=Choice(("Off", "On", "Bad"), {"Bad": Severity.MAJOR}), doc="Power", group="Test",
       read=lambda s: min(s.count, 2), put=Target.set_power, linked=True),
    Pv(name="Crash", kind=Int(), doc="A put with a bug", group="Test",
       read=lambda s: 0, put=Target.crash, rbv=False),
    Pv(name="StatusMessage", kind=Text(256), doc="Message", group="Test", read=lambda s: s.message),
    Pv(name="ArrayData", kind=Pixels(4_000_000), doc="Image", group="Test", read=lambda s: None, rbv=False),
)  # fmt: skip


def table(target: Target) -> Table[State, Target]:
    return Table("cam1:", ROWS, target.live, target, lambda state: state.is_linked)


@asynccontextmanager
async def running(server: CaServer) -> AsyncIterator[CaServer]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.started()
        yield server
        task.cancel()


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def serve(ca_environment: dict[str, str]) -> Callable[[CaServer], Any]:
    """Serve other tables than the usual."""
    return running


class StockContext(stock.Context):
    """caproto's own server, which tests are run with if ``CA_SERVER`` is ``stock``: some must fail."""

    async def serve(self, listening: asyncio.Event) -> None:
        listening.set()
        await self.run()


@pytest.fixture
async def server(ca_environment: dict[str, str], target: Target) -> AsyncIterator[CaServer]:
    server = CaServer("T:", [table(target)])
    if os.environ.get("CA_SERVER") == "stock":
        server._context = StockContext(server._channels)  # type: ignore[assignment]
    async with running(server):
        yield server


@pytest.fixture
async def client(server: CaServer, libca: Any) -> Any:
    """libca, with the server running."""
    return libca


class RawClient:
    """A client that reads only when told to."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.circuit = ca.VirtualCircuit(ca.CLIENT, connection.getpeername(), 0)
        self.channels: dict[str, ca.ClientChannel] = {}
        self.inbox: list[Any] = []

    @classmethod
    async def connect(cls) -> "RawClient":
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        port = int(os.environ["EPICS_CA_SERVER_PORT"])
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        client = cls(connection)
        await client.send(ca.VersionRequest(0, 13), ca.HostNameRequest("localhost"), ca.ClientNameRequest("test"))
        await client.receive(ca.VersionResponse)
        return client

    async def send(self, *commands: Any) -> None:
        await self.send_bytes(b"".join(self.circuit.send(*commands)))

    async def send_bytes(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def receive(self, *kinds: type, count: int = 1) -> list[Any]:
        """Take the oldest commands of these types out of what came."""
        while len(found := [command for command in self.inbox if isinstance(command, kinds)][:count]) < count:
            data = await asyncio.get_running_loop().sock_recv(self.connection, 1 << 20)
            if not data:
                raise ConnectionResetError
            for command in self.circuit.recv(data)[0]:
                self.circuit.process_command(command)
                self.inbox.append(command)
        self.inbox = [command for command in self.inbox if not any(command is one for one in found)]
        return found

    async def channel(self, name: str) -> ca.ClientChannel:
        if name not in self.channels:
            channel = self.channels[name] = ca.ClientChannel(name, self.circuit)
            await self.send(channel.create())
            (answer,) = await self.receive(ca.CreateChanResponse, ca.CreateChFailResponse)
            if isinstance(answer, ca.CreateChFailResponse):
                raise LookupError(name)
        return self.channels[name]

    async def subscribe(self, name: str, **options: Any) -> int:
        """Return the id of a new subscription."""
        request = (await self.channel(name)).subscribe(**{"data_count": 0, **options})
        await self.send(request)
        return request.subscriptionid

    async def read(self, name: str, **options: Any) -> Any:
        await self.send((await self.channel(name)).read(**{"data_count": 0, **options}))
        (answer,) = await self.receive(ca.ReadNotifyResponse, ca.ErrorResponse)
        return answer


@pytest.fixture
async def raw_client(server: CaServer) -> AsyncIterator[RawClient]:
    client = await RawClient.connect()
    with closing(client.connection):
        yield client


@pytest.fixture
async def silent_client(server: CaServer) -> AsyncIterator[RawClient]:
    """One more, which tests let stop reading."""
    client = await RawClient.connect()
    with closing(client.connection):
        yield client
