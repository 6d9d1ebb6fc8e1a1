"""The generated files: up to date, understood by EPICS base, and each record in one of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from archon_ioc.config import SiteConfig
from archon_ioc.export import files
from archon_ioc.pvs.detector import build_plugins
from archon_ioc.pvs.row import Pixels

ROOT = Path(__file__).parents[2]


def expected(tables: files.Tables, macros: dict[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for prefix, rows in tables:
        full = prefix
        for macro, default in macros.items():
            full = full.replace(macro, default)
        names |= {full + record.suffix: record.record_type for row in rows for record in row.records()}
    return {name: kind for name, kind in names.items() if "." not in name}  # a dot is for a field, not a record


MACROS = {
    **{f"$({part.macro}={part.name})": part.name for part in build_plugins(SiteConfig(), Pixels())},
    "$(P)": "T:", "$(R=cam1:)": "cam9:", "$(C=cam1:)": "spec1:", "$(FITS=FITS1:)": "F:",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "tables", "given"),
    [
        ("archonCamera", files.CAMERA_TABLES, "P=T:,R=cam9:,FITS=F:"),
        ("archonController", files.CONTROLLER_TABLES, "P=T:,C=spec1:"),
    ],
)
def test_epics_base_loads_the_templates(
    name: str, tables: files.Tables, given: str, tmp_path: Path, loaded: Callable[..., dict[str, dict[str, str]]]
) -> None:
    files.write(tmp_path)
    made = loaded(tmp_path / "db" / f"{name}.template", given, "RTYP")
    assert {record: fields["RTYP"] for record, fields in made.items()} == expected(tables, MACROS)


def test_the_substitutions_name_the_templates_and_their_macros() -> None:
    made = files.exported()
    text = made["db/archon.substitutions"]
    for name in ("archonCamera.template", "archonController.template"):
        assert f'file "{name}"' in text
        template = made[f"db/{name}"]
        pattern = text[text.index(name) :].partition("{P")[2].partition("}")[0]
        macros = ["P", *(macro.strip() for macro in pattern.split(",") if macro.strip())]
        assert all(f"$({macro}" in template for macro in macros)


def test_each_record_is_declared_once() -> None:
    tables = (*files.CAMERA_TABLES, *files.CONTROLLER_TABLES)
    macros = {"$(P)": "ARCHON:", "$(R=cam1:)": "cam1:", "$(C=cam1:)": "cam1:"}
    names: Counter[str] = Counter()
    for prefix, rows in tables:
        full = prefix
        for macro, default in macros.items():
            full = full.replace(macro, default)
        names.update(full + record.suffix for row in rows for record in row.records())
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 100


def test_writing_makes_them_up_to_date(tmp_path: Path) -> None:
    assert files.stale(tmp_path) == sorted(files.exported(), key=list(files.exported()).index)
    assert set(files.write(tmp_path)) == set(files.exported())
    assert files.stale(tmp_path) == []
    assert files.write(tmp_path) == []
    (tmp_path / "db" / "archon.substitutions").write_text("changed by hand")
    assert files.stale(tmp_path) == ["db/archon.substitutions"]


def test_those_of_the_repository_are_up_to_date() -> None:
    assert files.stale(ROOT) == [], "run: archon-ioc export"
