"""Rules on the timing script."""

import pytest

from archon_ioc.acf.rules.script import RULES

from .cases import Case, assert_all_have_cases, assert_found, found

_CHAIN: dict[str, str | None] = {"LINE7": "HOLD; CALL Level0", "LINES": "164"}
for _n in range(17):
    _CHAIN[f"LINE{130 + 2 * _n}"] = f"Level{_n}: HOLD; CALL {f'Level{_n + 1}' if _n < 16 else 'ClearOnce'}"
    _CHAIN[f"LINE{131 + 2 * _n}"] = f"HOLD; RETURN Level{_n}"

CASES = (
    Case("syntax", "LINE43", {"LINE43": "HOLD; GO TO Main"}),
    Case("unknown-state", "LINE33", {"LINE33": "CLAMPOF"}, "there is no state 'CLAMPOF'"),
    Case("unknown-label", "LINE43", {"LINE43": "HOLD; GOTO Mian"}, "there is no label 'Mian'"),
    Case("unknown-parameter", "LINE123", {"LINE123": "PAR1; HOLD(TA)"}),
    Case("unknown-parameter", "LINE30", {"LINE31": None, "LINE30": "Read: HOLD; RaedOut--"}),
    Case("count-range", "LINE58", {"LINE58": "HOLD; HOLD(1048576)"}, "from 0 to 1048575"),
    Case("duplicate-name", "LINE40", {"LINE40": "Read:"}),
    Case("control-syntax", "STATE5/CONTROL", {"STATE5/CONTROL": "4;3B"}),
    Case("script-limit", "PARAMETERS", {f"PARAMETER{n}": f"P{n}=0" for n in range(34, 99)} | {"PARAMETERS": "99"}),
    Case("control-bits", "STATE5/CONTROL", {"STATE5/CONTROL": "4,3F"}, "sets the bits 4, and keeps them"),
    Case("unreachable", "LINE43", {"LINE42": "HOLD; GOTO Main"}, "nothing leads to the instruction LINE43"),
    Case("other-return", "LINE81", {"LINE81": "RGOFF; RETURN Line"}, "RETURN Line ends a call of SkipLine"),
    Case("no-return", "LINE79", {"LINE81": "Here: RGOFF; GOTO Here"}),
    Case("falls-through", "LINE81", {"LINE81": "RGOFF"}, "runs on into ClearOnce"),
    Case("falls-through", "LINE81", {"LINE81": "RGOFF", "LINE82": "Here: HOLD; GOTO Main"}, "runs on into Here"),
    Case("past-the-end", "LINE129", {"LINE129": "HOLD"}),
    Case("call-depth", "LINE130", _CHAIN, "20 routines call each other: Level0, Level1"),
    Case("recursion", "LINE79", {"LINE80": "HOLD; CALL SkipLine"}, "SkipLine can come to call itself"),
    Case("shadowed-constant", "CONSTANT2", {"CONSTANT2": "ST=5"}),
    Case("abandoned-call", "LINE79", {"LINE81": "RGOFF; GOTO Main"}, "SkipLine is called, and always goes elsewhere"),
    Case("goto-routine", "LINE7", {"LINE7": "HOLD; IF AutoFlush GOTO ClearOnce"}),
    Case("unused-state", "STATE9/NAME", {"LINE33": "HOLD", "LINE70": "HOLD"}),
    Case("unused-label", "LINE17", {"LINE17": "Here: HOLD; GOTO Read"}),
    Case("unused-parameter", "PARAMETER33", {"LINE71": "HOLD; CALL WaitHalfMS"}, "uses WaitCount"),
    Case("unused-constant", "CONSTANT14", {"CONSTANT14": "SPARE=1", "CONSTANTS": "15"}),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_found(case: Case) -> None:
    assert_found(case)


def test_every_rule_has_a_case() -> None:
    assert_all_have_cases(RULES, CASES)


def test_the_name_that_may_be_meant_is_suggested() -> None:
    (finding,) = found({"LINE43": "HOLD; GOTO Mian"})
    assert finding.remedy == "Perhaps Main is meant; otherwise define Mian."


def test_a_name_like_no_other_has_no_suggestion() -> None:
    (finding,) = found({"LINE43": "HOLD; GOTO Xyzzy"})
    assert finding.remedy.startswith("Correct the name")
