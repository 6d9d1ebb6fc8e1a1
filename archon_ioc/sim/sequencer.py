"""What the timing script does, as a simple model: idle loop, integration, readout, flush, trigger.

It knows the two families of scripts in use from their parameters instead of executing the text. Everything
else in the simulator sees only the public methods of `Sequencer`, so an executing core can take its place.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto

from archon_ioc.acf.file import Acf
from archon_ioc.acf.raster import Edges
from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.frames import FrameBuffers, ticks
from archon_ioc.sim.memory import script_lines
from archon_ioc.sim.shot import Geometry, Shot, View

_FLUSH_SECONDS = 1.0  # of one flush: the scripts of SDSS take 1.1 and 2.1 s
_SHORTEST_CYCLE = 0.01  # of continuous exposures that take no time
_PIXEL_OVERHEAD = 120  # ticks from the end of the second sampling window to the next pixel
_LINE_OVERHEAD = 1e-4  # seconds: clamp and vertical shift
_SKIPPED_LINE = 0.1  # in units of a line
_EXTRA_PIXEL = 1  # the scripts clock one more pixel at the end of each line
_ABORTABLE = re.compile(r"\bIF\s+AbortExposure\b", re.IGNORECASE)


class Phase(Enum):
    """What the timing core does."""

    HELD = auto()
    IDLE = auto()
    ARMED = auto()
    INTEGRATING = auto()
    ABORTING = auto()
    CLOSING = auto()
    READING = auto()
    FLUSHING = auto()
    WAITING = auto()


def estimate_line_seconds(acf: Acf) -> float:
    """Return the time of one line: pixels times the end of the later sampling window plus an overhead.

    For the scripts of LVM, BOSS and STA4800 the time of a pixel comes out within 5 %.
    """
    window_end = max(acf.number("SHP2", 0), acf.number("SHD2", 0))
    return acf.pixel_count * (window_end + _PIXEL_OVERHEAD) * TICK + _LINE_OVERHEAD


class Sequencer:
    """The timing core. Times are seconds since power-up.

    ``parameters`` is the core's own memory: the script counts down there, the configuration keeps its values.
    Names are in upper case, as the controller ignores case.
    """

    def __init__(self, frames: FrameBuffers, *, instant: bool = False, line_seconds: float | None = None) -> None:
        self._frames = frames
        self._instant = instant
        self._given_line_seconds = line_seconds
        self._acf = Acf({})
        self._geometry: Geometry | None = None
        self._abortable = False
        self._until: float | None = None
        self._readout: tuple[float, float, int, Geometry] | None = None
        self._light = _Light()
        self.phase = Phase.HELD
        self.parameters: dict[str, int] = {}
        self.is_powered = False
        """Whether the CCD has its voltages when the next readout starts."""

    def load(self, acf: Acf, at: float) -> None:
        """Take script and parameters over and start at the first line."""
        self._stop(at)
        self._abortable = any(_ABORTABLE.search(line) for line in script_lines(acf))
        self.parameters = {name.upper(): value for name, value in acf.parameters.items()}
        self.set_geometry(acf)
        self.release(at)

    def set_geometry(self, acf: Acf) -> None:
        """Take the geometry over; a frame that is being read keeps its own."""
        self._acf = acf
        self._geometry = Geometry.of(acf)

    def set_parameters(self, values: Mapping[str, int], at: float) -> None:
        """Give parameters other values, in this order; the script sees them at once.

        Raises:
            InputError: if the script does not have one of them.
        """
        for name in values:
            if name.upper() not in self.parameters:
                raise InputError(f"there is no parameter {name!r}")
        for name, value in values.items():
            self.parameters[name.upper()] = value
            self._notice(at)
            self.advance(at)

    def set_shutter(self, forced: bool | None, at: float) -> None:
        """Force the shutter open or closed, or let it follow the INT clock with None."""
        self._light.collect(at)
        self._light.forced_open = forced

    def set_instant(self) -> None:
        """Let everything take no time from now on; what is running is over."""
        self._instant = True
        if self._until is not None:
            self._until = 0.0

    def hold(self, at: float) -> None:
        """Stop whatever is running and stay in reset."""
        self._stop(at)
        self.phase = Phase.HELD

    def release(self, at: float) -> None:
        """Start from the first line of the script; the parameters keep their values."""
        if self.phase is Phase.HELD and self.parameters:
            self._look(at)

    def reset(self, at: float) -> None:
        """Stop whatever is running and start from the first line of the script; cores that are held stay so."""
        if self.phase is not Phase.HELD:
            self.hold(at)
            self.release(at)

    def advance(self, at: float) -> None:
        """Let everything happen that is due."""
        while self._until is not None and self._until <= at:
            ended, self._until = self._until, None
            self._end(ended, at)
        self._progress(at)

    def _progress(self, at: float) -> None:
        """Bring the frame that is being filled up to date."""
        if self._readout is None:
            return
        start, line_seconds, lines, geometry = self._readout
        # The last line of a readout ends exactly at a time that was itself a sum: forgive rounding.
        done = max(at - start, 0.0) / line_seconds + 1e-6 if line_seconds else lines
        if min(int(done), lines) >= geometry.line_count:
            self._frames.complete()
            self._readout = None
        elif done < lines:
            self._frames.progress(int(done), int((done - int(done)) * geometry.pixel_count))
        else:
            self._frames.progress(lines, geometry.pixel_count)

    def _end(self, at: float, now: float) -> None:
        """Do what follows the phase that ended at ``at``."""
        if self.phase is Phase.INTEGRATING:
            self._light.close(at)
            if self._separate and not self._value("ContinuousExposures"):
                self._count_down("Exposures")
                self._look(at)
            else:
                self._prepare_readout(at)
        elif self.phase is Phase.CLOSING:
            self._read(at)
        elif self.phase is Phase.READING and not self._separate and not self._value("ExternalTrigger"):
            self._enter(Phase.WAITING, at, self._value("WaitMS") / 1000)
        elif self.phase is Phase.READING and not self._separate:
            self.phase = Phase.ARMED
        elif self.phase is Phase.FLUSHING and self._flushes_on:
            whole = (now - at) // _FLUSH_SECONDS  # nobody looked for a while: skip what changed nothing
            self._auto_flush(at + whole * _FLUSH_SECONDS)
        else:
            self._look(at)

    def _look(self, at: float) -> None:
        """Go through the idle loop once: the first parameter that is not zero decides."""
        if self._value("ContinuousExposures"):
            self._integrate(at)
        elif self._value("Exposures"):
            if not self._separate:
                self._count_down("Exposures")
            self._integrate(at)
        elif self._value("ReadOut"):
            self._count_down("ReadOut")
            self._prepare_readout(at)
        elif self._value("DoFlush"):
            self._count_down("DoFlush")
            self._light.clear()
            self._enter(Phase.FLUSHING, at, self._value("FlushCount") * _FLUSH_SECONDS)
        elif self._value("ExternalTrigger"):
            self.phase = Phase.ARMED
        elif self._value("AutoFlush"):
            self._auto_flush(at)
        else:
            self.phase = Phase.IDLE

    def _notice(self, at: float) -> None:
        """Look at the parameters where the script does that without end."""
        if self.phase is Phase.IDLE or (self.phase is Phase.ARMED and not self._value("ExternalTrigger")):
            self._look(at)
        elif self.phase is Phase.INTEGRATING and self._abortable and self._value("AbortExposure"):
            self._abort(at)

    def _auto_flush(self, at: float) -> None:
        self._light.clear()
        self._enter(Phase.FLUSHING, at, _FLUSH_SECONDS)
        if self._instant:
            self.phase, self._until = Phase.IDLE, None

    def _integrate(self, at: float) -> None:
        seconds = self._value("IntMS") / 1000 + self._value("IntCS") / 100
        if seconds:
            self._light.open(at)
        self._enter(Phase.INTEGRATING, at, seconds)
        if self._instant:
            self._light.credit(seconds)
            self._until = at + (_SHORTEST_CYCLE if self._value("ContinuousExposures") else 0)
        if seconds and self._abortable and self._value("AbortExposure"):
            self._abort(at)

    def _abort(self, at: float) -> None:
        self._light.close(at)
        self._count_down("Exposures")
        self._count_down("AbortExposure")
        self._enter(Phase.ABORTING, at, 0.0)

    def _prepare_readout(self, at: float) -> None:
        """Wait for the shutter and throw the first lines away."""
        skipped = self._value("PreSkipLines") * _SKIPPED_LINE * self._line_seconds
        self._enter(Phase.CLOSING, at, self._value("NoIntMS") / 1000 + skipped)

    def _read(self, at: float) -> None:
        geometry = self._geometry
        if geometry is None:
            self._enter(Phase.READING, at, _SHORTEST_CYCLE)
            return
        line = 0.0 if self._instant else self._line_seconds
        lines = self._value("Lines", geometry.line_count) + self._value("OverscanLines")
        pixels = self._value("Pixels", geometry.pixel_count) + self._value("OverscanPixels") + _EXTRA_PIXEL
        enough = pixels >= geometry.pixel_count
        clocked = lines if enough else min(lines, geometry.line_count - 1)
        shot = Shot(
            0, geometry, self._light.light_seconds * self.is_powered, self._light.dark_seconds * self.is_powered,
            self._view(geometry),
        )  # fmt: skip
        edges = Edges(ticks(self._light.opened_at), ticks(self._light.closed_at))
        self._progress(at)
        self._frames.begin(ticks(at), shot, edges)
        self._readout = at, line, clocked, geometry
        self._progress(at)
        self._light.clear()
        self._enter(Phase.READING, at, max(lines, 1) * line)

    def _view(self, geometry: Geometry) -> View | None:
        lines, pixels = self._value("OverscanLines"), self._value("OverscanPixels")
        return View(geometry.line_count - lines, geometry.pixel_count - pixels) if lines and pixels else None

    def _stop(self, at: float) -> None:
        self._until = None
        self._light.close(at)
        self._progress(at)
        self._frames.stop()
        self._readout = None
        self.phase = Phase.HELD

    def _enter(self, phase: Phase, at: float, seconds: float) -> None:
        self.phase = phase
        self._until = at + (0.0 if self._instant else seconds)

    @property
    def _line_seconds(self) -> float:
        if self._geometry is None:
            return 0.0
        return self._given_line_seconds or estimate_line_seconds(self._acf)

    @property
    def _separate(self) -> bool:
        """Whether the script integrates and reads on separate demands (LVM, BOSS) or in one go (STA4800)."""
        return "READOUT" in self.parameters

    @property
    def _flushes_on(self) -> bool:
        others = ("ContinuousExposures", "Exposures", "ReadOut", "DoFlush", "ExternalTrigger")
        return bool(self._value("AutoFlush")) and not any(self._value(name) for name in others)

    def _value(self, name: str, default: int = 0) -> int:
        return self.parameters.get(name.upper(), default)

    def _count_down(self, name: str) -> None:
        # manual: a decrement at zero has no effect
        if value := self._value(name):
            self.parameters[name.upper()] = value - 1


class _Light:
    """How long charge has gathered since the CCD was cleared, and when INT rose and fell."""

    def __init__(self) -> None:
        self.light_seconds = 0.0
        self.dark_seconds = 0.0
        self.opened_at = 0.0
        self.closed_at = 0.0
        self.forced_open: bool | None = None
        self._since: float | None = None

    def open(self, at: float) -> None:
        """INT rises."""
        self.opened_at = at
        self._since = at

    def close(self, at: float) -> None:
        """INT falls."""
        if self._since is not None:
            self.collect(at)
            self.closed_at = at
            self._since = None

    def collect(self, at: float) -> None:
        """Count the time since the last look."""
        if self._since is not None:
            self.credit(at - self._since)
            self._since = at

    def credit(self, seconds: float) -> None:
        """Count some seconds."""
        self.dark_seconds += seconds
        if self.forced_open is not False:
            self.light_seconds += seconds

    def clear(self) -> None:
        """Empty the CCD."""
        self.light_seconds = self.dark_seconds = 0.0
