import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from archon_ioc.serve.sending import LARGE, Sender, sending_threads


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with sending_threads() as threads:
        yield threads


class Line:
    """A sender, and the other end of its connection."""

    def __init__(self, sender: Sender, other: socket.socket) -> None:
        self.sender, self.other = sender, other

    async def read(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count and (data := await asyncio.get_running_loop().sock_recv(self.other, 1 << 20)):
            got += data
        return bytes(got)


@contextlib.asynccontextmanager
async def connected(threads: ThreadPoolExecutor) -> AsyncIterator[Line]:
    ours, other = socket.socketpair()
    other.setblocking(False)
    _, writer = await asyncio.open_connection(sock=ours)
    sender = Sender(writer, threads)
    with other:
        yield Line(sender, other)
        sender.abort()
        sender.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def noise(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


async def test_small_and_large_parts_arrive_whole_and_in_order(threads: ThreadPoolExecutor) -> None:
    parts = [b"head", noise(LARGE), noise(LARGE + 1).data, b"", noise(20_000_001), b"tail"]
    whole = b"".join(bytes(part) for part in parts)
    async with connected(threads) as line:
        sending = asyncio.create_task(line.sender.send(parts))
        assert await line.read(len(whole)) == whole
        await sending


async def test_numbers_of_any_order_are_sent_as_they_are(threads: ThreadPoolExecutor) -> None:
    pixels = np.arange(100_000, dtype=">i4")
    async with connected(threads) as line:
        sending = asyncio.create_task(line.sender.send([pixels]))
        assert await line.read(pixels.nbytes) == pixels.tobytes()
        await sending


async def test_messages_do_not_mix(threads: ThreadPoolExecutor) -> None:
    messages = [[bytes([number]) * 10, noise(3_000_000 + number), bytes([number])] for number in range(5)]
    whole = b"".join(bytes(part) for message in messages for part in message)
    async with connected(threads) as line:
        sending = asyncio.gather(*[line.sender.send(message) for message in messages])
        assert await line.read(len(whole)) == whole
        await sending


async def test_more_clients_that_do_not_read_than_threads_hold_up_nobody(threads: ThreadPoolExecutor) -> None:
    image = noise(10_000_000)
    async with contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(threads)) for _ in range(5)]
        blocked = [asyncio.create_task(line.sender.send([image])) for line in silent]
        async with connected(threads) as line:
            sending = asyncio.create_task(line.sender.send([image]))
            assert len(await line.read(len(image))) == len(image)
            await sending
        assert not any(task.done() for task in blocked)
        for line in silent:
            line.sender.abort()
        assert all(isinstance(error, OSError) for error in await asyncio.gather(*blocked, return_exceptions=True))


@pytest.mark.parametrize("size", [10_000_000, LARGE])
async def test_a_client_that_takes_nothing_is_given_up(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("archon_ioc.serve.sending.SEND_TIMEOUT", 0.05)
    async with connected(threads) as line:
        with pytest.raises(TimeoutError):
            await line.sender.send([noise(size)] * 100)


async def test_a_client_may_be_slow(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that takes nothing at all is given up."""
    monkeypatch.setattr("archon_ioc.serve.sending.SEND_TIMEOUT", 0.2)
    image = noise(2_000_000)
    async with connected(threads) as line:
        sending = asyncio.create_task(line.sender.send([image]))
        got = 0
        async with asyncio.timeout(10):
            while got < len(image):
                await asyncio.wait([sending], timeout=0.02)
                got += len(await asyncio.get_running_loop().sock_recv(line.other, 50_000))
        await sending


async def test_a_client_that_leaves_ends_the_sending(threads: ThreadPoolExecutor) -> None:
    async with connected(threads) as line:
        sending = asyncio.create_task(line.sender.send([noise(10_000_000)]))
        await line.read(1000)
        line.other.close()
        with pytest.raises(OSError, match=r"pipe|reset"):
            await sending


async def test_a_value_is_let_go_when_its_sending_is_cancelled(threads: ThreadPoolExecutor) -> None:
    """The thread must be done with the connection before somebody closes it, and that it is broken is no news."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with connected(threads) as line:
        sending = asyncio.create_task(line.sender.send([noise(50_000_000)]))
        await line.read(1000)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        line.sender.close()
        assert await asyncio.wrap_future(threads.submit(lambda: True))
    del sending
    gc.collect()
    assert told == []
