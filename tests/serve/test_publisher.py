import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from archon_ioc.live import Live
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Array, Int, Pixels, Pv
from archon_ioc.serve.publisher import Publisher


class Nobody:
    def accepted(self) -> None: ...

    def refused(self, message: str) -> None: ...


class Posted:
    """Keeps what was posted; ``gate`` holds each posting up."""

    def __init__(self) -> None:
        self.values: list[tuple[str, Any]] = []
        self.first: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.news = Live(0)

    async def __call__(self, table: Any, row: Any, reading: Reading, timestamp: float, *, is_news: bool) -> None:
        await self.gate.wait()
        name = table.prefix + row.name
        self.values.append((name, reading.value))
        if not is_news:
            self.first.append(name)
        self.news.set(len(self.values))

    def take(self) -> list[tuple[str, Any]]:
        taken, self.values = self.values, []
        return taken


def row(name: str) -> Pv[Any, Any]:
    return Pv(name=name, kind=Int(), doc="A number", group="Test", read=lambda value: value)


ROW = row("N")
IMAGE: Pv[Any, Any] = Pv(name="Image", kind=Pixels(4), doc="An image", group="Test", read=lambda _: None)


def table(prefix: str, live: Live[Any], *rows: Pv[Any, Any]) -> Table[Any, Any]:
    return Table(prefix, rows or (ROW,), live, Nobody())


@asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(publisher.run())
        yield
        task.cancel()


async def test_what_was_true_before_is_never_shown_after() -> None:
    """The camera ends after its plugin has counted; a pass that began in between shows neither or both."""
    counter, acquire = Live(0), Live(1)
    posted = Posted()
    publisher = Publisher([table("plugin:", counter), table("camera:", acquire)], posted)
    await publisher.flush()
    posted.take()

    counter.set(1)
    posted.gate.clear()
    passing = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    counter.set(2)
    acquire.set(0)
    posted.gate.set()
    await passing
    assert posted.take() == [("plugin:N", 1)]
    await publisher.flush()
    assert posted.take() == [("plugin:N", 2), ("camera:N", 0)]


async def test_a_flush_shows_what_was_set_before_it_even_during_a_pass() -> None:
    live = Live(0)
    posted = Posted()
    publisher = Publisher([table("", live)], posted)
    posted.gate.clear()
    passing = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    live.set(1)
    posted.gate.set()
    await publisher.flush()
    assert posted.take() == [("N", 0), ("N", 1)]
    assert passing.done()


async def test_changes_of_any_table_are_followed_and_the_last_is_never_missed() -> None:
    lives = [Live(0) for _ in range(3)]
    posted = Posted()
    publisher = Publisher([table(f"{number}:", live) for number, live in enumerate(lives)], posted)
    async with running(publisher):
        for value in range(1, 100):
            for live in lives:
                live.set(value)
            await asyncio.sleep(0)
        await posted.news.until(lambda _: posted.values[-3:] == [(f"{number}:N", 99) for number in range(3)], 5)
        assert len(posted.values) < 60


async def test_tables_whose_state_is_the_same_are_not_rendered() -> None:
    reads = 0

    def read(value: int) -> int:
        nonlocal reads
        reads += 1
        return value

    counted = Pv(name="N", kind=Int(), doc="A number", group="Test", read=read)
    idle, busy = Live(0), Live(0)
    publisher = Publisher([table("busy:", busy), *(table(f"{n}:", idle, counted, IMAGE) for n in range(30))], Posted())
    await publisher.flush()
    assert reads == 30
    for value in range(1, 10):
        busy.set(value)
        await publisher.flush()
    assert reads == 30
    idle.set(1)
    await publisher.flush()
    assert reads == 60


async def test_a_marked_row_is_posted_once_more_and_that_is_no_news() -> None:
    first, second = table("", Live(0), row("A"), row("B")), table("other:", Live(0))
    posted = Posted()
    publisher = Publisher([first, second], posted)
    await publisher.flush()
    assert posted.first == ["A", "B", "other:N"]
    posted.take()
    publisher.mark(first, first.rows[1])
    await publisher.flush()
    await publisher.flush()
    assert posted.take() == [("B", 0)]
    assert posted.first == ["A", "B", "other:N", "B"]


async def test_a_row_marked_during_a_pass_is_posted_by_the_next() -> None:
    shown = table("", Live(0), row("A"), row("B"))
    posted = Posted()
    publisher = Publisher([shown], posted)
    await publisher.flush()
    shown.live.set(1)
    posted.gate.clear()
    passing = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    publisher.mark(shown, shown.rows[1])
    posted.gate.set()
    await passing
    publisher.mark(shown, shown.rows[0])
    await publisher.flush()
    assert posted.values[-1] == ("A", 1)
    assert posted.first == ["A", "B", "B", "A"]


async def test_a_pass_that_is_cancelled_leaves_nothing_out() -> None:
    live = Live(0)
    posted = Posted()
    publisher = Publisher([table("", live, row("A"), row("B"))], posted)
    posted.gate.clear()
    passing = asyncio.create_task(publisher.flush())
    await asyncio.sleep(0)
    passing.cancel()
    await asyncio.wait([passing])
    posted.gate.set()
    await publisher.flush()
    assert posted.take() == [("A", 0), ("B", 0)]


async def test_arrays_are_compared_by_their_values() -> None:
    levels: Pv[Any, Any] = Pv(name="F", kind=Array(3, "DOUBLE"), doc="A", group="Test", read=np.array)
    live: Live[Any] = Live(())
    posted = Posted()
    publisher = Publisher([table("", live, levels)], posted)
    for value in ([1.0, 2.0], [1.0, 2.0], [1.0, 2.5], [1.0]):
        live.set(value)
        await publisher.flush()
    assert [shown.tolist() for _, shown in posted.values] == [[1.0, 2.0], [1.0, 2.5], [1.0]]


async def test_a_row_is_read_again_when_its_part_of_the_state_is_another() -> None:
    read: list[tuple[int, int]] = []

    def second(state: tuple[int, int]) -> int:
        read.append(state)
        return state[1]

    posted, live = Posted(), Live((1, 1))
    own = Pv[Any, Any](name="B", kind=Int(), doc="A number", group="Test", read=second, part=lambda state: state[1])
    shown = table("", live, own)
    publisher = Publisher([shown], posted)
    for state in ((1, 1), (2, 1), (2, 5), (3, 5)):
        live.set(state)
        await publisher.flush()
    assert read == [(1, 1), (2, 5)]
    assert posted.take() == [("B", 1), ("B", 5)]
    publisher.mark(shown, own)
    live.set((4, 5))
    await publisher.flush()
    assert posted.take() == [("B", 5)], "its alarm is another"


async def test_a_row_of_a_controller_is_read_again_when_the_link_is_another() -> None:
    posted, live = Posted(), Live((1, True))
    own = Pv[Any, Any](
        name="B", kind=Int(), doc="A number", group="Test", read=lambda s: s[0], part=lambda s: s[0], linked=True
    )
    publisher = Publisher([Table("", (own,), live, Nobody(), lambda state: state[1])], posted)
    await publisher.flush()
    live.set((1, False))
    await publisher.flush()
    assert len(posted.take()) == 2
