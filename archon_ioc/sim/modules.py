"""Readings of the modules: what STATUS says about each type of module."""

import math
import re
from collections.abc import Iterator, Mapping
from random import Random

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import ModuleInfo
from archon_ioc.sim.power import step_level

OPEN_SENSOR = -273.150016
"""°C that a HeaterX reports where no sensor is connected (captured reply)."""

_TIME_CONSTANT = 60.0  # seconds in which a heater's loop comes 63 % closer to its target
_SENSOR_START = {"A": -95.0, "B": -110.0, "C": -120.0}
_MODULE_TEMPERATURE = 25.0

_CHANNELS: Mapping[ModuleType, tuple[tuple[str, int], ...]] = {
    ModuleType.LVBIAS: (("LVLC", 24), ("LVHC", 6)),
    ModuleType.LVXBIAS: (("LVLC", 24), ("LVHC", 6)),
    ModuleType.HVBIAS: (("HVLC", 24), ("HVHC", 6)),
    ModuleType.HVXBIAS: (("HVLC", 24), ("HVHC", 6)),
    ModuleType.HVYBIAS: (("HVLC", 24), ("HVHC", 6)),
    ModuleType.XVBIAS: (("XVP", 4), ("XVN", 4)),
    ModuleType.HS: (("MAG", 12), ("OFS", 12)),
}
_DIGITAL_INPUTS = {
    ModuleType.LVBIAS: 8, ModuleType.LVXBIAS: 8, ModuleType.HEATER: 8, ModuleType.HEATERX: 8,
    ModuleType.HS: 4, ModuleType.LVDS: 4,
}  # fmt: skip
_VCPU_REGISTERS = 16
# Volts and milliamperes of noise on channels without power, from the captured replies.
_NOISE = {"LVLC": (0.008, 0.008), "LVHC": (0.002, 0.06), "HVLC": (0.01, 0.008), "HVHC": (0.01, 0.06)}
_OTHER_NOISE = (0.01, 0.01)
_LOAD_OHMS = {"LVHC": 500.0, "HVHC": 2000.0}
_OTHER_LOAD_OHMS = 20_000.0


class Module:
    """One module and its readings. ``settings`` are its keys of the applied configuration, without ``MODn/``."""

    def __init__(self, info: ModuleInfo, noise: Random) -> None:
        self._info = info
        self._noise = noise
        self._settings: Mapping[str, str] = {}
        self._sensors = dict(_SENSOR_START)
        self._seen_at = 0.0

    def apply(self, settings: Mapping[str, str], at: float) -> None:
        """Take other settings over."""
        self._relax(at)
        self._settings = settings

    @property
    def steps(self) -> int:
        """The highest power-up group of its biases."""
        return max((self._order(key) for key in self._settings if "_ORDER" in key), default=0)

    def readings(self, at: float, level: float, steps: int) -> Iterator[tuple[str, str]]:
        """Yield the keys of STATUS, without ``MODn/``, and their values.

        ``level`` is how far the power's ramp is, ``steps`` the number of power-up groups.
        """
        self._relax(at)
        kind = self._info.type
        yield "TEMP", f"{self._sixteenth(_MODULE_TEMPERATURE + self._info.slot / 4):.3f}"
        for name, count in _CHANNELS.get(kind, ()):
            for n in range(1, count + 1):
                volts, milliamperes = self._channel(name, n, level, steps)
                yield f"{name}_V{n}", f"{volts:.3f}"
                yield f"{name}_I{n}", f"{milliamperes:.3f}"
        if kind.is_heater:
            yield from self._heater_readings()
        if inputs := _DIGITAL_INPUTS.get(kind):
            yield "DINPUTS", "0" * inputs
            for n in range(_VCPU_REGISTERS):
                yield f"VCPU_OUTREG{n}", "0"

    def _channel(self, name: str, n: int, level: float, steps: int) -> tuple[float, float]:
        """Return V and mA of one bias channel."""
        wanted = self._number(f"{name}_V{n}")
        if self._settings.get(f"{name}_ENABLE{n}", "1").strip() == "0":
            wanted = 0.0
        reached = wanted * step_level(level, self._order(f"{name}_ORDER{n}"), steps)
        milliamperes = reached / _LOAD_OHMS.get(name, _OTHER_LOAD_OHMS) * 1000
        limit = self._number(f"{name}_IL{n}", math.inf)
        milliamperes = math.copysign(min(abs(milliamperes), limit), milliamperes)
        volt_noise, current_noise = _NOISE.get(name, _OTHER_NOISE)
        return reached + self._noise.gauss(0, volt_noise), milliamperes + self._noise.gauss(0, current_noise)

    def _heater_readings(self) -> Iterator[tuple[str, str]]:
        is_x = self._info.type is ModuleType.HEATERX
        for sensor in "ABC" if is_x else "AB":
            celsius = OPEN_SENSOR
            if self._is_connected(sensor):
                celsius = self._sensors[sensor] + self._noise.gauss(0, 0.005)
            yield f"TEMP{sensor}", f"{celsius:.6f}" if is_x else f"{celsius:.3f}"
        outputs = {heater: self._heater_output(heater) for heater in "AB"}
        for heater, (volts, _) in outputs.items():
            yield f"HEATER{heater}OUTPUT", f"{volts:.3f}"
        for heater, (_, proportional) in outputs.items():
            yield f"HEATER{heater}P", f"{proportional}"
            yield f"HEATER{heater}I", "0"
            yield f"HEATER{heater}D", "0"

    def _heater_output(self, heater: str) -> tuple[float, int]:
        """Return the output in V and the proportional contribution."""
        if self._is_set(f"HEATER{heater}FORCE"):
            return self._number(f"HEATER{heater}FORCELEVEL"), 0  # manual: LIMIT does not hold for a forced heater
        if not self._is_set(f"HEATER{heater}ENABLE"):
            return 0.0, 0
        sensor = self._sensor_of(heater)
        error = self._number(f"HEATER{heater}TARGET") - self._sensors[sensor]
        volts = min(max(2.0 + error, 0.0), self._number(f"HEATER{heater}LIMIT", 25.0))
        return volts, round(self._number(f"HEATER{heater}P") * error)

    def _relax(self, at: float) -> None:
        """Let each regulated sensor approach its target."""
        nearer = 1.0 - math.exp(-(at - self._seen_at) / _TIME_CONSTANT)
        self._seen_at = at
        for heater in "AB":
            if self._is_set(f"HEATER{heater}ENABLE"):
                sensor = self._sensor_of(heater)
                target = self._number(f"HEATER{heater}TARGET")
                self._sensors[sensor] += (target - self._sensors[sensor]) * nearer

    def _sensor_of(self, heater: str) -> str:
        choice = int(self._number(f"HEATER{heater}SENSOR"))
        return "ABC"[choice] if 0 <= choice <= 2 else "A"

    def _is_connected(self, sensor: str) -> bool:
        """Whether a sensor is there: its type is set, and somebody cared to give it a label."""
        type_is_set = f"SENSOR{sensor}TYPE" in self._settings or f"HEATER{sensor}SENSORTYPE" in self._settings
        return type_is_set and bool(self._settings.get(f"SENSOR{sensor}LABEL", "").strip())

    def _is_set(self, key: str) -> bool:
        return self._number(key) != 0

    def _order(self, key: str) -> int:
        return int(self._number(key)) if re.fullmatch(r"\w+_ORDER\d+", key) else 0

    def _number(self, key: str, default: float = 0.0) -> float:
        try:
            return float(self._settings.get(key, ""))
        except ValueError:
            return default

    def _sixteenth(self, celsius: float) -> float:
        return round((celsius + self._noise.gauss(0, 0.05)) * 16) / 16
