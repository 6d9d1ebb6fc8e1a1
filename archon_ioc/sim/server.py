"""SimServer: a simulated controller on a TCP port."""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Any, Self

from archon_ioc.sim.bench import Bench
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.control import Operator, converse
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.listener import Listener
from archon_ioc.sim.scene import Scene, StarField
from archon_ioc.sim.session import HungUpError, Session

log = logging.getLogger(__name__)

_LATE_SECONDS = 1.0
_TICK_SECONDS = 0.4  # the device is brought up to date so often, also when nobody asks it


@dataclass(eq=False)
class SimServer:
    """Serves a `SimArchon`; an async context manager that owns the port and every connection.

    ``speed`` makes the simulated time run faster than the wall clock; 0 lets integrations, readouts and ramps
    take no time at all. ``latency`` scales the measured time between command and reply and ``fetch_rate`` limits a
    fetch, in bytes per second; unless they are given both follow the speed: as real controllers on a gigabit network
    at 1, without any limit at 0. ``clock`` is for controllers that share one; it brings its own speed.

    A controller that restarts cuts its connections and refuses new ones for some simulated seconds.

    A Rev F serves one client, a Rev H four, unless ``max_clients`` says otherwise. What a real one does with a
    further client is not known: it is connected but not served until one leaves, or with ``refuses`` closed at once.

    With ``control_port`` an operator can make things happen by lines of text, see `Operator`. Nobody who can reach
    that port is kept from it, so it listens on the loopback interface unless ``control_host`` says otherwise.
    """

    device: SimArchon
    host: str = "127.0.0.1"
    port: int = 0
    """The port; 0 until a free one is found."""
    _: KW_ONLY
    latency: float | None = None
    speed: float = 20.0
    scene: Scene = field(default_factory=StarField)
    fetch_rate: float | None = None
    max_clients: int | None = None
    refuses: bool = False
    clock: Clock | None = None
    control_port: int | None = None
    """The control port; 0 until a free one is found, None for none."""
    control_host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self._clock = self.clock or Clock(self.speed)
        if self._clock.speed == 0:
            self.device.set_instant()
        self._bench = Bench(
            self.device, self.scene, self._clock, latency=self.latency, fetch_rate=self.fetch_rate
        )  # fmt: skip
        self._places = asyncio.Semaphore(self.max_clients or (4 if self.device.is_rev_h else 1))
        self._listener = Listener(self._serve)
        self._control = Listener(self._serve_operator)
        self._boots = self.device.boots
        self._told_late = False

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self.device.faults

    @property
    def now(self) -> float:
        """The simulated time in seconds: the ``now`` of the device."""
        return self._clock.now

    async def __aenter__(self) -> Self:
        self.port = self._listener.open(self.host, self.port)
        self._listener.start(self._tick(), f"time of port {self.port}")
        if self.control_port is not None:
            try:
                self.control_port = self._control.open(self.control_host, self.control_port)
            except OSError:
                await self._listener.close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._control.close()
        await self._listener.close()

    def link_drop(self) -> None:
        """Cut every connection now."""
        self._listener.cut()

    def trigger_in(self) -> None:
        """Pulse Trigger In."""
        self.device.trigger_in(self.now)

    async def _tick(self) -> None:
        while True:
            await self._bench.advance()
            self._boot()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Return the seconds until the device is looked at again: a script that lags behind needs all the time."""
        late = self.device.timing.late
        if late < _TICK_SECONDS:
            self._told_late = False
        elif late > _LATE_SECONDS and not self._told_late:
            self._told_late = True
            log.warning(
                "port %d: the script takes longer to execute than it lasts, it runs %.1f s late", self.port, late
            )
        return 0.0 if late else _TICK_SECONDS

    async def _serve(self, client: socket.socket) -> None:
        if self.refuses and self._places.locked():
            return
        async with self._places:
            try:
                await Session(client, self._bench, self._start).run()
            except HungUpError as hung_up:
                if hung_up.every:
                    self._boot()

    def _boot(self) -> None:
        """Be out of reach for a while if the controller has restarted."""
        if self.device.boots != self._boots:
            self._boots = self.device.boots
            speed = self._clock.speed
            self._listener.refuse_for(self.device.boot_seconds / speed if speed else 0.0)

    def _cut(self) -> None:
        self._boot()
        self._listener.cut()

    async def _serve_operator(self, client: socket.socket) -> None:
        await converse(client, Operator(self._bench, self._cut))

    def _start(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        return self._listener.start(work, f"{what} for port {self.port}")
