"""Time limits that become short when the program stops."""

import asyncio

import pytest

from archon_ioc.exposure.patience import Patience


async def test_a_limit() -> None:
    patience = Patience()
    with pytest.raises(TimeoutError):
        async with patience.limit(0.01):
            await asyncio.Event().wait()
    async with patience.limit(10.0):
        pass


async def test_what_runs_without_a_limit_gets_one() -> None:
    patience, begun = Patience(), asyncio.Event()

    async def wait() -> None:
        async with patience.limit(None):
            begun.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await begun.wait()
    patience.shorten(0.01)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 5)


async def test_what_begins_later_gets_what_is_left() -> None:
    patience = Patience()
    patience.shorten(0.01)
    with pytest.raises(TimeoutError):
        async with patience.limit(10.0):
            await asyncio.Event().wait()
    patience.shorten(10.0)
    async with patience.limit(None):
        await asyncio.sleep(0)


async def test_a_shorter_limit_stays() -> None:
    patience = Patience()
    patience.shorten(100.0)
    with pytest.raises(TimeoutError):
        async with patience.limit(0.01):
            await asyncio.Event().wait()


async def test_two_that_stop_at_the_same_time() -> None:
    patience = Patience()

    async def wait() -> None:
        async with patience.limit(None):
            patience.shorten(0.0)
            patience.shorten(0.0)
            try:
                await asyncio.Event().wait()
            finally:
                patience.shorten(0.0)  # while it is being cut short

    with pytest.raises(TimeoutError):
        await wait()
