"""Edges: where control bits rise and fall in a trace, found without going round its loops."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from archon_ioc.acf.trace import Change, Repeat, Trace


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of ``bit``: rising ones, or falling ones. With ``during`` only those while that bit is high.

    One object may be asked about many traces; it remembers the bodies of loops.
    """

    bit: int
    rising: bool = True
    during: int = 0
    _counts: dict[int, tuple[Trace, int]] = field(
        default_factory=dict[int, tuple[Trace, int]], repr=False, compare=False
    )

    def __post_init__(self) -> None:
        # Operations on an IntFlag take several times as long as those on a number.
        object.__setattr__(self, "bit", int(self.bit))
        object.__setattr__(self, "during", int(self.during))

    def is_one(self, change: Change) -> bool:
        """Return whether a change is such an edge."""
        there = change.rises(self.bit) if self.rising else change.falls(self.bit)
        return there and change.after & self.during == self.during

    def count(self, trace: Trace) -> int:
        """Return how many there are."""
        if found := self._counts.get(id(trace)):
            return found[1]
        count = sum(self._of(event) for event in trace.events)
        self._counts[id(trace)] = (trace, count)  # with the trace: its id is then nobody else's
        return count

    def _of(self, event: Change | Repeat) -> int:
        return self.is_one(event) if isinstance(event, Change) else event.count * self.count(event.body)

    def ticks(self, trace: Trace, start: int = 0) -> Iterator[int]:
        """Yield when they are, from tick ``start`` on; the trace begins at 0."""
        for event in trace.events:
            if isinstance(event, Change):
                if event.tick >= start and self.is_one(event):
                    yield event.tick
            elif event.tick + event.ticks > start and self.count(event.body):
                yield from self._repeated(event, start)

    def _repeated(self, repeat: Repeat, start: int) -> Iterator[int]:
        first = max((start - repeat.tick) // repeat.body.ticks, 0)
        for n in range(first, repeat.count):
            offset = repeat.tick + n * repeat.body.ticks
            yield from (offset + tick for tick in self.ticks(repeat.body, start - offset))

    def first(self, trace: Trace, start: int = 0) -> int | None:
        """Return the tick of the first one from ``start`` on, None if there is none."""
        return next(self.ticks(trace, start), None)

    def last(self, trace: Trace) -> int | None:
        """Return the tick of the last one, None if there is none."""
        for event in reversed(trace.events):
            if isinstance(event, Change):
                if self.is_one(event):
                    return event.tick
            elif (last := self.last(event.body)) is not None:
                return event.tick + event.ticks - event.body.ticks + last
        return None

    def before(self, trace: Trace, end: int) -> int:
        """Return how many there are before tick ``end``."""
        events = trace.events[: bisect_right(trace.events, end - 1, key=lambda event: event.tick)]
        return sum(self._before(event, end - event.tick) for event in events)

    def _before(self, event: Change | Repeat, left: int) -> int:
        if isinstance(event, Change):
            return self.is_one(event)
        whole, rest = divmod(min(left, event.ticks), event.body.ticks)
        return whole * self.count(event.body) + (self.before(event.body, rest) if rest else 0)
