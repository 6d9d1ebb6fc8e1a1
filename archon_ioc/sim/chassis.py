"""The box: supply rails and what is drawn from them, temperatures, and the fan."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import RAILS, SystemInfo
from archon_ioc.sim.faults import Faults

_REV_F = 5
_FIRST_CLOCK_BUILD = 1252  # the oldest firmware that is known to tell EXTCLKPRESENT
_FAN_RPM = 4200
_AMBIENT = 22.0
_TOO_HOT = 55.0  # our choice: the threshold is not published
_FAULT_KELVIN = 50.0
_KELVIN_WITHOUT_FAN = 2.2  # how much more everything warms up without the fan
_BACKPLANE_KELVIN_PER_WATT = 0.21
_MODULE_KELVIN, _MODULE_KELVIN_PER_WATT = 2.4, 0.75
_SECONDS_TO_WARM = 300.0

# V without load, ohms; low and high limit of the power board (protocol sheet, STATUS).
_SUPPLIES: Mapping[str, tuple[float, float, float, float]] = {
    "P2V5": (2.580, 0.009, 2.1, 2.9), "P5V": (5.010, 0.005, 4.4, 5.6),
    "P6V": (5.936, 0.02, 5.5, 6.6), "N6V": (-6.050, 0.02, -6.6, -5.3),
    "P17V": (16.960, 0.02, 16.4, 17.5), "N17V": (-17.082, 0.02, -17.7, -16.6),
    "P35V": (34.950, 0.1, 34.3, 36.0), "N35V": (-34.950, 0.1, -35.9, -33.8),
    "P100V": (100.1, 2.0, 97.0, 103.0), "N100V": (-100.1, 2.0, -103.0, -97.0),
    "HEATER": (27.883, 0.2, 18.0, 36.0), "USER": (0.0, 0.0, 0.0, 0.0),
}  # fmt: skip
_NEVER_THERE = {"N35V", "USER"}  # the standard supply does not have them
_XV_RAILS = {"P100V", "N100V"}

# Amperes without and with CCD power. Together they make what a Rev E with ten modules was captured with.
_Draws = Mapping[str, tuple[float, float]]
_BACKPLANE: _Draws = {
    "P2V5": (1.238, 0), "P5V": (1.145, 0), "P6V": (0.008, 0), "N6V": (0.016, 0), "P17V": (0.05, 0), "N17V": (0.01, 0),
}  # fmt: skip
_AD: _Draws = {"P2V5": (0.25, 0), "P5V": (0.25, 0.02), "P6V": (0.005, 0.15), "N6V": (0.02, 0.15)}
_DRIVER: _Draws = {"P2V5": (0.12, 0), "P5V": (0.12, 0), "P17V": (0.025, 0.03), "N17V": (0.015, 0.03)}
_LV: _Draws = {
    "P2V5": (0.08, 0), "P5V": (0.08, 0), "P6V": (0.005, 0), "N6V": (0.01, 0), "P17V": (0.04, 0.03),
    "N17V": (0.035, 0.03),
}  # fmt: skip
_HV: _Draws = {
    "P2V5": (0.08, 0), "P5V": (0.08, 0), "P6V": (0.005, 0), "N6V": (0.01, 0), "P17V": (0.047, 0.01),
    "P35V": (0.031, 0.02),
}  # fmt: skip
_HEATER: _Draws = {"P2V5": (0.08, 0), "P5V": (0.08, 0), "HEATER": (0.002, 0)}
_XV: _Draws = {**_HEATER, "P100V": (0.008, 0.004), "N100V": (0.008, 0.004), "HEATER": (0, 0)}
_OTHER: _Draws = {"P2V5": (0.1, 0), "P5V": (0.1, 0)}
_DRAWS: Mapping[ModuleType, _Draws] = {
    ModuleType.DRIVER: _DRIVER, ModuleType.DRIVERX: _DRIVER, ModuleType.LVBIAS: _LV, ModuleType.LVXBIAS: _LV,
    ModuleType.HVBIAS: _HV, ModuleType.HVXBIAS: _HV, ModuleType.HVYBIAS: _HV, ModuleType.HEATER: _HEATER,
    ModuleType.HEATERX: _HEATER, ModuleType.XVBIAS: _XV, ModuleType.AD: _AD, ModuleType.ADF: _AD,
    ModuleType.ADX: _AD, ModuleType.ADLN: _AD, ModuleType.ADM: _AD, ModuleType.ADQ: _AD,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """What a module draws for CCD and cryostat from each rail in A, and the W that arise in it besides."""

    amperes: Mapping[str, float] = field(default_factory=dict[str, float])
    watts: float = 0.0


_NOTHING = Load()


class Chassis:
    """Rails, temperatures and fan of one controller. It is warm from the start; times never run backwards."""

    def __init__(self, system: SystemInfo, faults: Faults) -> None:
        self._faults = faults
        self.fan_is_on = True
        self.has_external_clock = False
        """Whether SYNCIN brings a clock."""
        self._has_fan_speed = system.backplane_revision >= _REV_F
        self._tells_clock = _build(system.backplane_version) >= _FIRST_CLOCK_BUILD
        has_xv = any(module.type is ModuleType.XVBIAS for module in system.modules)
        missing = _NEVER_THERE if has_xv else _NEVER_THERE | _XV_RAILS
        self._rails = tuple(name for name in RAILS if name not in missing)
        self._draws = {module.slot: _DRAWS.get(module.type, _OTHER) for module in system.modules}
        self._amperes: dict[str, float] = dict.fromkeys(RAILS, 0.0)
        self._warmth: dict[int, float] = {}  # K above the surroundings, by slot; 0 is the backplane
        self._warmed_at = 0.0
        self.format = self._make_format()
        """The backplane's part of STATUS, for `values`."""

    def load(self, at: float, level: float, loads: Mapping[int, Load]) -> None:
        """Take what each slot draws besides its electronics; ``level`` is how far the CCD power has come."""
        total: dict[str, float] = dict.fromkeys(RAILS, 0.0)
        warmth = {0: 0.0}
        _add(total, _BACKPLANE, level)
        for slot, own in self._draws.items():
            load = loads.get(slot, _NOTHING)
            watts = _add(total, own, level) + load.watts
            for rail, amperes in load.amperes.items():
                total[rail] += amperes
                # What a heater takes warms the cryostat, not the module.
                watts += amperes * abs(_SUPPLIES[rail][0]) if rail != "HEATER" else 0.0
            warmth[slot] = _MODULE_KELVIN + _MODULE_KELVIN_PER_WATT * watts
        self._amperes = {name: total[name] if name in self._rails else 0.0 for name in RAILS}
        warmth[0] = _BACKPLANE_KELVIN_PER_WATT * sum(abs(self._volts_of(n)) * self._amperes[n] for n in RAILS)
        self._warm(at, warmth)

    @property
    def power_good(self) -> bool:
        """Whether every rail that is there is within the limits of the power board."""
        return not self.bad_rails

    @property
    def bad_rails(self) -> list[str]:
        """The rails that are outside of their limits."""
        return [name for name in self._rails if not _SUPPLIES[name][2] <= self._volts_of(name) <= _SUPPLIES[name][3]]

    @property
    def overheat(self) -> bool:
        """Whether something is too hot."""
        return any(self.celsius(slot) > _TOO_HOT for slot in self._warmth)

    def celsius(self, slot: int) -> float:
        """Return the temperature of a module, of the backplane for slot 0."""
        return _AMBIENT + self._warmth.get(slot, 0.0) + (_FAULT_KELVIN if self._faults.overheat else 0.0)

    def values(self, noise: Sequence[float]) -> list[float]:
        """Return what STATUS says of the backplane, for `format`; ``noise`` has 26 numbers."""
        found = [float(self.power_good), float(self.overheat)]
        if self._tells_clock:
            found.append(float(self.has_external_clock))
        found.append(sixteenths(self.celsius(0) + noise[-1] * 0.03))
        for n, name in enumerate(RAILS):
            volts = self._volts_of(name)
            found.append(volts + noise[2 * n] * 0.001 if volts else 0.0)
            found.append(abs(self._amperes[name] + noise[2 * n + 1] * 0.001) if volts else 0.0)
        if self._has_fan_speed:
            found.append(_FAN_RPM + 15 * noise[-2] if self.fan_is_on else 0)
        return found

    def _make_format(self) -> str:
        words = ["POWERGOOD=%d", "OVERHEAT=%d", *(["EXTCLKPRESENT=%d"] if self._tells_clock else [])]
        words += ["BACKPLANE_TEMP=%.3f", *(f"{name}_{x}=%.3f" for name in RAILS for x in "VI")]
        return " ".join([*words, *(["FANTACH=%d"] if self._has_fan_speed else [])])

    def _volts_of(self, name: str) -> float:
        if name not in self._rails:
            return 0.0
        volts, ohms, _, _ = _SUPPLIES[name]
        if name == self._faults.rail:
            return volts * 0.5
        return volts - math.copysign(ohms * self._amperes[name], volts)

    def _warm(self, at: float, wanted: Mapping[int, float]) -> None:
        nearer = -math.expm1((self._warmed_at - at) / _SECONDS_TO_WARM)
        factor = 1.0 if self.fan_is_on else _KELVIN_WITHOUT_FAN
        self._warmed_at = at
        for slot, kelvin in wanted.items():
            before = self._warmth.get(slot, kelvin * factor)
            self._warmth[slot] = before + (kelvin * factor - before) * nearer

    def restart(self) -> None:
        """Begin the time at 0 again."""
        self._warmed_at = 0.0
        self.fan_is_on = True


def sixteenths(celsius: float) -> float:
    """Return a temperature as the sensors of the box give it: in steps of 1/16 °C, cut to three decimals."""
    return round(celsius * 16) * 125 // 2 / 1000


def _add(total: dict[str, float], draws: _Draws, level: float) -> float:
    """Add what is drawn to ``total`` and return it in W."""
    watts = 0.0
    for rail, (idle, powered) in draws.items():
        amperes = idle + powered * level
        total[rail] += amperes
        watts += amperes * abs(_SUPPLIES[rail][0])
    return watts


def _build(version: str) -> int:
    build = version.rpartition(".")[2]
    return int(build) if build.isdecimal() else 0
