"""Trace: what the control bits do over a stretch of time, with loops kept as loops."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum


class Bit(IntEnum):
    """The control bits of a state, in the order of ``STATEn/CONTROL`` (manual, timing states).

    Not an IntFlag, whose operators are far slower than those of numbers.
    """

    INT = 1
    FRAME = 2
    LINE = 4
    PIXEL = 8
    TRIGA = 16
    TRIGB = 32


@dataclass(frozen=True, slots=True)
class Change:
    """The control bits before and after ``tick``."""

    tick: int
    before: int
    after: int

    def rises(self, bit: int) -> bool:
        """Return whether ``bit`` goes up here."""
        return bool(self.after & ~self.before & bit)

    def falls(self, bit: int) -> bool:
        """Return whether ``bit`` goes down here."""
        return bool(self.before & ~self.after & bit)


@dataclass(frozen=True, slots=True)
class Repeat:
    """``body``, ``count`` times from ``tick`` on."""

    tick: int
    count: int
    body: "Trace"

    @property
    def ticks(self) -> int:
        """How long all the iterations take."""
        return self.count * self.body.ticks


@dataclass(frozen=True, slots=True)
class Trace:
    """A stretch of ``ticks`` of 10 ns. The ticks of its events count from its start.

    ``shifts`` is how often the script's parallel shift was called, those of the events included. ``shifted`` says
    when: pairs of a tick and how often up to then, those of the events left out.
    """

    ticks: int
    events: tuple[Change | Repeat, ...] = ()
    shifts: int = 0
    shifted: tuple[tuple[int, int], ...] = field(default=(), compare=False)

    def changes(self, start: int = 0) -> Iterator[Change]:
        """Yield every change one by one, ticks counted from ``start``: of a readout there are millions."""
        for event in self.events:
            if isinstance(event, Change):
                yield Change(start + event.tick, event.before, event.after)
                continue
            for n in range(event.count):
                yield from event.body.changes(start + event.tick + n * event.body.ticks)


NOTHING = Trace(0)


class TraceBuilder:
    """Puts a trace together, from its start on."""

    def __init__(self) -> None:
        self.ticks = 0
        self.shifts = 0
        self._events: list[Change | Repeat] = []
        self._shifted: list[tuple[int, int]] = []

    def wait(self, ticks: int) -> None:
        """Let time pass."""
        self.ticks += ticks

    def change(self, before: int, after: int) -> None:
        """Let the control bits change now."""
        if before != after:
            self._events.append(Change(self.ticks, before, after))

    def shift(self, times: int) -> None:
        """Count calls of the parallel shift that happen now."""
        if times:
            self.shifts += times
            self._shifted.append((self.ticks, times))

    def repeat(self, body: Trace, count: int) -> None:
        """Add ``body``, ``count`` times."""
        start = self.ticks
        self.ticks += count * body.ticks
        if not body.events:
            self.shift(count * body.shifts)
        elif count:
            self._events.append(Repeat(start, count, body))
            self.shifts += count * body.shifts

    def mark(self) -> tuple[int, int, int, int]:
        """Return a place in the trace for `since`."""
        return self.ticks, self.shifts, len(self._events), len(self._shifted)

    def since(self, mark: tuple[int, int, int, int]) -> Trace:
        """Return what was added since ``mark``."""
        ticks, shifts, events, shifted = mark
        return Trace(
            self.ticks - ticks,
            tuple(_moved(self._events[events:], -ticks)),
            self.shifts - shifts,
            tuple((tick - ticks, times) for tick, times in self._shifted[shifted:]),
        )

    def trace(self) -> Trace:
        """Return the whole."""
        return Trace(self.ticks, tuple(self._events), self.shifts, tuple(self._shifted))


def _moved(events: Iterable[Change | Repeat], ticks: int) -> Iterator[Change | Repeat]:
    for event in events:
        if isinstance(event, Change):
            yield Change(event.tick + ticks, event.before, event.after)
        else:
            yield Repeat(event.tick + ticks, event.count, event.body)
