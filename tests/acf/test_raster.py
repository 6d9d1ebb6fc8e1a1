"""The raster against counting every change one by one, and cases by hand."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from archon_ioc.acf.framing import Format, Probe
from archon_ioc.acf.raster import (
    Edges,
    Event,
    FrameAbandoned,
    FrameCompleted,
    FrameStarted,
    PulsesSeen,
    Raster,
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
