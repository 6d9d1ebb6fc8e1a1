"""SYSTEM and STATUS as a whole, at chosen times."""

from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
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
        self.board = StatusBoard(SystemInfo.from_fields(system_fields(acf)), self.power, self.faults)

    def read(self, at: float) -> DeviceStatus:
        return DeviceStatus.parse(self.board.report(at, 0))


@pytest.fixture
def box(separate: Acf) -> Box:
    return Box(separate)


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


def test_status_has_the_keys_of_a_real_one_in_its_order(separate: Acf) -> None:
    captured = parse_pairs((GOLDEN / "STATUS-revE-876.txt").read_text(encoding="ascii").splitlines()[0])
    # The captured unit is a Rev E, which does not tell how its fan runs.
    head = [key for key in captured if not key.startswith("MOD")]
    mine = list(parse_pairs(Box(separate).board.report(1, 0)))
    assert mine[: len(head)] == head
    assert mine[len(head)] == "FANTACH"
    assert [key for key in mine if key.startswith("MOD2/")] == [key for key in captured if key.startswith("MOD2/")]
    assert [key for key in mine if key.startswith("MOD4/")] == [key for key in captured if key.startswith("MOD4/")]


def test_the_fan_is_told_from_rev_f_on_and_can_be_off(separate: Acf) -> None:
    assert Box(Acf({}, {**separate.system, "BACKPLANE_REV": "4"})).read(1).fan_rpm is None
    box = Box(separate)
    assert box.read(1).fan_rpm == pytest.approx(4200, abs=50)
    box.board.apply(Acf({"FANDISABLE": "1"}), 2)
    assert box.read(2).fan_rpm == 0


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


def test_rails_are_what_they_should_be(box: Box) -> None:
    rails = box.read(1).rails
    assert tuple(rails) == RAILS
    nominal = {"P2V5": 2.5, "P5V": 5, "P6V": 6, "N6V": -6, "P17V": 17, "N17V": -17, "P35V": 35, "HEATER": 28}
    assert {name: rails[name].volts for name in nominal} == pytest.approx(nominal, rel=0.03)
    assert {rails[name].volts for name in ("N35V", "USER", "P100V", "N100V")} == {0.0}


def test_an_xv_module_brings_its_rails(demo: Acf) -> None:
    assert Box(demo).read(1).rails["N100V"].volts == pytest.approx(-100, abs=3)


def test_the_ccd_draws_current(box: Box) -> None:
    box.power.configure(0)
    off = box.read(1).rails["P17V"].amperes
    box.power.switch_on(1)
    assert box.read(3).rails["P17V"].amperes > off + 0.3


def test_rail_fault_and_overheating_are_told(box: Box) -> None:
    assert (box.read(1).power_good, box.read(1).overheat) == (True, False)
    box.faults.rail = "P17V"
    box.faults.overheat = True
    status = box.read(2)
    assert (status.power_good, status.overheat) == (False, True)
    assert status.rails["P17V"].volts < 10
    assert status.backplane_temperature is not None
    assert status.backplane_temperature > 60


def test_constants_are_known_to_the_modules(box: Box) -> None:
    box.power.configure(0)
    box.power.switch_on(0)
    box.board.apply(Acf({"CONSTANTS": "1", "CONSTANT0": "VDD=7", "MOD4/LVLC_V1": "vdd"}), 2)
    assert box.read(2).modules[4].biases["LVLC1"].volts == pytest.approx(7, abs=0.1)


def test_every_module_of_a_real_configuration_reads(real: Acf) -> None:
    status = Box(real).read(1)
    assert set(status.modules) == {m.slot for m in SystemInfo.from_fields(system_fields(real)).modules}
    assert not any(module.other for module in status.modules.values())
