"""Rules on modules."""

import pytest

from archon_ioc.acf.rules.modules import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

CASES = (
    Case("other-module", "MOD4_TYPE", {}, "slot 4 is of type LVXBias in the file, of type HeaterX here",
         {"MOD4_TYPE": "11"}),
    Case("other-module", "MOD9_TYPE", {}, "empty here", {"MOD9_TYPE": "0"}),
    Case("foreign-key", "MOD4/LVHC_ENABLE1", {"MOD4_TYPE": "11"}, "slot 4 is of type HeaterX"),
    Case("foreign-key", "MOD7/PREAMPGAIN", {"MOD7/PREAMPGAIN": "1"}, "slot 7 is empty"),
    Case("foreign-key", "STATE0/MOD8", {"STATE0/MOD8": "0,1"}, "slot 8 is empty"),
    Case("foreign-key", "MOD14/PREAMPGAIN", {"MOD14/PREAMPGAIN": "1"}, "slot 14 is empty"),
    Case("module-place", "MOD11_TYPE", {"MOD11_TYPE": "2"}, "works in the slots 5, 6, 7, 8"),
    Case("similar-module", "MOD4_TYPE", {}, "its keys are known to both", {"MOD4_TYPE": "3"}),
    Case("other-spare", "MOD11_TYPE", {}, "no key is for it", {"MOD11_TYPE": "12"}),
    Case("other-unit", "BACKPLANE_ID", {}, "serial numbers", {"BACKPLANE_ID": "00003FFF1A000000"}),
    Case("other-unit", "MOD5_VERSION", {}, "firmware", {"MOD5_VERSION": "1.0.1000"}),
    Case("module-without-keys", "MOD11_TYPE", {"MOD11_TYPE": "12"}),
    Case("unknown-modules", "[SYSTEM]", {f"MOD{slot}_TYPE": None for slot in range(1, 13)}),
)  # fmt: skip


def test_the_same_controller_is_no_mistake() -> None:
    assert found({}, {}) == []


def test_a_slot_that_the_file_does_not_tell_may_hold_anything() -> None:
    assert found({"MOD7_TYPE": None, "MOD7/PREAMPGAIN": "1", "TAPLINE1": "AD10R, 1, 1100"}) == []


def test_the_modules_of_the_controller_count() -> None:
    kinds = {(finding.kind, finding.key) for finding in found({}, {"MOD6_TYPE": "0"})}
    assert ("tap-slot", "TAPLINE2") in kinds


def test_a_file_with_zeros_tells_no_revision() -> None:
    own = {"BACKPLANE_ID": "0000000000000000", "BACKPLANE_VERSION": "0.0.0", "BACKPLANE_REV": "0"}
    assert found(own, {"BACKPLANE_ID": "00003FFF1A000000"}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
