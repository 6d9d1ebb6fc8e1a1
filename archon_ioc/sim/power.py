"""CCD power: the states of POWER and the ramp between off and on."""

from archon_ioc.errors import StateError
from archon_ioc.protocol.enums import Power
from archon_ioc.sim.faults import Faults

_RAMP_SECONDS = 1.0  # protocol sheet 1.7: POWER=4 was first seen 1.0 s after POWERON


class PowerSequence:
    """Switches the CCD's voltages. Times are seconds since power-up."""

    def __init__(self, faults: Faults, *, instant: bool = False) -> None:
        self._faults = faults
        self.instant = instant
        self._configured = False
        self._tripped = False
        self._wanted = False
        self._since = 0.0
        self._level = 0.0  # 0 off … 1 on, at _since

    def configure(self, at: float) -> None:
        """APPLYALL was done: POWERON is possible, and the power is off."""
        self._configured = True
        self._tripped = False
        self._switch_off_at_once(at)

    def trip(self, at: float) -> None:
        """Open the relays; they stay open until the next APPLYALL (manual, power supply)."""
        self._tripped = True
        self._switch_off_at_once(at)

    def switch_on(self, at: float) -> None:
        """Close the relays and ramp up.

        Raises:
            StateError: before APPLYALL, or if the power is on already.
        """
        if not self._configured or self._tripped:
            raise StateError("POWERON needs an APPLYALL first")
        if self.state(at) is Power.ON:
            raise StateError("the power is on already")
        self._turn(at, wanted=True)

    def switch_off(self, at: float) -> None:
        """Ramp down and open the relays."""
        self._turn(at, wanted=False)

    @property
    def is_wanted(self) -> bool:
        """Whether the power is on or on its way there."""
        return self._wanted

    def level(self, at: float) -> float:
        """Return how far the ramp is: 0 off, 1 on."""
        elapsed = at - self._since
        step = 1.0 if self.instant else elapsed / _RAMP_SECONDS
        return min(self._level + step, 1.0) if self._wanted else max(self._level - step, 0.0)

    def state(self, at: float) -> Power:
        """Return POWER of STATUS."""
        level = self.level(at)
        if self._wanted and self._faults.power_stuck:
            return Power.INTERMEDIATE
        if level == 0.0 and not self._wanted:
            return Power.OFF if self._configured else Power.NOT_CONFIGURED
        return Power.ON if level == 1.0 and self._wanted else Power.INTERMEDIATE

    def _turn(self, at: float, *, wanted: bool) -> None:
        self._level, self._since, self._wanted = self.level(at), at, wanted

    def _switch_off_at_once(self, at: float) -> None:
        self._level, self._since, self._wanted = 0.0, at, False


def step_level(level: float, step: int, steps: int) -> float:
    """Return the part of its set point that a bias of power-up group ``step`` of ``steps`` has reached.

    The groups follow each other on the way up and come back in reverse order (manual, ``*_ORDER``).
    """
    return min(max(level * steps - step, 0.0), 1.0)
