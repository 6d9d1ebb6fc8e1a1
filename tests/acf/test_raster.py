"""The raster against counting every change one by one, and cases by hand."""

from dataclasses import dataclass, field, replace
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from archon_ioc.acf.framing import Format, Probe
from archon_ioc.acf.raster import (
    Edges,
    Event,
    FrameAbandoned,
    FrameCompleted,
    FrameStarted,
    LightChanged,
    PulsesSeen,
    Raster,
    Shifted,
    TriggerChanged,
)
from archon_ioc.acf.trace import Bit, Change, Repeat, Trace

X, FRAME, LINE, PIXEL, INT, TRIGA = 0, Bit.FRAME, Bit.LINE, Bit.PIXEL, Bit.INT, Bit.TRIGA


@dataclass
class Counter:
    """Counts every change one by one: slow and obvious."""

    frame: Format
    lines: int = 0
    pixels: int = 0
    is_filling: bool = False
    open_ticks: int = 0
    high_since: int | None = None
    events: list[Event] = field(default_factory=list[Event])
    pulses: list[int] | None = None
    seen: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])

    def follow(self, trace: Trace, start: int) -> None:
        for change in trace.changes(start):
            if change.rises(Bit.INT):
                self.high_since = change.tick
            if change.falls(Bit.INT):
                self.open_ticks, self.high_since = self.opened(change.tick), None
            if change.rises(Bit.PIXEL):
                self.sample(change)
        self.notice(start + trace.ticks)

    def notice(self, tick: int, *, end: bool = False) -> None:
        if self.pulses and (end or tick >= self.pulses[0] + self.frame.probe.ticks):
            self.seen.append(tuple(pulse - self.pulses[0] for pulse in self.pulses))
            self.pulses = []

    def opened(self, tick: int) -> int:
        return self.open_ticks + (0 if self.high_since is None else tick - self.high_since)

    def sample(self, change: Change) -> None:
        frame = change.after & FRAME
        if frame and not (self.frame.linescan and self.is_filling):
            if self.is_filling:
                self.events.append(FrameAbandoned(change.tick, self.lines, self.pixels))
            self.events.append(FrameStarted(change.tick, self.opened(change.tick), Edges()))
            self.pulses = None
            self.is_filling, self.lines, self.pixels = True, 0, 0
        elif self.is_filling and (frame if self.frame.linescan else change.after & LINE):
            self.pixels = 0
        if not self.is_filling:
            return
        self.notice(change.tick)
        wanted = self.frame.probe[:2] if self.pixels < self.frame.pixels else None
        if self.pulses is None and (self.lines, self.pixels) == wanted:
            self.pulses = [change.tick]
        elif self.pulses:
            self.pulses.append(change.tick)
        if self.pixels < self.frame.pixels:
            self.pixels += 1
            if self.pixels == self.frame.pixels:
                self.lines += 1
                if self.lines == self.frame.lines:
                    self.notice(change.tick, end=True)
                    self.events.append(FrameCompleted(change.tick))
                    self.is_filling = False


@st.composite
def bodies(draw: st.DrawFn, control: int, depth: int, *, returns: bool) -> tuple[Trace, int]:
    """Return a trace that begins with the control bits ``control``, and the bits at its end."""
    events: list[Change | Repeat] = []
    tick = 0
    now = control
    for _ in range(draw(st.integers(0, 5))):
        tick += draw(st.integers(0, 3))
        if depth and draw(st.booleans()):
            body, _ = draw(bodies(now, depth - 1, returns=True))
            count = draw(st.integers(1, 9))
            events.append(Repeat(tick, count, body))
            tick += count * body.ticks
        else:
            after = draw(st.sampled_from([0, 0, 8, 8, 8, 12, 12, 14, 10, 1, 9, 16, 4, 2]))
            if after != now:
                events.append(Change(tick, now, after))
            now = after
    if returns and now != control:
        events.append(Change(tick, now, control))
        now = control
    return Trace(tick + draw(st.integers(1, 3)), tuple(events)), now


@st.composite
def runs(draw: st.DrawFn) -> list[Trace]:
    traces: list[Trace] = []
    control = 0
    for _ in range(draw(st.integers(1, 4))):
        trace, control = draw(bodies(control, 3, returns=False))
        traces.append(trace)
    return traces


formats = st.builds(
    Format,
    st.integers(1, 5),
    st.integers(1, 6),
    st.booleans(),
    st.builds(Probe, st.integers(0, 6), st.integers(0, 5), st.integers(1, 60)),
)


@settings(max_examples=200, deadline=None)
@given(runs(), formats)
def test_following_equals_counting(traces: list[Trace], frame: Format) -> None:
    raster = Raster(1, 1)
    raster.configure(frame)
    counter = Counter(frame)
    start = 7
    frames: list[Event] = []
    seen: list[tuple[int, ...]] = []
    for trace in traces:
        for event in raster.follow(trace, start):
            if isinstance(event, FrameStarted):
                frames.append(event._replace(edges=Edges()))
            elif isinstance(event, FrameCompleted | FrameAbandoned):
                frames.append(event)
            elif isinstance(event, PulsesSeen):
                seen.append(event.pulses)
        counter.follow(trace, start)
        start += trace.ticks
        assert frames == counter.events
        assert seen == counter.seen
        assert (raster.is_filling, raster.lines, raster.pixels) == (counter.is_filling, counter.lines, counter.pixels)
        assert raster.open_ticks(start) == counter.opened(start)


# By hand


def line(samples: int, *, first: int = LINE, ticks: int = 100) -> Trace:
    """Return a line: a start with the first sample, and more samples, one each tick and each other."""
    events = [Change(0, 0, first), Change(1, first, first | PIXEL), Change(2, first | PIXEL, 0)]
    if samples > 1:
        pixel = Trace(2, (Change(0, 0, PIXEL), Change(1, PIXEL, 0)))
        events.append(Repeat(10, samples - 1, pixel))
    return Trace(ticks, tuple(events))


def frame(lines: int, samples: int) -> Trace:
    """Return a frame; its first sample comes at tick 1."""
    first = line(samples, first=FRAME | LINE)
    return Trace(
        lines * 100, (Repeat(0, 1, first), *([Repeat(100, lines - 1, line(samples))] if lines > 1 else [])), lines
    )


def test_a_frame_begins_with_its_first_sample_and_ends_with_its_last() -> None:
    raster = Raster(24, 20)
    assert raster.follow(frame(20, 25), 1000) == [
        FrameStarted(1001, 0, Edges()),
        FrameCompleted(1000 + 1900 + 10 + 22 * 2),
    ]
    assert (raster.lines, raster.pixels, raster.started_at) == (20, 24, 1001)


def test_a_line_that_is_too_short_is_never_whole() -> None:
    raster = Raster(24, 20)
    assert len(raster.follow(frame(200, 23), 0)) == 1
    assert (raster.lines, raster.pixels, raster.is_filling) == (0, 23, True)


def test_lines_that_are_missing_keep_the_frame_from_being_whole() -> None:
    raster = Raster(24, 20)
    raster.follow(frame(19, 24), 0)
    assert (raster.lines, raster.pixels, raster.is_filling) == (19, 24, True)


def test_a_frame_that_starts_too_early_abandons_the_one_before() -> None:
    raster = Raster(24, 20)
    raster.follow(frame(3, 24), 0)
    events = raster.follow(frame(20, 24), 300)
    assert events[:2] == [FrameAbandoned(301, 3, 24), FrameStarted(301, 0, Edges())]
    assert isinstance(events[2], FrameCompleted)


def test_a_stopped_frame_is_not_continued() -> None:
    raster = Raster(24, 20)
    raster.follow(frame(3, 24), 0)
    raster.stop()
    assert raster.follow(Trace(2000, (Repeat(0, 20, line(24)),)), 300) == []
    assert raster.lines == 3


def test_with_linescan_each_pulse_of_frame_is_a_line_of_the_batch() -> None:
    raster = Raster(24, 20, linescan=True)
    pulses = Trace(5000, (Repeat(0, 50, line(24, first=FRAME)),))
    ends = [1900 + 10 + 22 * 2, 3900 + 10 + 22 * 2]
    assert raster.follow(pulses, 0) == [
        FrameStarted(1, 0, Edges()),
        FrameCompleted(ends[0]),
        FrameStarted(2001, 0, Edges()),
        FrameCompleted(ends[1]),
        FrameStarted(4001, 0, Edges()),
    ]
    assert (raster.lines, raster.is_filling) == (10, True)


def test_turning_linescan_on_or_off_drops_a_part_of_a_batch() -> None:
    raster = Raster(24, 20, linescan=True)
    raster.follow(Trace(500, (Repeat(0, 5, line(24, first=FRAME)),)), 0)
    raster.configure(Format(24, 20))
    assert not raster.is_filling
    assert raster.follow(frame(20, 24), 500)[0] == FrameStarted(501, 0, Edges())


def test_another_format_begins_with_the_next_frame() -> None:
    raster = Raster(24, 20)
    raster.follow(frame(3, 24), 0)
    raster.configure(Format(12, 4))
    raster.follow(Trace(100, (Repeat(0, 1, line(24)),)), 300)
    assert (raster.lines, raster.is_filling) == (4, True)
    events = raster.follow(frame(4, 12), 400)
    assert isinstance(events[-1], FrameCompleted)


def test_light_and_triggers_are_told_and_kept_for_the_frame() -> None:
    raster = Raster(1, 1)
    trace = Trace(
        100,
        (
            Change(10, 0, INT),
            Change(20, INT, INT | TRIGA),
            Change(30, INT | TRIGA, TRIGA),
            Change(40, TRIGA, Bit.TRIGB),
            Change(50, Bit.TRIGB, FRAME | PIXEL),
        ),
    )
    assert raster.follow(trace, 0) == [
        LightChanged(10, True),
        TriggerChanged(20, "A", True),
        LightChanged(30, False),
        TriggerChanged(40, "A", False),
        TriggerChanged(40, "B", True),
        TriggerChanged(50, "B", False),
        FrameStarted(50, 20, Edges(10, 30, 20, 40, 40, 50)),
        FrameCompleted(50),
    ]


def test_of_a_loop_the_first_and_the_last_pulses_of_light_are_told_and_all_are_counted() -> None:
    raster = Raster(1, 1)
    pulse = Trace(10, (Change(2, 0, INT), Change(5, INT, 0)))
    events = raster.follow(Trace(10**9, (Repeat(100, 10**6, pulse),)), 0)
    last = 100 + 10 * (10**6 - 1)
    assert events == [
        LightChanged(102, True),
        LightChanged(105, False),
        LightChanged(last + 2, True),
        LightChanged(last + 5, False),
    ]
    assert raster.open_ticks(10**9) == 3 * 10**6


def test_whether_int_is_high_is_known_after_any_loop() -> None:
    raster = Raster(1, 1)
    pixel = Trace(10, (Change(2, INT, INT | PIXEL), Change(5, INT | PIXEL, INT)))
    pulse = Trace(10, (Change(2, INT, 0), Change(5, 0, INT)))
    assert not raster.is_open
    raster.follow(Trace(10, (Change(0, 0, INT),)), 0)
    for n, body in enumerate((pixel, pulse, pixel)):
        raster.follow(Trace(10_000, (Repeat(0, 1000, body),)), 10 + 10_000 * n)
        assert raster.is_open
    raster.follow(Trace(10, (Change(0, INT, FRAME),)), 30_010)
    assert not raster.is_open


def test_shifts_are_told_outside_frames_and_in_their_order() -> None:
    raster = Raster(24, 20)
    flash = Trace(1000, (Change(500, 0, INT), Change(600, INT, 0)), 30, ((400, 10), (700, 20)))
    assert raster.follow(flash, 0) == [
        Shifted(400, 10, 0),
        LightChanged(500, True),
        LightChanged(600, False),
        Shifted(700, 20, 100),
    ]
    inside = replace(line(24), shifts=1, shifted=((0, 1),))
    readout = Trace(3000, (Repeat(0, 1, line(24, first=FRAME | LINE)), Repeat(100, 29, inside)), 29)
    _, _, after = raster.follow(readout, 1000)
    assert after == Shifted(4000, 10, 100)


def test_long_loops_cost_nothing() -> None:
    raster = Raster(1000, 1000)
    nested = line(1001, ticks=3000)
    for _ in range(4):
        nested = Trace(1000 * nested.ticks, (Repeat(0, 1000, nested),))
    start = Trace(10, (Change(0, 0, FRAME | PIXEL), Change(1, FRAME | PIXEL, 0)))
    raster.follow(start, 0)
    before = perf_counter()
    events = raster.follow(nested, 10)
    assert perf_counter() - before < 0.1
    # the sample that starts the frame belongs to a line that is too short
    assert events == [FrameCompleted(10 + 999 * 3000 + 10 + 998 * 2)]


def test_ever_new_loops_do_not_fill_the_memory() -> None:
    raster = Raster(24, 20)
    raster.follow(Trace(100, (Repeat(0, 1, line(24, first=FRAME | LINE)),)), 0)
    for n in range(1, 5000):
        raster.follow(Trace(100, (Repeat(0, 2, line(1 + n % 20, ticks=50)),)), 100 * n)
    assert (raster.lines, raster.is_filling) == (1, True)
    raster.follow(Trace(1900, (Repeat(0, 19, line(24)),)), 500_000)
    assert (raster.lines, raster.is_filling) == (20, False)
