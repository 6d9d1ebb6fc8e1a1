"""Templates: as the golden file has them, and as EPICS base reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.export import db
from archon_ioc.pvs.row import Pv

Tables = list[tuple[str, tuple[Pv[Any, Any], ...]]]
Loaded = Callable[..., dict[str, dict[str, str]]]

GOLDEN = Path(__file__).parents[1] / "golden" / "export" / "rows.template"


def test_golden(tables: Tables) -> None:
    assert db.template(tables) == GOLDEN.read_text(encoding="utf-8")


def test_epics_base_makes_the_records(tables: Tables, loaded: Loaded) -> None:
    expected = {
        prefix + record.suffix: record.record_type
        for prefix, rows in zip(("T:cam9:", "T:image1:"), (rows for _, rows in tables), strict=True)
        for row in rows
        for record in row.records()
        if record.suffix != "Other.CNCT"
    }
    made = loaded(GOLDEN, "P=T:,R=cam9:,NELEMENTS=1", "RTYP")
    assert {name: fields["RTYP"] for name, fields in made.items()} == expected
    assert len(expected) == 22


FIELDS = [
    ("Word", "DESC", 'Says "a|b" \\ more'),
    ("Real", "EGU", "s"),
    ("Real", "PREC", "4"),
    ("Real", "DRVH", "36000"),
    ("Real_RBV", "HOPR", "36000"),
    ("RealFrom", "DRVH", "0"),
    ("Whole", "DRVL", "1"),
    ("Whole", "DRVH", "1048575"),
    ("Heat_RBV", "LOLO", "-10.5"),
    ("Heat_RBV", "LLSV", "MAJOR"),
    ("Heat_RBV", "LSV", "MINOR"),
    ("Heat_RBV", "HSV", "MINOR"),
    ("Heat_RBV", "HHSV", "MAJOR"),
    ("Switch", "ZNAM", "Off"),
    ("Switch", "ZSV", "NO_ALARM"),
    ("Switch", "OSV", "MAJOR"),
    ("State_RBV", "TWSV", "MINOR"),
    ("Many", "FFST", "Choice 15"),
    ("Many", "FFVL", "0xf"),
    ("Path", "FTVL", "CHAR"),
    ("Path", "NELM", "256"),
    ("Curve", "FTVL", "DOUBLE"),
    ("Pixels", "NELM", "4096"),
    ("Empty", "NELM", "77"),
]


def test_epics_base_understands_the_fields(loaded: Loaded) -> None:
    made = loaded(GOLDEN, "P=,R=,I=,NELEMENTS=77", *{field for _, field, _ in FIELDS})
    assert [(name, field, made[name][field]) for name, field, _ in FIELDS] == FIELDS


def test_epics_base_would_complain(tmp_path: Path, loaded: Loaded) -> None:
    (tmp_path / "bad.template").write_text('record(ai, "X") { field(HHSV, "HUGE") }')
    with pytest.raises(AssertionError, match="HUGE"):
        loaded(tmp_path / "bad.template", "P=", "RTYP")
