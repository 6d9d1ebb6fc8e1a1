"""A value that can be watched: nobody misses the last change, nobody holds up the writer."""

import asyncio

import pytest

from archon_ioc.live import Live


async def collect(live: Live[int], into: list[int], last: int) -> None:
    async for value in live.watch():
        into.append(value)
        if value == last:
            return


async def turn() -> None:
    """Let every other task run up to its next wait."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(lambda: loop.call_soon(done.set_result, None))
    await done


async def test_a_watcher_gets_the_present_value_and_every_change_it_has_time_for() -> None:
    live, seen = Live(0), list[int]()
    async with asyncio.TaskGroup() as group:
        group.create_task(collect(live, seen, last=3))
        for value in (1, 2, 3):
            await turn()
            live.set(value)
    assert seen == [0, 1, 2, 3]


async def test_a_slow_watcher_skips_values_but_not_the_last() -> None:
    live, seen = Live(0), list[int]()
    async with asyncio.TaskGroup() as group:
        group.create_task(collect(live, seen, last=1000))
        await turn()
        for value in range(1, 1001):
            live.set(value)
    assert seen == [0, 1000]


async def test_a_change_while_the_watcher_is_busy_is_not_missed() -> None:
    live = Live(0)
    seen: list[int] = []
    async for value in live.watch():
        seen.append(value)
        if value == 2:
            break
        live.set(value + 1)
    assert seen == [0, 1, 2]


async def test_many_watchers() -> None:
    live, seen = Live(0), [list[int]() for _ in range(50)]
    async with asyncio.TaskGroup() as group:
        for one in seen:
            group.create_task(collect(live, one, last=7))
        await turn()
        live.set(7)
    assert seen == [[0, 7]] * 50


async def test_the_same_object_wakes_nobody() -> None:
    state = object()
    live = Live(state)
    watcher = live.watch()
    assert await anext(watcher) is state
    waiting = asyncio.ensure_future(anext(watcher))
    live.set(state)
    await turn()
    assert not waiting.done()
    live.set(other := object())
    assert await waiting is other


async def test_until_returns_at_once_or_when_it_is_so() -> None:
    live = Live(1)
    assert await live.until(lambda value: value == 1, timeout=0) == 1
    waiting = asyncio.ensure_future(live.until(lambda value: value > 2))
    for value in (2, 3):
        await turn()
        assert not waiting.done()
        live.set(value)
    assert await waiting == 3


async def test_until_gives_up() -> None:
    live = Live(1)
    with pytest.raises(TimeoutError):
        await live.until(lambda value: value == 2, timeout=0.01)
    live.set(2)  # nobody is waiting any more; nothing happens
    assert live.value == 2


async def test_a_watcher_that_is_cancelled_leaves_nothing_behind() -> None:
    live = Live(0)
    tasks = [asyncio.ensure_future(live.until(lambda value: value == 1)) for _ in range(3)]
    await turn()
    tasks[1].cancel()
    live.set(1)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == results[2] == 1
    assert isinstance(results[1], asyncio.CancelledError)
    assert live._waiters == []


def test_a_follower_is_never_behind() -> None:
    live, seen = Live(0), list[int]()
    live.follow(seen.append)
    live.set(1)
    live.set(1)
    live.set(2)
    assert seen == [0, 1, 2]
