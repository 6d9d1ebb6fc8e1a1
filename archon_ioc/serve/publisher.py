"""The publisher: shows in records what the states of all tables say, and never an older state after a newer one."""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from archon_ioc.live import Live
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Pixels, Pv

PACE = 0.03
"""Seconds between two looks at states that change all the time; the end of a put is shown at once."""
TURN = 0.002
"""Seconds of posting, as the processor counts them, after which other work gets its turn."""


class Post(Protocol):
    """Shows a reading in the records of a row; ``is_news`` unless it is the first one, or was marked."""

    def __call__(
        self, table: Table[Any, Any], row: Pv[Any, Any], reading: Reading, timestamp: float, *, is_news: bool
    ) -> Awaitable[None]: ...


class Publisher:
    """Posts what changed, in passes.

    A pass takes the states of all tables at one instant and posts the tables in their order. So what was true before
    something else became true is never shown after it, if its table comes first: the counters of the plugins before
    the end of ``Acquire``. Tables whose state is the same object as at the last pass cost nothing.
    """

    def __init__(self, tables: Sequence[Table[Any, Any]], post: Post) -> None:
        self._shown = [_ShownTable(table) for table in tables]
        self.outlets = [post]
        """One for each server; all show the same in the same order."""
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Show every change until cancelled; of many in a short time the last."""
        news = asyncio.Event()
        lives = {id(shown.table.live): shown.table.live for shown in self._shown}
        async with asyncio.TaskGroup() as tasks:
            for live in lives.values():
                tasks.create_task(_notice(live, news), name="publisher watches")
            while True:
                await news.wait()
                news.clear()
                await self.flush()
                await asyncio.sleep(PACE)

    async def flush(self) -> None:
        """Show all that is true now; it is in the queues of the clients when this returns."""
        async with self._lock:  # an older state must not be posted after a newer one
            timestamp = time.time()
            turn_ends = time.thread_time() + TURN
            for shown, row, reading in self._readings():
                await self._show(shown, row, reading, timestamp)
                if time.thread_time() > turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.thread_time() + TURN

    def mark(self, table: Table[Any, Any], row: Pv[Any, Any]) -> None:
        """Let the next pass post a row though its value is the same: its record has another alarm."""
        for shown in self._shown:
            if shown.table is table:
                shown.readings.pop(id(row), None)

    def _readings(self) -> Iterator[tuple["_ShownTable", Pv[Any, Any], Reading]]:
        states = [shown.table.live.value for shown in self._shown]
        for shown, state in zip(self._shown, states, strict=True):
            if not shown.is_complete(state):
                for row, reading in shown.table.render(state, shown.whole_state):
                    yield shown, row, reading
                shown.state = state

    async def _show(self, shown: "_ShownTable", row: Pv[Any, Any], reading: Reading, timestamp: float) -> None:
        before = shown.readings.get(id(row))
        if not _is_same(reading, before):
            for post in self.outlets:
                await post(shown.table, row, reading, timestamp, is_news=before is not None)
            shown.readings[id(row)] = reading


class _ShownTable:
    """A table and what is shown of it, by the identity of the row: names are not unique."""

    def __init__(self, table: Table[Any, Any]) -> None:
        self.table = table
        self.state: object = self  # no state yet
        self.readings: dict[int, Reading] = {}
        self._count = sum(not isinstance(row.kind, Pixels) for row in table.rows)

    @property
    def whole_state(self) -> Any:
        """The state that every row shows, None if there is none."""
        return self.state if self.is_complete(self.state) and self.state is not self else None

    def is_complete(self, state: object) -> bool:
        """Tell whether every row shows this state."""
        return state is self.state and len(self.readings) == self._count


async def _notice(live: Live[Any], news: asyncio.Event) -> None:
    async for _ in live.watch():
        news.set()


def _is_same(reading: Reading, shown: Reading | None) -> bool:
    if shown is None or (reading.status, reading.severity) != (shown.status, shown.severity):
        return False
    if isinstance(reading.value, np.ndarray) or isinstance(shown.value, np.ndarray):
        return np.array_equal(reading.value, shown.value)  # type: ignore[arg-type]
    return bool(reading.value == shown.value)
