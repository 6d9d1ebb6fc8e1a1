"""Lines of a trace: counted by loops as one by one."""

import random

import pytest

from archon_ioc.acf.lines import LineCounter, Lines
from archon_ioc.acf.trace import Bit, Change, Repeat, Trace

PIXEL = Change(0, 0, Bit.PIXEL)
LINE = Change(0, Bit.LINE, Bit.LINE | Bit.PIXEL)


def line(pixels: int) -> Trace:
    """Return a line: its first pixel and the others, 10 ticks each."""
    pixel = Trace(10, (PIXEL, Change(5, Bit.PIXEL, 0)))
    return Trace(10 * pixels, (LINE, Repeat(10, pixels - 1, pixel)))


def one_by_one(trace: Trace, start: int) -> tuple[int, int]:
    """Return the number of lines and the pixels of the shortest, going through every change."""
    lengths: list[int] = []
    for change in trace.changes():
        if change.tick < start or not change.rises(Bit.PIXEL):
            continue
        if change.after & Bit.LINE:
            lengths.append(0)
        if lengths:
            lengths[-1] += 1
    return len(lengths), min(lengths, default=0)


def test_equal_lines() -> None:
    lines = LineCounter().count(Trace(10**9, (Repeat(0, 1000, line(7)),)))
    assert (lines.count, lines.least) == (1000, 7)


def test_a_shorter_line_among_others_is_the_shortest() -> None:
    trace = Trace(10**6, (Repeat(0, 5, line(7)), Repeat(350, 1, line(3)), Repeat(380, 5, line(7))))
    lines = LineCounter().count(trace)
    assert (lines.count, lines.least) == (11, 3)


def test_what_is_before_the_start_does_not_count() -> None:
    trace = Trace(10**6, (Repeat(0, 5, line(3)), Repeat(150, 5, line(7))))
    lines = LineCounter().count(trace, 150)
    assert (lines.count, lines.least) == (5, 7)


def test_pixels_without_a_line() -> None:
    lines = LineCounter().count(Trace(100, (Repeat(0, 10, Trace(10, (PIXEL, Change(5, Bit.PIXEL, 0)))),)))
    assert lines == Lines(lead=10)
    assert lines.least == 10


def test_very_many_lines_take_no_time() -> None:
    trace = line(2000)
    for _ in range(6):
        trace = Trace(1000 * trace.ticks, (Repeat(0, 1000, trace),))
    lines = LineCounter().count(trace)
    assert (lines.count, lines.least) == (10**18, 2000)


@pytest.mark.parametrize("seed", range(50))
def test_loops_are_counted_as_if_they_were_gone_round(seed: int) -> None:
    chance = random.Random(seed)

    def made(depth: int) -> Trace:
        tick = 0
        events: list[Change | Repeat] = []
        for _ in range(chance.randint(1, 3)):
            body = line(chance.randint(1, 4)) if depth == 0 else made(depth - 1)
            loop = Repeat(tick, chance.randint(1, 3), body)
            tick += loop.ticks
            events.append(loop)
            events.append(Change(tick, 0, chance.choice((Bit.PIXEL, Bit.PIXEL | Bit.LINE))))
            tick += chance.randint(1, 9)
        return Trace(tick, tuple(events))

    trace = made(2)
    start = chance.randrange(trace.ticks)
    lines = LineCounter().count(trace, start)
    if lines.count:
        assert (lines.count, lines.least) == one_by_one(trace, start)
    else:
        assert one_by_one(trace, start)[0] == 0
