"""What STATUS says about each type of module."""

from random import Random

import pytest

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.protocol.replies import DeviceStatus, ModuleInfo, ModuleStatus
from archon_ioc.sim.modules import OPEN_SENSOR, Module

HEAD = "VALID=1 COUNT=1 LOG=0 POWER=4 POWERGOOD=1 OVERHEAT=0 "


def module(kind: ModuleType, **settings: object) -> Module:
    made = Module(ModuleInfo(4, kind, int(kind), 0, "1.0.1104", "0" * 16), Random(1))
    made.apply({key: str(value) for key, value in settings.items()}, 0)
    return made


def words(made: Module, at: float = 0.0, level: float = 1.0, steps: int = 1) -> dict[str, str]:
    return dict(made.readings(at, level, steps))


def read(made: Module, at: float = 0.0, level: float = 1.0, steps: int = 1) -> ModuleStatus:
    """Return the readings as the driver understands them."""
    text = " ".join(f"MOD4/{key}={value}" for key, value in made.readings(at, level, steps))
    return DeviceStatus.parse(HEAD + text).modules[4]


def biases(*kinds: tuple[str, int]) -> list[str]:
    return [f"{kind}_{x}{n}" for kind, count in kinds for n in range(1, count + 1) for x in "VI"]


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
    ],
)
def test_each_type_has_its_keys_in_this_order(kind: ModuleType, keys: list[str]) -> None:
    assert list(words(module(kind))) == ["TEMP", *keys]


@pytest.mark.parametrize(("kind", "count"), [(ModuleType.LVXBIAS, 8), (ModuleType.HS, 4), (ModuleType.HEATERX, 8)])
def test_digital_inputs_are_a_row_of_digits(kind: ModuleType, count: int) -> None:
    assert read(module(kind)).digital_inputs == "0" * count


def test_numbers_have_three_decimals_but_temperatures_of_a_heaterx_six() -> None:
    found = words(module(ModuleType.HEATERX, SENSORATYPE=4, SENSORALABEL="CCD"))
    assert [len(found[key].partition(".")[2]) for key in ("TEMP", "TEMPA", "TEMPB", "HEATERAOUTPUT")] == [3, 6, 6, 3]
    assert found["TEMPB"] == "-273.150016"


# Biases


def test_a_bias_follows_the_power() -> None:
    made = module(ModuleType.LVXBIAS, LVLC_V3=-4)
    assert read(made, level=0.0).biases["LVLC3"].volts == pytest.approx(0, abs=0.05)
    assert read(made, level=0.5).biases["LVLC3"].volts == pytest.approx(-2, abs=0.05)
    assert read(made, level=1.0).biases["LVLC3"].volts == pytest.approx(-4, abs=0.05)
    assert read(made, level=1.0).biases["LVLC4"].volts == pytest.approx(0, abs=0.05)


def test_readings_are_noisy() -> None:
    made = module(ModuleType.LVXBIAS, LVLC_V3=-4)
    assert len({words(made)["LVLC_V3"] for _ in range(20)}) > 5


def test_a_channel_that_is_not_enabled_stays_off() -> None:
    made = module(ModuleType.XVBIAS, XVN_V1=-40, XVN_ENABLE1=0, XVN_V2=-40, XVN_ENABLE2=1)
    assert read(made).biases["XVN1"].volts == pytest.approx(0, abs=0.1)
    assert read(made).biases["XVN2"].volts == pytest.approx(-40, abs=0.1)


def test_a_high_current_channel_keeps_its_limit() -> None:
    made = module(ModuleType.LVXBIAS, LVHC_V1=5, LVHC_IL1=100, LVHC_V2=5, LVHC_IL2=2)
    found = read(made).biases
    assert found["LVHC1"].milliamperes == pytest.approx(10, abs=0.5)
    assert found["LVHC2"].milliamperes == pytest.approx(2, abs=0.5)


def test_biases_come_up_in_their_order() -> None:
    made = module(ModuleType.HVXBIAS, HVLC_V1=10, HVLC_ORDER1=0, HVHC_V1=20, HVHC_ORDER1=1)
    assert made.steps == 1
    half = read(made, level=0.5, steps=2).biases
    assert half["HVLC1"].volts == pytest.approx(10, abs=0.1)
    assert half["HVHC1"].volts == pytest.approx(0, abs=0.1)


# Heaters

SENSOR = {"SENSORATYPE": 4, "SENSORALABEL": "CCD"}
HEATED = {**SENSOR, "HEATERAENABLE": 1, "HEATERATARGET": -105, "HEATERASENSOR": 0, "HEATERAP": 10, "HEATERALIMIT": 8}


def test_a_sensor_is_there_if_it_has_a_type_and_a_label() -> None:
    found = read(module(ModuleType.HEATERX, **SENSOR, SENSORBTYPE=4)).sensors
    assert found["A"] == pytest.approx(-95, abs=1)
    assert found["B"] == OPEN_SENSOR


def test_an_enabled_heater_brings_its_sensor_to_the_target() -> None:
    made = module(ModuleType.HEATERX, **HEATED)
    early, late = read(made, 10).sensors["A"], read(made, 600).sensors["A"]
    assert -97.5 < early < -95.5
    assert late == pytest.approx(-105, abs=0.1)


def test_without_a_heater_the_temperature_stays() -> None:
    made = module(ModuleType.HEATERX, **SENSOR)
    assert read(made, 1000).sensors["A"] == pytest.approx(-95, abs=0.1)


def test_a_heater_gives_power_when_it_is_too_cold() -> None:
    made = module(ModuleType.HEATERX, **{**HEATED, "HEATERATARGET": -90})
    output = read(made).heaters["A"]
    assert output.volts == 7.0
    assert output.proportional == 50
    assert read(module(ModuleType.HEATERX, **{**HEATED, "HEATERATARGET": -50})).heaters["A"].volts == 8.0
    assert read(module(ModuleType.HEATERX, **{**HEATED, "HEATERATARGET": -150})).heaters["A"].volts == 0.0


def test_a_forced_heater_ignores_its_limit() -> None:
    made = module(ModuleType.HEATERX, **HEATED, HEATERAFORCE=1, HEATERAFORCELEVEL=20)
    assert read(made).heaters["A"].volts == 20.0


def test_other_settings_do_not_change_what_was_reached() -> None:
    made = module(ModuleType.HEATERX, **HEATED)
    made.apply({key: str(value) for key, value in SENSOR.items()}, 600)
    assert read(made, 900).sensors["A"] == pytest.approx(-105, abs=0.1)
