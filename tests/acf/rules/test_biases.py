"""Rules on biases."""

import pytest

from archon_ioc.acf.rules.biases import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

CASES = (
    Case("order-gap", "MOD1/XVN_ORDER1", {"MOD1/XVN_ORDER1": "7"}, "SUBSTRATE is in step 7"),
    Case(
        "order-differs", "MOD9/HVHC_ORDER3", {"MOD9/HVHC_ORDER3": "1"}, "OD_C is in step 1, OD_A, OD_B, OD_D in step 2"
    ),
    Case("no-current", "MOD4/LVHC_IL1", {"MOD4/LVHC_IL1": "0"}, "PREAMP_P is enabled at 5 V"),
    Case("bias-disabled", "MOD9/HVHC_ENABLE1", {"MOD9/HVHC_ENABLE1": "0"}, "OD_A has 24 V"),
)


def test_biases_of_other_levels_may_have_another_order() -> None:
    assert found({"MOD9/HVHC_ORDER3": "1", "MOD9/HVHC_V3": "23"}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
