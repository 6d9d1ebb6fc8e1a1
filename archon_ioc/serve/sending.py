"""The way of bytes to one client: large values without copies, and without holding up the event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SEND_TIMEOUT = 30.0
"""Seconds in which a client must take something; then it is dropped."""
LARGE = 1 << 16
"""Bytes above which a part is sent without copying it."""
_TURN = 8 << 20
"""Bytes after which a thread turns to the next client."""
_PATIENCE = 0.002
"""Seconds for which a thread waits for a client that takes no more; after that the event loop does."""


def sending_threads() -> ThreadPoolExecutor:
    """Return the threads that send large values to all clients."""
    return ThreadPoolExecutor(2, "CA sends")


class Sender:
    """Sends to one client, one message after the other.

    The system copies about 3 GB/s into a socket. Threads have it do so with large parts: they need the interpreter
    only between two calls, so the event loop stays free for everybody else. What they send must not change meanwhile.
    """

    def __init__(self, writer: asyncio.StreamWriter, threads: ThreadPoolExecutor) -> None:
        self._writer = writer
        self._threads = threads
        self._lock = asyncio.Lock()
        self._connection: Any = None  # a socket, the threads' own, if there ever was something large
        writer.transport.set_write_buffer_limits(0)  # then nothing is left over when a thread begins

    async def send(self, parts: Sequence[Any]) -> None:
        """Send the parts of a message, bytes or anything like them; they are out of our hands when this ends.

        Raises:
            OSError: if the client has left, or took nothing for ``SEND_TIMEOUT``, which is a TimeoutError.
        """
        small: list[Any] = []
        async with self._lock:
            for part in parts:
                if memoryview(part).nbytes <= LARGE:
                    small.append(part)
                    continue
                await self._write(b"".join(small))
                small.clear()
                await self._push_all(np.frombuffer(part, np.uint8).data)
            await self._write(b"".join(small))

    async def _write(self, small: bytes) -> None:
        self._writer.write(small)
        if self._writer.transport.get_write_buffer_size():
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._writer.drain()
        await asyncio.sleep(0)

    async def _push_all(self, whole: memoryview) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._writer.get_extra_info("socket").dup()
            connection.settimeout(_PATIENCE)
        while True:
            whole = whole[await self._push(connection, whole[:_TURN]) :]
            if not whole:
                return
            async with asyncio.timeout(SEND_TIMEOUT):
                await _writable(connection)

    async def _push(self, connection: socket.socket, part: memoryview) -> int:
        """Have a thread send what the client takes now; it is done with it when this ends, however it ends."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, _push, connection, part)
        try:
            return await asyncio.shield(work)
        finally:
            if not work.done():
                self.abort()
                await asyncio.gather(work, return_exceptions=True)  # that it broke off is no news

    def abort(self) -> None:
        """End the connection at once, also under a thread that sends."""
        self._writer.transport.abort()
        if self._connection:
            with contextlib.suppress(OSError):  # the client was faster
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection, when nothing is being sent."""
        if self._connection:
            self._connection.close()


def _push(connection: socket.socket, part: memoryview) -> int:
    """Return how many bytes the client took."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < len(part):
            sent += connection.send(part[sent:])
    return sent


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    writable = asyncio.Event()
    loop.add_writer(connection, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(connection)
