"""One client of the simulator: cuts commands out of its bytes and sends the answers."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import numpy as np

from archon_ioc.protocol.wire import BLOCK_SIZE, RECORD_SIZE, encode_rejection, encode_reply
from archon_ioc.sim.answers import REJECTED, Answer, BlockRequest, Restart
from archon_ioc.sim.bench import Bench
from archon_ioc.sim.listener import reset_on_close
from archon_ioc.sim.push import push_header, push_pixels

_READ_SIZE = 8192  # some hundred commands: answering them takes about 2 ms
_LONGEST_LINE = 65536
_CHUNK_BLOCKS = 512
_CHUNK_SECONDS = 0.01
_PUSH_SECONDS = 0.004  # how often is looked for completed frames while they are pushed
_TIMER_SECONDS = 0.001  # an event loop wakes up in steps of 1 ms: aim at the middle of one
_GARBAGE = b"\x00\xff!garbage!"
_HEX = frozenset(b"0123456789ABCDEFabcdef")

Start = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Runs something as long as the server runs; the text says what it is."""


class HungUpError(Exception):
    """The simulator ends connections on purpose: ``every`` one, or this one."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.every = every


class Session:
    """The conversation with one client."""

    def __init__(self, client: socket.socket, bench: Bench, start: Start) -> None:
        self._client = client
        self._bench = bench
        self._faults = bench.device.faults
        self._start = start
        self._boots = bench.device.boots
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()
        self._writing = asyncio.Lock()
        self._pushing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Answer until the client leaves.

        Raises:
            HungUpError: if the simulator has to cut connections.
        """
        try:
            await self._converse()
        finally:
            if self._pushing:
                self._pushing.cancel()
                await asyncio.wait([self._pushing])

    async def _converse(self) -> None:
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
                self._start(self._bench.render(buffer), "pixels")

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
        if command.startswith("FASTAUTOFETCH") and answer == "":
            self._push_from_now_on(command.endswith("1"))
        return answer

    def _push_from_now_on(self, on: bool) -> None:
        self._bench.pushed_to = self if on else None
        if on and (self._pushing is None or self._pushing.done()):
            self._pushing = self._start(self._push(), "pushed frames")

    async def _push(self) -> None:
        """Send every frame that completes, between the replies, as long as this client is the one to get them."""
        with suppress(ConnectionError):  # whoever reads from the client notices as well
            while self._bench.pushed_to is self:
                await self._bench.advance()
                async with self._bench.turn:
                    await self._push_completed()
                await asyncio.sleep(_PUSH_SECONDS)

    async def _push_completed(self) -> None:
        completed = self._bench.device.frames.completed
        while completed and self._bench.pushed_to is self:
            buffer = completed.popleft()
            await self._bench.render(buffer)
            pixels = push_pixels(buffer)
            await self._wait_until(self._loop.time() + self._bench.seconds_of(len(pixels)))
            await self._flush()
            async with self._writing:
                await self._loop.sock_sendall(self._client, push_header(buffer))
                await self._loop.sock_sendall(self._client, pixels.data)

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
        async with self._writing:
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
