"""Rules on states."""

import pytest

from archon_ioc.acf.rules.states import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

_HOLD = ",1,1,,1,1,,1,1,,1,1,,1,1,,1,1,,1,1,,1,1"
CASES = (
    Case(
        "state-fields",
        "STATE1/MOD3",
        {"STATE1/MOD3": _HOLD + ","},
        "slot 3 is of type Driver with 24",
    ),
    Case("state-fields", "STATE1/MOD4", {"STATE1/MOD4": "0,1,1"}, "of type LVXBias with 16 or 19"),
    Case("state-flag", "STATE1/MOD5", {"STATE1/MOD5": "0,2"}, "'2' in HOLD"),
    Case("state-flag", "STATE1/MOD3", {"STATE1/MOD3": "S_LOW,f,0" + _HOLD[4:]}, "'f' in HOLD"),
    Case("state-level", "STATE1/MOD3", {"STATE1/MOD3": "S_LO,1,0" + _HOLD[4:]}, "clock 1 (S1) in HOLD"),
    Case("state-level", "STATE1/MOD3", {"STATE1/MOD3": "-13.1,1,0" + _HOLD[4:]}, "-13.1 V, not from -13 to 13 V"),
    Case("level-constant", "CONSTANT5", {"CONSTANT5": "RG_HIGH=80"}, "RG_HIGH is 80 V"),
    Case("state-bias", "STATE1/MOD9", {"STATE1/MOD9": "1,5,32"}, "not from 0 to 31 V"),
    Case("state-bias", "STATE1/MOD9", {"STATE1/MOD9": "1,31,5"}, "not a command and a channel"),
    Case("state-empty", "STATE1/MOD3", {"STATE1/MOD3": ",1,0" + _HOLD[4:]}, "no level"),
    Case("state-kept", "STATE1/MOD3", {"STATE1/MOD3": "S_LOW,1,1" + _HOLD[4:]}, "S_LOW has no effect"),
    Case("state-incomplete", "STATE1/MOD3", {"STATE1/MOD3": None}),
    Case("state-control", "STATE1/CONTROL", {"STATE1/CONTROL": None}),
    Case("clock-disabled", "MOD3/ENABLE4", {"MOD3/ENABLE4": "0"}, "set SW, which is not enabled"),
    Case("clock-disabled", "MOD3/ENABLE4", {"MOD3/SOURCE4": "3"}),
    Case("clock-idle", "MOD3/ENABLE8", {"MOD3/ENABLE8": "1"}),
)


def test_a_bias_can_be_changed_on_the_fly() -> None:
    assert found({"STATE1/MOD9": "1,5,24.5", "STATE1/MOD4": "0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8,-3.3"}) == []


def test_an_old_bias_module_says_nothing_of_biases() -> None:
    assert found({"STATE1/MOD4": "0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)


def test_fields_for_another_type_are_told_once() -> None:
    findings = found({"MOD4_TYPE": "11"})
    assert [finding.key for finding in findings if finding.kind == "state-fields"] == ["STATE0/MOD4"]
