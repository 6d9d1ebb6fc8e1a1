"""One life of one TCP link. Broken once, never repaired: a late reply cannot answer another question."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from archon_ioc.errors import CommandTimeoutError, LinkError, ProtocolError, RejectedError
from archon_ioc.protocol.commands import Command
from archon_ioc.protocol.wire import (
    BLOCK_SIZE,
    RECORD_SIZE,
    REFERENCES,
    Blocks,
    Deframer,
    Message,
    Rejected,
    Reply,
    encode,
)

WINDOW = 64
"""Commands on the way at once; above 100 real controllers lost replies."""


def cut_records(records: memoryview, header: bytes, payload: memoryview) -> int:
    """Cut many records with one strided copy: a `Cut` of 4 GB/s."""
    count = len(records) // RECORD_SIZE
    rows = np.frombuffer(records, np.uint8).reshape(count, RECORD_SIZE)
    headers = rows[:, :4].tobytes()  # compared as bytes: four times faster than by numpy
    good = count if headers == header * count else _first_other(headers, header)
    np.frombuffer(payload, np.uint8)[: good * BLOCK_SIZE].reshape(good, BLOCK_SIZE)[:] = rows[:good, 4:]
    return good


def _first_other(headers: bytes, header: bytes) -> int:
    size = len(header)
    return next(n for n in range(len(headers) // size) if headers[n * size : (n + 1) * size] != header)


@dataclass(slots=True, eq=False)
class _Request:
    """A command on the way. ``future`` gets a message or the link's error as its result, never an exception."""

    command: Command
    future: asyncio.Future[Message | LinkError]
    on_blocks: Callable[[int], None] | None = None


class Connection(asyncio.BufferedProtocol):
    """A link to a controller; made by `connect`.

    The first time-out, wrong byte or lost socket breaks it: every waiting request fails with the same
    `LinkError`, and the owner opens a new one.

    The controller does one command at a time, so the time-out of a command runs from when the one before it was
    answered, and of a fetch from its last block. It runs also when nobody waits for the answer any more.
    """

    def __init__(self) -> None:
        self._deframer = Deframer(cut_records)
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, _Request] = {}
        self._last_ref = REFERENCES - 1
        self._fetch: _Request | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._line = asyncio.Lock()  # first come, first served
        self._answered = asyncio.Event()
        self._broken: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()

    @property
    def is_broken(self) -> bool:
        """Whether it can be used no more; its owner may not have noticed yet."""
        return self._broken.done()

    async def lost(self) -> LinkError:
        """Wait until the link breaks and return why."""
        return await asyncio.shield(self._broken)

    def close(self, reason: str = "closed") -> None:
        """Break the link on purpose."""
        self._break(LinkError(reason))

    async def request(self, command: Command) -> str:
        """Send one command and return the text of its reply.

        Raises:
            RejectedError: if the controller answers ``?``.
            InputError: if the text cannot be sent.
            LinkError: if the link breaks, or is broken already.
        """
        (request,) = await self._send([command])
        return self._text(request, await self._answer(request))

    async def request_many(
        self, commands: Sequence[Command], on_reply: Callable[[int], None] | None = None
    ) -> list[str]:
        """Send commands, several on the way at once, and return the texts of their replies in order.

        ``on_reply`` is called with the number of replies after each batch.

        Raises:
            RejectedError: for the first command that the controller answers with ``?``; later ones may have
                been executed.
            InputError: if a text cannot be sent.
            LinkError: if the link breaks.
        """
        texts: list[str] = []
        for batch in _batches(commands, WINDOW):
            requests = await self._send(batch)
            answers = [await self._answer(request) for request in requests]
            texts += [self._text(request, answer) for request, answer in zip(requests, answers, strict=True)]
            if on_reply:
                on_reply(len(texts))
        return texts

    async def fetch(self, command: Command, into: memoryview, on_blocks: Callable[[int], None] | None = None) -> None:
        """Send a FETCH and write its blocks into ``into``, which holds ``command.blocks`` times 1024 bytes.

        Other requests wait until it is over: the controller answers nothing meanwhile. The time-out of the
        command is for silence. ``on_blocks`` is called with the number of blocks that have arrived.

        Raises:
            RejectedError: if the controller answers ``?``.
            LinkError: if the link breaks.
        """
        (request,) = await self._send([command], into)
        request.on_blocks = on_blocks
        try:
            self._text(request, await self._answer(request))
        finally:
            request.on_blocks = None  # blocks may still come after the asker was cancelled

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the socket is connected."""
        self._transport = transport  # type: ignore[assignment]  # create_connection makes a Transport
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by asyncio: where the next bytes go."""
        del sizehint
        return self._deframer.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio when bytes have arrived."""
        try:
            for message in self._deframer.received(nbytes):
                self._deliver(message)
        except ProtocolError as error:
            self._break(error)

    def eof_received(self) -> None:
        """Called by asyncio when the controller closes its side."""
        self._break(LinkError("the controller closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the socket is gone."""
        self._break(LinkError(f"the connection was lost: {exc}" if exc else "the connection was lost"))

    # our side

    async def _send(self, commands: Sequence[Command], into: memoryview | None = None) -> list[_Request]:
        async with self._line:
            while self._fetch is not None or len(self._waiting) + len(commands) > WINDOW:
                self._answered.clear()
                await self._answered.wait()
            return self._post(commands, into)

    def _post(self, commands: Sequence[Command], into: memoryview | None) -> list[_Request]:
        if self._broken.done() or self._transport is None:
            raise self._broken.result() if self._broken.done() else LinkError("not connected")
        refs = list(itertools.islice(self._free_refs(), len(commands)))
        wire = b"".join(encode(ref, command.text) for ref, command in zip(refs, commands, strict=True))
        if into is not None:
            self._deframer.expect_blocks(refs[0], commands[0].blocks, into)
        # Whatever cannot be sent was refused above, so each of these gets its answer.
        loop = asyncio.get_running_loop()
        requests = [_Request(command, loop.create_future()) for command in commands]
        was_idle = not self._waiting
        self._waiting.update(zip(refs, requests, strict=True))
        self._last_ref = refs[-1]
        if into is not None:
            self._fetch = requests[0]
        self._transport.write(wire)
        if was_idle:
            self._watch()
        return requests

    def _free_refs(self) -> Iterator[int]:
        # A number is in use while its reply is outstanding, also when the asker has gone.
        following = (ref % REFERENCES for ref in range(self._last_ref + 1, self._last_ref + 1 + REFERENCES))
        return (ref for ref in following if ref not in self._waiting)

    async def _answer(self, request: _Request) -> Message | LinkError:
        # Shielded: a reply may still come after the asker was cancelled.
        return await asyncio.shield(request.future)

    def _oldest(self) -> _Request | None:
        return next(iter(self._waiting.values()), None)

    def _watch(self) -> None:
        """Let the time-out of the oldest request begin."""
        if self._alarm:
            self._alarm.cancel()
        oldest, self._alarm = self._oldest(), None
        if oldest:
            self._alarm = asyncio.get_running_loop().call_later(oldest.command.timeout, self._missed, oldest)

    def _missed(self, request: _Request) -> None:
        self._break(CommandTimeoutError(request.command.text[:60], request.command.timeout))

    def _text(self, request: _Request, answer: Message | LinkError) -> str:
        if isinstance(answer, LinkError):
            raise answer
        if isinstance(answer, Rejected):
            raise RejectedError(request.command.text[:200])
        return answer.text if isinstance(answer, Reply) else ""

    def _deliver(self, message: Message) -> None:
        request = self._waiting.get(message.ref)
        if request is None:
            raise ProtocolError(f"a reply to nobody: {message!r:.80}")
        is_oldest = request is self._oldest()
        if isinstance(message, Blocks):
            if request.on_blocks:
                request.on_blocks(message.received)
        elif request is self._fetch and isinstance(message, Reply):
            raise ProtocolError(f"text instead of blocks: {message.text[:40]!r}")
        if not isinstance(message, Blocks) or message.is_complete:
            del self._waiting[message.ref]
            self._resolve(request, message)
        if is_oldest:
            self._watch()

    def _resolve(self, request: _Request, answer: Message | LinkError) -> None:
        if request is self._fetch:
            self._fetch = None
        if not request.future.done():
            request.future.set_result(answer)
        self._answered.set()

    def _break(self, error: LinkError) -> None:
        if self._broken.done():
            return
        self._broken.set_result(error)
        if self._transport:
            self._transport.abort()
        for request in self._waiting.values():
            self._resolve(request, error)
        self._waiting.clear()
        self._watch()


@contextlib.asynccontextmanager
async def connect(host: str, port: int, timeout: float = 5.0) -> AsyncGenerator[Connection]:
    """Open a link, and close it at the end of the block.

    Raises:
        LinkError: if the controller cannot be reached within ``timeout`` seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            _, connection = await loop.create_connection(Connection, host, port)
    except TimeoutError:
        raise LinkError(f"{host}:{port} does not answer within {timeout:g} s") from None
    except OSError as error:
        raise LinkError(f"cannot connect to {host}:{port}: {error.strerror or error}") from error
    except (UnicodeError, OverflowError) as error:  # what the system makes of an address that is none
        raise LinkError(f"cannot connect to {host}:{port}: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def _batches(commands: Sequence[Command], size: int) -> Iterator[Sequence[Command]]:
    for start in range(0, len(commands), size):
        yield commands[start : start + size]
