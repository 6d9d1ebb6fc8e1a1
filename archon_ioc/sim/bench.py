"""What all clients of one simulated controller share: the device, its time, and how busy it is."""

import asyncio
from dataclasses import KW_ONLY, dataclass, field

from archon_ioc.sim.answers import Answer
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.frames import Buffer, Bytes
from archon_ioc.sim.latency import Latency
from archon_ioc.sim.raw import render
from archon_ioc.sim.scene import Scene

GIGABIT = 100 << 20
"""Bytes per second of a fetch over gigabit Ethernet (measured on real controllers)."""

_PARSING = ("APPLY", "LOADTIMING")
"""Commands that parse the whole configuration: 10 ms and more that the event loop should not spend."""


@dataclass(slots=True)
class Bench:
    """What all clients of one simulated controller share. The times are by the wall clock."""

    device: SimArchon
    scene: Scene
    clock: Clock
    _: KW_ONLY
    latency: float | None = None
    """Scale of the measured times between command and reply; None: as fast as the clock."""
    fetch_rate: float | None = None
    """Bytes per second of a fetch; None: a gigabit network, as fast as the clock."""
    latencies: Latency = field(default_factory=Latency)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a command is done and answered: the controller does one at a time."""
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    pushed_to: object = None
    """The session that gets completed frames without asking."""
    busy_until: float = 0.0
    """When the command before is done, in the loop's time: what came meanwhile waits from then on."""

    def reply_seconds(self, command: str) -> float:
        """Return how long the controller takes to answer a command."""
        scale = self.latency
        if scale is None:
            scale = 1 / self.clock.speed if self.clock.speed else 0.0
        return self.latencies.seconds(command) * scale

    def seconds_of(self, count: int) -> float:
        """Return how long so many bytes of a fetch take."""
        rate = self.fetch_rate
        if rate is None:
            rate = GIGABIT * self.clock.speed
        return count / rate if rate else 0.0

    async def ask(self, command: str) -> Answer:
        """Do a command now, however busy the controller is."""
        async with self.clock.lock:
            if command.startswith(_PARSING):
                return await asyncio.to_thread(self.device.handle, command, self.clock.now)
            return self.device.handle(command, self.clock.now)

    async def advance(self) -> None:
        """Let everything happen that is due now."""
        async with self.clock.lock:
            self.device.advance(self.clock.now)

    async def render(self, buffer: Buffer) -> None:
        """Make the pixels of a buffer's frame, in a thread, if nobody has made them yet."""
        async with self.rendering:
            if not buffer.is_rendered:
                await asyncio.to_thread(render, self.scene, buffer)

    def unrendered(self) -> Buffer | None:
        """Return the newest buffer if its pixels have still to be made and nobody is making any."""
        if self.rendering.locked() or not self.device.frames.write_buffer:
            return None
        buffer = self.device.frames.buffers[self.device.frames.write_buffer - 1]
        return None if buffer.is_rendered else buffer

    async def payload(self, address: int, count: int) -> Bytes:
        """Return what the frame memory holds now."""
        await self.advance()
        buffer, _ = self.device.frames.find(address, count)
        await self.render(buffer)
        async with self.clock.lock:
            return self.device.read(address, count, self.clock.now)
