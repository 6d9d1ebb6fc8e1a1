"""Waveform: the level of each output over a stretch of time, taken from a trace without unrolling its loops."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

from archon_ioc.acf.channels import Channel, Level
from archon_ioc.acf.trace import Change, Trace


class Piece(NamedTuple):
    """From tick ``start`` to ``end`` an output has one level, or changes often between ``low`` and ``high``.

    ``slew`` is how fast it goes to that level, V/µs, None if it is not known or for one that changes often.
    """

    start: int
    end: int
    low: float
    high: float
    slew: float | None = None

    @property
    def is_dense(self) -> bool:
        """Whether it changes often."""
        return self.low != self.high


@dataclass(frozen=True, slots=True)
class Signal:
    """Outputs that do the same: their names, the unit of the levels, and the pieces one after the other."""

    names: tuple[str, ...]
    unit: str
    pieces: tuple[Piece, ...]


def signals(trace: Trace, channels: Iterable[Channel], start: int, end: int, *, finest: int = 1) -> list[Signal]:
    """Return what the channels do from tick ``start`` to ``end`` of ``trace``.

    Loops with iterations shorter than ``finest`` ticks become one piece each, with what is as short beside them. A
    channel that no state has set yet counts as 0.
    """
    return [
        Signal(
            (channel.name,), channel.unit, tuple(_banded(_Reader(channel, finest).pieces(trace, start, end), finest))
        )
        for channel in channels
    ]


def _banded(pieces: Iterable[Piece], finest: int) -> Iterator[Piece]:
    """Join pieces that change often with those that are short and adjacent to them."""
    for is_fine, group in groupby(pieces, key=lambda piece: piece.is_dense or piece.end - piece.start < finest):
        run = list(group)
        if is_fine and any(piece.is_dense for piece in run):
            yield Piece(run[0].start, run[-1].end, min(piece.low for piece in run), max(piece.high for piece in run))
        else:
            yield from run


class _Mark(NamedTuple):
    """The channel gets another level at ``tick``, or others again and again until ``end``."""

    tick: int
    end: int
    levels: frozenset[Level | None]
    after: Level | None


@dataclass
class _Reader:
    channel: Channel
    finest: int
    seen: dict[int, tuple[Trace, frozenset[Level | None], Level | None]] = field(
        default_factory=dict[int, tuple[Trace, frozenset["Level | None"], "Level | None"]]
    )

    def pieces(self, trace: Trace, start: int, end: int) -> Iterator[Piece]:
        level = self.channel.level(word_at(trace, start))
        tick = start
        for mark in self._marks(trace, start, end):
            if mark.tick > tick:
                yield _piece(tick, mark.tick, [level])
                tick = mark.tick
            if mark.end > tick:
                yield _piece(tick, min(mark.end, end), mark.levels)
                tick = mark.end
            level = mark.after
        if end > tick:
            yield _piece(tick, end, [level])

    def _marks(self, trace: Trace, start: int, end: int) -> Iterator[_Mark]:
        for event in trace.events:
            if event.tick >= end:
                return
            if isinstance(event, Change):
                if event.tick > start and (event.before ^ event.after) & self.channel.mask:
                    after = self.channel.level(event.after)
                    yield _Mark(event.tick, event.tick, frozenset((after,)), after)
                continue
            levels, after = self._levels(event.body)
            if event.tick + event.ticks <= start or not levels:
                continue
            if event.body.ticks < self.finest and event.count > 1:
                yield _Mark(max(event.tick, start), event.tick + event.ticks, levels, after)
                continue
            first = max((start - event.tick) // event.body.ticks, 0)
            last = min(event.count, (end - event.tick) // event.body.ticks + 1)
            for n in range(first, last):
                offset = event.tick + n * event.body.ticks
                for mark in self._marks(event.body, start - offset, end - offset):
                    yield mark._replace(tick=mark.tick + offset, end=mark.end + offset)

    def _levels(self, trace: Trace) -> tuple[frozenset[Level | None], Level | None]:
        """Return all levels that the channel has in a trace in which it changes, and the last; none if it does not."""
        if found := self.seen.get(id(trace)):
            return found[1:]
        levels: set[Level | None] = set()
        after: Level | None = None
        for event in trace.events:
            if not isinstance(event, Change):
                inner, last = self._levels(event.body)
                levels |= inner
                after = last if inner else after
            elif (event.before ^ event.after) & self.channel.mask:
                after = self.channel.level(event.after)
                levels |= {self.channel.level(event.before), after}
        self.seen[id(trace)] = (trace, frozenset(levels), after)
        return frozenset(levels), after


def word_at(trace: Trace, tick: int) -> int:
    """Return the control word at a tick of a trace that has changes; 0 if it has none."""
    following = _first_change(trace, tick)
    if following:
        return following.before
    last = trace
    while last.events:
        event = last.events[-1]
        if isinstance(event, Change):
            return event.after
        last = event.body
    return 0


def _first_change(trace: Trace, after: int) -> Change | None:
    """Return the first change later than tick ``after``; its own tick is that of the loop's body."""
    for event in trace.events:
        if isinstance(event, Change):
            if event.tick > after:
                return event
            continue
        n = max((after - event.tick) // event.body.ticks, 0)
        for iteration in (n, n + 1):
            change = _first_change(event.body, after - event.tick - iteration * event.body.ticks)
            if iteration < event.count and change:
                return change
    return None


def _piece(start: int, end: int, levels: Iterable[Level | None]) -> Piece:
    known = [level or Level(0.0) for level in levels]
    values = [level.value for level in known]
    slew = known[0].slew if len(known) == 1 else None
    return Piece(start, end, min(values), max(values), slew)


def merged(found: Iterable[list[Signal]]) -> list[tuple[Signal, ...]]:
    """Join the signals that do the same in all the stretches; each list has the same channels in the same order."""
    groups: dict[object, list[tuple[Signal, ...]]] = {}
    for together in zip(*found, strict=True):
        groups.setdefault(tuple((signal.unit, signal.pieces) for signal in together), []).append(together)
    joined = [tuple(_joined(stretch) for stretch in zip(*group, strict=True)) for group in groups.values()]
    return list(zip(*joined, strict=True))


def _joined(same: tuple[Signal, ...]) -> Signal:
    return replace(same[0], names=tuple(name for signal in same for name in signal.names))
