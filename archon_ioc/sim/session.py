"""One client of the simulator: cuts commands out of its bytes and sends the answers."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

import numpy as np

from archon_ioc.protocol.wire import BLOCK_SIZE, RECORD_SIZE, encode_rejection, encode_reply
from archon_ioc.sim.answers import REJECTED, Answer, BlockRequest, Restart
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.frames import Buffer, Bytes
from archon_ioc.sim.latency import Latency
from archon_ioc.sim.listener import reset_on_close
from archon_ioc.sim.raw import render
from archon_ioc.sim.scene import Scene

GIGABIT = 100 << 20
"""Bytes per second of a fetch over gigabit Ethernet (measured on real controllers)."""

_READ_SIZE = 8192  # some hundred commands: answering them takes about 2 ms
_LONGEST_LINE = 65536
_CHUNK_BLOCKS = 512
_CHUNK_SECONDS = 0.01
_TIMER_SECONDS = 0.001  # an event loop wakes up in steps of 1 ms: aim at the middle of one
_GARBAGE = b"\x00\xff!garbage!"
_HEX = frozenset(b"0123456789ABCDEFabcdef")
_PARSING = ("APPLY", "LOADTIMING")
"""Commands that parse the whole configuration: 10 ms and more that the event loop should not spend."""


class HungUpError(Exception):
    """The simulator ends connections on purpose: ``every`` one, or this one."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.every = every


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


class Session:
    """The conversation with one client."""

    def __init__(self, client: socket.socket, bench: Bench, render_ahead: Callable[[Buffer], None]) -> None:
        self._client = client
        self._bench = bench
        self._faults = bench.device.faults
        self._render_ahead = render_ahead
        self._boots = bench.device.boots
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()

    async def run(self) -> None:
        """Answer until the client leaves.

        Raises:
            HungUpError: if the simulator has to cut connections.
        """
        pending = b""
        while received := await self._loop.sock_recv(self._client, _READ_SIZE):
            *lines, pending = (pending + received).split(b"\n")
            if len(pending) > _LONGEST_LINE:
                pending = b""
            arrived = self._loop.time()
            for line in lines:
                await self._answer_line(line, arrived)
            await self._flush()
            if buffer := self._bench.unrendered():
                self._render_ahead(buffer)

    async def _answer_line(self, line: bytes, arrived: float) -> None:
        start = line.find(b">") + 1
        ref = line[start : start + 2]
        if not start or len(ref) < 2 or not _HEX.issuperset(ref) or self._faults.hang:
            return
        command = line[start + 2 :].removesuffix(b"\r").decode("latin-1")
        if seconds := self._bench.reply_seconds(command):
            await self._be_busy(seconds, arrived)
        async with self._bench.turn:
            answer = await self._answer(command)
            await self._deliver(ref if self._bench.device.is_rev_h else ref.upper(), command, answer)

    async def _be_busy(self, seconds: float, arrived: float) -> None:
        bench = self._bench
        bench.busy_until = max(bench.busy_until, arrived) + seconds
        if bench.busy_until - self._loop.time() > _TIMER_SECONDS / 2:
            await self._flush()
            await self._wait_until(bench.busy_until)

    async def _answer(self, command: str) -> Answer:
        bench = self._bench
        if self._faults.strikes("reject", command):
            bench.device.log(f"{command[:40]}: rejected on purpose")
            return REJECTED
        answer = await bench.ask("REBOOT" if self._faults.strikes("reboot", command) else command)
        if isinstance(answer, Restart) or bench.device.boots != self._boots:
            raise HungUpError(every=True)
        return answer

    async def _deliver(self, ref: bytes, command: str, answer: Answer) -> None:
        faults = self._faults
        if answer is None or faults.strikes("drop_reply", command):
            return
        if faults.strikes("delay_reply", command):
            await self._flush()
            await asyncio.sleep(faults.delay_seconds)
        if faults.strikes("reset_link", command):
            reset_on_close(self._client)
            raise HungUpError(every=False)
        if faults.strikes("garbage", command):
            self._out += _GARBAGE
        if isinstance(answer, BlockRequest):
            await self._flush()
            await self._send_blocks(ref, answer)
        else:
            self._out += encode_reply(ref, answer) if isinstance(answer, str) else encode_rejection(ref)

    async def _flush(self) -> None:
        if self._out:
            out, self._out = self._out, bytearray()
            await self._loop.sock_sendall(self._client, out)

    async def _send_blocks(self, ref: bytes, request: BlockRequest) -> None:
        bench, limit = self._bench, self._faults.fetch_limit(RECORD_SIZE)
        blocks = self._faults.fetch_end(request.blocks)
        chunk = _chunk_blocks(bench.seconds_of(RECORD_SIZE))
        records = np.empty((chunk, RECORD_SIZE), np.uint8)
        records[:, :4] = np.frombuffer(b"<%s:" % ref, np.uint8)
        started = self._loop.time()
        sent = 0
        for first in range(0, blocks, chunk):
            count = min(chunk, blocks - first)
            payload = await bench.payload(request.address + first * BLOCK_SIZE, count * BLOCK_SIZE)
            records[:count, 4:] = payload.reshape(count, BLOCK_SIZE)
            wire = records[:count].reshape(-1)
            if limit is not None and sent + len(wire) >= limit:
                await self._loop.sock_sendall(self._client, wire[: limit - sent].data)
                raise HungUpError(every=False)
            sent += len(wire)
            await self._wait_until(started + bench.seconds_of(sent))
            await self._loop.sock_sendall(self._client, wire.data)

    async def _wait_until(self, due: float) -> None:
        # At least the loop has its turn: a fast reader would never let the socket fill up.
        await asyncio.sleep(max(due - self._loop.time() - _TIMER_SECONDS / 2, 0))


def _chunk_blocks(seconds_of_one: float) -> int:
    """Return how many blocks go at once, so that a slow fetch does not go by leaps."""
    return min(_CHUNK_BLOCKS, max(round(_CHUNK_SECONDS / seconds_of_one), 1)) if seconds_of_one else _CHUNK_BLOCKS
