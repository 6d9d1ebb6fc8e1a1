"""SYSTEM and STATUS: what is installed, and the polling that refreshes the readings."""

from collections.abc import Callable, Mapping

from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import State
from archon_ioc.protocol.enums import BackplaneType, ModuleType
from archon_ioc.protocol.replies import SystemInfo
from archon_ioc.sim.chassis import Chassis, sixteenths
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.memory import constants
from archon_ioc.sim.modules import Hits, Module
from archon_ioc.sim.noise import Noise
from archon_ioc.sim.power import PowerSequence

_REFRESH_SECONDS = 0.1  # our choice: the real period is not published
_CHASSIS_NOISE = 26

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
    """What STATUS says, and the hardware behind it. Times are seconds since power-up.

    The readings are those of the last refresh; without polling they stay as they are. ``log`` takes what the
    hardware writes into the controller's log.
    """

    def __init__(
        self,
        system: SystemInfo,
        power: PowerSequence,
        faults: Faults,
        *,
        log: Callable[[str], None] = lambda _: None,
        seed: int = 0,
    ) -> None:
        self._power = power
        self._faults = faults
        self._log = log
        self._hits = Hits.of(Faults())
        self._noise = Noise(seed)
        self.chassis = Chassis(system, faults)
        self.modules = {info.slot: Module(info, log, seed) for info in system.modules}
        """The installed modules by slot: what a test or an operator wires to them."""
        found = [module.places() for module in self.modules.values()]
        faults.places = (
            {name: [place for places in found for place in places[name]] for name in found[0]} if found else {}
        )
        self._begin()

    def _begin(self) -> None:
        self._polling = self._bias_polling = True
        self._count = 0
        self._counted_at = 0.0
        self._readings = ""
        self._state: State | None = None
        self._constants: Mapping[str, str] = {}

    def restart(self) -> None:
        """Forget the configuration, all but what is outside of the controller; the time begins at 0 again."""
        self._begin()
        self.chassis.restart()
        for module in self.modules.values():
            module.restart()
        self._power.set_groups(())

    def apply(self, acf: Acf, at: float) -> None:
        """Take a whole configuration over (APPLYALL)."""
        self._state, self._constants = None, constants(acf)
        for slot in self.modules:
            self._apply_slot(slot, acf, at)
        self._power.set_groups(self._orders())
        if self._faults.adc_latency:
            self._log(f"Unexpected ADC latency measured (slot {self._faults.adc_latency})")
        self.apply_system(acf, at)

    def apply_system(self, acf: Acf, at: float) -> None:
        """Take what concerns the backplane over (APPLYSYSTEM)."""
        self.chassis.fan_is_on = acf.number("FANDISABLE", 0) == 0
        self.refresh(at)

    def apply_module(self, slot: int, acf: Acf, at: float, *, only_dio: bool = False) -> None:
        """Take the settings of one module over (APPLYMOD), or those of its digital lines (APPLYDIO)."""
        if slot in self.modules:
            if only_dio:
                self.modules[slot].apply_digital(_settings(slot, acf), at)
            else:
                self._apply_slot(slot, acf, at)
                self._power.set_groups(self._orders())
        self.refresh(at)

    def enter_state(self, state: State | None, at: float) -> None:
        """Do what a state of the timing script says to digital lines and biases."""
        if state is None or state is self._state:
            return
        self._state = state
        for slot, text in state.modules.items():
            if slot in self.modules:
                self.modules[slot].obey(text, self._constants, at)

    def set_polling(self, on: bool, at: float) -> None:
        """Start or stop the refreshing."""
        self._poll(at)
        self._polling = on
        self._counted_at = at

    def set_bias_polling(self, on: bool, at: float) -> None:
        """Start or stop the refreshing of the biases' readings."""
        self._poll(at)
        self._bias_polling = on

    def refresh(self, at: float) -> None:
        """Refresh at once, as after a change of the power; without polling nothing happens."""
        if self._polling and not self._faults.status_invalid:
            self._poll(at)
            self._count += 1
            self._readings = self._read(at)

    def advance(self, at: float) -> None:
        """Let everything happen that the hardware does by itself."""
        before, self._hits = self._hits, Hits.of(self._faults)
        for module in self.modules.values():
            if self._hits != before:
                module.strike(before, self._hits)
            module.advance(at)
        for order, came_up_at in self._power.to_verify(at):
            self._verify(order, came_up_at)
        if self._power.level(at) and not self.chassis.power_good:
            self._power.trip(at)
            self._log(f"Power supply fault: {', '.join(self.chassis.bad_rails)}")
            self.refresh(at)

    def report(self, at: float, log_entries: int) -> str:
        """Return the text of a STATUS reply."""
        self._poll(at)
        valid = int(self._count > 0 and not self._faults.status_invalid)
        return f"VALID={valid} COUNT={self._count} LOG={log_entries} {self._readings or self._read(at)}"

    def _poll(self, at: float) -> None:
        periods = int((at - self._counted_at) / _REFRESH_SECONDS + 1e-6) if self._polling else 0
        if periods > 0 and not self._faults.status_invalid:
            self._count += periods
            self._counted_at += periods * _REFRESH_SECONDS
            self._readings = self._read(self._counted_at)

    def _read(self, at: float) -> str:
        """Return the readings of a moment: the same whoever looked before."""
        self._noise.begin(self._count)
        level, reach = self._power.level(at), self._power.reach(at)
        texts = {
            slot: module.text(at, reach, self._noise, biases=self._bias_polling)
            for slot, module in self.modules.items()
        }
        self.chassis.load(at, level, {slot: module.load(level) for slot, module in self.modules.items()})
        values = self.chassis.values(self._noise.take(_CHASSIS_NOISE))
        parts = [f"POWER={int(self._power.state(at))} {self.chassis.format % tuple(values)} "]
        for (slot, text), noise in zip(texts.items(), self._noise.take(len(texts)), strict=True):
            parts.append(f"MOD{slot}/TEMP={sixteenths(self.chassis.celsius(slot) + noise * 0.03):.3f} {text}")
        return "".join(parts).replace("=-0.000 ", "=0.000 ")

    def _apply_slot(self, slot: int, acf: Acf, at: float) -> None:
        self.modules[slot].apply(_settings(slot, acf), at, is_powered=self._power.level(at) > 0)

    def _orders(self) -> set[int]:
        return {order for module in self.modules.values() for order in module.biases.orders}

    def _verify(self, order: int, at: float) -> None:
        """Check the levels of a group that has come up (manual); our choice: if one is wrong all go down again."""
        wrong = [
            f"MOD{slot}/{name} {volts:.1f} V"
            for slot, module in self.modules.items()
            for name, volts in module.biases.failing(order, at)
        ]
        if wrong:
            self._log(f"Power up failed: {', '.join(wrong)}")
            self._power.switch_off(at)


def _settings(slot: int, acf: Acf) -> dict[str, str]:
    """Return the keys of one module, constants replaced by their values."""
    known, prefix = constants(acf), f"MOD{slot}/"
    own = {key.removeprefix(prefix): value for key, value in acf.keys.items() if key.startswith(prefix)}
    return {key: known.get(value.upper(), value) for key, value in own.items()}


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
