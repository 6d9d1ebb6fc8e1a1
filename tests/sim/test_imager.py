"""What executed scripts do to the CCD and the frame buffers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import Buffer, FrameBuffers
from archon_ioc.sim.imager import Imager
from archon_ioc.sim.shot import Shot, View

GOLDEN = Path(__file__).parents[1] / "golden" / "acf"
MS = 100_000  # ticks
LINE = 24 * 52 + 100  # ticks of a line of the small script, about

Change = Callable[..., Acf]


@pytest.fixture
def small() -> Acf:
    """4 taps of 24 pixels and 20 lines, split; without AutoFlush."""
    return Acf.read(GOLDEN / "small_on_demand.acf").with_parameter("AutoFlush", 0)


class Lab:
    """A script that runs, and the imager that it drives."""

    def __init__(self, acf: Acf) -> None:
        self.frames = FrameBuffers(Faults())
        self.imager = Imager(self.frames)
        self.imager.configure(acf)
        self.imager.is_powered = True
        self.core = TimingCore(compile_script(acf))
        self.imager.follow(self.core.release(), 0, self.core.parameters)

    def run(self, ticks: int) -> Buffer:
        """Let the script run and return the buffer that was written last."""
        start = self.core.tick
        self.imager.follow(self.core.advance(start + ticks), start, self.core.parameters)
        return self.frames.buffers[self.frames.write_buffer - 1]

    def set(self, **values: int) -> None:
        """Load parameters one by one; the idle loop sees each."""
        for name, value in values.items():
            self.core.load(name, value)
            self.run(100)

    def shot(self, ticks: int = 100 * MS) -> Shot:
        """Return the frame that is read now."""
        found = self.run(ticks)
        assert found.shot is not None
        assert found.complete
        return found.shot


@pytest.fixture
def lab(small: Acf) -> Lab:
    return Lab(small)


def test_light_is_the_time_that_int_was_high(lab: Lab) -> None:
    lab.set(DoFlush=1)
    lab.run(10 * MS)
    lab.set(IntMS=30, Exposures=1, ReadOut=1)
    shot = lab.shot()
    assert shot.light_seconds == pytest.approx(0.03, abs=1e-5)
    assert shot.dark_seconds == pytest.approx(0.03 + 0.008, abs=1e-4)  # two flushes of 1 ms are over
    lab.set(ReadOut=1)
    assert lab.shot().light_seconds == 0


def test_the_frame_has_the_edges_of_int(lab: Lab) -> None:
    lab.set(IntMS=30, Exposures=1, ReadOut=1)
    found = lab.run(100 * MS)
    edges = found.edges
    assert edges.light_off - edges.light_on == pytest.approx(30 * MS, abs=10)
    assert 0 < found.started - edges.light_off < 200
    assert (edges.a_on, edges.b_on) == (0, 0)


def test_a_flush_after_the_light_clears_it(lab: Lab) -> None:
    lab.set(IntMS=30, Exposures=1)
    lab.run(100 * MS)
    lab.set(DoFlush=1, ReadOut=1)
    shot = lab.shot()
    assert shot.light_seconds == 0
    assert shot.dark_seconds < 0.002


def test_a_flush_before_the_light_does_not_even_if_nobody_looks_in_between(lab: Lab) -> None:
    for name, value in {"DoFlush": 1, "IntMS": 30, "Exposures": 1, "ReadOut": 1}.items():
        lab.core.load(name, value)
    assert lab.shot().light_seconds == pytest.approx(0.03, abs=1e-5)


def test_skipped_lines_shift_the_window_and_clear_nothing(lab: Lab) -> None:
    lab.set(IntMS=30, PreSkipLines=7, Exposures=1, ReadOut=1)
    shot = lab.shot()
    assert shot.light_seconds == pytest.approx(0.03, abs=1e-5)
    assert shot.shown == View(20, 24, first_line=7)


def test_an_unpowered_ccd_gathers_nothing(lab: Lab) -> None:
    lab.imager.is_powered = False
    lab.set(IntMS=30, Exposures=1, ReadOut=1)
    shot = lab.shot()
    assert (shot.light_seconds, shot.dark_seconds) == (0, 0)
    assert not lab.imager.is_powered


def test_the_shutter_follows_int_or_is_forced(lab: Lab) -> None:
    lab.set(IntMS=30, Exposures=1)
    lab.run(10 * MS)
    assert lab.imager.is_open
    lab.imager.set_shutter(False, lab.core.tick)
    assert not lab.imager.is_open
    lab.set(ReadOut=1)
    assert lab.shot().light_seconds == pytest.approx(0.01, abs=1e-4)
    lab.imager.set_shutter(True, lab.core.tick)
    assert lab.imager.is_open
    lab.imager.set_shutter(None, lab.core.tick)
    assert not lab.imager.is_open


def test_progress_is_what_the_script_has_clocked(lab: Lab) -> None:
    lab.set(ReadOut=1)
    seen: list[tuple[int, int]] = []
    while not (found := lab.run(LINE // 2)).complete:
        seen.append((found.lines, found.pixels))
    assert len(seen) > 30
    assert seen == sorted(seen, key=lambda place: (place[0] - (place[1] == 24), place[1]))
    assert {lines for lines, _ in seen} == set(range(20))
    assert (found.lines, found.pixels) == (20, 24)


@pytest.mark.parametrize(("parameters", "lines"), [({"Pixels": 22}, 0), ({"Lines": 19}, 19)])
def test_too_few_clocks_never_complete_a_frame(lab: Lab, parameters: dict[str, int], lines: int) -> None:
    lab.set(**parameters)
    lab.set(ReadOut=1)
    found = lab.run(1000 * MS)
    assert (found.lines, found.complete) == (lines, False)


def test_the_next_frame_leaves_an_incomplete_one_behind(lab: Lab) -> None:
    lab.set(Lines=19, ReadOut=1)
    lab.run(100 * MS)
    lab.set(Lines=20, ReadOut=1)
    found = lab.run(100 * MS)
    assert (found.number, found.complete) == (2, True)
    before = lab.frames.buffers[0]
    assert (before.lines, before.complete) == (19, False)


def test_an_abandoned_frame_shows_how_far_it_came_even_if_nobody_looked(lab: Lab) -> None:
    lab.core.load("Lines", 19)
    lab.core.load("ContinuousExposures", 1)
    lab.run(30 * LINE)
    assert lab.frames.frame == 2
    assert (lab.frames.buffers[0].lines, lab.frames.buffers[0].complete) == (19, False)


def test_a_stopped_frame_is_not_continued_by_later_clocks(lab: Lab) -> None:
    lab.set(ReadOut=1)
    lines = lab.run(5 * LINE).lines
    lab.imager.stop()
    found = lab.run(100 * MS)
    assert 3 < lines < 7
    assert (found.lines, found.complete) == (lines, False)


def test_a_running_frame_keeps_its_geometry(lab: Lab, small: Acf, changed: Change) -> None:
    lab.set(ReadOut=1)
    lab.run(5 * LINE)
    lab.imager.configure(changed(small, LINECOUNT=10, PIXELCOUNT=12))
    found = lab.run(100 * MS)
    assert found.shot is not None
    assert (found.shot.geometry.line_count, found.lines, found.complete) == (20, 20, True)
    lab.set(ReadOut=1)
    assert lab.shot().geometry.line_count == 10


def test_a_configuration_without_frames_makes_none(lab: Lab) -> None:
    lab.imager.configure(Acf({}))
    lab.set(ReadOut=1)
    lab.run(100 * MS)
    assert lab.frames.write_buffer == 0


def test_linescan_fills_a_buffer_with_a_batch_of_lines(small: Acf, changed: Change) -> None:
    key = next(key for key, value in small.keys.items() if value == "LCLK; CALL Pixel(Pixels)")
    acf = changed(small, **{key: "FCLK; CALL Pixel(Pixels)"}, LINESCAN=1)
    lab = Lab(acf)
    lab.set(Lines=50, ReadOut=1)
    found = lab.run(100 * MS)
    assert [(b.shot.frame, b.lines, b.complete) for b in lab.frames.buffers if b.shot] == [
        (1, 20, True), (2, 20, True), (3, 10, False),
    ]  # fmt: skip
    lab.set(Lines=10, ReadOut=1)
    assert lab.run(100 * MS) is found
    assert found.complete
    lab.set(Lines=3, ReadOut=1)
    part = lab.run(100 * MS)
    lab.imager.configure(changed(acf, LINESCAN=0))
    lab.set(ReadOut=1)
    lab.run(100 * MS)
    assert (part.lines, part.complete) == (3, False)


def test_raw_capture_knows_when_its_pixels_came(small: Acf, changed: Change) -> None:
    acf = changed(small, RAWENABLE=1, RAWSTARTLINE=2, RAWENDLINE=4, RAWSTARTPIXEL=20, RAWSAMPLES=100)
    lab = Lab(acf)
    lab.set(ReadOut=1)
    found = lab.run(2 * LINE)
    assert found.pulses == ()
    found = lab.run(2 * LINE)
    assert found.pulses[:4] == (0, 52, 104, 156)
    assert found.pulses[4] - 156 == 53  # the script calls the pixel behind the line by itself
    next_line = found.pulses[5]
    assert 60 < next_line - found.pulses[4] < 120
    assert found.pulses[5:] == tuple(range(next_line, 1024, 52))


def test_a_raw_capture_that_the_frame_cuts_short_is_kept(small: Acf, changed: Change) -> None:
    lab = Lab(changed(small, RAWENABLE=1, RAWSTARTLINE=19, RAWENDLINE=19, RAWSTARTPIXEL=22, RAWSAMPLES=1024))
    lab.set(ReadOut=1)
    found = lab.run(100 * MS)
    assert found.complete
    assert found.pulses == (0, 52)
