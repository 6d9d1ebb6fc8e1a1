"""Rules on what happens by itself."""

import pytest

from archon_ioc.acf.rules.start import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

CASES = (
    Case("stored-demand", "PARAMETER2", {"PARAMETER2": "Exposures=1"}, "Exposures=1 is stored"),
    Case("stored-demand", "PARAMETER1", {"PARAMETER1": "ContinuousExposures=1"}),
    Case("boot-power", "POWERON", {"POWERON": "1"}),
    Case("boot-apply", "APPLYALL", {"APPLYALL": "1"}),
    Case("trigger-forced", "TRIGOUTFORCE", {"TRIGOUTFORCE": "1", "TRIGOUTLEVEL": "1"}, "Trigger Out stays high"),
    Case("raw-enabled", "RAWENABLE", {"RAWENABLE": "1"}),
    Case("trigger-in", "TRIGINENABLE", {"TRIGINENABLE": "1"}, "while Trigger In is high"),
    Case("network", "PORT", {"PORT": "4242"}),
    Case("fan", "FANDISABLE", {"FANDISABLE": "1"}),
)


def test_flushing_by_itself_is_no_demand() -> None:
    assert found({"PARAMETER6": "AutoFlush=0", "PARAMETER7": "ExternalTrigger=1"}) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)
