"""What a picture of a script shows."""

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.panel import Panel, Span, panels
from archon_ioc.acf.waveform import Signal
from archon_ioc.errors import InputError

from .scripts import demo, for_ever, real, script
from .test_estimate import LINE_TICKS, PIXEL_TICKS


def panel(acf: Acf, span: Span, **changes: int) -> Panel:
    (found,) = panels(acf, [span], changes)
    return found


def signal(found: Panel, name: str, stretch: int = 0) -> Signal:
    return next(signal for signal in found.stretches[stretch].signals if name in signal.names)


def rises(found: Signal) -> list[int]:
    return [b.start for a, b in zip(found.pieces, found.pieces[1:], strict=False) if b.low > a.low]


def test_a_pixel_from_before_its_edge_to_after_the_next() -> None:
    found = panel(demo(), Span.PIXEL)
    (stretch,) = found.stretches
    assert stretch.start < found.zero < found.zero + PIXEL_TICKS < stretch.end
    assert rises(signal(found, "PIXEL")) == [found.zero, found.zero + PIXEL_TICKS]
    assert [(window.name, window.start - found.zero, window.end - found.zero) for window in found.windows] == [
        ("SHP", 20, 140),
        ("SHD", 200, 340),
        ("SHP", PIXEL_TICKS + 20, PIXEL_TICKS + 140),
    ]
    # RG is low while the levels are sampled, and the charge comes between the samples.
    assert not any(found.windows[0].start <= tick < found.windows[1].end for tick in rises(signal(found, "RG")))
    assert found.windows[0].end < signal(found, "SW").pieces[1].start < found.windows[1].start


def test_outputs_that_do_not_change_are_left_out() -> None:
    names = {name for signal in panel(demo(), Span.PIXEL).stretches[0].signals for name in signal.names}
    assert names == {"PIXEL", "S1", "S2", "S3", "SW", "RG"}


def test_a_line_with_its_beginning_and_its_end() -> None:
    found = panel(demo(), Span.LINE)
    first, last = found.stretches
    assert rises(signal(found, "LINE"))[0] < found.zero
    assert found.zero in rises(signal(found, "PIXEL"))
    assert first.start < found.zero < first.end < last.start < found.zero + LINE_TICKS
    assert signal(found, "P1_TOP").names == ("P1_TOP", "P1_BOTTOM")


def test_a_frame_from_its_start_to_idle() -> None:
    found = panel(demo(), Span.FRAME, IntMS=100)
    assert len(found.stretches) == 3
    assert (found.zero, found.stretches[0].start) == (0, 0)
    fall = signal(found, "INT", 1).pieces[1].start
    assert fall == 10_000_000 + 5  # the script's first steps, before INT rises and after the integration
    assert sum(piece.is_dense for piece in signal(found, "PIXEL", 1).pieces) == 3  # a line is one band
    assert [len(stretch.signals) for stretch in found.stretches] == [len(found.stretches[0].signals)] * 3


def test_stretches_that_touch_are_one() -> None:
    found = panel(demo(), Span.FRAME, Lines=1, OverscanLines=1)
    assert len(found.stretches) == 1


def test_a_script_of_one_line_with_one_pixel() -> None:
    text = """
Main:
RESET; IF ReadOut GOTO Read
X; GOTO Main
Read:
FCLK; ReadOut--
LCLK; X(9)
PCLK; X(9)
NOPCLK; GOTO Main
"""
    acf = Acf(script(text, {"ReadOut": 0}).keys | {"PIXELCOUNT": "1", "LINECOUNT": "1"})
    assert [found.span for found in panels(acf)] == [Span.PIXEL, Span.LINE, Span.FRAME]
    assert rises(signal(panel(acf, Span.LINE), "PIXEL")) == [panel(acf, Span.LINE).zero]


def test_of_a_script_that_reads_for_ever_one_frame_is_shown() -> None:
    (stretch,) = panel(for_ever(), Span.FRAME).stretches
    assert (stretch.start, stretch.end) == (0, 2 + 3 * 57 + 2)


def test_a_script_that_reads_nothing_cannot_be_shown() -> None:
    with pytest.raises(InputError, match="reads no frame"):
        panels(script("Main:\nX; GOTO Main", {"Other": 0}))


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["LVM_100kHz", "BOSS_extra", "STA4800"])
def test_real_scripts_can_be_shown(name: str) -> None:
    for found in panels(real(name)):
        for stretch in found.stretches:
            ends = {(signal.pieces[0].start, signal.pieces[-1].end) for signal in stretch.signals}
            assert ends == {(stretch.start, stretch.end)}
            assert sum(len(signal.pieces) for signal in stretch.signals) < 20_000
