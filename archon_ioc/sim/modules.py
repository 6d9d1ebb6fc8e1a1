"""Readings of the modules: what STATUS says about each type of module."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import NamedTuple, Self

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import ModuleInfo
from archon_ioc.sim.bias import BiasBank, number_of
from archon_ioc.sim.chassis import Load
from archon_ioc.sim.cryostat import Cryostat
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.heater import HeaterCard
from archon_ioc.sim.noise import Noise
from archon_ioc.sim.states import orders_of
from archon_ioc.sim.vcpu import REGISTERS, DigitalLines, Vcpu

_DIGITAL_LINES = {
    ModuleType.LVBIAS: 8, ModuleType.LVXBIAS: 8, ModuleType.HEATER: 8, ModuleType.HEATERX: 8,
    ModuleType.HS: 4, ModuleType.LVDS: 4,
}  # fmt: skip
_SENSORS = {ModuleType.HEATER: "AB", ModuleType.HEATERX: "ABC"}
_CLOCKS = {ModuleType.DRIVER: 8, ModuleType.DRIVERX: 12}
_CONVERTERS = (ModuleType.AD, ModuleType.ADX, ModuleType.ADM, ModuleType.ADLN, ModuleType.ADF, ModuleType.ADQ)
_CLOCK_AMPERES = 0.008
# Vendor software knows an Atlas by these; what else it reports is not known.
_ATLAS = {
    **{f"RTD{n}": 22.0 for n in range(1, 9)}, **{f"HALL{n}": 0.0 for n in range(1, 4)},
    "VAC": 0.0, "TEC_V": 0.0, "TEC_I": 0.0, "ION_V": 0.0, "ION_I": 0.0,
}  # fmt: skip
_OLD_OUTPUT_VOLTS = 0.9  # what a HeaterX of build 797 reads where a heater is off (captured reply) …
_FIRST_EXACT_BUILD = 1000  # … and newer ones do not


class Hits(NamedTuple):
    """The faults that concern modules."""

    bias_short: str
    cooling_lost: bool
    open_sensor: str
    heater_cut: str
    rail: str

    @classmethod
    def of(cls, faults: Faults) -> Self:
        return cls(*(getattr(faults, name) for name in cls._fields))


class Module:
    """One module. Its settings are its keys of the applied configuration, without ``MODn/``."""

    def __init__(self, info: ModuleInfo, log: Callable[[str], None], seed: int = 0) -> None:
        self._info = info
        self._log_device = log
        self._clocks = 0
        self._bias_text = ""
        self.biases = BiasBank(info.type, Random(f"{seed} {info.slot}"))
        self.cryostat = Cryostat()
        self.heaters: HeaterCard | None = None
        if sensors := _SENSORS.get(info.type):
            self.heaters = HeaterCard(sensors, self.cryostat, self._log, off_volts=off_volts(info))
        self.vcpu = Vcpu()
        self.lines = DigitalLines(_DIGITAL_LINES.get(info.type, 0))
        channels = self.biases.channels
        self._bias_format = self._format(f"{c.kind.name}_{x}{c.number}=%.3f" for c in channels for x in "VI")
        self._heater_format = self._format(_heater_words(info.type))
        self._digital_format = self._format(("DINPUTS=%s", *(f"VCPU_OUTREG{n}=%d" for n in range(REGISTERS))))

    def apply(self, settings: Mapping[str, str], at: float, *, is_powered: bool) -> None:
        """Take other settings over; biases with power on them move with their slew."""
        self.biases.apply(settings, at, slowly=is_powered)
        if self.heaters:
            self.heaters.apply(settings, at)
        self.apply_digital(settings, at)
        clocks = range(1, _CLOCKS.get(self._info.type, 0) + 1)
        self._clocks = sum(number_of(settings, f"ENABLE{n}", 1.0) != 0 for n in clocks)

    def apply_digital(self, settings: Mapping[str, str], at: float) -> None:
        """Take the settings of digital lines and VCPU over, and restart the VCPU (measured)."""
        self.lines.apply(settings)
        self.vcpu.apply(settings)
        self.vcpu.restart(at)

    def obey(self, text: str, constants: Mapping[str, str], at: float) -> None:
        """Do what a state of the timing script says in its ``STATEn/MODm``."""
        orders = orders_of(self._info.type, text)
        for line, level in orders.lines:
            self.lines.core[line] = level
        for group, number, volts in orders.biases:
            self.biases.change(group, number, constants.get(volts.upper(), volts), at)

    def restart(self) -> None:
        """Forget the configuration; what is outside of the controller stays as it is. Time begins at 0 again."""
        self.biases.apply({}, 0.0, slowly=False)
        self._clocks, self._bias_text = 0, ""
        self.lines.apply({})
        self.vcpu.clear()
        if self.heaters:
            self.heaters.restart()

    def advance(self, at: float) -> None:
        """Let the time pass."""
        if self.heaters:
            self.heaters.advance(at)

    def strike(self, before: Hits, now: Hits) -> None:
        """Let faults come and go."""
        prefix = f"MOD{self._info.slot}/"
        self.biases.shorten({now.bias_short.removeprefix(prefix)})
        self.cryostat.is_cooled = not now.cooling_lost
        if self.heaters:
            for sensor in self.heaters.sensors:
                wire = f"{prefix}TEMP{sensor.letter}"
                if wire in (before.open_sensor, now.open_sensor):
                    sensor.is_broken = wire == now.open_sensor
            self.heaters.cut = frozenset({now.heater_cut.removeprefix(f"{prefix}HEATER")})
            self.heaters.has_supply = now.rail != "HEATER"

    def text(self, at: float, reach: Mapping[int, float], noise: Noise, *, biases: bool = True) -> str:
        """Return the readings as STATUS has them, each with a blank after it, all but ``TEMP``.

        ``reach`` tells how far each power-up group is. Without ``biases`` theirs are as they were.
        """
        text = ""
        if self.biases.channels:
            if biases or not self._bias_text:
                self._bias_text = self._bias_format % tuple(self.biases.read(at, reach, noise))
            text = self._bias_text
        if self.heaters:
            text += self._heater_format % self.heaters.readings(noise)
        if self._info.type is ModuleType.ATLAS:
            text += self._format(f"{key}={value:.3f}" for key, value in _ATLAS.items())
        if self._info.type in _DIGITAL_LINES:
            text += self._digital_format % (self.lines.text(), *self.vcpu.outputs(at))
        return text

    def load(self, level: float) -> Load:
        """Return what it draws for CCD and cryostat; ``level`` is how far the CCD power has come."""
        amperes = dict(self.biases.draws)
        if self._clocks:
            amperes["P17V"] = amperes["N17V"] = self._clocks * _CLOCK_AMPERES * level
        if not self.heaters:
            return Load(amperes)
        amperes["HEATER"] = self.heaters.amperes
        return Load(amperes, self.heaters.own_watts)

    def places(self) -> Mapping[str, list[str]]:
        """Return what of the module a fault can hit, as an operator names it, by the names of the faults."""
        prefix, heaters = f"MOD{self._info.slot}/", self.heaters
        return {
            "bias_short": [prefix + channel.name for channel in self.biases.channels],
            "open_sensor": [f"{prefix}TEMP{sensor.letter}" for sensor in heaters.sensors] if heaters else [],
            "heater_cut": [f"{prefix}HEATER{letter}" for letter in heaters.loops] if heaters else [],
            "adc_latency": [str(self._info.slot)] if self._info.type in _CONVERTERS else [],
        }

    def _log(self, text: str) -> None:
        self._log_device(f"{text} (slot {self._info.slot})")

    def _format(self, words: Iterable[str]) -> str:
        return "".join(f"MOD{self._info.slot}/{word} " for word in words)


def off_volts(info: ModuleInfo) -> float:
    """Return what a heater's output reads while it is off."""
    build = info.version.rpartition(".")[2]
    is_old = build.isdecimal() and int(build) < _FIRST_EXACT_BUILD
    return _OLD_OUTPUT_VOLTS if is_old and info.type is ModuleType.HEATERX else 0.0


def _heater_words(kind: ModuleType) -> Iterator[str]:
    decimals = 6 if kind is ModuleType.HEATERX else 3
    yield from (f"TEMP{sensor}=%.{decimals}f" for sensor in _SENSORS.get(kind, ""))
    yield from (f"HEATER{heater}OUTPUT=%.3f" for heater in "AB")
    yield from (f"HEATER{heater}{part}=%d" for heater in "AB" for part in "PID")
