"""What STATUS says about each type of module."""

import pytest

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import DeviceStatus, ModuleInfo, ModuleStatus, parse_pairs
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.modules import Hits, Module, off_volts
from archon_ioc.sim.noise import Noise
from archon_ioc.sim.sensor import OPEN_SENSOR

HEAD = "VALID=1 COUNT=1 LOG=0 POWER=4 POWERGOOD=1 OVERHEAT=0 "


class Rack:
    """One module in slot 4, its faults and its log."""

    def __init__(self, kind: ModuleType, version: str = "1.0.1104") -> None:
        self.faults = Faults()
        self.log: list[str] = []
        self.hits = Hits.of(self.faults)
        self.module = Module(ModuleInfo(4, kind, int(kind), 0, version, "0" * 16), self.log.append)
        self.noise = Noise(1)

    def apply(self, at: float = 0.0, *, is_powered: bool = False, **settings: object) -> None:
        self.module.apply({key: str(value) for key, value in settings.items()}, at, is_powered=is_powered)

    def words(self, at: float = 0.0, reach: dict[int, float] | None = None, *, biases: bool = True) -> dict[str, str]:
        """Return what STATUS says, without the slot; by default all power-up groups are up."""
        before, self.hits = self.hits, Hits.of(self.faults)
        self.module.strike(before, self.hits)
        self.module.advance(at)
        text = self.module.text(at, reach or {0: 1.0}, self.noise, biases=biases)
        return parse_pairs(text.replace("MOD4/", ""))

    def read(self, at: float = 0.0, reach: dict[int, float] | None = None) -> ModuleStatus:
        """Return the readings as the driver understands them."""
        text = " ".join(f"MOD4/{key}={value}" for key, value in self.words(at, reach).items())
        return DeviceStatus.parse(HEAD + text).modules[4]


def rack(kind: ModuleType, **settings: object) -> Rack:
    made = Rack(kind)
    made.apply(**settings)
    return made


def biases(*kinds: tuple[str, int]) -> list[str]:
    return [f"{kind}_{x}{n}" for kind, count in kinds for n in range(1, count + 1) for x in "VI"]


ATLAS = [*(f"RTD{n}" for n in range(1, 9)), "HALL1", "HALL2", "HALL3", "VAC", "TEC_V", "TEC_I", "ION_V", "ION_I"]
VCPU = [f"VCPU_OUTREG{n}" for n in range(16)]
HEATER = ["HEATERAOUTPUT", "HEATERBOUTPUT", *(f"HEATER{x}{part}" for x in "AB" for part in "PID"), "DINPUTS", *VCPU]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (ModuleType.DRIVER, []),
        (ModuleType.DRIVERX, []),
        (ModuleType.AD, []),
        (ModuleType.ADM, []),
        (ModuleType.UNKNOWN, []),
        (ModuleType.LVBIAS, [*biases(("LVLC", 24), ("LVHC", 6)), "DINPUTS", *VCPU]),
        (ModuleType.LVXBIAS, [*biases(("LVLC", 24), ("LVHC", 6)), "DINPUTS", *VCPU]),
        (ModuleType.HVBIAS, biases(("HVLC", 24), ("HVHC", 6))),
        (ModuleType.HVYBIAS, biases(("HVLC", 24), ("HVHC", 6))),
        (ModuleType.XVBIAS, biases(("XVP", 4), ("XVN", 4))),
        (ModuleType.HS, [*biases(("MAG", 12), ("OFS", 12)), "DINPUTS", *VCPU]),
        (ModuleType.LVDS, ["DINPUTS", *VCPU]),
        (ModuleType.HEATER, ["TEMPA", "TEMPB", *HEATER]),
        (ModuleType.HEATERX, ["TEMPA", "TEMPB", "TEMPC", *HEATER]),
        (ModuleType.ATLAS, ATLAS),
    ],
)
def test_each_type_has_its_keys_in_this_order(kind: ModuleType, keys: list[str]) -> None:
    assert list(rack(kind).words()) == keys


@pytest.mark.parametrize(("kind", "count"), [(ModuleType.LVXBIAS, 8), (ModuleType.HS, 4), (ModuleType.HEATERX, 8)])
def test_digital_inputs_are_a_row_of_digits(kind: ModuleType, count: int) -> None:
    assert rack(kind).read().digital_inputs == "0" * count


@pytest.mark.parametrize(("kind", "decimals"), [(ModuleType.HEATERX, [6, 3]), (ModuleType.HEATER, [3, 3])])
def test_numbers_have_three_decimals_but_temperatures_of_a_heaterx_six(kind: ModuleType, decimals: list[int]) -> None:
    found = rack(kind, SENSORATYPE=4, SENSORALABEL="CCD").words()
    assert [len(found[key].partition(".")[2]) for key in ("TEMPA", "HEATERAOUTPUT")] == decimals


def test_a_sensor_that_is_not_there_reads_what_real_ones_read() -> None:
    assert rack(ModuleType.HEATERX).words()["TEMPC"] == "-273.150016"


def test_contributions_are_whole_numbers() -> None:
    found = rack(ModuleType.HEATERX, **HEATED).words(10)
    assert int(found["HEATERAP"]) != 0


@pytest.mark.parametrize(
    ("kind", "version", "volts"),
    [(ModuleType.HEATERX, "1.0.797", 0.9), (ModuleType.HEATERX, "1.0.1104", 0.0), (ModuleType.HEATER, "1.0.797", 0.0)],
)
def test_an_old_heaterx_reads_some_voltage_where_it_gives_none(kind: ModuleType, version: str, volts: float) -> None:
    made = Rack(kind, version)
    assert off_volts(ModuleInfo(1, kind, int(kind), 0, version, "")) == volts
    assert made.read().heaters["A"].volts == volts


# Biases


def test_a_bias_follows_its_group() -> None:
    made = rack(ModuleType.LVXBIAS, LVLC_V3=-4)
    for reach in (0.0, 0.5, 1.0):
        assert made.read(reach={0: reach}).biases["LVLC3"].volts == pytest.approx(-4 * reach, abs=0.05)
    assert made.read().biases["LVLC4"].volts == pytest.approx(0, abs=0.05)


def test_readings_are_noisy() -> None:
    made = rack(ModuleType.LVXBIAS, LVLC_V3=-4)
    assert len({made.words()["LVLC_I3"] for _ in range(20)}) > 5


def test_with_power_on_it_another_set_point_takes_a_while() -> None:
    made = rack(ModuleType.LVXBIAS, LVLC_V3=-4)
    made.apply(10, is_powered=True, LVLC_V3=6)
    assert made.read(10.05).biases["LVLC3"].volts == pytest.approx(1, abs=0.1)
    assert made.read(10.1).biases["LVLC3"].volts == pytest.approx(6, abs=0.1)


def test_without_polling_of_biases_theirs_are_as_they_were() -> None:
    made = rack(ModuleType.LVXBIAS, LVLC_V3=-4)
    before = made.words()
    made.module.lines.set_input(1, True)
    after = made.words(1, {0: 0.0}, biases=False)
    assert after["LVLC_V3"] == before["LVLC_V3"]
    assert after["DINPUTS"] == "10000000"
    assert made.read(2, {0: 0.0}).biases["LVLC3"].volts == pytest.approx(0, abs=0.05)


def test_a_channel_that_is_shorted_is_in_current_limit() -> None:
    made = rack(ModuleType.LVXBIAS, LVHC_V1=5, LVHC_IL1=100)
    made.faults.bias_short = "MOD4/LVHC1"
    short = made.read(1).biases["LVHC1"]
    assert (short.volts, short.milliamperes) == pytest.approx((0.2, 100), abs=0.3)
    made.faults.clear()
    assert made.read(2).biases["LVHC1"].volts == pytest.approx(5, abs=0.1)


def test_a_fault_of_another_slot_is_nobodys() -> None:
    made = rack(ModuleType.LVXBIAS, LVHC_V1=5)
    made.faults.bias_short = "MOD9/LVHC1"
    assert made.read(1).biases["LVHC1"].volts == pytest.approx(5, abs=0.1)


# Heaters

SENSOR = {"SENSORATYPE": 4, "SENSORALABEL": "CCD"}
HEATED = {**SENSOR, "HEATERAENABLE": 1, "HEATERATARGET": -105, "HEATERASENSOR": 0, "HEATERAP": 10, "HEATERALIMIT": 8}


def test_an_enabled_heater_brings_its_sensor_to_the_target() -> None:
    made = rack(ModuleType.HEATERX, **HEATED, HEATERAI=1)
    assert made.read(10).sensors["A"] == pytest.approx(-95.3, abs=0.1)
    assert made.read(1200).sensors["A"] == pytest.approx(-105, abs=0.05)


def test_a_broken_sensor_switches_its_heater_off_and_the_log_says_so() -> None:
    made = rack(ModuleType.HEATERX, **{**HEATED, "HEATERATARGET": -80})
    assert made.read(10).heaters["A"].volts == 8
    made.faults.open_sensor = "MOD4/TEMPA"
    broken = made.read(20)
    assert (broken.sensors["A"], broken.heaters["A"].volts) == (OPEN_SENSOR, 0)
    assert made.log == ["Heater A off: sensor A out of limits (slot 4)"]


def test_a_wire_that_somebody_else_broke_stays_broken() -> None:
    made = rack(ModuleType.HEATERX, **HEATED)
    sensors = made.module.heaters.sensors
    sensors[0].is_broken = True
    made.faults.open_sensor = "MOD4/TEMPB"
    made.words(1)
    made.faults.clear()
    made.words(2)
    assert [sensor.is_broken for sensor in sensors] == [True, False, False]


def test_without_cooling_it_becomes_warm() -> None:
    made = rack(ModuleType.HEATERX, **SENSOR)
    made.faults.cooling_lost = True
    assert made.read(36_000).sensors["A"] > 0


def test_without_its_supply_a_heater_is_off() -> None:
    made = rack(ModuleType.HEATERX, **HEATED, HEATERAFORCE=1, HEATERAFORCELEVEL=20)
    assert made.read(1).heaters["A"].volts == 20
    made.faults.rail = "HEATER"
    assert made.read(10).heaters["A"].volts == 0


def test_what_it_draws() -> None:
    lv = rack(ModuleType.LVXBIAS, LVHC_V1=5, LVHC_V2=-5, LVHC_V3=5)
    lv.words()
    assert lv.module.load(1.0).amperes == pytest.approx({"P17V": 0.02, "N17V": 0.01})
    clocks = rack(ModuleType.DRIVERX, **{f"ENABLE{n}": n % 2 for n in range(1, 13)})
    assert clocks.module.load(0.5).amperes == pytest.approx({"P17V": 0.024, "N17V": 0.024})
    heater = rack(ModuleType.HEATERX, **HEATED, HEATERAFORCE=1, HEATERAFORCELEVEL=20)
    assert heater.module.load(0.0).amperes["HEATER"] == pytest.approx(0.8)
    assert heater.module.load(0.0).watts == pytest.approx(0.8 * 8)


# The digital side


def test_a_restart_of_the_vcpu_keeps_its_registers() -> None:
    made = rack(ModuleType.LVXBIAS, VCPU_LINES=1, VCPU_LINE0="anything")
    before = made.read(10).vcpu
    assert bytes(before[:7]) == b"1.2E-06"
    made.module.apply_digital({"VCPU_LINES": "1", "VCPU_LINE0": "anything"}, 10)
    after = made.read(11).vcpu
    assert (after[:15], after[15]) == (before[:15], 0)


def test_after_a_restart_of_the_controller_nothing_is_configured() -> None:
    made = rack(ModuleType.LVXBIAS, LVLC_V3=-4, VCPU_LINES=1, VCPU_LINE0="x", DIO_DIR12=1, DIO_SOURCE1=1)
    made.module.lines.set_input(8, True)
    assert made.words(10)["DINPUTS"] == "10000001"
    made.module.restart()
    assert made.words(0)["DINPUTS"] == "00000001", "what is outside stays"
    assert made.read(0).vcpu == (0,) * 16
    assert made.read(0).biases["LVLC3"].volts == pytest.approx(0, abs=0.05)


def test_after_a_restart_a_cryostat_is_as_cold_as_before() -> None:
    made = rack(ModuleType.HEATERX, **HEATED, HEATERAI=1)
    assert made.read(1200).sensors["A"] == pytest.approx(-105, abs=0.05)
    made.module.restart()
    made.apply(0, **SENSOR)
    assert made.read(0).sensors["A"] == pytest.approx(-105, abs=0.1)
