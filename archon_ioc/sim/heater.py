"""Heaters: the control loops of a heater module, run against a cryostat in simulated time."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from archon_ioc.sim.bias import number_of
from archon_ioc.sim.cryostat import HEATER_OHMS, PLATES, Cryostat
from archon_ioc.sim.noise import Noise
from archon_ioc.sim.sensor import Sensor

_FULL_VOLTS = 25.0
_MILLI = 1000.0
_SHORTEST_STEP, _LONGEST_STEP = 0.05, 1.0  # seconds
_FINE_STEPS = 120
_COARSE_STEPS = 80

Settings = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What is configured for one heater: volts, °C, K, and the gains as they are written."""

    is_enabled: bool = False
    is_forced: bool = False
    forced_volts: float = 0.0
    limit_volts: float = _FULL_VOLTS
    target: float = 0.0
    sensor: int = 0
    gains: tuple[float, float, float] = (0.0, 0.0, 0.0)
    integral_limit: float = math.inf
    ramp_kelvin: float = 0.0
    """How far the set point moves per update, 0 if it jumps to the target."""

    @classmethod
    def of(cls, settings: Settings, letter: str) -> Self:
        """Read the keys of heater ``letter``."""

        def value(name: str, default: float = 0.0) -> float:
            return number_of(settings, f"HEATER{letter}{name}", default)

        sensor = int(value("SENSOR", "ABC".index(letter)))
        return cls(
            is_enabled=value("ENABLE") != 0,
            is_forced=value("FORCE") != 0,
            forced_volts=_clipped(value("FORCELEVEL"), _FULL_VOLTS),
            limit_volts=_clipped(value("LIMIT", _FULL_VOLTS), _FULL_VOLTS),
            target=value("TARGET"),
            sensor=sensor if 0 <= sensor < PLATES else 0,
            gains=(value("P"), value("I"), value("D")),
            integral_limit=abs(value("IL", math.inf)),
            ramp_kelvin=abs(value("RAMPRATE", 1.0)) / _MILLI if value("RAMP") else 0.0,
        )


class Loop:
    """One control loop.

    Its contributions are in mV: P times the error in mK, I times the sum of the errors of all updates in mK,
    D times the change of the error per update in mK. IL limits that sum, in K. The scale of the hardware's
    gains is not published; this one regulates with the gains that real configurations have.
    """

    def __init__(self) -> None:
        self.settings = LoopSettings()
        self.volts = 0.0
        self.contributions = (0, 0, 0)
        self.set_point: float | None = None
        self._sum = 0.0
        self._error: float | None = None

    @property
    def is_regulating(self) -> bool:
        """Whether a temperature decides on the output."""
        return self.settings.is_enabled and not self.settings.is_forced

    def switch_off(self) -> None:
        """Give nothing, and forget what was."""
        self.volts, self.contributions = 0.0, (0, 0, 0)
        self.set_point, self._sum, self._error = None, 0.0, None

    def force(self) -> None:
        """Give the forced level: LIMIT and the temperature do not matter (manual, heater force)."""
        self.switch_off()
        self.volts = self.settings.forced_volts

    def regulate(self, celsius: float, updates: float) -> None:
        """Take a temperature and set the output; so many updates at once if they come faster than the steps."""
        self.move_set_point(celsius, updates)
        error = self._error_at(celsius)
        p, i, d = self.settings.gains
        change = 0.0 if self._error is None else (error - self._error) / updates
        limit = self.settings.integral_limit
        grown = min(max(self._sum + error * updates, -limit), limit)
        wanted = p * error + i * grown + d * change
        highest = self.settings.limit_volts
        if not (wanted > highest and error > 0) and not (wanted < 0 and error < 0):
            self._sum = grown  # an output at its end must not wind the integral up
        self._error = error
        self._give(p * error, i * self._sum, d * change)

    def needed_volts(self, celsius: float, kelvin_per_watt: float) -> float:
        """Return the output for a long step at whose end it would be ``celsius`` without heat."""
        p, i, _ = self.settings.gains
        missing = self._error_at(celsius)
        if missing <= 0 or not (p or i) or kelvin_per_watt <= 0:
            return 0.0
        per_volt_squared = kelvin_per_watt / HEATER_OHMS
        if i:
            return min(math.sqrt(missing / per_volt_squared), self.settings.limit_volts)
        a = p * per_volt_squared  # without an integral some error remains: V = P (missing - a V^2 / P)
        return min((math.sqrt(1 + 4 * a * p * missing) - 1) / (2 * a), self.settings.limit_volts)

    def settle(self, celsius: float, volts: float) -> None:
        """Take the output over that a long step had at its end."""
        p, i, _ = self.settings.gains
        error = self._error = self._error_at(celsius)
        self._sum = (volts - p * error) / i if i and 0 < volts < self.settings.limit_volts else 0.0
        limit = self.settings.integral_limit
        self._sum = min(max(self._sum, -limit), limit)
        self._give(p * error, i * self._sum, 0.0)

    def move_set_point(self, celsius: float, updates: float) -> None:
        """Let the set point go on towards the target, from the temperature where it began."""
        target, pace = self.settings.target, self.settings.ramp_kelvin * updates
        if not pace:
            self.set_point = target
            return
        start = celsius if self.set_point is None else self.set_point
        self.set_point = start + min(max(target - start, -pace), pace)

    def _error_at(self, celsius: float) -> float:
        return (self.settings.target if self.set_point is None else self.set_point) - celsius

    def _give(self, p: float, i: float, d: float) -> None:
        self.volts = _clipped(p + i + d, self.settings.limit_volts)
        self.contributions = (round(p * _MILLI), round(i * _MILLI), round(d * _MILLI))


class HeaterCard:
    """Two loops, two or three sensors and the cryostat they are in."""

    def __init__(self, sensors: str, cryostat: Cryostat, log: Callable[[str], None], *, off_volts: float = 0.0) -> None:
        self._off_volts = off_volts
        self.sensors = tuple(Sensor(letter) for letter in sensors)
        self.loops = {"A": Loop(), "B": Loop()}
        self.cut: frozenset[str] = frozenset()
        """Heaters that are kept off whatever the configuration says."""
        self.has_supply = True
        self._cryostat = cryostat
        self._log = log
        self._plates: dict[str, int] = {}  # on which plate each heater sits
        self._off: set[str] = set()
        self._told: set[str] = set()
        self._step = _LONGEST_STEP
        self._updates_per_step = 1.0
        self._stepped_at = 0.0
        self._since_update = 0.0
        self._measure(0.0)

    def apply(self, settings: Settings, at: float) -> None:
        """Take the keys of the module over."""
        self.advance(at)
        for sensor in self.sensors:
            sensor.apply(settings)
        for letter, loop in self.loops.items():
            loop.settings = LoopSettings.of(settings, letter)
            if loop.settings.is_enabled or loop.settings.is_forced:
                # Whoever wired the cryostat put the heater where the sensor is that regulates it.
                self._plates.setdefault(letter, loop.settings.sensor)
        self._told.clear()
        period = max(number_of(settings, "HEATERUPDATETIME", 1000.0), 1.0) / _MILLI
        self._step = max(period / math.ceil(period / _LONGEST_STEP), _SHORTEST_STEP)
        self._updates_per_step = self._step / period
        self._measure(0.0)
        self._update(0.0)

    def advance(self, at: float) -> None:
        """Let the time pass. However long nobody looked, this is a bounded number of steps."""
        steps = int((at - self._stepped_at) / self._step + 1e-6)
        if steps <= 0:
            return
        self._stepped_at += steps * self._step
        if steps > _FINE_STEPS:
            self._skip((steps - _FINE_STEPS) * self._step)
            steps = _FINE_STEPS
        for _ in range(steps):
            self._cryostat.advance(self._step, self._watts())
            self._measure(self._step)
            self._since_update += self._updates_per_step
            if self._since_update > 1 - 1e-6:
                self._update(self._since_update)
                self._since_update = 0.0

    def readings(self, noise: Noise) -> tuple[float, ...]:
        """Return the sensors in °C, the outputs in V, and what P, I and D contribute to A and to B."""
        sensors = zip(self.sensors, noise.take(len(self.sensors)), strict=True)
        loops = self.loops.values()
        return (
            *(sensor.reading(wiggle) for sensor, wiggle in sensors),
            *(loop.volts or self._off_volts for loop in loops),
            *(part for loop in loops for part in loop.contributions),
        )

    def restart(self) -> None:
        """Forget the configuration: the controller restarts, and its time begins at 0 again."""
        for sensor in self.sensors:
            sensor.apply({})
        for loop in self.loops.values():
            loop.settings = LoopSettings()
            loop.switch_off()
        self._off.clear()
        self._stepped_at = self._since_update = 0.0

    @property
    def amperes(self) -> float:
        """What both heaters draw."""
        return sum(loop.volts for loop in self.loops.values()) / HEATER_OHMS

    @property
    def own_watts(self) -> float:
        """What stays in the module: its regulators take the rest of 28 V."""
        return sum(loop.volts * (28.0 - loop.volts) for loop in self.loops.values()) / HEATER_OHMS

    def _watts(self) -> tuple[float, ...]:
        watts = [0.0] * PLATES
        for letter, loop in self.loops.items():
            watts[self._plate_of(letter)] += loop.volts**2 / HEATER_OHMS
        return tuple(watts)

    def _plate_of(self, letter: str) -> int:
        return self._plates.get(letter, "ABC".index(letter))

    def _measure(self, seconds: float) -> None:
        for sensor, celsius in zip(self.sensors, self._cryostat.celsius, strict=False):
            sensor.follow(celsius, seconds)

    def _update(self, updates: float) -> None:
        for letter, loop in self.loops.items():
            if not self.has_supply:
                loop.switch_off()
            elif loop.settings.is_forced and letter not in self.cut:
                loop.force()
            elif self._may_regulate(letter):
                if updates:
                    loop.regulate(self._sensor_of(loop).celsius, updates)
            else:
                loop.switch_off()

    def _may_regulate(self, letter: str) -> bool:
        """Return whether a loop is on; the log says the first time that a limit switches it off."""
        loop = self.loops[letter]
        if not loop.is_regulating:
            self._off.discard(letter)
            return False
        sensor = self._sensor_of(loop)
        is_fine = sensor.is_within_limits and letter not in self.cut
        if not is_fine and letter not in self._told:
            self._told.add(letter)  # once: at its limit a temperature goes to and fro
            self._log(f"Heater {letter} off: sensor {sensor.letter} out of limits")
        (self._off.discard if is_fine else self._off.add)(letter)
        return is_fine

    def _sensor_of(self, loop: Loop) -> Sensor:
        return self.sensors[min(loop.settings.sensor, len(self.sensors) - 1)]

    def _skip(self, seconds: float) -> None:
        """Let a long time pass in which every loop does what a good one does in the long run."""
        steps = min(_COARSE_STEPS, math.ceil(seconds / self._step))
        step = seconds / steps
        updates = step / self._step * self._updates_per_step
        for _ in range(steps):
            self._skip_step(step, updates)

    def _skip_step(self, step: float, updates: float) -> None:
        before = self._cryostat.celsius
        self._update(0.0)
        on = [letter for letter in self.loops if self.loops[letter].is_regulating and letter not in self._off]
        for letter in on:
            loop = self.loops[letter]
            loop.move_set_point(self._sensor_of(loop).celsius, updates)
            loop.volts = 0.0
        self._cryostat.advance(step, self._watts())
        free = self._cryostat.celsius
        for letter in on:
            loop = self.loops[letter]
            response = self._cryostat.response(step, self._plate_of(letter), loop.settings.sensor)
            loop.volts = loop.needed_volts(free[loop.settings.sensor], response)
        self._cryostat.celsius = before
        self._cryostat.advance(step, self._watts())
        self._measure(step)
        for letter in on:
            loop = self.loops[letter]
            loop.settle(self._sensor_of(loop).celsius, loop.volts)


def _clipped(volts: float, highest: float) -> float:
    return min(max(volts, 0.0), highest)
