"""Lines: how many lines a trace clocks, and how long they are, found without going round its loops."""

from dataclasses import dataclass, field, replace

from archon_ioc.acf.trace import Bit, Change, Repeat, Trace


@dataclass(frozen=True, slots=True)
class Lines:
    """``count`` lines begin. ``lead`` pixels come before the first, ``tail`` are in the last.

    ``shortest`` is the number of pixels of the shortest line but the last, None if there is none.
    """

    count: int = 0
    lead: int = 0
    tail: int = 0
    shortest: int | None = None

    @property
    def least(self) -> int:
        """The pixels of the shortest line; without lines, all pixels."""
        if not self.count:
            return self.lead
        return self.tail if self.shortest is None else min(self.tail, self.shortest)

    def then(self, other: "Lines") -> "Lines":
        """Return the lines of both, one after the other."""
        if not self.count:
            return replace(other, lead=self.lead + other.lead)
        if not other.count:
            return replace(self, tail=self.tail + other.lead)
        inner = (self.shortest, self.tail + other.lead, other.shortest)
        shortest = min(length for length in inner if length is not None)
        return Lines(self.count + other.count, self.lead, other.tail, shortest)

    def times(self, count: int) -> "Lines":
        """Return the lines of ``count`` of it."""
        if not self.count:
            return Lines(lead=count * self.lead)
        if count < 1:
            return Lines()
        all_of_it = self.then(self) if count > 1 else self
        return replace(all_of_it, count=count * self.count)


@dataclass(slots=True)
class LineCounter:
    """Counts lines; it remembers the bodies of loops, and may be asked about many traces."""

    _found: dict[int, tuple[Trace, Lines]] = field(default_factory=dict[int, tuple[Trace, Lines]])

    def count(self, trace: Trace, start: int = 0) -> Lines:
        """Return the lines from tick ``start`` of a trace on."""
        if start <= 0 and id(trace) in self._found:
            return self._found[id(trace)][1]
        lines = Lines()
        for event in trace.events:
            if event.tick >= start or isinstance(event, Repeat):
                lines = lines.then(self._of(event, start - event.tick))
        if start <= 0:
            self._found[id(trace)] = (trace, lines)  # with the trace: its id is then nobody else's
        return lines

    def _of(self, event: Change | Repeat, start: int) -> Lines:
        if isinstance(event, Change):
            is_pixel = event.rises(Bit.PIXEL)
            begins = is_pixel and event.after & Bit.LINE
            return Lines(count=1, tail=1) if begins else Lines(lead=int(is_pixel))
        skipped, offset = divmod(max(start, 0), event.body.ticks)
        if skipped >= event.count:
            return Lines()
        first = self.count(event.body, offset)
        return first.then(self.count(event.body).times(event.count - skipped - 1))
