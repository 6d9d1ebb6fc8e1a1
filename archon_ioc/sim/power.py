"""CCD power: the states of POWER, and the power-up groups between off and on."""

from collections.abc import Collection, Iterator

from archon_ioc.errors import StateError
from archon_ioc.protocol.enums import Power
from archon_ioc.sim.faults import Faults

# POWER=4 was first seen 1.0 s after POWERON by who looked every 0.2 s, and sdss-archon, which looks once after 1 s,
# finds it; STATUS adds up to 0.1 s.
_RAMP_SECONDS = 0.85


class PowerSequence:
    """Switches the CCD's voltages, one power-up group after the other. Times are seconds since power-up."""

    def __init__(self, faults: Faults, *, instant: bool = False) -> None:
        self._faults = faults
        self.instant = instant
        self.restart()

    def restart(self) -> None:
        """Be as after power-up: not configured."""
        self._groups = (0,)
        self._configured = False
        self._tripped = False
        self._wanted = False
        self._since = 0.0
        self._level = 0.0  # 0 off … 1 on, at _since
        self._verified = 0  # so many groups of this ramp

    def configure(self, at: float) -> None:
        """APPLYALL was done: POWERON is possible, and the power is off."""
        self._configured = True
        self._tripped = False
        self._switch_off_at_once(at)

    def set_groups(self, orders: Collection[int]) -> None:
        """Name the groups that there are: the different ``*_ORDER`` of all channels."""
        self._groups = tuple(sorted({*orders})) or (0,)

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
        """Ramp down, the last group first, and open the relays."""
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

    def reach(self, at: float) -> dict[int, float]:
        """Return for each group the part of its set points that it has reached: 0 off, 1 there."""
        level, steps = self.level(at), len(self._groups)
        return {order: step_level(level, step, steps) for step, order in enumerate(self._groups)}

    def to_verify(self, at: float) -> Iterator[tuple[int, float]]:
        """Yield each group that has come up and was not verified yet, and when it came up."""
        steps = len(self._groups)
        while self._wanted and self._verified < steps and self.level(at) >= (self._verified + 1) / steps:
            order, self._verified = self._groups[self._verified], self._verified + 1
            rest = 0.0 if self.instant else self._verified / steps - self._level
            yield order, self._since + max(rest, 0.0) * _RAMP_SECONDS

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
        self._verified = int(self._level * len(self._groups) + 1e-9)  # what is up already was verified

    def _switch_off_at_once(self, at: float) -> None:
        self._level, self._since, self._wanted = 0.0, at, False


def step_level(level: float, step: int, steps: int) -> float:
    """Return the part of its set point that a bias of power-up group ``step`` of ``steps`` has reached.

    The groups follow each other on the way up and come back in reverse order (manual, ``*_ORDER``).
    """
    return min(max(level * steps - step, 0.0), 1.0)
