"""Findings as text."""

from archon_ioc.acf.finding import Finding, Severity


def test_a_finding_as_text() -> None:
    finding = Finding(Severity.WARNING, "SHP1", "empty-window", "it is empty", "Correct it.", 12)
    assert str(finding) == "WARNING line 12, SHP1: it is empty [empty-window]"


def test_a_finding_of_unknown_place_as_text() -> None:
    finding = Finding(Severity.NOTE, "[SYSTEM]", "unknown-modules", "nothing tells it", "Add it.")
    assert str(finding) == "NOTE [SYSTEM]: nothing tells it [unknown-modules]"


def test_severities_can_be_compared() -> None:
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR
