"""SYSTEM and STATUS: the backplane, its rails, and the polling that refreshes the readings."""

from collections.abc import Iterator, Mapping
from random import Random

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import BackplaneType, ModuleType
from archon_ioc.protocol.replies import RAILS, SystemInfo
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.memory import constants
from archon_ioc.sim.modules import Module
from archon_ioc.sim.power import PowerSequence

_REFRESH_SECONDS = 0.1  # our choice: the real period is not published
_REV_F = 5
_FAN_RPM = 4200
# Volts, idle amperes and further amperes with the CCD on: the idle ones as captured from a Rev E.
_RAIL_LEVELS: Mapping[str, tuple[float, float, float]] = {
    "P2V5": (2.555, 2.838, 0.0), "P5V": (4.997, 2.745, 0.1), "P6V": (5.935, 0.038, 0.6),
    "N6V": (-6.047, 0.116, 0.6), "P17V": (16.955, 0.212, 0.4), "N17V": (-17.08, 0.09, 0.3),
    "P35V": (34.946, 0.031, 0.05), "N35V": (0.0, 0.0, 0.0), "P100V": (100.1, 0.01, 0.01),
    "N100V": (-100.1, 0.01, 0.01), "USER": (0.0, 0.0, 0.0), "HEATER": (27.883, 0.003, 0.2),
}  # fmt: skip

_DEFAULT_MODULES = {
    1: ModuleType.XVBIAS, 2: ModuleType.HEATERX, 3: ModuleType.DRIVERX, 4: ModuleType.LVXBIAS,
    5: ModuleType.AD, 6: ModuleType.AD, 9: ModuleType.HVXBIAS, 10: ModuleType.DRIVERX,
}  # fmt: skip


def system_fields(acf: Acf) -> dict[str, str]:
    """Return the reply to SYSTEM in the controller's order: what ``[SYSTEM]`` says, or a chassis of our own."""
    given = acf.system if "BACKPLANE_TYPE" in acf.system else _default_system()
    kind = BackplaneType(int(given["BACKPLANE_TYPE"]))
    fields = {
        "BACKPLANE_TYPE": given["BACKPLANE_TYPE"],
        "BACKPLANE_REV": given.get("BACKPLANE_REV", "5"),
        "BACKPLANE_VERSION": given.get("BACKPLANE_VERSION", "1.0.1252"),
        "BACKPLANE_ID": given.get("BACKPLANE_ID", "0" * 16),
        "POWER_ID": given.get("POWER_ID", "0" * 12),
        "MOD_PRESENT": "",
    }
    present = 0
    for slot in range(1, kind.slots + 1):
        own = {key: given.get(f"MOD{slot}_{key}", empty) for key, empty in _EMPTY_SLOT.items()}
        present |= (own["TYPE"] != "0") << (slot - 1)
        fields |= {f"MOD{slot}_{key}": value for key, value in own.items()}
    fields["MOD_PRESENT"] = f"{present:0{kind.slots // 4}X}"
    return fields


class StatusBoard:
    """What STATUS says. Times are seconds since power-up.

    The readings are those of the last refresh; without polling they stay as they are.
    """

    def __init__(self, system: SystemInfo, power: PowerSequence, faults: Faults, seed: int = 0) -> None:
        self._system = system
        self._power = power
        self._faults = faults
        self._noise = Random(seed)
        self._modules = {info.slot: Module(info, self._noise) for info in system.modules}
        self._fan_is_on = True
        self._polling = True
        self._count = 0
        self._counted_at = 0.0
        self._readings = ""

    def apply(self, acf: Acf, at: float) -> None:
        """Take the modules' settings of a configuration over."""
        known = constants(acf)
        for slot, module in self._modules.items():
            prefix = f"MOD{slot}/"
            own = {key.removeprefix(prefix): value for key, value in acf.keys.items() if key.startswith(prefix)}
            module.apply({key: known.get(value.upper(), value) for key, value in own.items()}, at)
        self._fan_is_on = acf.number("FANDISABLE", 0) == 0
        self.refresh(at)

    def set_polling(self, on: bool, at: float) -> None:
        """Start or stop the refreshing."""
        self._poll(at)
        self._polling = on
        self._counted_at = at

    def refresh(self, at: float) -> None:
        """Refresh at once, as after a change of the power; without polling nothing happens."""
        if self._polling and not self._faults.status_invalid:
            self._poll(at)
            self._count += 1
            self._readings = self._read(at)

    def report(self, at: float, log_entries: int) -> str:
        """Return the text of a STATUS reply."""
        self._poll(at)
        valid = int(self._count > 0 and not self._faults.status_invalid)
        return f"VALID={valid} COUNT={self._count} LOG={log_entries} {self._readings or self._read(at)} "

    def _poll(self, at: float) -> None:
        periods = int((at - self._counted_at) / _REFRESH_SECONDS + 1e-6) if self._polling else 0
        if periods > 0 and not self._faults.status_invalid:
            self._count += periods
            self._counted_at += periods * _REFRESH_SECONDS
            self._readings = self._read(at)

    def _read(self, at: float) -> str:
        return " ".join(f"{key}={value}" for key, value in self._fields(at))

    def _fields(self, at: float) -> Iterator[tuple[str, str]]:
        yield "POWER", f"{int(self._power.state(at))}"
        yield "POWERGOOD", "0" if self._faults.rail else "1"
        yield "OVERHEAT", "1" if self._faults.overheat else "0"
        celsius = (78.0 if self._faults.overheat else 28.0) + self._noise.gauss(0, 0.05)
        yield "BACKPLANE_TEMP", f"{round(celsius * 16) / 16:.3f}"
        level = self._power.level(at)
        for name in RAILS:
            volts, amperes = self._rail(name, level)
            yield f"{name}_V", f"{volts:.3f}"
            yield f"{name}_I", f"{amperes:.3f}"
        if self._system.backplane_revision >= _REV_F:
            rpm = _FAN_RPM + self._noise.randrange(-40, 41) if self._fan_is_on else 0
            yield "FANTACH", f"{rpm}"
        yield from self._module_fields(at, level)

    def _module_fields(self, at: float, level: float) -> Iterator[tuple[str, str]]:
        steps = 1 + max((module.steps for module in self._modules.values()), default=0)
        for slot, module in self._modules.items():
            for key, value in module.readings(at, level, steps):
                yield f"MOD{slot}/{key}", value

    def _rail(self, name: str, level: float) -> tuple[float, float]:
        volts, amperes, load = _RAIL_LEVELS[name]
        if name in ("P100V", "N100V") and not any(m.type is ModuleType.XVBIAS for m in self._system.modules):
            volts = amperes = load = 0.0  # only the XV supply has them
        if name == self._faults.rail:
            return volts * 0.5, 0.0
        if not volts:
            return 0.0, 0.0
        return volts + self._noise.gauss(0, 0.002), amperes + load * level + abs(self._noise.gauss(0, 0.001))


_EMPTY_SLOT = {"TYPE": "0", "REV": "0", "VERSION": "0.0.0", "ID": "0" * 16}


def _default_system() -> dict[str, str]:
    fields = {
        "BACKPLANE_TYPE": "1",
        "BACKPLANE_REV": "5",
        "BACKPLANE_ID": "00003FFF1A000001",
        "POWER_ID": "00000100A001",
    }
    for slot, kind in _DEFAULT_MODULES.items():
        fields |= {
            f"MOD{slot}_TYPE": f"{int(kind)}",
            f"MOD{slot}_REV": "10" if kind is ModuleType.AD else "0",
            f"MOD{slot}_VERSION": "1.0.1252",
            f"MOD{slot}_ID": f"01{slot:014X}",
        }
    return fields
