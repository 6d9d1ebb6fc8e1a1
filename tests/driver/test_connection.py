"""One life of one link, against a server that does what no controller should."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from archon_ioc.driver.connection import WINDOW, Connection, connect
from archon_ioc.errors import CommandTimeoutError, InputError, LinkError, ProtocolError, RejectedError
from archon_ioc.protocol.commands import Command

Act = Callable[[Any, bytes, str], None]
Scripted = Callable[[Act], AbstractAsyncContextManager[int]]

NEVER = Command("NEVER", timeout=60.0)


def echo(peer: Any, ref: bytes, command: str) -> None:
    """Answer every command but NEVER with its own text; WRONG is rejected."""
    if command.startswith("WRONG"):
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


async def test_a_late_reply_answers_no_other_question(scripted: Scripted) -> None:
    def act(peer: Any, ref: bytes, command: str) -> None:
        delay = 0.1 if command == "LATE" else 0.0
        asyncio.get_running_loop().call_later(delay, peer.reply, ref, command.encode())

    async with scripted(act) as port:
        async with connect("127.0.0.1", port) as link:
            with pytest.raises(CommandTimeoutError):
                await link.request(Command("LATE", timeout=0.05))
        async with connect("127.0.0.1", port) as link:
            for n in range(300):
                assert await link.request(Command(f"C{n}")) == f"C{n}"


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
