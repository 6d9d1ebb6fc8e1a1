"""Comparison of rows with the records of areaDetector's templates."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from archon_ioc.pvs.row import Array, Choice, Pv

TABLE = Path(__file__).parents[1] / "golden" / "adcore.csv"
SAME_ON_THE_WIRE = {
    "busy": {"bo"}, "calc": {"ai"}, "dfanout": {"ai"}, "seq": {"longout"}, "sseq": {"longout"},
    "mbbo": {"bo", "mbbo"}, "mbbi": {"bi", "mbbi"},
}  # fmt: skip
"""Record types that Channel Access clients cannot tell apart, and those of two choices."""


def differences(template: str, rows: Iterable[Pv[Any, Any]]) -> list[str]:
    """Return the records of a template that rows do not have, or have otherwise."""
    records = {record.suffix: record for row in rows for record in row.records()}
    with TABLE.open(encoding="utf-8") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        wanted = [line for line in lines if line["template"] == template]
    assert wanted
    wrong: list[str] = []
    for line in wanted:
        record, (kind, *ftvl) = records.get(line["suffix"]), line["record"].split()
        if record is None:
            wrong.append(f"{line['suffix']} is missing")
        elif record.record_type not in {kind} | SAME_ON_THE_WIRE.get(kind, set()):
            wrong.append(f"{line['suffix']} is {record.record_type}, not {kind}")
        elif isinstance(record.row.kind, Choice) and record.row.kind.labels != tuple(line["choices"].split("|")):
            wrong.append(f"{line['suffix']} has {record.row.kind.labels}, not {line['choices']}")
        elif ftvl and not (isinstance(record.row.kind, Array) and record.row.kind.ftvl == ftvl[0]):
            wrong.append(f"{line['suffix']} is no array of {ftvl[0]}")
    return wrong
