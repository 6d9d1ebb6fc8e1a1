"""Rules on heaters."""

import pytest

from archon_ioc.acf.rules.heaters import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

_FORCED = {"MOD2/HEATERAFORCE": "1"}
CASES = (
    Case("force-above-limit", "MOD2/HEATERAFORCE", _FORCED | {"MOD2/HEATERAFORCELEVEL": "20"}, "LIMIT of 12 V"),
    Case("heater-forced", "MOD2/HEATERAFORCE", _FORCED | {"MOD2/HEATERAFORCELEVEL": "5"}, "heater A (CCD)"),
    Case("heater-forced", "MOD2/HEATERBFORCE", {"MOD2/HEATERBFORCE": "1"}),
    Case("heater-sensor", "MOD2/HEATERASENSOR", {"MOD2/HEATERASENSOR": "3"}, "'3'"),
    Case("heater-sensor", "MOD2/SENSORACURRENT", {"MOD2/SENSORACURRENT": "0"}),
    Case("sensor-limits", "MOD2/SENSORBLOWERLIMIT", {"MOD2/SENSORBLOWERLIMIT": "50"}),
    Case("heater-target", "MOD2/HEATERATARGET", {"MOD2/HEATERATARGET": "-160"}, "-150 to 50"),
    Case("heater-gains", "MOD2/HEATERAP", {"MOD2/HEATERAP": "0", "MOD2/HEATERAI": "0"}),
    Case("heater-limit", "MOD2/HEATERALIMIT", {"MOD2/HEATERALIMIT": "0"}),
)


def test_a_heater_that_is_not_enabled_may_be_anything() -> None:
    assert found({"MOD2/HEATERBTARGET": "-240", "MOD2/HEATERBP": "0", "MOD2/HEATERBI": "0"}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
