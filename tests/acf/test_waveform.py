"""Levels over time are those of the trace, loop by loop or as bands."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.channels import Channel, Level
from archon_ioc.acf.trace import Change, Repeat, Trace
from archon_ioc.acf.waveform import Piece, Signal, merged, signals, word_at

from .test_edges import traces

ONE = Channel("one", "", 1, (Level(1.0),))
VOLTS = Channel("volts", "V", 0x30, (Level(-5.0, 100.0), Level(5.0, 100.0), Level(8.0)))
PULSE = Trace(10, (Change(2, 0, 1), Change(4, 1, 0)))
HIGHER = Trace(10, (Change(2, 0x20, 0x21), Change(4, 0x21, 0x20)))
LINE = Trace(100, (Change(5, 0, 0x10), Change(6, 0x10, 0x20), Repeat(20, 5, HIGHER), Change(90, 0x20, 0)))


def pieces(
    trace: Trace, channel: Channel, start: int, end: int, finest: int = 1
) -> list[tuple[int, int, float, float]]:
    (signal,) = signals(trace, [channel], start, end, finest=finest)
    return [piece[:4] for piece in signal.pieces]


def test_levels_from_start_to_end() -> None:
    assert pieces(LINE, VOLTS, 0, 100) == [(0, 5, 0, 0), (5, 6, -5, -5), (6, 90, 5, 5), (90, 100, 0, 0)]
    assert pieces(LINE, ONE, 15, 35) == [(15, 22, 0, 0), (22, 24, 1, 1), (24, 32, 0, 0), (32, 34, 1, 1), (34, 35, 0, 0)]
    (signal,) = signals(LINE, [VOLTS], 0, 100)
    assert [piece.slew for piece in signal.pieces] == [None, 100.0, 100.0, None]


def test_the_level_at_the_start_is_that_of_before() -> None:
    assert pieces(LINE, VOLTS, 40, 50) == [(40, 50, 5, 5)]
    assert pieces(Trace(50, (Change(1, 0, 1),)), ONE, 20, 30) == [(20, 30, 1, 1)]
    assert pieces(Trace(50), ONE, 20, 30) == [(20, 30, 0, 0)]


def test_short_loops_become_a_band() -> None:
    assert pieces(LINE, ONE, 0, 100, finest=11) == [(0, 20, 0, 0), (20, 70, 0, 1), (70, 100, 0, 0)]
    assert pieces(LINE, ONE, 40, 60, finest=11) == [(40, 60, 0, 1)]


def test_bands_with_little_between_them_are_one() -> None:
    trace = Trace(200, (Repeat(0, 5, PULSE), Repeat(52, 5, PULSE), Change(150, 0, 1)))
    assert pieces(trace, ONE, 0, 200, finest=11) == [(0, 102, 0, 1), (102, 150, 0, 0), (150, 200, 1, 1)]


def test_a_single_pulse_is_no_band() -> None:
    assert pieces(PULSE, ONE, 0, 10, finest=100) == [(0, 2, 0, 0), (2, 4, 1, 1), (4, 10, 0, 0)]


def test_signals_that_do_the_same_are_joined() -> None:
    same, other = (Piece(0, 9, 0, 0),), (Piece(0, 9, 1, 1),)
    first = [Signal(("a",), "", same), Signal(("b",), "", same), Signal(("c",), "", same), Signal(("d",), "V", same)]
    second = [Signal(("a",), "", same), Signal(("b",), "", other), Signal(("c",), "", same), Signal(("d",), "V", same)]
    assert [[signal.names for signal in stretch] for stretch in merged([first, second])] == [
        [("a", "c"), ("b",), ("d",)],
        [("a", "c"), ("b",), ("d",)],
    ]


@given(traces(), st.integers(0, 120), st.integers(1, 120), st.sampled_from([1, 2, 4, 8]))
def test_pieces_are_the_changes_one_by_one(trace: Trace, start: int, length: int, bit: int) -> None:
    trace = Trace(trace.ticks, tuple(_consistent(trace)))
    channel = Channel("bit", "", bit, (Level(1.0),))
    found = pieces(trace, channel, start, start + length)
    assert (found[0][0], found[-1][1]) == (start, start + length)
    assert all(a[1] == b[0] for a, b in pairwise(found))
    for tick in range(start, start + length):
        level = float(bool(_word(trace, tick) & bit))
        assert [piece[2:] for piece in found if piece[0] <= tick < piece[1]] == [(level, level)]
        assert bool(word_at(trace, tick) & bit) == bool(level) or not trace.events


def _consistent(trace: Trace) -> list[Change]:
    """Return the changes one by one, each from where the one before it left the control word."""
    word, changes = 0, list[Change]()
    for change in trace.changes():
        if change.after != word:
            changes.append(Change(change.tick, word, change.after))
            word = change.after
    return changes


def _word(trace: Trace, tick: int) -> int:
    return ([0] + [change.after for change in trace.changes() if change.tick <= tick])[-1]
