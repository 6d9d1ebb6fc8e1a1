"""Work in the background: in order, one piece at a time, and no error is forgotten."""

import asyncio
import gc

import pytest

from archon_ioc.errors import ControllersError, SaveError
from archon_ioc.exposure.backlog import Backlog


class Bench:
    """Work that waits to be released and tells when it begins."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.released = asyncio.Event()

    async def work(self, name: str, error: Exception | None = None) -> None:
        self.began.append(name)
        await self.released.wait()
        if error:
            raise error


async def turns() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_controller_has_its_own_turn() -> None:
    backlog, bench = Backlog(), Bench()
    await backlog.put("a", bench.work("a1"))
    await backlog.put("b", bench.work("b1"))
    second = asyncio.create_task(backlog.put("a", bench.work("a2")))
    await turns()
    assert (bench.began, second.done()) == (["a1", "b1"], False)
    bench.released.set()
    await second
    await backlog.empty()
    assert bench.began == ["a1", "b1", "a2"]
    await backlog.empty()


async def test_an_error_is_told_when_all_is_done() -> None:
    backlog, bench = Backlog(), Bench()
    bench.released.set()
    await backlog.put("a", bench.work("a1", SaveError("a", "no space")))
    await backlog.put("a", bench.work("a2"))
    assert backlog.has_failed
    with pytest.raises(SaveError, match="no space"):
        await backlog.empty()
    assert bench.began == ["a1", "a2"]
    assert not backlog.has_failed


async def test_no_error_of_several_is_left_to_the_garbage_collector(caplog: pytest.LogCaptureFixture) -> None:
    backlog, bench = Backlog(), Bench()
    bench.released.set()
    for number in (1, 2):
        await backlog.put("a", bench.work(f"a{number}", SaveError(f"a{number}", "no space")))
    with pytest.raises(SaveError, match="a1"):
        await backlog.empty()
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == [
        "another image could not be saved: cannot write a2: no space"
    ]


async def test_errors_of_several_controllers_are_told_together() -> None:
    backlog, bench = Backlog(), Bench()
    for name in ("a", "b"):
        await backlog.put(name, bench.work(name, SaveError(name, "no space")))
    bench.released.set()
    with pytest.raises(ControllersError, match=r"a: .*no space.*b: .*no space"):
        await backlog.empty()


async def test_nothing_is_cut_short() -> None:
    backlog, bench = Backlog(), Bench()
    await backlog.put("a", bench.work("a1"))
    second = asyncio.create_task(backlog.put("a", bench.work("a2")))
    await turns()
    second.cancel()
    await turns()
    assert second.cancelled(), "nobody has to wait for the disk"
    emptying = asyncio.create_task(backlog.empty())
    await turns()
    emptying.cancel()
    await turns()
    assert not emptying.done()
    bench.released.set()
    await asyncio.wait([emptying])
    await backlog.empty()
    assert bench.began == ["a1", "a2"]
