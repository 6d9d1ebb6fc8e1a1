"""One client of the simulator: cuts commands out of its bytes and sends the answers."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from archon_ioc.protocol.wire import BLOCK_SIZE, RECORD_SIZE, encode_rejection, encode_reply
from archon_ioc.sim.device import REJECTED, Answer, BlockRequest, Restart, SimArchon
from archon_ioc.sim.frames import Buffer, Bytes
from archon_ioc.sim.latency import latency
from archon_ioc.sim.scene import Scene

_READ_SIZE = 8192  # some hundred commands: answering them takes about 2 ms
_LONGEST_LINE = 65536
_CHUNK_BLOCKS = 512
_GARBAGE = b"\x00\xff!garbage!"
_HEX = frozenset(b"0123456789ABCDEFabcdef")
_PARSING = ("APPLY", "LOADTIMING")
"""Commands that parse the whole configuration: 10 ms that the event loop should not spend."""


class HungUpError(Exception):
    """The simulator ends this connection on purpose."""


@dataclass(slots=True)
class Bench:
    """What all clients of one simulated controller share."""

    device: SimArchon
    scene: Scene
    clock: Callable[[], float]
    """The simulated time in seconds."""
    latency: float = 0.0
    fetch_rate: float | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a command is done: the controller does one at a time."""
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    busy_until: float = 0.0
    """When the command before is done, in the loop's time: what came meanwhile waits from then on."""

    async def render(self, buffer: Buffer) -> None:
        """Make the pixels of a buffer's frame, in a thread, if nobody has made them yet."""
        async with self.rendering:
            if buffer.image is None and buffer.shot is not None:
                pixels = await asyncio.to_thread(self.scene.render, buffer.shot)
                buffer.image = pixels.reshape(-1).view(np.uint8)

    def unrendered(self) -> Buffer | None:
        """Return the newest buffer if its pixels have still to be made and nobody is making any."""
        if self.rendering.locked() or not self.device.frames.write_buffer:
            return None
        buffer = self.device.frames.buffers[self.device.frames.write_buffer - 1]
        return buffer if buffer.image is None else None


class Session:
    """The conversation with one client."""

    def __init__(self, client: socket.socket, bench: Bench, render_ahead: Callable[[Buffer], None]) -> None:
        self._client = client
        self._bench = bench
        self._render_ahead = render_ahead
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()

    async def run(self) -> None:
        """Answer until the client leaves.

        Raises:
            HungUpError: if the simulator has to cut the connection.
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
        ref = line[start : start + 2].upper()
        if not start or len(ref) < 2 or not _HEX.issuperset(ref):
            return
        command = line[start + 2 :].removesuffix(b"\r").decode("latin-1")
        if self._bench.latency:
            await self._flush()
            self._bench.busy_until = max(self._bench.busy_until, arrived) + latency(command) * self._bench.latency
            await asyncio.sleep(self._bench.busy_until - self._loop.time())
        async with self._bench.turn:
            answer = await self._answer(command)
            await self._deliver(ref, command, answer)

    async def _answer(self, command: str) -> Answer:
        device = self._bench.device
        if device.faults.strikes("reject", command):
            device.log(f"{command[:40]}: rejected on purpose")
            return REJECTED
        if command.startswith(_PARSING):
            return await asyncio.to_thread(device.handle, command, self._bench.clock())
        return device.handle(command, self._bench.clock())

    async def _deliver(self, ref: bytes, command: str, answer: Answer) -> None:
        faults = self._bench.device.faults
        if isinstance(answer, Restart):
            raise HungUpError
        if answer is None or faults.strikes("drop_reply", command):
            return
        if faults.strikes("delay_reply", command):
            await self._flush()
            await asyncio.sleep(faults.delay_seconds)
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
        limit = self._bench.device.faults.fetch_limit(RECORD_SIZE)
        records = np.empty((_CHUNK_BLOCKS, RECORD_SIZE), np.uint8)
        records[:, :4] = np.frombuffer(b"<%s:" % ref, np.uint8)
        started = self._loop.time()
        sent = 0
        for first in range(0, request.blocks, _CHUNK_BLOCKS):
            count = min(_CHUNK_BLOCKS, request.blocks - first)
            payload = await self._payload(request.address + first * BLOCK_SIZE, count * BLOCK_SIZE)
            records[:count, 4:] = payload.reshape(count, BLOCK_SIZE)
            wire = records[:count].reshape(-1)
            if limit is not None and sent + len(wire) >= limit:
                await self._loop.sock_sendall(self._client, wire[: limit - sent].data)
                raise HungUpError
            await self._loop.sock_sendall(self._client, wire.data)
            sent += len(wire)
            rate = self._bench.fetch_rate
            # Also without a rate the loop has its turn: a fast reader would never let the socket fill up.
            await asyncio.sleep(max(started + sent / rate - self._loop.time(), 0) if rate else 0)

    async def _payload(self, address: int, count: int) -> Bytes:
        now = self._bench.clock()
        self._bench.device.advance(now)
        buffer, _ = self._bench.device.frames.find(address, count)
        await self._bench.render(buffer)
        return self._bench.device.read(address, count, now)
