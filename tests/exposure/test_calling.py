"""The site's own functions: async or plain, and whatever they raise."""

import asyncio
import threading
from functools import partial

import pytest

from archon_ioc.exposure.calling import called, is_async


class Guide:
    """Objects may be hooks, too."""

    async def __call__(self, seen: list[str]) -> None:
        seen.append(threading.current_thread().name)


async def remember(seen: list[str]) -> None:
    seen.append(threading.current_thread().name)


def remember_plainly(seen: list[str]) -> None:
    seen.append(threading.current_thread().name)


async def test_an_async_one_runs_in_the_loop() -> None:
    seen: list[str] = []
    for function in (remember, Guide(), partial(remember)):
        assert is_async(function)
        await called(function, seen)
    assert seen == ["MainThread"] * 3


async def test_a_plain_one_runs_in_a_thread_that_does_not_keep_the_program() -> None:
    threads: list[threading.Thread] = []
    function = lambda: threads.append(threading.current_thread())  # noqa: E731
    assert not is_async(function)
    await called(function)
    assert threads[0] is not threading.main_thread()
    assert threads[0].daemon


async def test_a_plain_one_may_return_something_to_wait_for() -> None:
    seen: list[str] = []
    await called(lambda: remember(seen))
    assert seen == ["MainThread"]


async def test_the_loop_goes_on_meanwhile() -> None:
    released = threading.Event()
    task = asyncio.create_task(called(lambda: released.wait(10) and None))
    await asyncio.sleep(0)
    released.set()  # by the loop, which is not blocked
    await task


@pytest.mark.parametrize("raised", [KeyError("x"), StopIteration(), SystemExit(3)])
async def test_what_a_plain_one_raises_is_raised(raised: BaseException) -> None:
    def fail() -> None:
        raise raised

    with pytest.raises(KeyError if isinstance(raised, KeyError) else RuntimeError):
        await called(fail)


@pytest.mark.parametrize("raised", [SystemExit(3), asyncio.CancelledError()])
async def test_what_an_async_one_raises_neither_ends_the_program_nor_looks_like_an_abort(raised: BaseException) -> None:
    async def fail() -> None:
        raise raised

    with pytest.raises(RuntimeError):
        await asyncio.create_task(called(fail))


async def test_nobody_is_told_when_nobody_waits_any_more() -> None:
    released, ended = threading.Event(), threading.Event()

    def slow() -> None:
        released.wait(10)
        ended.set()

    task = asyncio.create_task(called(slow))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    released.set()
    assert await asyncio.to_thread(ended.wait, 10)
