"""What holds and starts the timing core: commands, Trigger In, and the leader of a synchronised set."""

from typing import Protocol

from archon_ioc.acf.file import Acf
from archon_ioc.sim.sync import Edge


class Resettable(Protocol):
    """The timing core. Times are seconds since power-up."""

    def reset(self, at: float) -> None:
        """Start at the first line; a core that is held stays so."""
        ...

    def hold(self, at: float) -> None:
        """Stay in reset."""
        ...

    def release(self, at: float) -> None:
        """Start at the first line if it was held."""
        ...


class Resets:
    """The reset line of a timing core: the core runs while nobody holds it. Times are seconds since power-up."""

    def __init__(self, core: Resettable) -> None:
        self._core = core
        self._host_holds = False
        self._is_enabled = self._is_inverted = self._takes_edges = False
        self.is_high = False
        """The level of Trigger In."""

    @property
    def _trigger_holds(self) -> bool:
        """Whether the level of Trigger In keeps the core in reset (manual, TRIGINENABLE and TRIGININVERT)."""
        return self._is_enabled and not self._takes_edges and self.is_high != self._is_inverted

    def configure(self, acf: Acf, at: float, *, is_led: bool) -> None:
        """Take over what a configuration says about Trigger In; with the clock of another unit it is ignored."""
        self._is_enabled = acf.number("TRIGINENABLE", 0) == 1 and not is_led
        self._is_inverted = acf.number("TRIGININVERT", 0) == 1
        self._takes_edges = acf.number("TRIGINEDGE", 0) == 1
        self._obey(at)

    def started(self, at: float) -> None:
        """Let the core that has just been loaded and started run, or hold it."""
        self._host_holds = False
        self._obey(at)

    def set_trigger(self, high: bool, at: float) -> None:
        """Set the level of Trigger In."""
        held, edge = self._trigger_holds, high != self.is_high
        self.is_high = high
        if held != self._trigger_holds:
            self._obey(at)
        elif edge and self._is_enabled and self._takes_edges and high != self._is_inverted:
            self._core.reset(at)

    def follow(self, edge: Edge, at: float) -> None:
        """Do what RESETTIMING, HOLDTIMING and RELEASETIMING mean."""
        if edge is Edge.RESET:
            self._core.reset(at)
        elif edge in (Edge.HOLD, Edge.RELEASE):
            self._host_holds = edge is Edge.HOLD
            self._obey(at)

    def _obey(self, at: float) -> None:
        if self._host_holds or self._trigger_holds:
            self._core.hold(at)
        else:
            self._core.release(at)
