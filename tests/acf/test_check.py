"""The check as a whole: order and places of findings, and the configurations of real instruments."""

import time
from dataclasses import replace

import pytest

from archon_ioc.acf.check import RULES, check, frame_problems, reasons_to_refuse
from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Severity
from archon_ioc.config import ScriptConfig

from .scripts import demo, real, script

PROBLEMS = {"MOD9/HVLC_V1": "32", "POWERON": "1", "LINE33": "CLAMPOF", "LINE9": "NOCLAMP"}


def test_the_worst_comes_first_and_then_the_order_of_the_file() -> None:
    findings = check(demo().with_values(PROBLEMS))
    assert [finding.severity for finding in findings] == sorted((f.severity for f in findings), reverse=True)
    errors = [finding.key for finding in findings if finding.severity is Severity.ERROR]
    assert errors == ["LINE33", "LINE9", "MOD9/HVLC_V1"]  # as the file sorts them


def test_a_finding_knows_the_line_of_the_file() -> None:
    finding = check(demo().with_values(PROBLEMS))[0]
    assert finding.line == demo().source_line("LINE33")
    assert str(finding).startswith(f"ERROR line {finding.line}, LINE33: ")


def test_without_a_file_the_order_is_that_of_the_numbers() -> None:
    acf = script("Main: X; GOTO Main\nNO\n" + "X\n" * 8 + "NEITHER")
    assert [f.key for f in check(acf) if f.kind == "unknown-state"] == ["LINE1", "LINE10"]


def test_what_a_rule_finds_twice_is_told_once() -> None:
    findings = check(demo().with_values(PROBLEMS))
    assert len(findings) == len(set(findings))


def test_every_kind_has_one_rule() -> None:
    kinds = [rule.kind for rule in RULES]
    assert sorted(kinds) == sorted(set(kinds))
    assert all(rule.meaning.endswith(".") and rule.remedy.endswith(".") for rule in RULES)


def test_only_errors_are_reasons_to_refuse() -> None:
    assert {rule.severity for rule in RULES if rule.stops_load} == {Severity.ERROR}
    findings = check(demo().with_values(PROBLEMS | {"PIXELCOUNT": "600"}))
    assert {finding.key for finding in reasons_to_refuse(findings)} == {"LINE33", "LINE9", "MOD9/HVLC_V1"}


def test_a_frame_that_cannot_complete_is_no_reason_to_refuse() -> None:
    findings = check(demo().with_values({"PIXELCOUNT": "600"}))
    assert [finding.kind for finding in findings if finding.severity is Severity.ERROR] == ["too-few-pixels"]
    assert reasons_to_refuse(findings) == ()


def test_other_names_of_the_parameters_are_understood() -> None:
    acf = demo().with_values({"PARAMETER2": "Expose=1", "LINE3": "HOLD; IF Expose GOTO Expose"})
    acf = acf.with_values({"LINE22": "HOLD; Expose--", "LINE26": "INTOFF; Expose--"})
    names = ScriptConfig(exposures="Expose")
    assert "stored-demand" not in {finding.kind for finding in check(acf)}
    assert "stored-demand" in {finding.kind for finding in check(acf, names=names)}


def test_values_that_are_no_numbers_at_all_do_not_disturb() -> None:
    nonsense = {key: "?" for key, value in demo().keys.items() if value.lstrip("-").replace(".", "").isdecimal()}
    kinds = {finding.kind for finding in check(demo().with_values(nonsense))}
    assert "bad-value" in kinds


def test_an_empty_configuration_is_told_to_be_one() -> None:
    kinds = {finding.kind for finding in check(Acf({}))}
    assert {"no-geometry", "no-taps", "missing-key"} <= kinds


def test_a_file_with_wrong_values_can_be_checked() -> None:
    text = demo().text().replace("PARAMETER32=", "PARAMETER99=").replace("PIXELCOUNT=560", "PIXELCOUNT=56O")
    findings = check(Acf.parse(text, strict=False))
    assert {"PARAMETER32", "PIXELCOUNT"} <= {f.key for f in findings if f.severity is Severity.ERROR}


def test_the_demonstration_has_nothing_to_complain_of() -> None:
    assert [str(finding) for finding in check(demo()) if finding.severity > Severity.NOTE] == []


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "warnings"), [("BOSS_extra", [("unreachable", "LINE35")]), ("LVM_100kHz", []), ("STA4800", [])]
)
def test_real_configurations_have_no_error(name: str, warnings: list[tuple[str, str]]) -> None:
    acf = real(name)
    findings = check(acf, acf.system)
    assert [(finding.kind, finding.key) for finding in findings if finding.severity > Severity.NOTE] == warnings


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["BOSS_extra", "LVM_100kHz", "STA4800"])
def test_a_real_configuration_is_checked_at_once(name: str) -> None:
    acf = real(name)
    start = time.process_time()
    check(replace(acf))
    assert time.process_time() - start < 0.5


def test_what_keeps_frames_from_being_whole() -> None:
    assert frame_problems(demo()) == {}
    assert list(frame_problems(demo().with_value("PIXELCOUNT", "600"))) == ["too-few-pixels"]
    assert frame_problems(demo().with_values(PROBLEMS | {"LINECOUNT": "529"})).keys() <= {"too-few-lines"}
