"""What the outputs of the timing core mean to the frame engine: frames, lines, samples, light."""

from dataclasses import replace
from typing import NamedTuple

from archon_ioc.acf.framing import EDGE_BITS, Format, Probe, Stretch
from archon_ioc.acf.trace import Bit, Change, Repeat, Trace

_MOST_SUMMARIES = 4096
_MOST_PULSES = 4096
_INT = int(Bit.INT)


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


class PulsesSeen(NamedTuple):
    """The samples that a `Probe` asked for, in ticks after the first of them."""

    tick: int
    pulses: tuple[int, ...]


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


Event = FrameStarted | FrameCompleted | FrameAbandoned | PulsesSeen | LightChanged | TriggerChanged | Shifted

_EDGES = ((Bit.INT, "light"), (Bit.TRIGA, "a"), (Bit.TRIGB, "b"))


class _Recorder:
    """When the samples came that a probe asks for, of one frame."""

    def __init__(self, probe: Probe | None) -> None:
        self._probe = probe
        self._first: int | None = None
        self._pulses: list[int] = []

    @property
    def waits_for(self) -> Probe | None:
        """What is still to come; None if it is here or nobody asked."""
        return self._probe if self._first is None else None

    @property
    def is_recording(self) -> bool:
        """Whether every sample matters now."""
        return self._probe is not None and self._first is not None

    def sample(self, tick: int, place: tuple[int, int] | None) -> None:
        """Notice one sample: its line and pixel, None if it is thrown away."""
        if self._probe is None:
            return
        if self._first is None and place == self._probe[:2]:
            self._first = tick
        if self._first is not None:
            self._pulses.append(tick - self._first)

    def finished(self, tick: int) -> tuple[int, ...]:
        """Return what was asked for once it is all here, and then nothing any more."""
        if self._probe is None or self._first is None:
            return ()
        if tick < self._first + self._probe.ticks and len(self._pulses) < _MOST_PULSES:
            return ()
        return self.end()

    def end(self) -> tuple[int, ...]:
        """Return what there is of it, and then nothing any more."""
        pulses, self._probe, self._pulses = tuple(self._pulses), None, []
        return pulses


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
        self._summaries: dict[int, tuple[Trace, Stretch]] = {}
        self._events: list[Event] = []
        self._edges = NO_EDGES
        self._recorder = _Recorder(None)
        self._shifts = self._shifted_at = 0
        self._open_ticks = 0
        self._open_since = 0
        self._tick = 0
        self.is_open = False
        """Whether INT is high."""
        self.lines = 0
        """Whole lines of the last frame that started."""
        self.pixels = 0
        """Samples in its last line."""
        self.started_at: int | None = None
        """The tick of its first sample."""
        self.is_filling = False
        """Whether it is neither complete nor abandoned."""

    def configure(self, frame: Format) -> None:
        """Take another format from the next frame on; turning LINESCAN on or off drops the frame (protocol sheet)."""
        self._next = frame
        if frame.linescan != self._format.linescan:
            self.stop()
        if not self.is_filling:
            self._adopt()

    def stop(self) -> None:
        """Abandon the frame that is being read: it never completes."""
        self.is_filling = False
        self._recorder = _Recorder(None)

    def follow(self, trace: Trace, start: int) -> list[Event]:
        """Return what happens during ``trace``, in order; ``start`` is the tick of its beginning."""
        self._events = []
        self._run(trace, start)
        self._tick = start + trace.ticks
        self._tell_pulses(self._tick, self._recorder.finished(self._tick))
        self._tell_shifts()
        return self._events

    def open_ticks(self, tick: int) -> int:
        """Return how long INT was high until ``tick``, which is not before anything that was followed."""
        return self._open_ticks + (tick - self._open_since if self.is_open else 0)

    def _run(self, trace: Trace, start: int) -> None:
        shifted = iter(trace.shifted)
        shift = next(shifted, None)
        for event in trace.events:
            while shift and shift[0] <= event.tick:
                self._shift(*shift, start)
                shift = next(shifted, None)
            if isinstance(event, Change):
                self._change(event, start + event.tick)
            else:
                self._repeat(event, start + event.tick)
        while shift:
            self._shift(*shift, start)
            shift = next(shifted, None)

    def _shift(self, tick: int, lines: int, start: int) -> None:
        if not self.is_filling:
            self._shifts += lines
            self._shifted_at = start + tick

    def _change(self, change: Change, tick: int) -> None:
        self.is_open = change.before & _INT != 0
        if (change.before ^ change.after) & EDGE_BITS:
            self._tell_edges(change, tick)
        self.is_open = change.after & _INT != 0
        if not change.rises(Bit.PIXEL):
            return
        if self._format.starts_frame(change) and not (self._format.linescan and self.is_filling):
            self._start_frame(tick)
        elif self.is_filling and self._format.starts_line(change):
            self.pixels = 0
        if self.is_filling:
            self._sample(tick)

    def _sample(self, tick: int) -> None:
        self._tell_pulses(tick, self._recorder.finished(tick))
        is_thrown_away = self.pixels == self._format.pixels
        self._recorder.sample(tick, None if is_thrown_away else (self.lines, self.pixels))
        if is_thrown_away:
            return
        self.pixels += 1
        self.lines += self.pixels == self._format.pixels
        if self.lines == self._format.lines:
            self.is_filling = False
            self._tell_pulses(tick, self._recorder.end())
            self._events.append(FrameCompleted(tick))

    def _start_frame(self, tick: int) -> None:
        self._tell_shifts()
        if self.is_filling:
            self._events.append(FrameAbandoned(tick, self.lines, self.pixels))
        self._adopt()
        self.lines = self.pixels = 0
        self.started_at = tick
        self._recorder = _Recorder(self._format.probe)
        self.is_filling = True
        self._events.append(FrameStarted(tick, self.open_ticks(tick), self._edges))

    def _tell_edges(self, change: Change, tick: int) -> None:
        self._tell_shifts()
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

    def _tell_pulses(self, tick: int, pulses: tuple[int, ...]) -> None:
        if pulses:
            self._events.append(PulsesSeen(tick, pulses))

    def _tell_shifts(self) -> None:
        if self._shifts:
            self._events.append(Shifted(self._shifted_at, self._shifts, self.open_ticks(self._shifted_at)))
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

    def _skippable(self, body: Stretch, left: int, *, is_first: bool) -> int:
        """Return how many iterations from here on have no other effect than to add lines, samples and time."""
        if body.has_edges:
            left = 0 if is_first else left - 1
        if not self.is_filling:
            return 0 if body.starts_frame else left
        if self._recorder.is_recording and (body.starts_line or body.lead):
            return 0
        if body.starts_frame and not self._format.linescan:
            return 0
        frame, there = self._format, (self.lines, self.pixels)
        left = min(left, body.iterations_before((frame.lines - 1, frame.pixels - 1), there, frame.pixels))
        if probe := self._recorder.waits_for:
            left = min(left, body.iterations_before((probe.line, probe.pixel), there, frame.pixels))
        return left

    def _skip(self, body: Trace, summary: Stretch, count: int, tick: int) -> None:
        if self.is_filling:
            added, self.pixels = summary.times(count, self._format.pixels).added(self.pixels, self._format.pixels)
            self.lines += added
        else:
            self._shift(count * body.ticks, count * body.shifts, tick)
        if summary.has_light_edges:
            self._open_ticks = self.open_ticks(tick) + count * summary.high_ticks
            self._open_since = tick + count * body.ticks

    def _adopt(self) -> None:
        if self._format != self._next:
            self._format = self._next
            self._summaries.clear()

    def _summary(self, trace: Trace) -> Stretch:
        # By identity: the timing core uses the same bodies again and again, and comparing them would be slow.
        if found := self._summaries.get(id(trace)):
            return found[1]
        if len(self._summaries) >= _MOST_SUMMARIES:
            self._summaries.clear()
        summary = Stretch()
        mark = 0  # up to here the light is counted
        for event in trace.events:
            if isinstance(event, Change):
                step = Stretch.of(event, self._format)
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
