"""Rails, temperatures and fan of the box."""

import pytest

from archon_ioc.protocol.enums import BackplaneType, ModuleType
from archon_ioc.protocol.replies import RAILS, ModuleInfo, SystemInfo
from archon_ioc.sim.chassis import Chassis, Load, sixteenths
from archon_ioc.sim.faults import Faults

QUIET = [0.0] * 26


def box(*kinds: ModuleType, revision: int = 5, version: str = "1.0.1104", faults: Faults | None = None) -> Chassis:
    modules = tuple(ModuleInfo(slot, kind, int(kind), 0, "", "") for slot, kind in enumerate(kinds, start=1))
    made = Chassis(SystemInfo(BackplaneType.X12, revision, version, "", "", modules), faults or Faults())
    made.load(0, 0, {})
    return made


def words(made: Chassis) -> dict[str, float]:
    text = made.format % tuple(made.values(QUIET))
    return {key: float(value) for key, _, value in (word.partition("=") for word in text.split())}


def test_what_each_slot_draws_is_added() -> None:
    made = box(ModuleType.AD, ModuleType.LVXBIAS)
    before = words(made)
    made.load(0, 0, {2: Load({"P17V": 0.5})})
    assert words(made)["P17V_I"] == pytest.approx(before["P17V_I"] + 0.5)
    assert words(made)["P17V_V"] < before["P17V_V"]
    assert words(made)["P5V_I"] == before["P5V_I"]


def test_ccd_power_draws_more() -> None:
    made = box(ModuleType.AD)
    off = words(made)
    made.load(0, 0.5, {})
    half = words(made)
    made.load(0, 1, {})
    assert off["P6V_I"] < half["P6V_I"] < words(made)["P6V_I"]


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        ([ModuleType.AD], {"N35V", "P100V", "N100V", "USER"}),
        ([ModuleType.XVBIAS], {"N35V", "USER"}),
        ([ModuleType.UNKNOWN], {"N35V", "P100V", "N100V", "USER"}),
    ],
)
def test_rails_that_the_supply_does_not_have_read_nothing(kinds: list[ModuleType], missing: set[str]) -> None:
    found = words(box(*kinds))
    assert {name for name in RAILS if found[f"{name}_V"] == 0} == missing
    assert all(found[f"{name}_I"] == 0 for name in missing)


def test_a_rail_outside_of_its_limits_is_bad() -> None:
    for name in RAILS:
        faults = Faults(rail=name)
        made = box(ModuleType.XVBIAS, faults=faults)
        is_there = name not in ("N35V", "USER")
        assert (made.power_good, made.bad_rails) == (not is_there, [name] if is_there else [])


def test_too_much_current_makes_a_rail_bad() -> None:
    made = box(ModuleType.XVBIAS)
    made.load(0, 1, {1: Load({"P100V": 2.0})})
    assert made.bad_rails == ["P100V"]
    assert words(made)["POWERGOOD"] == 0


def test_a_module_that_works_hard_becomes_warm_slowly() -> None:
    made = box(ModuleType.LVXBIAS, ModuleType.LVXBIAS)
    start = made.celsius(1)
    hard = {1: Load({"P17V": 0.5}, watts=3.0)}
    made.load(10, 1, hard)
    early = made.celsius(1)
    for at in range(20, 3000, 10):
        made.load(at, 1, hard)
    assert start < early < made.celsius(1) - 3
    assert made.celsius(2) < start + 1.5
    assert made.celsius(0) > 22


def test_what_a_heater_gives_does_not_warm_its_module() -> None:
    made = box(ModuleType.HEATERX)
    start = made.celsius(1)
    made.load(3000, 0, {1: Load({"HEATER": 1.0})})
    assert made.celsius(1) == pytest.approx(start, abs=0.01)


def test_without_its_fan_everything_becomes_warmer() -> None:
    made = box(ModuleType.AD, ModuleType.AD, ModuleType.AD, ModuleType.AD)
    with_fan = made.celsius(0)
    made.fan_is_on = False
    made.load(5000, 0, {})
    assert made.celsius(0) > with_fan + 4
    assert words(made)["FANTACH"] == 0
    made.restart()
    assert words(made)["FANTACH"] == 4200


def test_too_hot() -> None:
    faults = Faults()
    made = box(ModuleType.AD, faults=faults)
    assert not made.overheat
    made.load(5000, 1, {1: Load({}, watts=60.0)})
    assert made.overheat, "a module is enough"
    cool = box(ModuleType.AD, faults=faults)
    faults.overheat = True
    assert cool.overheat
    assert words(cool)["BACKPLANE_TEMP"] > 70


@pytest.mark.parametrize(
    ("revision", "version", "keys"),
    [(4, "1.0.876", set()), (5, "1.0.1104", {"FANTACH"}), (7, "1.0.1271", {"FANTACH", "EXTCLKPRESENT"})],
)
def test_revisions_and_firmware_tell_more_or_less(revision: int, version: str, keys: set[str]) -> None:
    found = words(box(ModuleType.AD, revision=revision, version=version))
    assert set(found) & {"FANTACH", "EXTCLKPRESENT"} == keys


def test_the_clock_at_syncin_is_told() -> None:
    made = box(version="1.0.1271")
    assert words(made)["EXTCLKPRESENT"] == 0
    made.has_external_clock = True
    assert words(made)["EXTCLKPRESENT"] == 1


@pytest.mark.parametrize(
    ("celsius", "text"), [(28.19, "28.187"), (25.94, "25.937"), (26.5625, "26.562"), (25, "25.000")]
)
def test_temperatures_are_cut_as_captured(celsius: float, text: str) -> None:
    assert f"{sixteenths(celsius):.3f}" == text
