"""Several controllers as one synchronised set: SYNCOUT of the first one to SYNCIN of the others."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol


class Edge(Enum):
    """What the cable from SYNCOUT to SYNCIN carries (manual, synchronised controllers)."""

    RESET = auto()
    HOLD = auto()
    RELEASE = auto()
    LOAD = auto()
    """Prepared parameters become active."""
    CLOCK_LOST = auto()
    CLOCK_BACK = auto()


class Unit(Protocol):
    """A controller with both connectors."""

    @property
    def is_led(self) -> bool:
        """Whether something is at SYNCIN."""
        ...

    @is_led.setter
    def is_led(self, is_led: bool) -> None: ...

    sync_out: Callable[[Edge, float], None] | None
    """Is told what happens at SYNCOUT and when; None without a cable."""

    def sync_in(self, edge: Edge, now: float) -> None:
        """Is called when something happens at SYNCIN."""
        ...


class SyncSet:
    """Controllers of which the first one leads.

    Its RESETTIMING, HOLDTIMING and RELEASETIMING act on all of them at the same tick, as do the resets by its
    LOADTIMING and APPLYALL. When it loads a parameter, what the others have prepared becomes active. They all run on
    its clock: while it is dead (fault ``sync_dead``) their timing cores stand still, and when it returns, also after a
    REBOOT, they restart. The delay of a cable, 10 ns, is left out.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        leader, *self._followers = units
        leader.sync_out = self._pass_on
        for unit in self._followers:
            unit.is_led = True

    def _pass_on(self, edge: Edge, now: float) -> None:
        for unit in self._followers:
            unit.sync_in(edge, now)
