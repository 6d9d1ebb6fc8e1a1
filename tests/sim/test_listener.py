"""A port and the tasks of its clients."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from archon_ioc.sim.listener import Listener, reset_on_close

Connect = Any  # of conftest.py


@asynccontextmanager
async def listening(serve: Any) -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener(serve)
    try:
        yield listener, listener.open("127.0.0.1", 0)
    finally:
        await listener.close()


async def echo(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while received := await loop.sock_recv(client, 100):
        await loop.sock_sendall(client, received)


async def test_every_client_is_served_by_itself(connect: Connect) -> None:
    async with listening(echo) as (_, port), connect(port) as first, connect(port) as second:
        for client, text in ((second, b"B\n"), (first, b"A\n")):
            client.writer.write(text)
            assert await client.line() == text.decode().strip()


async def test_all_clients_can_be_cut_and_come_again(connect: Connect) -> None:
    async with listening(echo) as (listener, port):
        async with connect(port) as first, connect(port) as second:
            for client in (first, second):
                client.writer.write(b"A\n")
                await client.line()
            listener.cut()
            assert await first.is_cut()
            assert await second.is_cut()
        async with connect(port) as client:
            client.writer.write(b"A\n")
            assert await client.line() == "A"


async def test_a_port_can_refuse_everybody_for_a_while(connect_again: Connect) -> None:
    async with listening(echo) as (listener, port):
        for seconds in (0.0, 0.05):
            async with connect_again(port) as client:
                client.writer.write(b"A\n")
                assert await client.line() == "A"
                listener.refuse_for(seconds)
                assert await client.is_cut()
        listener.refuse_for(60.0)
        listener.refuse_for(60.0)
        for _ in range(5):
            await asyncio.sleep(0)  # until the port is closed
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        listener.refuse_for(0.01)
        async with connect_again(port) as client:
            client.writer.write(b"B\n")
            assert await client.line() == "B"


async def test_a_connection_can_end_with_a_reset() -> None:
    async def reset(client: socket.socket) -> None:
        await asyncio.get_running_loop().sock_recv(client, 100)
        reset_on_close(client)

    async with listening(reset) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"A\n")
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.close()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()


async def test_the_end_ends_every_task_and_socket() -> None:
    async with listening(echo) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"A\n")
        await reader.readline()
        more = listener.start(asyncio.Event().wait(), "more")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    assert more.cancelled()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_failure_is_told_at_the_end() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    listener = Listener(echo)
    await asyncio.wait([listener.start(fail(), "failure")])
    with pytest.raises(ZeroDivisionError):
        await listener.close()


async def test_a_client_that_goes_away_is_no_failure(connect: Connect) -> None:
    async with listening(echo) as (_, port):
        async with connect(port) as client:
            client.writer.write(b"A\n")
            await client.line()
            client.writer.transport.abort()
        async with connect(port) as client:
            client.writer.write(b"B\n")
            assert await client.line() == "B"
