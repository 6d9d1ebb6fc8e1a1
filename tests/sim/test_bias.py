"""Bias channels: ranges, slew, load and limits."""

from random import Random

import pytest

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.sim.bias import CHANNELS, BiasBank, Channel, number_of
from archon_ioc.sim.noise import Noise

UP = {0: 1.0}


def bank(kind: ModuleType, **settings: object) -> BiasBank:
    made = BiasBank(kind, Random(1))
    made.apply({key: str(value) for key, value in settings.items()}, 0.0, slowly=False)
    return made


def channel(made: BiasBank, name: str) -> Channel:
    return next(c for c in made.channels if c.name == name)


def read(made: BiasBank, name: str, at: float = 0.0, reach: dict[int, float] | None = None) -> tuple[float, float]:
    values = made.read(at, reach or UP, Noise())
    index = 2 * [c.name for c in made.channels].index(name)
    return values[index], values[index + 1]


@pytest.mark.parametrize(
    ("kind", "name", "key", "wanted", "volts"),
    [
        (ModuleType.LVXBIAS, "LVLC24", "LVLC_V24", 20, 14),
        (ModuleType.LVBIAS, "LVHC1", "LVHC_V1", -20, -14),
        (ModuleType.HVXBIAS, "HVLC1", "HVLC_V1", 40, 31),
        (ModuleType.HVYBIAS, "HVHC6", "HVHC_V6", -5, 0),
        (ModuleType.XVBIAS, "XVP1", "XVP_V1", 99, 95),
        (ModuleType.XVBIAS, "XVN4", "XVN_V4", -40, -40),
        (ModuleType.HS, "MAG1", "MAG_V1", 2, 5),
        (ModuleType.HS, "OFS12", "OFS_V12", -20, -14),
    ],
)
def test_volts_are_clipped_to_the_range(kind: ModuleType, name: str, key: str, wanted: float, volts: float) -> None:
    assert channel(bank(kind, **{key: wanted}), name).set_point(0) == volts


def test_a_channel_without_a_set_point_reads_noise() -> None:
    made = bank(ModuleType.LVXBIAS)
    for n in range(1, 25):
        volts, milliamperes = read(made, f"LVLC{n}")
        assert abs(volts) < 0.04
        assert abs(milliamperes) < 0.04


def test_a_channel_that_is_not_enabled_stays_off() -> None:
    made = bank(ModuleType.XVBIAS, XVN_V1=-40, XVN_ENABLE1=0, XVN_V2=-40, XVN_ENABLE2=1)
    assert (channel(made, "XVN1").target, channel(made, "XVN2").target) == (0, -40)


def test_the_load_draws_a_current() -> None:
    made = bank(ModuleType.LVXBIAS, LVHC_V1=5, LVLC_V1=-10)
    assert read(made, "LVHC1") == pytest.approx((5, 10), abs=0.3)
    assert read(made, "LVLC1") == pytest.approx((-10, -0.5), abs=0.05)
    assert made.draws == pytest.approx({"P17V": 0.010, "N17V": 0.0005})


def test_in_current_limit_the_voltage_sags() -> None:
    made = bank(ModuleType.HVXBIAS, HVHC_V1=25, HVHC_IL1=2, HVHC_V2=25, HVHC_IL2=20)
    assert read(made, "HVHC1") == pytest.approx((10, 2), abs=0.2)
    assert read(made, "HVHC2") == pytest.approx((25, 5), abs=0.2)


def test_a_limit_is_never_above_what_the_module_can() -> None:
    made = bank(ModuleType.HVXBIAS, HVHC_IL1=5000, HVHC_IL2=-1)
    assert (channel(made, "HVHC1").limit, channel(made, "HVHC2").limit) == (250, 0)


def test_another_set_point_is_reached_with_a_slew() -> None:
    made = bank(ModuleType.HVXBIAS, HVLC_V1=10)
    made.apply({"HVLC_V1": "30"}, 5, slowly=True)
    assert [channel(made, "HVLC1").set_point(at) for at in (5, 5.1, 5.2, 6)] == pytest.approx([10, 20, 30, 30])


def test_a_set_point_that_is_changed_on_the_way_goes_on_from_there() -> None:
    made = bank(ModuleType.HVXBIAS, HVLC_V1=0)
    made.apply({"HVLC_V1": "30"}, 5, slowly=True)
    made.apply({"HVLC_V1": "0"}, 5.1, slowly=True)
    assert [channel(made, "HVLC1").set_point(at) for at in (5.1, 5.15, 5.2)] == pytest.approx([10, 5, 0])
    assert read(made, "HVLC1", 5.15)[0] == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "group", "number", "name"),
    [
        (ModuleType.LVXBIAS, 0, 24, "LVLC24"),
        (ModuleType.LVXBIAS, 0, 25, "LVHC1"),
        (ModuleType.HVXBIAS, 0, 30, "HVHC6"),
        (ModuleType.XVBIAS, 0, 2, "XVP2"),
        (ModuleType.XVBIAS, 1, 4, "XVN4"),
    ],
)
def test_the_timing_script_may_change_a_set_point(kind: ModuleType, group: int, number: int, name: str) -> None:
    made = bank(kind)
    wanted = -3 if name.startswith("XVN") else 3
    made.change(group, number, f"{wanted}", 5)
    assert channel(made, name).set_point(6) == wanted
    made.change(group, number, "unknown", 6)
    made.change(group, 31, "5", 6)
    assert [c.name for c in made.channels if c.set_point(7)] == [name]


def test_groups_are_those_of_channels_with_a_set_point() -> None:
    made = bank(ModuleType.HVXBIAS, HVLC_V1=10, HVLC_ORDER1=2, HVLC_ORDER2=5, HVHC_V1=20, HVHC_ORDER1=1)
    assert made.orders == {1, 2}
    assert read(made, "HVLC1", reach={1: 1.0, 2: 0.5})[0] == pytest.approx(5, abs=0.1)


def test_a_short_fails_the_verification() -> None:
    made = bank(ModuleType.HVXBIAS, HVLC_V1=10, HVLC_ORDER1=2, HVHC_V1=20, HVHC_ORDER1=1)
    made.shorten({"HVHC1"})
    assert list(made.failing(1, 0)) == [("HVHC1", 0.5)]
    assert list(made.failing(2, 0)) == []
    made.shorten(())
    assert list(made.failing(1, 0)) == []


def test_a_limit_that_is_too_small_fails_the_verification() -> None:
    made = bank(ModuleType.HVXBIAS, HVHC_V1=25, HVHC_IL1=2)
    assert list(made.failing(0, 0)) == [("HVHC1", 10)]


def test_two_boxes_have_other_offsets_the_same_one_the_same() -> None:
    one, same, other = (BiasBank(ModuleType.LVBIAS, Random(seed)) for seed in (1, 1, 2))
    assert read(one, "LVLC1") == read(same, "LVLC1")
    assert read(one, "LVLC1") != read(other, "LVLC1")


def test_every_range_has_room_for_its_channels() -> None:
    for kinds in CHANNELS.values():
        assert all(kind.low < kind.high and kind.count > 0 for kind in kinds)


@pytest.mark.parametrize(("text", "number"), [("5", 5), (" -0.5 ", -0.5), ("", 7), ("high", 7), (3.0, 3)])
def test_a_setting_that_is_no_number_counts_as_missing(text: str, number: float) -> None:
    assert number_of({"A": text}, "A", 7) == number
    assert number_of({}, "A", 7) == 7
