"""Timing: the timing cores of a simulated controller, which run the configuration's own script."""

from collections.abc import Mapping
from types import MappingProxyType

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import Program, State
from archon_ioc.acf.trace import NOTHING, Bit, Trace
from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.frames import ticks
from archon_ioc.sim.imager import Imager

_LOAD_TICKS = 200  # between two loads of LOADPARAMS; the idle loop looks about every 100 ticks
_LONGEST_HURRY = round(36_000 / TICK)
_PATIENCE = 2000  # instructions stepped through at once, which takes some milliseconds
_FRAME_PERIOD = round(0.01 / TICK)  # of frames that take no time
_EMPTY = Program((), MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


class Timing:
    """Runs the script and hands what the outputs do to the `Imager`. Times are seconds since power-up.

    With ``instant`` the script runs as fast as the computer can whenever it has something to do, and the
    controller's clock jumps ahead by the time this would have taken: `skipped`. A script that cannot be executed
    in time, because it counts in its innermost loop, runs late; everything else goes on.
    """

    def __init__(self, imager: Imager, *, instant: bool = False) -> None:
        self._imager = imager
        self._core = TimingCore(_EMPTY)
        self._offset = 0  # ticks since power-up at which the core's own count began
        self._is_held = True
        self._frames_at_once = 1  # FRAME pulses of one frame: its lines with LINESCAN
        self._instant = instant
        self._settled = False
        self._pause_until = 0
        self._skipped = 0
        self._late = 0
        self.is_clocked = True
        """Whether there is a clock; without one nothing is executed."""

    @property
    def parameters(self) -> Mapping[str, int]:
        """The cores' own parameters: the script counts down here, the configuration keeps its values."""
        return MappingProxyType(self._core.parameters)

    @property
    def skipped(self) -> float:
        """By how many seconds the controller's clock has jumped ahead."""
        return self._skipped * TICK

    @property
    def late(self) -> float:
        """By how many seconds the script lags behind because it cannot be executed in time."""
        return self._late * TICK

    @property
    def tick(self) -> int:
        """Ticks since power-up up to which the script has run."""
        return self._core.tick + self._offset

    @property
    def line(self) -> int:
        """The n of LINEn that is being executed."""
        return self._core.line

    @property
    def routine(self) -> str:
        """The label, in upper case, above the line that is being executed."""
        return self._core.routine

    @property
    def state(self) -> State | None:
        """The state that the script is in."""
        return self._core.program.states.get(self._core.state)

    @property
    def is_integrating(self) -> bool:
        """Whether the script holds INT high."""
        return bool(self._core.control & Bit.INT)

    @property
    def is_held(self) -> bool:
        """Whether the cores are held in reset."""
        return self._core.is_held

    def configure(self, acf: Acf) -> None:
        """Take another geometry over.

        Raises:
            ConfigError: if it is wrong.
        """
        self._imager.configure(acf)
        self._frames_at_once = max(acf.number("LINECOUNT", 1), 1) if acf.number("LINESCAN", 0) else 1

    def load(self, program: Program, at: float) -> None:
        """Take a script and its parameters over and start at the first line."""
        self.advance(at)
        self._offset += self._core.tick
        control = self._core.control
        self._core = TimingCore(program)
        self._core.control = control  # the outputs stay until the first state sets them
        self._is_held = False
        self._restart(at)

    def set_parameters(self, values: Mapping[str, int], at: float) -> None:
        """Give parameters other values, one after the other in this order while the script runs.

        Raises:
            InputError: if the script does not have one of them; none is loaded.
        """
        for name in values:
            if name.upper() not in self._core.parameters:
                raise InputError(f"there is no parameter {name!r}")
        self.advance(at)
        for count, (name, value) in enumerate(values.items()):
            if count and self.is_clocked:
                self._follow(self._core.advance(self._core.tick + _LOAD_TICKS))
            self._core.load(name, value)
        self._wake(at)

    def hold(self, at: float) -> None:
        """Reset the cores and keep them so."""
        self._is_held = True
        self._restart(at)

    def release(self, at: float) -> None:
        """Start from the first line if the cores are held; the parameters keep their values."""
        if self._is_held:
            self._is_held = False
            self._restart(at)

    def reset(self, at: float) -> None:
        """Start from the first line again; cores that are held stay so."""
        self._restart(at)

    def set_instant(self) -> None:
        """Let everything take no time from now on."""
        self._instant = True
        self._settled = False

    def advance(self, at: float) -> None:
        """Let everything happen that is due at ``at``."""
        now = ticks(at)
        if not self.is_clocked:
            return
        if self._instant and not self._settled and not self._core.is_held:
            self._hurry(now)
        else:
            until = max(now - self._offset, self._core.tick)
            self._follow(self._core.advance(until, patience=_PATIENCE))
            self._late = until - self._core.tick

    def _restart(self, at: float) -> None:
        """Reset the cores, and let them run unless something holds them."""
        self.advance(at)
        self._imager.stop()
        self._follow(self._core.hold())
        if not self._is_held:
            self._follow(self._core.release())
        self._wake(at)

    def _wake(self, at: float) -> None:
        """Something has changed: the script may have work to do."""
        self._settled = False
        if self._instant:
            self.advance(at)

    def _hurry(self, now: int) -> None:
        """Run until nothing is left to do, or the frame after the next one would begin."""
        self._offset = max(self._offset, now - self._core.tick)  # the cores stood still since they stopped
        if now < self._pause_until:
            return
        for begun in range(1 + self._frames_at_once):
            self._jump(self._core.settle(_LONGEST_HURRY, before_frame=True, patience=_PATIENCE))
            self._settled = self._core.is_settled
            if self._settled:
                return
            if begun < self._frames_at_once:
                self._jump(self._core.advance(self._core.tick + 1))
        self._pause_until = self._core.tick + self._offset + _FRAME_PERIOD

    def _jump(self, trace: Trace) -> None:
        self._follow(trace)
        self._skipped += trace.ticks

    def _follow(self, trace: Trace) -> None:
        if trace is not NOTHING:
            start = self._core.tick + self._offset - trace.ticks
            self._imager.follow(trace, start, self._core.parameters)
