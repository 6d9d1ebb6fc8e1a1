"""The process that serves PVAccess, as the IOC has it: how it is started, told and heard."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from archon_ioc.serve.pva_messages import SIZE_BYTES, Message, packed, size_of, unpacked

log = logging.getLogger(__name__)

_PROGRAM = "archon_ioc.serve.pva_process"
_MOST_WAITING = 64 << 20
"""Bytes on the way to a process that does not take them: it is not worth waiting for then."""
_END_SECONDS = 0.5  # the hardware is made safe after that
_HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Each image is new memory in p4p, and the most of its time goes by while that is given in pages of 4 KiB."""


class PvaLink:
    """The way to one such process, until that ends."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader, self._writer = reader, writer
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Message] = []

    def send(self, message: Message) -> None:
        """Tell it something; what is told at once goes together. Never blocks."""
        self._waiting.append(message)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._flush)

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what it tells, until it ends."""
        while True:
            try:
                head = await self._reader.readexactly(SIZE_BYTES)
                data = await self._reader.readexactly(size_of(head))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            for message in unpacked(data):
                yield message

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        """Let it end, and wait for that."""
        self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _flush(self) -> None:
        messages, self._waiting = self._waiting, []
        if not messages or self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > _MOST_WAITING:
            log.error("the PVAccess process takes nothing any more")
            self.kill()
            return
        self._writer.write(packed(messages))


@asynccontextmanager
async def pva_process(memories: Sequence[int]) -> AsyncGenerator[PvaLink]:
    """Run a process that serves PVAccess; it ends with the block, or when this process does.

    Args:
        memories: descriptors of the memory of each image.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", _PROGRAM, str(theirs.fileno()), *map(str, memories),
            pass_fds=(theirs.fileno(), *memories), stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process: the last states are still to be shown
            env=_HUGE_PAGES | dict(os.environ),
        )  # fmt: skip
    link = PvaLink(process, *await asyncio.open_unix_connection(sock=ours))
    try:
        yield link
    finally:
        await asyncio.shield(link.end())
