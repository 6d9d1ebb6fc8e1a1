"""Estimate: how long the timing script of a configuration takes for what, found out by running it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile
from types import MappingProxyType

from archon_ioc.acf.edges import Edges
from archon_ioc.acf.file import Acf
from archon_ioc.acf.lines import LineCounter
from archon_ioc.acf.raster import FrameCompleted, Raster
from archon_ioc.acf.rehearsal import LONGEST, Rehearsal, Values, looks
from archon_ioc.acf.roles import DEFAULT_NAMES
from archon_ioc.acf.script import COUNTER_LIMIT
from archon_ioc.acf.trace import Bit, Trace
from archon_ioc.config import ScriptConfig
from archon_ioc.protocol.commands import PARAMETER_LIMIT

_TICKS_PER_SECOND = 100_000_000
_MOST_STEPS = 10_000
"""Ticks within which a script counts down the parameter that asked it for something."""
_MOST_LOOKS = 32
"""Looks at AbortExposure among which the longest wait is searched: not all are equally far apart."""
_LOOKS_AT_DEMANDS = 6
"""The same in the idle loop; the first ones may belong to its beginning."""
_NO_CHANGES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time in ticks of 10 ns."""

    ticks: int

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return self.ticks / _TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ReadoutTimes:
    """Reading the CCD once. ``start``: from the demand, made when the cores are released, to the first pixel.

    ``pause``: from the fall of INT to the first pixel. ``length``: first to last pixel of the frame, by the edges
    of PIXEL; of a frame that never completes, to the last pixel that is clocked. ``recovery``: from there until the
    script looks at its parameters again. ``pixel`` and ``line``: from one to the next. ``period``: shortest time
    from frame to frame with the demands already there, ``continuous``: of continuous exposures; both without
    integrating. ``lines`` and ``pixels`` (of the shortest line) are clocked, ``completes`` says whether they
    suffice for LINECOUNT and PIXELCOUNT. ``is_cut``: it takes longer than the script was followed, so that there are
    more lines, or pixels in a line.
    """

    start: Duration
    pause: Duration | None
    length: Duration
    recovery: Duration | None
    pixel: Duration | None
    line: Duration | None
    period: Duration | None
    continuous: Duration | None
    pixels: int
    lines: int
    completes: bool
    is_cut: bool

    @property
    def whole(self) -> Duration:
        """From the demand to the last pixel."""
        return Duration(self.start.ticks + self.length.ticks)


@dataclass(frozen=True, slots=True)
class IntegrationTimes:
    """How long INT is high. ``unit`` is what one count of the integration parameter adds, ``offset`` is there anyway.

    ``longest`` belongs to the largest count that can be loaded. ``reads_by_itself``: a readout follows without a
    demand of its own. ``abort``: the longest time from AbortExposure to the fall of INT, None if the script has none
    or does not obey during an integration.
    """

    unit: Duration
    offset: Duration
    longest: Duration
    reads_by_itself: bool
    abort: Duration | None

    def of(self, count: int) -> Duration:
        """Return how long INT is high with this value of the integration parameter, which is not 0."""
        return Duration(self.offset.ticks + count * self.unit.ticks)


@dataclass(frozen=True, slots=True)
class IdleTimes:
    """Waiting. ``loop``: from one look at the parameters to the next, ``deaf``: the same as the configuration rests.

    ``deaf`` is longer where the script flushes the CCD meanwhile. None: it never looks at them. ``flush``: from the
    demand to the end of FlushCount flushes.
    """

    loop: Duration | None
    deaf: Duration | None
    flush: Duration | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """All times of a script; None where it does no such thing."""

    readout: ReadoutTimes | None
    integration: IntegrationTimes | None
    idle: IdleTimes


def estimate(acf: Acf, changes: Mapping[str, int] = _NO_CHANGES, names: ScriptConfig = DEFAULT_NAMES) -> Estimate:
    """Find out the times of a configuration, with other values of some parameters.

    Raises:
        ScriptError: if the script cannot be compiled.
        InputError: if a parameter does not exist, or its counter cannot hold the value.
        ConfigError: if PIXELCOUNT or LINECOUNT is missing, or if it takes too long to find out.
    """
    rehearsal = Rehearsal.of(acf, changes, names)
    return Estimate(_readout(rehearsal, acf), _integration(rehearsal), _idle(rehearsal))


def estimate_readout(
    acf: Acf, changes: Mapping[str, int] = _NO_CHANGES, names: ScriptConfig = DEFAULT_NAMES
) -> ReadoutTimes | None:
    """Find out only how long the readout takes; like `estimate`, and faster."""
    return _readout(Rehearsal.of(acf, changes, names), acf)


def estimate_flush(
    acf: Acf, changes: Mapping[str, int] = _NO_CHANGES, names: ScriptConfig = DEFAULT_NAMES
) -> Duration | None:
    """Find out only how long it takes to clear the CCD on demand; like `estimate`, and faster."""
    return _flush(Rehearsal.of(acf, changes, names))


def _readout(rehearsal: Rehearsal, acf: Acf) -> ReadoutTimes | None:
    roles = rehearsal.roles
    demand = roles.readout or roles.exposures
    frame_starts, pixels = Edges(Bit.PIXEL, during=Bit.FRAME), Edges(Bit.PIXEL)
    trace = _one_frame(rehearsal, {roles.integration: 0, demand: 1}, acf)
    start = frame_starts.first(trace)
    if start is None:
        return None
    end, completes = _end_of_frame(trace, acf)
    lines = LineCounter().count(trace, start)
    line_starts = list(islice(Edges(Bit.PIXEL, during=Bit.LINE).ticks(trace, start), 2))
    twice = rehearsal.run({roles.integration: 0, demand: 2})
    running = rehearsal.start({roles.integration: 0, roles.continuous: 1}).advance(8 * trace.ticks)
    return ReadoutTimes(
        start=Duration(start),
        pause=_pause(rehearsal, frame_starts),
        length=Duration(end - start),
        recovery=_recovery(rehearsal, demand, start, end),
        pixel=_spacing(list(islice(pixels.ticks(trace, start), 2))),
        line=_spacing(line_starts),
        period=_spacing(list(islice(frame_starts.ticks(twice), 2))),
        continuous=_spacing(list(islice(frame_starts.ticks(running), 1, 3))) if roles.continuous else None,
        pixels=lines.least,
        lines=lines.count,
        completes=completes,
        is_cut=trace.ticks >= LONGEST,
    )


def _one_frame(rehearsal: Rehearsal, values: Values, acf: Acf) -> Trace:
    """Return what the script does up to a second frame: one that does not count down its demand reads for ever."""
    trace = rehearsal.run(values)
    pulses = acf.line_count if acf.number("LINESCAN", 0) else 1
    second = next(islice(Edges(Bit.PIXEL, during=Bit.FRAME).ticks(trace), pulses, None), None)
    return trace if second is None else rehearsal.start(values).advance(second)


def _end_of_frame(trace: Trace, acf: Acf) -> tuple[int, bool]:
    raster = Raster(acf.pixel_count, acf.line_count, linescan=bool(acf.number("LINESCAN", 0)))
    completed = [event.tick for event in raster.follow(trace, 0) if isinstance(event, FrameCompleted)]
    return (completed[0], True) if completed else (Edges(Bit.PIXEL).last(trace) or 0, False)


def _pause(rehearsal: Rehearsal, frame_starts: Edges) -> Duration | None:
    roles = rehearsal.roles
    trace = rehearsal.run({roles.exposures: 1, roles.integration: 1, roles.readout: 1})
    dark, first = Edges(Bit.INT, rising=False).first(trace), frame_starts.first(trace)
    return Duration(first - dark) if dark is not None and first is not None and first >= dark else None


def _recovery(rehearsal: Rehearsal, demand: str | None, start: int, end: int) -> Duration | None:
    """Ask for an exposure during the readout, and see when the script begins with it."""
    exposure, light = _exposure(rehearsal), Edges(Bit.INT)
    at_once = light.first(rehearsal.run(exposure))
    if at_once is None:
        return None
    values = {rehearsal.roles.integration: 0, demand: 1}
    later = rehearsal.reaction(values, start + 1, exposure, light)
    return None if later is None else Duration(later - at_once - end)


def _integration(rehearsal: Rehearsal) -> IntegrationTimes | None:
    roles, light = rehearsal.roles, Edges(Bit.INT)
    if roles.integration is None or roles.exposures is None:
        return None
    traces = [rehearsal.run({roles.exposures: 1, roles.integration: count}) for count in (1, 2)]
    rise = light.first(traces[0])
    one, two = (_open_ticks(trace) for trace in traces)
    if rise is None or one is None or two is None:
        return None
    times = IntegrationTimes(
        unit=Duration(two - one),
        offset=Duration(2 * one - two),
        longest=Duration(one + (PARAMETER_LIMIT - 1) * (two - one)),
        reads_by_itself=Edges(Bit.PIXEL, during=Bit.FRAME).first(traces[0]) is not None,
        abort=None,
    )
    return replace(times, abort=_abort(rehearsal, rise, times))


def _open_ticks(trace: Trace) -> int | None:
    rise, fall = Edges(Bit.INT).first(trace), Edges(Bit.INT, rising=False).first(trace)
    return None if rise is None or fall is None else fall - rise


def _abort(rehearsal: Rehearsal, rise: int, times: IntegrationTimes) -> Duration | None:
    roles, dark = rehearsal.roles, Edges(Bit.INT, rising=False)
    if roles.abort is None:
        return None
    values = {roles.exposures: 1, roles.integration: COUNTER_LIMIT}

    def reaction(at: int) -> int | None:
        return rehearsal.reaction(values, at, {roles.abort: 1}, dark)

    begin = rise + 2 * times.unit.ticks
    found = takewhile(lambda look: look[0] < begin + times.unit.ticks, looks(reaction, begin))
    waits = [dark - late for late, dark in islice(found, _MOST_LOOKS)]
    is_obeyed = waits and begin + waits[0] < times.of(COUNTER_LIMIT).ticks
    return Duration(max(waits)) if is_obeyed else None


def _idle(rehearsal: Rehearsal) -> IdleTimes:
    roles = rehearsal.roles
    resting = {roles.auto_flush: roles.auto_flush_value, roles.external_trigger: roles.external_trigger_value}
    return IdleTimes(loop=_looks(rehearsal, {}), deaf=_looks(rehearsal, resting), flush=_flush(rehearsal))


def _looks(rehearsal: Rehearsal, values: Values) -> Duration | None:
    """Return the longest time from one look at the demands to the next."""
    light, then = Edges(Bit.INT), {**_exposure(rehearsal), rehearsal.roles.external_trigger: 0}
    found = looks(lambda at: rehearsal.reaction(values, at, then, light), 1)
    waits = [b - a for (a, _), (b, _) in pairwise(islice(found, _LOOKS_AT_DEMANDS))]
    return Duration(max(waits)) if waits else None


def _flush(rehearsal: Rehearsal) -> Duration | None:
    """Flush, ask for an exposure meanwhile, and see when the script begins with it."""
    exposure, light, name = _exposure(rehearsal), Edges(Bit.INT), rehearsal.roles.do_flush
    at_once = light.first(rehearsal.run(exposure))
    if name is None or at_once is None:
        return None
    core = rehearsal.start({name: 1})
    while core.parameters[name.upper()]:
        if core.tick >= _MOST_STEPS:
            return None
        core.advance(core.tick + 1)
    later = rehearsal.reaction({name: 1}, core.tick, exposure, light)
    return None if later is None else Duration(later - at_once)


def _exposure(rehearsal: Rehearsal) -> dict[str | None, int]:
    """Return the values that make INT rise."""
    return {rehearsal.roles.integration: 1, rehearsal.roles.exposures: 1}


def _spacing(ticks: list[int]) -> Duration | None:
    return Duration(ticks[1] - ticks[0]) if len(ticks) == 2 else None
