"""The process that serves PVAccess, as the IOC has it."""

import asyncio
import os
from collections.abc import Iterator

import psutil
import pytest

from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Text
from archon_ioc.serve.pva_link import pva_process
from archon_ioc.serve.pva_messages import Listening, RecordSpec, Serve, Show

RECORD = RecordSpec("T:X", Text(1 << 20), "An X", writable=False)


@pytest.fixture(autouse=True)
def environment(ca_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ca_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert processes() == []


def processes() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "archon_ioc.serve.pva_process" in one.cmdline()]


async def test_it_listens_and_ends_with_the_block() -> None:
    async with pva_process([]) as link:
        link.send(Serve((RECORD,), ()))
        told = await anext(link.messages())
        assert isinstance(told, Listening)
        assert told.port > 0
        (process,) = processes()
    assert not process.is_running()


async def test_what_it_was_told_ends_with_it() -> None:
    async with pva_process([]) as link:
        link.send(Serve((RECORD,), ()))
        messages = link.messages()
        await anext(messages)
        processes()[0].kill()
        assert [message async for message in messages] == []
        link.send(Show(0, Reading("nobody hears this"), 0.0))


async def test_one_that_takes_nothing_is_ended() -> None:
    async with pva_process([]) as link:
        link.send(Serve((RECORD,), ()))
        messages = link.messages()
        await anext(messages)
        processes()[0].suspend()
        for _ in range(70):
            link.send(Show(0, Reading("x" * 1_000_000), 0.0))
            await asyncio.sleep(0)
        assert [message async for message in messages] == []


async def test_memories_are_given_to_it() -> None:
    descriptor = os.memfd_create("test")
    try:
        async with pva_process([descriptor]) as link:
            link.send(Serve((), ("T:Image",)))
            assert isinstance(await anext(link.messages()), Listening)
            (process,) = processes()
            assert process.cmdline()[-1] == str(descriptor)
    finally:
        os.close(descriptor)
