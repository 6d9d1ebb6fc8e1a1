"""SYSTEM and STATUS as a whole, at chosen times."""

import re
import time
from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import InputError
from archon_ioc.protocol.enums import BackplaneType, Power
from archon_ioc.protocol.replies import RAILS, DeviceStatus, SystemInfo, parse_pairs
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.power import PowerSequence
from archon_ioc.sim.status import StatusBoard, system_fields

GOLDEN = Path(__file__).parents[1] / "golden" / "replies"


class Box:
    """A status board with its power and faults."""

    def __init__(self, acf: Acf) -> None:
        self.faults = Faults()
        self.power = PowerSequence(self.faults)
        self.log: list[str] = []
        installed = SystemInfo.from_fields(system_fields(acf))
        self.board = StatusBoard(installed, self.power, self.faults, log=self.log.append)

    def text(self, at: float) -> str:
        self.board.advance(at)
        return self.board.report(at, 0)

    def read(self, at: float) -> DeviceStatus:
        return DeviceStatus.parse(self.text(at))

    def switch_on(self, acf: Acf, at: float) -> None:
        self.power.configure(at)
        self.board.apply(acf, at)
        self.power.switch_on(at)


@pytest.fixture
def box(separate: Acf) -> Box:
    return Box(separate)


def test_faults_hit_what_is_installed_only(box: Box) -> None:
    for text in ("bias_short=MOD9/HVHC6", "open_sensor=MOD2/TEMPC", "heater_cut=MOD2/HEATERB", "adc_latency=5"):
        box.faults.take(text)
    for text in ("bias_short=MOD9/HVHC7", "open_sensor=MOD3/TEMPA", "heater_cut=MOD9/HEATERA", "adc_latency=4"):
        with pytest.raises(InputError, match="installed; there are"):
            box.faults.take(text)


# SYSTEM


def test_system_has_every_slot_in_the_order_of_a_real_one(separate: Acf) -> None:
    real = GOLDEN / "SYSTEM-revF-1104.txt"
    assert list(system_fields(separate)) == list(parse_pairs(real.read_text(encoding="ascii")))


def test_empty_slots_are_listed(separate: Acf) -> None:
    fields = system_fields(separate)
    empty = ["0", "0", "0.0.0", "0" * 16]
    assert [fields[f"MOD1_{key}"] for key in ("TYPE", "REV", "VERSION", "ID")] == empty
    assert fields["MOD_PRESENT"] == "11A"


def test_an_x16_has_sixteen_slots() -> None:
    fields = system_fields(Acf({}, {"BACKPLANE_TYPE": "2", "MOD16_TYPE": "2"}))
    assert SystemInfo.from_fields(fields).backplane_type is BackplaneType.X16
    assert fields["MOD_PRESENT"] == "8000"
    assert "MOD16_ID" in fields


def test_what_real_configurations_say_is_believed(real: Acf) -> None:
    assert dict(real.system).items() <= system_fields(real).items()


def test_the_demonstration_says_it_all(demo: Acf) -> None:
    assert dict(demo.system) == system_fields(demo)


# STATUS


@pytest.fixture
def captured() -> list[str]:
    """What a Rev E with ten modules said while the CCD was off, three times."""
    return (GOLDEN / "STATUS-revE-876.txt").read_text(encoding="ascii").splitlines()


@pytest.fixture
def rev_e() -> Box:
    return Box(Acf({}, parse_pairs((GOLDEN / "SYSTEM-revE-876.txt").read_text(encoding="ascii"))))


def test_the_same_modules_have_the_same_keys_in_the_same_order_and_format(rev_e: Box, captured: list[str]) -> None:
    def form(text: str) -> list[str]:
        return re.sub(r"-?\d+(?=[. ]|$)", "0", re.sub(r"\.(\d+)", lambda m: "." + "0" * len(m.group(1)), text)).split()

    text = rev_e.text(1)
    assert text.endswith(" "), "a real one ends with a blank"
    for line in captured:
        assert form(text) == form(line)


def test_readings_are_near_to_those_of_a_real_one(rev_e: Box, captured: list[str]) -> None:
    mine, real = parse_pairs(rev_e.text(1)), parse_pairs(captured[0])
    near = {"_V": 0.07, "_I": 0.25, "TEMP": 2.0}
    compared = [(key, limit) for key in real for part, limit in near.items() if part in key and "VCPU" not in key]
    assert len(compared) > 150
    assert {key: mine[key] for key, limit in compared if abs(float(mine[key]) - float(real[key])) > limit} == {}


def test_no_number_is_a_negative_zero(rev_e: Box) -> None:
    assert not any("=-0.000 " in rev_e.text(at) for at in range(1, 50))


def test_a_report_is_cheap(real: Acf) -> None:
    box = Box(real)
    box.switch_on(real, 0)
    times: list[float] = []
    for n in range(100):
        began = time.process_time()
        box.text(10 + n / 10)
        times.append(time.process_time() - began)
    assert min(times) < 2e-3, "0.15 ms for twelve modules; more while coverage is measured"


def test_who_looked_before_changes_nothing(separate: Acf) -> None:
    often, seldom = Box(separate), Box(separate)
    for box in (often, seldom):
        box.switch_on(separate, 0)
    for n in range(1000):
        often.text(n / 10)
    assert often.text(100) == seldom.text(100)


def test_the_fan_is_told_from_rev_f_on_and_can_be_off(separate: Acf) -> None:
    assert Box(Acf({}, {**separate.system, "BACKPLANE_REV": "4"})).read(1).fan_rpm is None
    box = Box(separate)
    assert box.read(1).fan_rpm == pytest.approx(4200, abs=50)
    box.board.apply_system(Acf({"FANDISABLE": "1"}), 2)
    assert box.read(2).fan_rpm == 0


@pytest.mark.parametrize(("version", "told"), [("1.0.1104", None), ("1.0.1252", "0")])
def test_newer_firmware_tells_of_an_external_clock(separate: Acf, version: str, told: str | None) -> None:
    box = Box(Acf({}, {**separate.system, "BACKPLANE_VERSION": version}))
    assert box.read(1).fields.get("EXTCLKPRESENT") == told


def test_the_count_grows_by_itself(box: Box) -> None:
    assert box.read(0.05).count == 0
    assert not box.read(0.05).valid
    assert box.read(0.1).count == 1
    assert box.read(10).count == 100
    assert box.read(10).valid


def test_readings_change_with_the_count_only(box: Box) -> None:
    before = box.read(1.01).fields
    assert box.read(1.09).fields == before
    assert box.read(1.11).fields != before


def test_log_entries_are_told_at_once(box: Box) -> None:
    assert DeviceStatus.parse(box.board.report(1, 3)).log_entries == 3


def test_without_polling_nothing_changes(box: Box) -> None:
    box.board.set_polling(False, 1)
    before = box.read(1)
    box.power.configure(2)
    box.board.refresh(2)
    assert box.read(50).fields == before.fields
    box.board.set_polling(True, 50)
    assert box.read(51).count == before.count + 10
    assert box.read(51).power is Power.OFF


def test_without_polling_of_biases_only_they_stay(box: Box, separate: Acf) -> None:
    box.switch_on(separate, 0)
    before = box.read(2).modules[4].biases
    box.board.set_bias_polling(False, 2)
    assert box.read(3).modules[4].biases == before
    assert box.read(3).count == 30 + 1
    box.board.set_bias_polling(True, 3)
    assert box.read(4).modules[4].biases != before


def test_with_invalid_readings_nothing_changes(box: Box) -> None:
    before = box.read(1)
    box.faults.status_invalid = True
    after = box.read(5)
    assert (after.valid, after.count, after.modules) == (False, before.count, before.modules)
    box.faults.clear()
    assert box.read(6).valid


def test_rails_are_what_they_should_be(box: Box) -> None:
    rails = box.read(1).rails
    assert tuple(rails) == RAILS
    nominal = {"P2V5": 2.5, "P5V": 5, "P6V": 6, "N6V": -6, "P17V": 17, "N17V": -17, "P35V": 35, "HEATER": 28}
    assert {name: rails[name].volts for name in nominal} == pytest.approx(nominal, rel=0.03)
    assert {rails[name].volts for name in ("N35V", "USER", "P100V", "N100V")} == {0.0}


def test_an_xv_module_brings_its_rails(demo: Acf) -> None:
    assert Box(demo).read(1).rails["N100V"].volts == pytest.approx(-100, abs=3)


def test_the_ccd_draws_current(demo: Acf) -> None:
    box = Box(demo)
    off = box.read(1).rails
    box.switch_on(demo, 1)
    on = box.read(3).rails
    for rail in ("P6V", "N6V", "P17V", "N17V"):
        assert on[rail].amperes > off[rail].amperes + 0.2
    assert abs(on["P17V"].volts) < abs(off["P17V"].volts)


def test_a_broken_rail_opens_the_relays(box: Box, separate: Acf) -> None:
    box.switch_on(separate, 0)
    assert (box.read(2).power, box.read(2).power_good) == (Power.ON, True)
    box.faults.rail = "P17V"
    status = box.read(2.05)
    assert (status.power, status.power_good) == (Power.OFF, False)
    assert status.rails["P17V"].volts < 10
    assert box.log == ["Power supply fault: P17V"]
    box.faults.clear()
    assert (box.read(3).power, box.read(3).power_good) == (Power.OFF, True)


def test_a_rail_that_is_not_there_cannot_break(box: Box) -> None:
    box.faults.rail = "N35V"
    assert box.read(2).power_good


def test_overheating_is_told(box: Box) -> None:
    assert not box.read(1).overheat
    box.faults.overheat = True
    status = box.read(2)
    assert status.overheat
    assert status.backplane_temperature is not None
    assert status.backplane_temperature > 60


def test_constants_are_known_to_the_modules(box: Box) -> None:
    box.switch_on(Acf({"CONSTANTS": "1", "CONSTANT0": "VDD=7", "MOD4/LVLC_V1": "vdd"}), 0)
    assert box.read(2).modules[4].biases["LVLC1"].volts == pytest.approx(7, abs=0.1)


@pytest.fixture(autouse=True)
def one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a ramp take a second, for round numbers."""
    monkeypatch.setattr("archon_ioc.sim.power._RAMP_SECONDS", 1.0)


ORDERED = {"MOD4/LVLC_V1": "6", "MOD4/LVLC_ORDER1": "1", "MOD9/HVHC_V1": "20", "MOD9/HVHC_ORDER1": "3"}


def test_groups_come_up_in_turn_in_all_modules(box: Box) -> None:
    box.switch_on(Acf(ORDERED), 0)
    half = box.read(0.5)
    assert half.power is Power.INTERMEDIATE
    assert half.modules[4].biases["LVLC1"].volts == pytest.approx(6, abs=0.1)
    assert half.modules[9].biases["HVHC1"].volts == pytest.approx(0, abs=0.1)
    assert box.read(1).modules[9].biases["HVHC1"].volts == pytest.approx(20, abs=0.1)
    box.power.switch_off(2)
    down = box.read(2.5).modules
    assert down[4].biases["LVLC1"].volts == pytest.approx(6, abs=0.1)
    assert down[9].biases["HVHC1"].volts == pytest.approx(0, abs=0.1)


def test_a_group_that_does_not_come_up_lets_all_go_down(box: Box) -> None:
    box.faults.bias_short = "MOD9/HVHC1"
    box.switch_on(Acf(ORDERED), 0)
    assert box.read(0.9).power is Power.INTERMEDIATE
    assert box.log == []
    assert box.read(5).power is Power.OFF
    assert box.log == ["Power up failed: MOD9/HVHC1 0.5 V"]


def test_one_module_is_applied_alone(box: Box) -> None:
    box.switch_on(Acf(ORDERED), 0)
    changed = Acf({**ORDERED, "MOD4/LVLC_V1": "3", "MOD9/HVHC_V1": "10"})
    box.board.apply_module(4, changed, 2)
    biases = box.read(3).modules
    assert biases[4].biases["LVLC1"].volts == pytest.approx(3, abs=0.1)
    assert biases[9].biases["HVHC1"].volts == pytest.approx(20, abs=0.1)
    box.board.apply_module(12, changed, 3)
    assert box.read(4).power is Power.ON, "an empty slot has nothing to apply"


def test_digital_lines_are_applied_alone(box: Box) -> None:
    box.switch_on(Acf(ORDERED), 0)
    changed = Acf({**ORDERED, "MOD4/LVLC_V1": "3", "MOD4/DIO_DIR12": "1", "MOD4/DIO_SOURCE2": "1"})
    box.board.apply_module(4, changed, 2, only_dio=True)
    module = box.read(3).modules[4]
    assert (module.digital_inputs, round(module.biases["LVLC1"].volts)) == ("01000000", 6)


def test_the_log_may_tell_of_the_adcs(box: Box) -> None:
    box.faults.adc_latency = 5
    box.board.apply(Acf({}), 0)
    assert box.log == ["Unexpected ADC latency measured (slot 5)"]


def test_a_restart_forgets_the_configuration_and_the_count(box: Box) -> None:
    box.switch_on(Acf(ORDERED), 0)
    box.read(5)
    box.power.restart()
    box.board.restart()
    status = box.read(0)
    assert (status.valid, status.count, status.power) == (False, 0, Power.NOT_CONFIGURED)
    assert status.modules[4].biases["LVLC1"].volts == pytest.approx(0, abs=0.1)


def test_every_module_of_a_real_configuration_reads(real: Acf) -> None:
    status = Box(real).read(1)
    assert set(status.modules) == {m.slot for m in SystemInfo.from_fields(system_fields(real)).modules}
    assert not any(module.other for module in status.modules.values())


def test_the_power_of_real_configurations_comes_up(real: Acf) -> None:
    box = Box(real)
    box.switch_on(real, 0)
    status = box.read(2)
    assert (status.power, status.power_good, box.log) == (Power.ON, True, [])
