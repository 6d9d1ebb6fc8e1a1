"""What makes a frame whole, and what a stretch of clocking does to a frame."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from archon_ioc.acf.trace import Bit, Change

EDGE_BITS = Bit.INT | Bit.TRIGA | Bit.TRIGB
_FOR_EVER = 1 << 63


class Probe(NamedTuple):
    """Asks when the samples come for ``ticks`` from a ``pixel`` of a ``line`` on, both from 0 (raw capture)."""

    line: int
    pixel: int
    ticks: int


@dataclass(frozen=True, slots=True)
class Format:
    """What makes a frame whole: samples in a line, lines in a frame, and what starts a line.

    With ``linescan`` each pulse of FRAME is one line, and ``lines`` of them make a frame (manual, LINESCAN).
    """

    pixels: int
    lines: int
    linescan: bool = False
    probe: Probe | None = None

    def starts_frame(self, change: Change) -> bool:
        """Return whether a frame starts here; with LINESCAN, unless one is being filled."""
        return change.rises(Bit.PIXEL) and bool(change.after & Bit.FRAME)

    def starts_line(self, change: Change) -> bool:
        """Return whether a line starts here."""
        return change.rises(Bit.PIXEL) and bool(change.after & (Bit.FRAME if self.linescan else Bit.LINE))


@dataclass(frozen=True, slots=True)
class Stretch:
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
            has_edges=bool(edges & EDGE_BITS),
            starts_line=starts_line,
            lead=0 if starts_line else sample,
            tail=sample if starts_line else 0,
            has_light_edges=bool(edges & Bit.INT),
            opens=bool(edges & change.before & Bit.INT),
            closes=bool(edges & change.after & Bit.INT),
        )

    def then(self, other: "Stretch", pixels: int) -> "Stretch":
        """Return what both do, one after the other; ``pixels`` make a line whole."""
        lead, whole, tail = self.lead, self.whole + other.whole, other.tail
        if not self.starts_line:
            lead += other.lead
        elif other.starts_line:
            whole += self.tail + other.lead >= pixels
        else:
            tail = self.tail + other.lead
        return Stretch(
            self.starts_frame or other.starts_frame,
            self.has_edges or other.has_edges,
            self.starts_line or other.starts_line,
            lead, whole, tail,
            self.has_light_edges or other.has_light_edges,
            self.opens if self.has_light_edges else other.opens,
            other.closes if other.has_light_edges else self.closes,
            self.high_ticks + other.high_ticks,
        )  # fmt: skip

    def times(self, count: int, pixels: int) -> "Stretch":
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

    def iterations_before(self, sample: tuple[int, int], there: tuple[int, int], pixels: int) -> int:
        """Return how many times in a row it may happen before a sample, at the least.

        ``sample`` is its line and pixel, from 0; ``there`` are the whole lines and the samples of the last line
        before; ``pixels`` make a line whole.
        """
        (line, pixel), (lines, so_far) = sample, there
        if lines > line:
            return _FOR_EVER
        if not self.starts_line:
            if lines < line or not self.lead or so_far > pixel:
                return _FOR_EVER
            return (pixel - so_far) // self.lead
        first, then = self.added(so_far, pixels)
        missing = line - lines - (pixel < pixels - 1)
        if first > missing:
            return 0
        each, _ = self.added(then, pixels)
        return 1 + (missing - first) // each if each else _FOR_EVER
