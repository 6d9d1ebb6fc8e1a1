"""The reference page of the findings."""

from archon_ioc.acf.check import GROUPS, RULES
from archon_ioc.acf.finding import Rule, Severity
from archon_ioc.export.acf_check import page

RULE = Rule("a-kind", Severity.WARNING, "Something | is wrong.", "Correct it.", lambda _: ())


def test_every_kind_is_on_the_page() -> None:
    text = page(GROUPS)
    assert [rule.kind for rule in RULES if f"| `{rule.kind}` |" not in text] == []


def test_a_row() -> None:
    assert page([("Group", [RULE])]).endswith(
        "## Group\n\n"
        "| Kind | Severity | What | What to do |\n|---|---|---|---|\n"
        "| `a-kind` | warning | Something \\| is wrong. | Correct it. |\n"
    )


def test_the_worst_comes_first_and_what_is_refused_is_marked() -> None:
    error = Rule("an-error", Severity.ERROR, "It is wrong.", "Correct it.", lambda _: (), stops_load=True)
    text = page([("Group", [RULE, error])])
    assert text.index("an-error") < text.index("a-kind")
    assert "| **error, refused** |" in text
