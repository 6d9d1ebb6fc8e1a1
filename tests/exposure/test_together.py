"""Controllers do the same at the same time; what one of them does not manage is told, and the others do it."""

import asyncio

import pytest

from archon_ioc.errors import ArchonError, ControllersError, LinkError, SaveError
from archon_ioc.exposure.together import finished, first, side_by_side, together


async def settled() -> None:
    """Let all tasks run until each of them waits."""
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Waits for ``released``, then fails with ``error`` or returns ``result``.

    A cancellation ends in ``error_later`` if that is given.
    """

    def __init__(self, result: int = 0, error: Exception | None = None, error_later: Exception | None = None) -> None:
        self.released = asyncio.Event()
        self.is_over = False
        self._result, self._error, self._error_later = result, error, error_later

    async def __call__(self) -> int:
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            if self._error_later:
                raise self._error_later from None
            raise
        finally:
            self.is_over = True
        if self._error:
            raise self._error
        return self._result


async def test_all_are_done() -> None:
    works = {"b1": Work(1), "b2": Work(2)}
    for work in works.values():
        work.released.set()
    assert await together({name: work() for name, work in works.items()}) == {"b1": 1, "b2": 2}


async def test_one_that_fails_keeps_nobody_from_its_end() -> None:
    works = {"b1": Work(error=LinkError("b1 is not connected")), "b2": Work()}
    both = asyncio.create_task(together({name: work() for name, work in works.items()}))
    works["b1"].released.set()
    await settled()
    assert not both.done()
    works["b2"].released.set()
    with pytest.raises(ControllersError, match=r"^b1 is not connected$") as caught:
        await both
    assert list(caught.value.errors) == ["b1"]
    assert works["b2"].is_over


async def test_all_that_failed_are_named() -> None:
    works = {"b1": Work(error=ArchonError("too hot")), "b2": Work(error=ArchonError("no power"))}
    for work in works.values():
        work.released.set()
    with pytest.raises(ControllersError, match=r"^b1: too hot; b2: no power$"):
        await together({name: work() for name, work in works.items()})


async def test_the_only_one_fails_with_its_own_error() -> None:
    work = Work(error=SaveError("/data/a.fits", "disk full"))
    work.released.set()
    with pytest.raises(SaveError):
        await together({"b1": work()})


async def test_a_bug_is_not_taken_for_a_failure() -> None:
    works = {"b1": Work(error=ZeroDivisionError()), "b2": Work()}
    for work in works.values():
        work.released.set()
    with pytest.raises(ZeroDivisionError):
        await together({name: work() for name, work in works.items()})


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        (None, None, asyncio.CancelledError),
        (LinkError("lost before"), None, asyncio.CancelledError),
        (None, SaveError("/data/a.fits", "disk full"), ControllersError),
    ],
)
async def test_a_cancellation_waits_for_all(
    early: Exception | None, late: Exception | None, expected: type[BaseException]
) -> None:
    works = {"b1": Work(error=early), "b2": Work(error_later=late)}
    both = asyncio.create_task(together({name: work() for name, work in works.items()}))
    if early:
        works["b1"].released.set()
    await settled()
    both.cancel()
    with pytest.raises(expected):
        await both
    assert works["b1"].is_over
    assert works["b2"].is_over


async def test_the_first_ends_the_others() -> None:
    works = [Work(), Work()]
    waiting = asyncio.create_task(first(work() for work in works))  # type: ignore[misc]
    works[1].released.set()
    await waiting
    assert works[0].is_over


async def test_the_first_may_fail() -> None:
    works = [Work(), Work(error=LinkError("lost"))]
    works[1].released.set()
    with pytest.raises(LinkError, match="lost"):
        await first(work() for work in works)  # type: ignore[misc]
    assert works[0].is_over


async def test_what_must_be_finished_is() -> None:
    work = Work()
    waiting = asyncio.create_task(finished(work()))  # type: ignore[arg-type]
    await settled()
    waiting.cancel()
    await settled()
    assert not waiting.done()
    work.released.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.is_over


async def test_side_by_side_each_goes_to_its_end_and_the_first_error_is_told() -> None:
    works = [Work(error=SaveError("a", "full")), Work(error=LinkError("lost")), Work()]
    done = asyncio.create_task(side_by_side(*(work() for work in works)))
    for work in reversed(works):
        await settled()
        assert not done.done()
        work.released.set()
    with pytest.raises(SaveError, match="full"):
        await done
    assert all(work.is_over for work in works)


async def test_side_by_side_a_cancellation_cancels_all() -> None:
    works = [Work(), Work()]
    done = asyncio.create_task(side_by_side(*(work() for work in works)))
    await settled()
    done.cancel()
    with pytest.raises(asyncio.CancelledError):
        await done
    assert all(work.is_over for work in works)
