"""Traces: loops that stay loops, and what they stand for."""

import pytest

from archon_ioc.acf.trace import NOTHING, Bit, Change, Repeat, Trace, TraceBuilder

PIXEL = Trace(10, (Change(2, 0, Bit.PIXEL), Change(5, Bit.PIXEL, 0)))
LINE = Trace(100, (Change(0, 0, Bit.LINE), Change(1, Bit.LINE, 0), Repeat(20, 3, PIXEL)), shifts=1)


def test_a_change_rises_and_falls() -> None:
    change = Change(7, Bit.INT | Bit.LINE, Bit.LINE | Bit.PIXEL)

    assert [change.rises(bit) for bit in Bit] == [False, False, False, True, False, False]
    assert [change.falls(bit) for bit in Bit] == [True, False, False, False, False, False]
    assert change.rises(Bit.INT | Bit.PIXEL)


def test_bits_are_those_of_control() -> None:
    assert [(bit.name, bit.value) for bit in Bit] == [
        ("INT", 1), ("FRAME", 2), ("LINE", 4), ("PIXEL", 8), ("TRIGA", 16), ("TRIGB", 32),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trace", "ticks"),
    [
        (NOTHING, []),
        (Trace(1000), []),
        (PIXEL, [2, 5]),
        (LINE, [0, 1, 22, 25, 32, 35, 42, 45]),
        (Trace(300, (Repeat(50, 2, LINE), Change(299, 0, 1)), 2),
         [50, 51, 72, 75, 82, 85, 92, 95, 150, 151, 172, 175, 182, 185, 192, 195, 299]),
    ],
)  # fmt: skip
def test_changes_one_by_one(trace: Trace, ticks: list[int]) -> None:
    assert [change.tick for change in trace.changes()] == ticks
    assert [change.tick for change in trace.changes(start=1_000_000)] == [tick + 1_000_000 for tick in ticks]


def test_changes_say_what_was_before_and_is_after() -> None:
    assert list(Trace(40, (Repeat(10, 2, PIXEL),)).changes(100)) == [
        Change(112, 0, 8), Change(115, 8, 0), Change(122, 0, 8), Change(125, 8, 0),
    ]  # fmt: skip


def test_how_long_a_repetition_takes() -> None:
    assert Repeat(20, 3, PIXEL).ticks == 30
    assert Repeat(0, 2, LINE).ticks == 200
    assert Repeat(0, 0, LINE).ticks == 0


def test_traces_can_be_compared() -> None:
    assert Trace(5, (Change(1, 0, 1),)) == Trace(5, (Change(1, 0, 1),))
    assert len({PIXEL, LINE, Trace(PIXEL.ticks, PIXEL.events)}) == 2


# Putting one together


def test_a_trace_is_built_from_its_start_on() -> None:
    built = TraceBuilder()
    built.wait(3)
    built.change(0, 1)
    built.wait(7)
    built.repeat(PIXEL, 4)
    built.change(1, 0)
    built.wait(1)

    assert built.trace() == Trace(51, (Change(3, 0, 1), Repeat(10, 4, PIXEL), Change(50, 1, 0)))


def test_what_changes_nothing_is_no_event() -> None:
    built = TraceBuilder()
    built.change(5, 5)
    built.repeat(Trace(20, (), shifts=2), 5)
    built.repeat(PIXEL, 0)

    assert built.trace() == Trace(100, (), shifts=10)


def test_shifts_of_repetitions_are_multiplied() -> None:
    built = TraceBuilder()
    built.shifts += 2
    built.repeat(LINE, 7)

    assert built.trace() == Trace(700, (Repeat(0, 7, LINE),), shifts=9)


def test_what_was_added_since_a_mark() -> None:
    built = TraceBuilder()
    built.repeat(LINE, 2)
    built.wait(5)
    mark = built.mark()
    built.change(0, 1)
    built.wait(2)
    built.repeat(LINE, 1)

    assert built.since(mark) == Trace(102, (Change(0, 0, 1), Repeat(2, 1, LINE)), shifts=1)
    assert built.since(built.mark()) == NOTHING


def test_it_is_told_when_shifts_happened() -> None:
    built = TraceBuilder()
    built.wait(10)
    built.shift(2)
    mark = built.mark()
    built.wait(5)
    built.repeat(Trace(20, (), shifts=3), 4)  # without events only the end is known
    built.repeat(LINE, 2)  # knows its own
    assert built.trace().shifted == ((10, 2), (95, 12))
    assert built.trace().shifts == 2 + 12 + 2
    assert built.since(mark).shifted == ((85, 12),)
