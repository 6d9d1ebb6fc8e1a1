"""The raster against counting every change one by one, and cases by hand."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from archon_ioc.acf.raster import (
    Edges,
    Event,
    FrameCompleted,
    FrameStarted,
    Raster,
)
from archon_ioc.acf.trace import Bit, Change, Repeat, Trace

X, FRAME, LINE, PIXEL, INT, TRIGA = 0, Bit.FRAME, Bit.LINE, Bit.PIXEL, Bit.INT, Bit.TRIGA


@dataclass
class Counter:
    """Counts every change one by one: slow and obvious."""

    pixel_count: int
    line_count: int
    linescan: bool
    lines: int = 0
    pixels: int = 0
    is_filling: bool = False
    open_ticks: int = 0
    high_since: int | None = None
    events: list[Event] = field(default_factory=list[Event])

    def follow(self, trace: Trace, start: int) -> None:
        for change in trace.changes(start):
            if change.rises(Bit.INT):
                self.high_since = change.tick
            if change.falls(Bit.INT):
                self.open_ticks, self.high_since = self.opened(change.tick), None
            if change.rises(Bit.PIXEL):
                self.sample(change)

    def opened(self, tick: int) -> int:
        return self.open_ticks + (0 if self.high_since is None else tick - self.high_since)

    def sample(self, change: Change) -> None:
        frame = change.after & FRAME
        if frame and not (self.linescan and self.is_filling):
            self.events.append(FrameStarted(change.tick, self.opened(change.tick), Edges()))
            self.is_filling, self.lines, self.pixels = True, 0, 0
        elif self.is_filling and (frame if self.linescan else change.after & LINE):
            self.pixels = 0
        if not self.is_filling:
            return
        if self.pixels < self.pixel_count:
            self.pixels += 1
            if self.pixels == self.pixel_count:
                self.lines += 1
                if self.lines == self.line_count:
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


@settings(max_examples=500, deadline=None)
@given(runs(), st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_following_equals_counting(traces: list[Trace], pixels: int, lines: int, linescan: bool) -> None:
    raster = Raster(pixels, lines, linescan=linescan)
    counter = Counter(pixels, lines, linescan)
    start = 7
    frames: list[Event] = []
    for trace in traces:
        for event in raster.follow(trace, start):
            if isinstance(event, FrameStarted):
                frames.append(event._replace(edges=Edges()))
            elif isinstance(event, FrameCompleted):
                frames.append(event)
        counter.follow(trace, start)
        start += trace.ticks
        assert frames == counter.events
        assert (raster.is_filling, raster.lines, raster.pixels) == (counter.is_filling, counter.lines, counter.pixels)
        assert raster.open_ticks(start) == counter.opened(start)
