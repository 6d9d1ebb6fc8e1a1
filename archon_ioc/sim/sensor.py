"""Temperature sensors: what a heater module reads of a plate."""

import math
from collections.abc import Mapping

from archon_ioc.sim.bias import number_of

OPEN_SENSOR = -273.150016
"""°C that a heater module reports where no sensor is connected (captured reply)."""

_RTD_OHMS = {2: 100.0, 3: 400.0, 4: 1000.0, 5: 2000.0}  # manual, SENSORxTYPE; 0 and 1 are diodes
_RTD_PER_KELVIN = 0.0039
_RTD_RANGE = (-240.0, 600.0)
_SAMPLE_SECONDS = 0.1  # our choice: how often a filter gets a sample is not published
_NOISE_KELVIN = 0.004
_LARGEST_FILTER = 8


class Sensor:
    """One sensor. The part that is really there is taken to be what the first configuration names."""

    def __init__(self, letter: str) -> None:
        self.letter = letter
        self.is_broken = False
        """Whether its wire is broken."""
        self._is_connected = False
        self._type = self._real_type = -1
        self._low, self._high = -math.inf, math.inf
        self._samples = 1
        self._celsius: float | None = None

    def apply(self, settings: Mapping[str, float | str]) -> None:
        """Take type, limits and filter over. A sensor is there if it has a type, and somebody gave it a label."""
        own = f"SENSOR{self.letter}"
        heater = f"HEATER{self.letter}"  # the older Heater has no names of sensors, and their types under its heaters
        kind = f"{own}TYPE" if f"{own}TYPE" in settings else f"{heater}SENSORTYPE"
        names = (f"{own}LABEL", f"{heater}LABEL" if kind.startswith(heater) else f"{own}LABEL")
        self._is_connected = kind in settings and any(str(settings.get(name, "")).strip() for name in names)
        self._type = int(number_of(settings, kind, 0))
        if self._is_connected and self._real_type < 0:
            self._real_type = self._type
        self._low = number_of(settings, f"{own}LOWERLIMIT", -math.inf)
        self._high = number_of(settings, f"{own}UPPERLIMIT", math.inf)
        self._samples = 2 ** min(max(int(number_of(settings, f"{own}FILTER", 0)), 0), _LARGEST_FILTER)

    def follow(self, celsius: float, seconds: float) -> None:
        """Measure a plate that has been at ``celsius`` for a while of ``seconds``."""
        delay = (self._samples - 1) / 2 * _SAMPLE_SECONDS
        if self._celsius is None or not delay:
            self._celsius = celsius
        else:
            self._celsius += (celsius - self._celsius) * -math.expm1(-seconds / delay)

    @property
    def celsius(self) -> float:
        """What it measures, without noise."""
        if self.is_broken or not self._is_connected or self._celsius is None:
            return OPEN_SENSOR
        return self._misread(self._celsius)

    @property
    def is_within_limits(self) -> bool:
        """Whether a heater may go by it."""
        return self._low <= self.celsius <= self._high and self.celsius != OPEN_SENSOR

    def reading(self, noise: float) -> float:
        """Return what is reported, with noise."""
        celsius = self.celsius
        return celsius if celsius == OPEN_SENSOR else celsius + noise * _NOISE_KELVIN / math.sqrt(self._samples)

    def _misread(self, celsius: float) -> float:
        """Return what the configured type makes of the real one's signal."""
        real, believed = _RTD_OHMS.get(self._real_type), _RTD_OHMS.get(self._type)
        if (real is None) != (believed is None):
            return OPEN_SENSOR
        if real is None or believed is None or real == believed:
            return celsius
        seen = (real * (1 + _RTD_PER_KELVIN * celsius) / believed - 1) / _RTD_PER_KELVIN
        return seen if _RTD_RANGE[0] <= seen <= _RTD_RANGE[1] else OPEN_SENSOR
