"""SimServer: a simulated controller on a TCP port."""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Any, Self

from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import Buffer
from archon_ioc.sim.scene import Scene, StarField
from archon_ioc.sim.session import Bench, HungUpError, Session

log = logging.getLogger(__name__)


@dataclass(eq=False)
class SimServer:
    """Serves a `SimArchon`; an async context manager that owns the port and every connection.

    ``speed`` makes the simulated time run faster than the wall clock; 0 lets integrations, readouts and ramps
    take no time at all. ``latency`` scales the measured time between command and reply, 0 for none.
    ``fetch_rate`` limits a fetch, in bytes per second. A Rev F serves one client: a further one is connected
    but not served until one leaves (what a real one does with it is not known); ``max_clients`` is 4 for a
    Rev H.
    """

    device: SimArchon
    host: str = "127.0.0.1"
    port: int = 0
    """The port; 0 until a free one is found."""
    _: KW_ONLY
    latency: float = 0.0
    speed: float = 20.0
    scene: Scene = field(default_factory=StarField)
    fetch_rate: float | None = None
    max_clients: int = 1

    def __post_init__(self) -> None:
        if self.speed == 0:
            self.device.set_instant()
        self._bench = Bench(self.device, self.scene, lambda: self.now, self.latency, self.fetch_rate)
        self._places = asyncio.Semaphore(self.max_clients)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[socket.socket] = set()
        self._failures: list[BaseException] = []
        self._started_at = 0.0
        self._listener: socket.socket

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self.device.faults

    @property
    def now(self) -> float:
        """The simulated time in seconds: the ``now`` of the device."""
        return (asyncio.get_running_loop().time() - self._started_at) * (self.speed or 1.0)

    async def __aenter__(self) -> Self:
        self._started_at = asyncio.get_running_loop().time()
        self._listener = socket.create_server((self.host, self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept(self._listener), f"simulator on port {self.port}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        for opened in (self._listener, *self._clients):  # tasks that never began closed nothing
            opened.close()
        if self._failures:
            raise self._failures[0]

    def link_drop(self) -> None:
        """Cut every connection now."""
        for client in self._clients:
            with suppress(OSError):  # the client may have gone by itself
                client.shutdown(socket.SHUT_RDWR)

    def trigger_in(self) -> None:
        """Pulse Trigger In."""
        self.device.trigger_in(self.now)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("simulator: %s failed", task.get_name(), exc_info=error)
            self._failures.append(error)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            self._clients.add(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve(client), f"client of port {self.port}")

    async def _serve(self, client: socket.socket) -> None:
        try:
            async with self._places:
                await Session(client, self._bench, self._render_ahead).run()
        except ConnectionError as error:
            log.debug("simulator: a client left: %s", error)
        except HungUpError:
            self.link_drop()
        finally:
            self._clients.discard(client)
            client.close()

    def _render_ahead(self, buffer: Buffer) -> None:
        self._start(self._bench.render(buffer), f"pixels for port {self.port}")
