"""One life of one link, against a server that does what no controller should."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from archon_ioc.driver.connection import WINDOW, Connection, connect
from archon_ioc.errors import CommandTimeoutError, InputError, LinkError, ProtocolError, RejectedError
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
    """Answer every command but NEVER with its own text; WRONG is rejected, FETCH is answered with blocks."""
    if command.startswith("FETCH"):
        peer.writer.write(b"".join(cut(ref)))
    elif command.startswith("WRONG"):
        peer.writer.write(b"?" + ref + b"\n")
    elif command != "NEVER":
        peer.reply(ref, command.encode())


@pytest.fixture
async def link(scripted: Scripted) -> AsyncIterator[Connection]:
    async with scripted(echo) as port, connect("127.0.0.1", port) as connection:
        yield connection


@pytest.fixture
def linked(scripted: Scripted) -> Callable[[Act], AbstractAsyncContextManager[Connection]]:
    @asynccontextmanager
    async def run(act: Act) -> AsyncIterator[Connection]:
        async with scripted(act) as port, connect("127.0.0.1", port) as connection:
            yield connection

    return run


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


# Requests


async def test_a_request_returns_the_text_of_its_reply(link: Connection) -> None:
    assert await link.request(Command("SYSTEM")) == "SYSTEM"


async def test_a_text_that_begins_with_a_colon_is_no_block(link: Connection) -> None:
    assert await link.request(Command(":text")) == ":text"


async def test_a_rejection_names_the_command_and_leaves_the_link_usable(link: Connection) -> None:
    with pytest.raises(RejectedError, match="WRONG1"):
        await link.request(Command("WRONG1"))
    assert await link.request(Command("SYSTEM")) == "SYSTEM"


async def test_more_requests_than_references_one_after_the_other(link: Connection) -> None:
    for n in range(600):
        assert await link.request(Command(f"C{n}")) == f"C{n}"


async def test_requests_at_the_same_time_get_their_own_replies(link: Connection) -> None:
    texts = [f"C{n}" for n in range(600)]
    assert await asyncio.gather(*(link.request(Command(text)) for text in texts)) == texts


async def test_a_text_that_cannot_be_sent_is_refused_and_nothing_is_sent(
    linked: Callable[[Act], AbstractAsyncContextManager[Connection]],
) -> None:
    heard: list[str] = []

    def listen(peer: Any, ref: bytes, command: str) -> None:
        heard.append(command)
        echo(peer, ref, command)

    async with linked(listen) as link:
        for _ in range(300):  # more often than there are references
            with pytest.raises(InputError):
                await link.request_many([Command("FIRST"), Command("two\nlines")])
        assert await link.request(Command("SYSTEM")) == "SYSTEM"
    assert heard == ["SYSTEM"]


# Opening


async def test_nobody_at_the_port(unused_port: int) -> None:
    with pytest.raises(LinkError, match=f"cannot connect to 127.0.0.1:{unused_port}"):
        async with connect("127.0.0.1", unused_port):
            pass


@pytest.fixture
async def unused_port(scripted: Scripted) -> int:
    async with scripted(echo) as port:
        pass
    return port


@pytest.mark.parametrize(("host", "port"), [("a..b", 4242), ("127.0.0.1", 70_000), ("x" * 70, 4242)])
async def test_an_address_that_is_none(host: str, port: int) -> None:
    with pytest.raises(LinkError, match="cannot connect"):
        async with connect(host, port):
            pass


async def test_an_attempt_to_connect_has_a_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(LinkError, match="not answer within 0 s"):
        async with connect("127.0.0.1", listener.getsockname()[1], timeout=0):
            pass


# Breaking


async def test_a_reply_that_never_comes(link: Connection) -> None:
    first, second = asyncio.create_task(link.request(Command("NEVER", timeout=0.05))), *await waiting(link, "NEVER")
    errors = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(errors[0], CommandTimeoutError)
    assert (errors[0].command, errors[0].seconds) == ("NEVER", 0.05)
    assert errors[1] is errors[0]
    assert await link.lost() is errors[0]
    with pytest.raises(CommandTimeoutError):
        await link.request(Command("SYSTEM"))


async def test_a_silent_command_is_missed_when_its_asker_has_gone(link: Connection) -> None:
    task = asyncio.create_task(link.request(Command("NEVER", timeout=0.05)))
    await waiting(link)
    task.cancel()
    async with asyncio.timeout(5):
        assert isinstance(await link.lost(), CommandTimeoutError)


async def test_waiting_for_ones_turn_is_no_silence(scripted: Scripted) -> None:
    """The controller does one command at a time: the time-out runs from when the one before was answered."""

    def act(peer: Any, ref: bytes, command: str) -> None:
        if command == "SLOW":
            asyncio.get_running_loop().call_later(0.3, peer.reply, ref, b"")
        else:
            asyncio.get_running_loop().call_later(0.32, peer.reply, ref, b"quick")

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        slow, quick = await asyncio.gather(
            link.request(Command("SLOW", timeout=10)), link.request(Command("QUICK", timeout=0.2))
        )
    assert (slow, quick) == ("", "quick")


@pytest.mark.parametrize(
    "noise",
    [
        b"garbage\n",
        b"\x00\xff",
        b"<QF000000001\n",
        b"<XF:\n",
        b"<SFAUTOFETCH=1\n",
        b"<G0text\n",
        b"<FFreply to nobody\n",
        b"?FF\n",
        b"?00 text\n",
        b"<00" + b"x" * 70_000,
        b">00SYSTEM\n",
    ],
)
async def test_bytes_that_the_protocol_does_not_allow(scripted: Scripted, noise: bytes) -> None:
    async with (
        scripted(lambda peer, _ref, _command: peer.writer.write(noise)) as port,
        connect("127.0.0.1", port) as link,
    ):
        results = await asyncio.gather(
            *(link.request(Command(f"C{n}", timeout=10)) for n in range(3)), return_exceptions=True
        )
    assert all(isinstance(result, ProtocolError) for result in results)
    assert results[0] is results[1] is results[2]


async def test_the_controller_closes_the_connection(scripted: Scripted) -> None:
    async with (
        scripted(lambda peer, _ref, _command: peer.writer.close()) as port,
        connect("127.0.0.1", port) as link,
    ):
        with pytest.raises(LinkError, match=r"closed|lost"):
            await link.request(NEVER)


async def test_closing_fails_whoever_waits_with_the_reason(link: Connection) -> None:
    tasks = await waiting(link, "NEVER", "NEVER")
    link.close("no more")
    link.close("second reason")
    for task in tasks:
        with pytest.raises(LinkError, match=r"^no more$"):
            await task


async def test_the_end_of_the_block_closes_the_socket(scripted: Scripted) -> None:
    ended: list[asyncio.Task[None]] = []

    def act(peer: Any, ref: bytes, command: str) -> None:
        peer.reply(ref)
        ended.append(asyncio.create_task(peer.writer.wait_closed()))

    async with scripted(act) as port:
        async with connect("127.0.0.1", port) as link:
            await link.request(Command("SYSTEM"))
        async with asyncio.timeout(5):
            await asyncio.gather(*ended, return_exceptions=True)


# References


async def test_a_cancelled_request_keeps_its_reference_until_its_reply_comes(scripted: Scripted) -> None:
    held: list[tuple[Any, bytes]] = []
    used: list[bytes] = []

    def act(peer: Any, ref: bytes, command: str) -> None:
        if command == "NEVER":
            held.append((peer, ref))
        else:
            used.append(ref)
            peer.reply(ref, command.encode())

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        (task,) = await waiting(link, "NEVER")
        task.cancel()
        for n in range(600):
            assert await link.request(Command(f"C{n}")) == f"C{n}"
        ((peer, ref),) = held
        assert ref not in used
        peer.reply(ref, b"too late")
        used.clear()
        for n in range(300):
            assert await link.request(Command(f"D{n}")) == f"D{n}"
        assert ref in used


async def test_unanswered_commands_do_not_use_up_the_references(scripted: Scripted) -> None:
    heard: list[str] = []
    async with (
        scripted(lambda _peer, _ref, command: heard.append(command)) as port,
        connect("127.0.0.1", port) as link,
    ):
        silent = Command("NEVER", timeout=0.2)
        errors = await asyncio.gather(*(link.request(silent) for _ in range(300)), return_exceptions=True)
    assert len(heard) == WINDOW
    assert isinstance(errors[0], CommandTimeoutError)
    assert all(error is errors[0] for error in errors)


# Many at once


async def test_many_commands_are_answered_in_order(link: Connection) -> None:
    texts = [f"C{n}" for n in range(300)]
    counts: list[int] = []
    assert await link.request_many([Command(text) for text in texts], counts.append) == texts
    assert counts == sorted(counts)
    assert counts[-1] == 300


async def test_no_commands_have_no_replies(link: Connection) -> None:
    assert await link.request_many([]) == []


async def test_of_many_commands_never_more_than_a_window_is_on_the_way(scripted: Scripted) -> None:
    outstanding: list[tuple[Any, bytes]] = []
    most = 0
    timer: asyncio.TimerHandle | None = None

    def answer_all() -> None:
        nonlocal most
        most = max(most, len(outstanding))
        for peer, ref in outstanding:
            peer.reply(ref)
        outstanding.clear()

    def act(peer: Any, ref: bytes, command: str) -> None:
        nonlocal timer
        outstanding.append((peer, ref))
        if timer:
            timer.cancel()
        timer = asyncio.get_running_loop().call_later(0.05, answer_all)  # when nothing more comes

    async with scripted(act) as port, connect("127.0.0.1", port) as link:
        await link.request_many([Command(f"C{n}") for n in range(3 * WINDOW + 10)])
    assert most == WINDOW


async def test_the_first_rejection_of_many_is_raised_and_the_link_stays_in_step(link: Connection) -> None:
    texts = [f"C{n}" for n in range(10)] + ["WRONG1", "WRONG2"] + [f"D{n}" for n in range(100)]
    with pytest.raises(RejectedError, match="WRONG1"):
        await link.request_many([Command(text) for text in texts])
    assert await link.request(Command("SYSTEM")) == "SYSTEM"


async def test_one_missing_reply_of_many_breaks_the_link(link: Connection) -> None:
    texts = [*(f"C{n}" for n in range(10)), "NEVER", *(f"D{n}" for n in range(10))]
    with pytest.raises(CommandTimeoutError, match="NEVER"):
        await link.request_many([Command(text, timeout=0.1) for text in texts])


async def test_many_requests_that_were_cancelled_leave_the_link_usable(link: Connection) -> None:
    for _ in range(20):
        task = asyncio.create_task(link.request_many([Command(f"C{n}") for n in range(200)]))
        await waiting(link)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await link.request(Command("SYSTEM")) == "SYSTEM"


# Fetch


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
