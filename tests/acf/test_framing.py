"""What a stretch of clocking does to a frame: put together, multiplied, and not too much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.framing import Format, Stretch
from archon_ioc.acf.trace import Bit, Change

SAMPLE, LINE, FRAME, LIGHT = (
    Change(0, 0, bits) for bits in (Bit.PIXEL, Bit.PIXEL | Bit.LINE, Bit.PIXEL | Bit.FRAME, Bit.INT)
)
STEPS = [SAMPLE, LINE, Change(0, 0, Bit.LINE)]
PIXELS = 3


def stretch(*changes: Change, linescan: bool = False) -> Stretch:
    """Return what changes do, one after the other."""
    done = Stretch()
    for change in changes:
        done = done.then(Stretch.of(change, Format(PIXELS, 100, linescan)), PIXELS)
    return done


def count(changes: list[Change], so_far: int) -> tuple[int, int]:
    """Return lines and samples one by one."""
    lines = 0
    for change in changes:
        if change is LINE:
            so_far = 0
        if change is not STEPS[2] and so_far < PIXELS:
            so_far += 1
            lines += so_far == PIXELS
    return lines, so_far


@given(st.lists(st.sampled_from(STEPS)), st.integers(1, 20), st.integers(0, PIXELS))
def test_repetitions_add_lines_as_counting_does(changes: list[Change], times: int, so_far: int) -> None:
    assert stretch(*changes).times(times, PIXELS).added(so_far, PIXELS) == count(changes * times, so_far)


@given(
    st.lists(st.sampled_from(STEPS)),
    st.integers(0, 6),
    st.integers(0, PIXELS - 1),
    st.integers(0, 6),
    st.integers(0, PIXELS),
)
def test_iterations_before_a_sample_do_not_contain_it(
    changes: list[Change], line: int, pixel: int, lines: int, so_far: int
) -> None:
    times = min(stretch(*changes).iterations_before((line, pixel), (lines, so_far), PIXELS), 30)
    seen: set[tuple[int, int]] = set()
    for change in changes * times:
        if change is LINE:
            so_far = 0
        if change is not STEPS[2] and so_far < PIXELS:
            seen.add((lines, so_far))
            so_far += 1
            lines += so_far == PIXELS
    assert (line, pixel) not in seen


def test_a_frame_start_is_a_line_start_only_with_linescan() -> None:
    assert stretch(FRAME).starts_frame
    assert not stretch(FRAME).starts_line
    assert stretch(FRAME, linescan=True).starts_line
    assert not stretch(LINE, linescan=True).starts_line


def test_light_is_known_before_and_after() -> None:
    pulse = stretch(SAMPLE, LIGHT, SAMPLE, Change(0, Bit.INT, 0))
    assert (pulse.has_edges, pulse.has_light_edges, pulse.opens, pulse.closes) == (True, True, False, False)
    assert stretch(LIGHT).closes
    assert stretch(Change(0, Bit.INT, 0)).opens
    assert not stretch(SAMPLE).has_edges


@pytest.mark.parametrize("bit", [Bit.TRIGA, Bit.TRIGB])
def test_triggers_are_edges_but_no_light(bit: Bit) -> None:
    pulse = stretch(Change(0, 0, bit))
    assert (pulse.has_edges, pulse.has_light_edges) == (True, False)
