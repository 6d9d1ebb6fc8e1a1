"""The reference page, as the golden file has it."""

from pathlib import Path
from typing import Any

from archon_ioc.export import markdown
from archon_ioc.pvs.row import Float, Pv

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "rows.md"


def test_golden(tables: list[tuple[str, tuple[Pv[Any, Any], ...]]]) -> None:
    assert markdown.page(tables) == GOLDEN.read_text(encoding="utf-8")


def test_rows_of_a_group_stand_together() -> None:
    def row(name: str, group: str) -> Pv[Any, Any]:
        return Pv(name=name, kind=Float(), doc="What it is", group=group, read=lambda s: s)

    page = markdown.page([("$(P)", (row("One", "B"), row("Two", "A"), row("Three", "B")))])
    places = [page.index(text) for text in ("### B", "`One_RBV`", "`Three_RBV`", "### A", "`Two_RBV`")]
    assert places == sorted(places)
    assert page.count("###") == 2


def test_every_line_of_a_table_has_the_same_cells() -> None:
    lines = [line for line in GOLDEN.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}
