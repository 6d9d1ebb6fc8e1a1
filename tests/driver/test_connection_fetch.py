"""Fetching over one link, against a server that does what no controller should."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest

from archon_ioc.driver.connection import Connection, connect
from archon_ioc.errors import CommandTimeoutError, LinkError, ProtocolError, RejectedError
from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command

Act = Callable[[Any, bytes, str], None]
Scripted = Callable[[Act], AbstractAsyncContextManager[int]]

NEVER = Command("NEVER", timeout=60.0)
BLOCKS = 5
PIXELS = np.random.default_rng(1).integers(0, 256, BLOCKS * 1024, np.uint8).tobytes()
FETCH = commands.fetch(0xA0000000, BLOCKS)


def cut(ref: bytes) -> list[bytes]:
    return [b"<" + ref + b":" + PIXELS[n * 1024 : (n + 1) * 1024] for n in range(BLOCKS)]


def echo(peer: Any, ref: bytes, command: str) -> None:
    """Answer every command but NEVER with its own text; FETCH is answered with blocks."""
    if command.startswith("FETCH"):
        peer.writer.write(b"".join(cut(ref)))
    elif command != "NEVER":
        peer.reply(ref, command.encode())


@pytest.fixture
async def link(scripted: Scripted) -> AsyncIterator[Connection]:
    async with scripted(echo) as port, connect("127.0.0.1", port) as connection:
        yield connection


async def fetch(link: Connection, command: Command = FETCH) -> bytes:
    into = bytearray(command.blocks * 1024)
    await link.fetch(command, memoryview(into))
    return bytes(into)


async def waiting(link: Connection, *texts: str) -> list[asyncio.Task[str]]:
    """Return requests that have been sent and wait for their replies."""
    tasks = [asyncio.create_task(link.request(Command(text, timeout=60.0))) for text in texts]
    ready = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ready.set_result, None)
    await ready
    return tasks


async def test_a_fetch_writes_its_blocks_into_the_buffer(link: Connection) -> None:
    counts: list[int] = []
    into = bytearray(BLOCKS * 1024)
    await link.fetch(FETCH, memoryview(into), counts.append)
    assert bytes(into) == PIXELS
    assert counts == sorted(counts)
    assert counts[-1] == BLOCKS
    assert await link.request(Command("SYSTEM")) == "SYSTEM"


async def test_a_fetch_into_too_small_a_buffer_is_refused_and_sends_nothing(link: Connection) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        await link.fetch(FETCH, memoryview(bytearray(1024)))
    assert await fetch(link) == PIXELS


async def test_a_rejected_fetch_leaves_the_link_usable(scripted: Scripted) -> None:
    answers = [b"?00\n", b"<01:" + PIXELS[:1024]]

    async with (
        scripted(lambda peer, _ref, _command: peer.writer.write(answers.pop(0))) as port,
        connect("127.0.0.1", port) as link,
    ):
        with pytest.raises(RejectedError, match="FETCH"):
            await fetch(link, commands.fetch(0, 1))
        assert await fetch(link, commands.fetch(0xA0000000, 1)) == PIXELS[:1024]


@pytest.mark.parametrize("text", [b"", b"text", b"(null)"])
async def test_text_instead_of_blocks(scripted: Scripted, text: bytes) -> None:
    async with (
        scripted(lambda peer, ref, _command: peer.reply(ref, text)) as port,
        connect("127.0.0.1", port) as link,
    ):
        with pytest.raises(ProtocolError, match="instead of blocks"):
            await fetch(link)


async def test_a_block_with_another_reference(scripted: Scripted) -> None:
    def act(peer: Any, ref: bytes, _command: str) -> None:
        peer.writer.write(b"".join([*cut(ref)[:2], *cut(b"7E")[2:]]))

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        with pytest.raises(LinkError):
            await fetch(link, Command(FETCH.text, timeout=0.5, blocks=BLOCKS))


@pytest.mark.parametrize("sent", [0, 3, 4, 500, 1028, 1500, 4 * 1028, 5 * 1028 - 1])
async def test_half_a_fetch_and_then_silence(scripted: Scripted, sent: int) -> None:
    async with (
        scripted(lambda peer, ref, _command: peer.writer.write(b"".join(cut(ref))[:sent])) as port,
        connect("127.0.0.1", port) as link,
    ):
        with pytest.raises(CommandTimeoutError, match="FETCH"):
            await fetch(link, Command(FETCH.text, timeout=0.05, blocks=BLOCKS))


async def test_the_time_out_of_a_fetch_is_for_silence_not_for_the_whole(scripted: Scripted) -> None:
    def act(peer: Any, ref: bytes, _command: str) -> None:
        for n, record in enumerate(cut(ref)):
            asyncio.get_running_loop().call_later(0.15 * n, peer.writer.write, record)

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        assert await fetch(link, Command(FETCH.text, timeout=0.4, blocks=BLOCKS)) == PIXELS


async def test_other_requests_wait_until_a_fetch_is_over(scripted: Scripted) -> None:
    peers: list[Any] = []

    def act(peer: Any, ref: bytes, command: str) -> None:
        if command.startswith("FETCH"):
            peers.append(peer)
            peer.writer.write(b"".join(cut(ref))[:3000])
            asyncio.get_running_loop().call_later(0.1, peer.writer.write, b"".join(cut(ref))[3000:])
        else:
            assert peer.writer.transport.get_write_buffer_size() == 0
            echo(peer, ref, command)

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        fetching = asyncio.create_task(fetch(link))
        (status,) = await waiting(link, "STATUS")
        many = asyncio.create_task(link.request_many([Command("C1"), Command("C2")]))
        second = asyncio.create_task(fetch(link))
        await waiting(link)
        assert link._waiting.keys() == {0}
        fetching_again = asyncio.create_task(fetch(link))
        assert await fetching == PIXELS
        assert await status == "STATUS"
        assert await many == ["C1", "C2"]
        assert await second == PIXELS
        assert await fetching_again == PIXELS
    assert peers


async def test_a_cancelled_fetch_leaves_the_link_usable(scripted: Scripted) -> None:
    started = asyncio.Event()

    def act(peer: Any, ref: bytes, command: str) -> None:
        if command == "SYSTEM":
            echo(peer, ref, command)
            return
        peer.writer.write(b"".join(cut(ref))[:2500])
        started.set()
        asyncio.get_running_loop().call_later(0.1, peer.writer.write, b"".join(cut(ref))[2500:])

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        counts: list[int] = []
        task = asyncio.create_task(link.fetch(FETCH, memoryview(bytearray(BLOCKS * 1024)), counts.append))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = list(counts)
        assert await link.request(Command("SYSTEM")) == "SYSTEM"
        assert counts == before, "the progress of a fetch that nobody waits for"
        assert await fetch(link) == PIXELS


async def test_a_cancelled_fetch_that_ends_in_silence_is_missed_by_whoever_waits_for_it(scripted: Scripted) -> None:
    started = asyncio.Event()

    def act(peer: Any, ref: bytes, _command: str) -> None:
        peer.writer.write(b"".join(cut(ref))[:2500])
        started.set()

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        task = asyncio.create_task(fetch(link, Command(FETCH.text, timeout=0.1, blocks=BLOCKS)))
        await started.wait()
        task.cancel()
        with pytest.raises(CommandTimeoutError, match="FETCH"):
            await link.request(Command("SYSTEM"))


FIRST_RECORDS = range(2 * 1028 + 8)
LAST_BLOCK = range((BLOCKS - 1) * 1028 - 8, BLOCKS * 1028)


@pytest.mark.parametrize("positions", [FIRST_RECORDS, LAST_BLOCK], ids=["first records", "last block"])
async def test_a_fetch_cut_at_any_byte(scripted: Scripted, positions: range) -> None:
    limit = 0

    def act(peer: Any, ref: bytes, _command: str) -> None:
        peer.writer.write(b"".join(cut(ref))[:limit])
        if limit < BLOCKS * 1028:
            peer.writer.close()

    async with scripted(act) as port:
        for position in positions:
            limit = position
            async with connect("127.0.0.1", port) as link:
                results = await asyncio.gather(fetch(link), link.request(NEVER), link.lost(), return_exceptions=True)
            assert all(isinstance(result, LinkError) for result in results), position
        limit = BLOCKS * 1028
        async with connect("127.0.0.1", port) as link:
            assert await fetch(link) == PIXELS


@pytest.mark.parametrize("piece", [1, 3, 1027, 1028, 1029, 5000])
async def test_a_fetch_in_pieces_of_any_size(scripted: Scripted, piece: int) -> None:
    async def dribble(peer: Any, ref: bytes) -> None:
        wire = b"".join(cut(ref))
        for start in range(0, len(wire), piece):
            peer.writer.write(wire[start : start + piece])
            await peer.writer.drain()

    tasks: list[asyncio.Task[None]] = []
    async with (
        scripted(lambda peer, ref, _command: tasks.append(asyncio.create_task(dribble(peer, ref)))) as port,
        connect("127.0.0.1", port) as link,
    ):
        assert await fetch(link) == PIXELS
        await asyncio.gather(*tasks)
