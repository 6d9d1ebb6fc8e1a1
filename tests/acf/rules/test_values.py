"""Rules on single keys."""

import pytest

from archon_ioc.acf.rules.values import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

CASES = (
    Case("bad-value", "MOD9/HVLC_V1", {"MOD9/HVLC_V1": "32"}, "'32' (level of a bias) is not from 0 to 31 V"),
    Case("bad-value", "SHP1", {"SHP1": "1O"}, "not a whole number"),
    Case("bad-value", "MOD5/CLAMP1", {"MOD5/CLAMP1": "AD_KLAMP"}, "no constant's name"),
    Case("bad-value", "TAPLINE1", {"TAPLINE1": "AB2R, 1, 1100"}, "not a tap"),
    Case("bad-value", "MOD4/LVHC_IL1", {"MOD4/LVHC_IL1": "501"}, "from 0 to 500 mA"),
    Case("constant-range", "CONSTANT13", {"CONSTANT13": "AD_CLAMP=2.6"}, "AD_CLAMP=2.6, which MOD5/CLAMP1 uses"),
    Case("bad-value", "FRAMEMODE", {"FRAMEMODE": "3"}, "is not one of 0 (top), 1 (bottom), 2 (split)"),
    Case("no-geometry", "LINECOUNT", {"LINECOUNT": None}),
    Case("missing-key", "SHP1", {"SHP1": None}),
    Case("missing-key", "MOD9/HVHC_ORDER2", {"MOD9/HVHC_ORDER2": None}, "but others of its kind"),
    Case("missing-key", "MOD2/HEATERALIMIT", {"MOD2/HEATERALIMIT": None}),
    Case("missing-key", "RAWENABLE", {"RAWENABLE": None}),
    Case("missing-key", "MOD5/PREAMPGAIN", {"MOD5/PREAMPGAIN": None}),
    Case("unknown-key", "PIXELCUONT", {"PIXELCUONT": "560"}, "but PIXELCOUNT is"),
    Case("unknown-key", "MOD3/LABLE1", {"MOD3/LABLE1": "S1"}),
)


def test_a_name_that_is_left_out_is_no_mistake() -> None:
    assert found({"MOD3/LABEL1": None}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
