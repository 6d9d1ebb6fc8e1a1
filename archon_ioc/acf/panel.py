"""Panel: what the outputs do over a pixel, a line and a frame, as a picture shows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import compress, islice, takewhile

from archon_ioc.acf.channels import CONTROL, Channel, widen
from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.edges import Edges
from archon_ioc.acf.file import Acf
from archon_ioc.acf.rehearsal import Rehearsal
from archon_ioc.acf.roles import DEFAULT_NAMES
from archon_ioc.acf.trace import Bit, Trace
from archon_ioc.acf.waveform import Signal, merged, signals
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import InputError

_STROKES = 1500
"""Into how many parts the time of a panel is cut; loops that are shorter are shown as a band."""
_PIXELS_SHOWN = 3
_LINES_SHOWN = 2.2


class Span(StrEnum):
    """What a panel shows."""

    PIXEL = "pixel"
    LINE = "line"
    FRAME = "frame"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the outputs do from tick ``start`` to ``end``."""

    start: int
    end: int
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """When the AD converters sample, in ticks: the reset level (``SHP``) or the video level (``SHD``)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One span; between two stretches time is left out. Time counts from tick ``zero``, which ``origin`` names.

    All stretches have the same signals, in the same order; outputs that never change are left out.
    """

    span: Span
    zero: int
    origin: str
    stretches: tuple[Stretch, ...]
    windows: tuple[Window, ...] = ()


def panels(
    acf: Acf,
    spans: Iterable[Span] = Span,
    changes: Mapping[str, int] | None = None,
    names: ScriptConfig = DEFAULT_NAMES,
) -> tuple[Panel, ...]:
    """Return the panels of an exposure with readout, with other values of some parameters.

    Raises:
        ScriptError: if the script cannot be compiled.
        InputError: if a parameter does not exist, or the script reads no frame.
    """
    readout = _Readout.of(acf, changes or {}, names)
    make = {Span.PIXEL: _pixel, Span.LINE: _line, Span.FRAME: _frame}
    return tuple(make[span](readout, acf) for span in spans)


@dataclass(frozen=True, slots=True)
class _Readout:
    """An exposure with readout, all outputs traced; and when the first lines and pixels are."""

    trace: Trace
    channels: tuple[Channel, ...]
    lines: Sequence[int]
    pixels: Sequence[int]

    @classmethod
    def of(cls, acf: Acf, changes: Mapping[str, int], names: ScriptConfig) -> "_Readout":
        usual = Rehearsal.of(acf, changes, names)
        program, channels = widen(acf, usual.core.program)
        rehearsal = Rehearsal(TimingCore(program, usual.core.parameters), usual.roles)
        demand = {usual.roles.exposures: 1, usual.roles.readout: 1}
        trace = rehearsal.run(demand)
        starts = list(islice(Edges(Bit.PIXEL, during=Bit.FRAME).ticks(trace), 2))
        if not starts:
            raise InputError("the timing script reads no frame, so there is nothing to show")
        if len(starts) > 1:  # it goes on with the next frame by itself
            trace = rehearsal.start(demand).advance(starts[1])
        start = starts[0]
        lines = tuple(islice(Edges(Bit.PIXEL, during=Bit.LINE).ticks(trace, start), 3)) or (start,)
        end = lines[1] if len(lines) > 1 else trace.ticks
        pixels = tuple(takewhile(lambda tick: tick < end, Edges(Bit.PIXEL).ticks(trace, start)))
        return cls(trace, channels, lines, pixels)

    @property
    def pixel_ticks(self) -> int:
        """From one pixel to the next."""
        first = self.pixels[:2]
        return first[-1] - first[0] or self.trace.ticks

    @property
    def line_ticks(self) -> int:
        """From one line to the next."""
        return self.lines[1] - self.lines[0] if len(self.lines) > 1 else self.trace.ticks

    def show(self, *bounds: tuple[int, int], strokes: int = _STROKES) -> tuple[Stretch, ...]:
        """Return what the outputs do between the bounds."""
        within = _joined([(max(start, 0), min(end, self.trace.ticks)) for start, end in bounds])
        finest = max(sum(end - start for start, end in within) // strokes, 1)
        shown = [self._moving(within, channels, finest) for channels in (CONTROL, self.channels)]
        return tuple(
            Stretch(start, end, (*control, *outputs))
            for (start, end), control, outputs in zip(within, *shown, strict=True)
        )

    def _moving(
        self, bounds: list[tuple[int, int]], channels: tuple[Channel, ...], finest: int
    ) -> list[tuple[Signal, ...]]:
        """Return, for each stretch, what those channels do that change in any."""
        found = [signals(self.trace, channels, *bound, finest=finest) for bound in bounds]
        moving = [_moves(all_) for all_ in zip(*found, strict=True)]
        kept = merged([list(compress(stretch, moving)) for stretch in found])
        return kept or [()] * len(bounds)


def _moves(found: tuple[Signal, ...]) -> bool:
    levels = {(piece.low, piece.high) for signal in found for piece in signal.pieces}
    return len(levels) > 1 or any(piece.is_dense for signal in found for piece in signal.pieces)


def _joined(bounds: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches that touch."""
    joined = bounds[:1]
    for start, end in bounds[1:]:
        if start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _pixel(readout: _Readout, acf: Acf) -> Panel:
    shown, ticks = readout.pixels[_PIXELS_SHOWN - 1 :] or readout.pixels, readout.pixel_ticks
    zero = shown[0]
    bound = zero - 3 * ticks // 10, zero + 11 * ticks // 10
    windows = tuple(
        Window(name, edge + acf.number(f"{name}1", 0), edge + acf.number(f"{name}2", 0))
        for edge in shown[:2]
        for name in ("SHP", "SHD")
        if edge + acf.number(f"{name}1", 0) < bound[1]
    )
    return Panel(Span.PIXEL, zero, "PIXEL edge", readout.show(bound), windows)


def _line(readout: _Readout, _: Acf) -> Panel:
    """Show the second line, with the end of the one before it; of a single line that one."""
    zero, last = readout.lines[0], readout.pixels[-1]
    gap = 0
    if len(readout.lines) > 1:
        zero, gap = readout.lines[1], readout.lines[1] - last
        last += readout.line_ticks
    some = max(_PIXELS_SHOWN * readout.pixel_ticks, gap // 5)
    stretches = readout.show((zero - gap - some, zero + some), (last - some, last + some + gap // 4))
    return Panel(Span.LINE, zero, "first pixel of the line", stretches)


def _frame(readout: _Readout, _: Acf) -> Panel:
    trace, line = readout.trace, readout.line_ticks
    rise, fall = Edges(Bit.INT).first(trace), Edges(Bit.INT, rising=False).first(trace)
    first = readout.lines[0] + int(_LINES_SHOWN * line)
    last = Edges(Bit.PIXEL, during=Bit.LINE).last(trace) or first
    end = last - line // 5, trace.ticks
    bounds = [(0, first), end]
    if rise is not None and fall is not None and fall - rise > 2 * line:
        bounds = [(0, rise + line // 2), (fall - line // 2, first), end]
    return Panel(Span.FRAME, 0, "start of the exposure", readout.show(*bounds))
