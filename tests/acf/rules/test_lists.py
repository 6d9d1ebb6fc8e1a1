"""Rules on lists."""

import pytest

from archon_ioc.acf.rules.lists import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

CASES = (
    Case("missing-entry", "LINE17", {"LINE17": None}, "LINES=130 counts LINE17"),
    Case("missing-entry", "STATE4/NAME", {"STATE4/NAME": None}),
    Case("missing-entry", "PARAMETER34", {"PARAMETERS": "35"}),
    Case("missing-entry", "PARAMETERS", {"PARAMETERS": "99"},
         "PARAMETERS=99 counts PARAMETER34, PARAMETER35, PARAMETER36 and 62 more, which are not there"),
    Case("missing-entry", "MOD2/VCPU_LINE0", {"MOD2/VCPU_LINES": "1"}),
    Case("beyond-counter", "TAPLINES", {"TAPLINES": "2"}, "TAPLINE2, TAPLINE3"),
    Case("beyond-counter", "LINES", {"LINES": "129"}, "LINE129"),
    Case("nameless-state", "STATE25/NAME", {"STATE25/NAME": ""}),
)  # fmt: skip


def test_a_wrong_counter_is_one_mistake() -> None:
    assert [(finding.kind, finding.key) for finding in found({"PARAMETERS": "99"})] == [("missing-entry", "PARAMETERS")]


def test_a_counter_beyond_reason_takes_no_time() -> None:
    assert "missing-entry" in {finding.kind for finding in found({"TAPLINES": "999999999999"})}


def test_empty_entries_and_comments_beyond_the_counter_are_no_mistake() -> None:
    assert found({"LINE130": "", "LINE131": "# The end", "TAPLINE4": ""}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
