"""What the outputs of the timing core mean to the frame engine: frames, lines, samples, light."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from archon_ioc.acf.trace import Bit, Change, Repeat, Trace

_MOST_SUMMARIES = 4096
_FOR_EVER = 1 << 63


class Edges(NamedTuple):
    """The ticks at which INT, TRIGA and TRIGB last rose and fell; 0 if they never did."""

    light_on: int = 0
    light_off: int = 0
    a_on: int = 0
    a_off: int = 0
    b_on: int = 0
    b_off: int = 0


NO_EDGES = Edges()


class FrameStarted(NamedTuple):
    """The first sample of a frame. ``open_ticks`` is how long INT was high so far."""

    tick: int
    open_ticks: int
    edges: Edges


class FrameCompleted(NamedTuple):
    """The last sample of a frame that is whole."""

    tick: int


class FrameAbandoned(NamedTuple):
    """Another frame starts before this one is whole; ``lines`` are, and ``pixels`` samples of the last line."""

    tick: int
    lines: int
    pixels: int


class LightChanged(NamedTuple):
    """INT rose or fell."""

    tick: int
    on: bool


class TriggerChanged(NamedTuple):
    """TRIGA or TRIGB (``name`` is the letter) rose or fell."""

    tick: int
    name: str
    on: bool


class Shifted(NamedTuple):
    """The CCD was shifted by ``lines`` up to ``tick``, outside a frame."""

    tick: int
    lines: int
    open_ticks: int


Event = FrameStarted | FrameCompleted | FrameAbandoned | LightChanged | TriggerChanged | Shifted

_EDGES = ((Bit.INT, "light"), (Bit.TRIGA, "a"), (Bit.TRIGB, "b"))
_EDGE_BITS = Bit.INT | Bit.TRIGA | Bit.TRIGB


@dataclass(frozen=True, slots=True)
class Format:
    """What makes a frame whole: samples in a line, lines in a frame, and what starts a line.

    With ``linescan`` each pulse of FRAME is one line, and ``lines`` of them make a frame (manual, LINESCAN).
    """

    pixels: int
    lines: int
    linescan: bool = False

    def starts_frame(self, change: Change) -> bool:
        """Return whether a frame starts here; with LINESCAN, unless one is being filled."""
        return change.rises(Bit.PIXEL) and bool(change.after & Bit.FRAME)

    def starts_line(self, change: Change) -> bool:
        """Return whether a line starts here."""
        return change.rises(Bit.PIXEL) and bool(change.after & (Bit.FRAME if self.linescan else Bit.LINE))


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a stretch of trace does to a frame that is being filled, whatever went before."""

    starts_frame: bool = False
    has_edges: bool = False
    starts_line: bool = False
    lead: int = 0
    """Samples before the first line start."""
    whole: int = 0
    """Whole lines between the first and the last line start."""
    tail: int = 0
    """Samples from the last line start on."""
    has_light_edges: bool = False
    opens: bool = False
    """INT before its first edge."""
    closes: bool = False
    """INT after its last edge."""
    high_ticks: int = 0

    @classmethod
    def of(cls, change: Change, frame: Format) -> Self:
        """Return what one change does."""
        edges = change.before ^ change.after
        starts_line = frame.starts_line(change)
        sample = int(change.rises(Bit.PIXEL))
        return cls(
            starts_frame=frame.starts_frame(change),
            has_edges=bool(edges & _EDGE_BITS),
            starts_line=starts_line,
            lead=0 if starts_line else sample,
            tail=sample if starts_line else 0,
            has_light_edges=bool(edges & Bit.INT),
            opens=bool(edges & change.before & Bit.INT),
            closes=bool(edges & change.after & Bit.INT),
        )

    def then(self, other: "_Summary", pixels: int) -> "_Summary":
        """Return what both do, one after the other; ``pixels`` make a line whole."""
        lead, whole, tail = self.lead, self.whole + other.whole, other.tail
        if not self.starts_line:
            lead += other.lead
        elif other.starts_line:
            whole += self.tail + other.lead >= pixels
        else:
            tail = self.tail + other.lead
        return _Summary(
            self.starts_frame or other.starts_frame,
            self.has_edges or other.has_edges,
            self.starts_line or other.starts_line,
            lead, whole, tail,
            self.has_light_edges or other.has_light_edges,
            self.opens if self.has_light_edges else other.opens,
            other.closes if other.has_light_edges else self.closes,
            self.high_ticks + other.high_ticks,
        )  # fmt: skip

    def times(self, count: int, pixels: int) -> "_Summary":
        """Return what ``count`` of it do."""
        if self.starts_line:
            lead, whole = self.lead, count * self.whole + (count - 1) * (self.tail + self.lead >= pixels)
        else:
            lead, whole = count * self.lead, 0
        return replace(self, lead=lead, whole=whole, high_ticks=count * self.high_ticks)

    def added(self, so_far: int, pixels: int) -> tuple[int, int]:
        """Return how many lines become whole after ``so_far`` samples of a line, and the samples in the last line."""
        lines = int(so_far < pixels <= so_far + self.lead)
        if not self.starts_line:
            return lines, min(so_far + self.lead, pixels)
        return lines + self.whole + (self.tail >= pixels), min(self.tail, pixels)

    def iterations_before(self, frame: Format, lines: int, so_far: int) -> int:
        """Return how many times in a row it may happen without making the frame whole."""
        missing = frame.lines - 1 - lines
        if not self.starts_line:
            if missing or not self.lead or so_far >= frame.pixels:
                return _FOR_EVER
            return (frame.pixels - 1 - so_far) // self.lead
        first, then = self.added(so_far, frame.pixels)
        if first > missing:
            return 0
        each, _ = self.added(then, frame.pixels)
        return 1 + (missing - first) // each if each else _FOR_EVER


class Raster:
    """Follows the outputs of the timing core as the frame engine does. Ticks are of 10 ns and absolute.

    A frame starts when PIXEL rises while FRAME is high, a line when PIXEL rises while LINE is high, and each rise
    of PIXEL is a sample (manual, timing states). What is beyond the format is thrown away. A line with too few
    samples does not count: the next one takes its place, and if the script clocks no further line the frame
    never completes.

    Loops are followed arithmetically. Of the edges of INT, TRIGA and TRIGB in a loop only those of the first and
    of the last iteration become events; ``open_ticks`` counts all.
    """

    def __init__(self, pixel_count: int, line_count: int, *, linescan: bool = False) -> None:
        self._format = self._next = Format(pixel_count, line_count, linescan)
        self._summaries: dict[int, tuple[Trace, _Summary]] = {}
        self._events: list[Event] = []
        self._edges = NO_EDGES
        self._shifts = 0
        self._open_ticks = 0
        self._open_since = 0
        self._tick = 0
        self.control = 0
        """The control bits now."""
        self.lines = 0
        """Whole lines of the last frame that started."""
        self.pixels = 0
        """Samples in its last line."""
        self.started_at: int | None = None
        """The tick of its first sample."""
        self.is_filling = False
        """Whether it is neither complete nor abandoned."""

    def configure(self, pixel_count: int, line_count: int, *, linescan: bool = False) -> None:
        """Take another format from the next frame on; turning LINESCAN on or off drops the frame (protocol sheet)."""
        self._next = Format(pixel_count, line_count, linescan)
        if linescan != self._format.linescan:
            self.stop()
        if not self.is_filling:
            self._adopt()

    def stop(self) -> None:
        """Abandon the frame that is being read: it never completes."""
        self.is_filling = False

    def follow(self, trace: Trace, start: int) -> list[Event]:
        """Return what happens during ``trace``, in order; ``start`` is the tick of its beginning."""
        self._events = []
        self._run(trace, start)
        self._tick = start + trace.ticks
        self._tell_shifts(self._tick)
        return self._events

    def open_ticks(self, tick: int) -> int:
        """Return how long INT was high until ``tick``, which is not before anything that was followed."""
        return self._open_ticks + (tick - self._open_since if self.control & Bit.INT else 0)

    def _run(self, trace: Trace, start: int) -> None:
        if trace.shifts and not self.is_filling:
            inner = sum(event.count * event.body.shifts for event in trace.events if isinstance(event, Repeat))
            self._shifts += trace.shifts - inner
        for event in trace.events:
            if isinstance(event, Change):
                self._change(event, start + event.tick)
            else:
                self._repeat(event, start + event.tick)

    def _change(self, change: Change, tick: int) -> None:
        self.control = change.before
        if (change.before ^ change.after) & _EDGE_BITS:
            self._tell_edges(change, tick)
        self.control = change.after
        if not change.rises(Bit.PIXEL):
            return
        if self._format.starts_frame(change) and not (self._format.linescan and self.is_filling):
            self._start_frame(tick)
        elif self.is_filling and self._format.starts_line(change):
            self.pixels = 0
        if self.is_filling and self.pixels < self._format.pixels:
            self.pixels += 1
            self.lines += self.pixels == self._format.pixels
            if self.lines == self._format.lines:
                self.is_filling = False
                self._events.append(FrameCompleted(tick))

    def _start_frame(self, tick: int) -> None:
        self._tell_shifts(tick)
        if self.is_filling:
            self._events.append(FrameAbandoned(tick, self.lines, self.pixels))
        self._adopt()
        self.lines = self.pixels = 0
        self.started_at = tick
        self.is_filling = True
        self._events.append(FrameStarted(tick, self.open_ticks(tick), self._edges))

    def _tell_edges(self, change: Change, tick: int) -> None:
        self._tell_shifts(tick)
        for bit, name in _EDGES:
            if not (change.before ^ change.after) & bit:
                continue
            on = change.rises(bit)
            self._edges = self._edges._replace(**{f"{name}_{'on' if on else 'off'}": tick})
            if bit is Bit.INT:
                self._open_ticks = self.open_ticks(tick)
                self._open_since = tick
                self._events.append(LightChanged(tick, on))
            else:
                self._events.append(TriggerChanged(tick, name.upper(), on))

    def _tell_shifts(self, tick: int) -> None:
        if self._shifts:
            self._events.append(Shifted(tick, self._shifts, self.open_ticks(tick)))
            self._shifts = 0

    def _repeat(self, repeat: Repeat, start: int) -> None:
        body = repeat.body
        done = 0
        while done < repeat.count:
            summary = self._summary(body)
            tick = start + done * body.ticks
            if count := self._skippable(summary, repeat.count - done, is_first=not done):
                self._skip(body, summary, count, tick)
                done += count
            else:
                self._run(body, tick)
                done += 1

    def _skippable(self, body: "_Summary", left: int, *, is_first: bool) -> int:
        """Return how many iterations from here on have no other effect than to add lines, samples and time."""
        if body.has_edges:
            left = 0 if is_first else left - 1
        if not self.is_filling:
            return 0 if body.starts_frame else left
        if body.starts_frame and not self._format.linescan:
            return 0
        return min(left, body.iterations_before(self._format, self.lines, self.pixels))

    def _skip(self, body: Trace, summary: "_Summary", count: int, tick: int) -> None:
        if self.is_filling:
            added, self.pixels = summary.times(count, self._format.pixels).added(self.pixels, self._format.pixels)
            self.lines += added
        else:
            self._shifts += count * body.shifts
        if summary.has_light_edges:
            self._open_ticks = self.open_ticks(tick) + count * summary.high_ticks
            self._open_since = tick + count * body.ticks

    def _adopt(self) -> None:
        if self._format != self._next:
            self._format = self._next
            self._summaries.clear()

    def _summary(self, trace: Trace) -> "_Summary":
        # By identity: the timing core uses the same bodies again and again, and comparing them would be slow.
        if found := self._summaries.get(id(trace)):
            return found[1]
        if len(self._summaries) >= _MOST_SUMMARIES:
            self._summaries.clear()
        summary = _Summary()
        mark = 0  # up to here the light is counted
        for event in trace.events:
            if isinstance(event, Change):
                step = _Summary.of(event, self._format)
                length = 0
            else:
                step = self._summary(event.body).times(event.count, self._format.pixels)
                length = event.ticks
            if step.has_light_edges:
                step = replace(step, high_ticks=step.high_ticks + (event.tick - mark) * step.opens)
                mark = event.tick + length
            summary = summary.then(step, self._format.pixels)
        if summary.closes:
            summary = replace(summary, high_ticks=summary.high_ticks + trace.ticks - mark)
        self._summaries[id(trace)] = (trace, summary)
        return summary
