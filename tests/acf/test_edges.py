"""Edges are found in loops as they are one by one."""

from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.edges import Edges
from archon_ioc.acf.trace import Bit, Change, Repeat, Trace, TraceBuilder

PIXEL = Change(3, 0, Bit.PIXEL), Change(5, Bit.PIXEL, 0)
LINE = Trace(100, (Change(1, 0, Bit.LINE), Change(2, Bit.LINE, 0), Repeat(10, 4, Trace(20, PIXEL))))
FRAME = Trace(1000, (Repeat(50, 3, LINE), Change(900, 0, Bit.INT)))


@st.composite
def traces(draw: st.DrawFn, depth: int = 3) -> Trace:
    built = TraceBuilder()
    control = 0
    for _ in range(draw(st.integers(0, 4))):
        built.wait(draw(st.integers(1, 5)))
        if depth and draw(st.booleans()):
            built.repeat(draw(traces(depth - 1)), draw(st.integers(1, 4)))
        else:
            after = draw(st.integers(0, 15))
            built.change(control, after)
            control = after
    built.wait(draw(st.integers(1, 5)))
    return built.trace()


edges = st.builds(
    Edges,
    st.sampled_from([Bit.INT, Bit.FRAME, Bit.LINE, Bit.PIXEL]),
    st.booleans(),
    st.sampled_from([0, Bit.LINE, Bit.FRAME]),
)


def test_edges_in_nested_loops() -> None:
    pixels = Edges(Bit.PIXEL)
    assert (pixels.count(FRAME), pixels.first(FRAME), pixels.last(FRAME)) == (12, 63, 323)
    assert list(pixels.ticks(FRAME))[:5] == [63, 83, 103, 123, 163]
    assert list(Edges(Bit.PIXEL, rising=False).ticks(FRAME, 300)) == [305, 325]


def test_edges_while_another_bit_is_high() -> None:
    trace = Trace(9, (Change(1, 0, 6), Change(2, 6, 14), Change(3, 14, 0), Change(4, 0, 8)))
    assert list(Edges(Bit.PIXEL, during=Bit.LINE).ticks(trace)) == [2]


def test_without_edges() -> None:
    triggers = Edges(Bit.TRIGA)
    assert (triggers.count(FRAME), triggers.first(FRAME), triggers.last(FRAME)) == (0, None, None)


def test_the_first_of_very_many_takes_no_time() -> None:
    trace = Trace(10**12, (Repeat(0, 10**9, LINE),))
    assert Edges(Bit.PIXEL).first(trace, 5 * 10**10) == 5 * 10**10 + 13
    assert Edges(Bit.PIXEL).before(trace, 5 * 10**10) == 2 * 10**9


@given(traces(), edges, st.integers(0, 200))
def test_edges_are_those_of_the_changes_one_by_one(trace: Trace, wanted: Edges, start: int) -> None:
    ticks = [change.tick for change in trace.changes() if wanted.is_one(change)]
    assert list(wanted.ticks(trace, start)) == [tick for tick in ticks if tick >= start]
    assert wanted.count(trace) == len(ticks)
    assert wanted.last(trace) == (ticks[-1] if ticks else None)
    assert wanted.before(trace, start) == sum(tick < start for tick in ticks)
