"""Our rows beside areaDetector's own templates: the same names, types, words in the same order, units and digits."""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.export.files import CAMERA_TABLES
from archon_ioc.pvs.row import Array, Choice, Float, Pixels, Record, Text

GOLDEN = Path(__file__).parents[1] / "golden" / "adcore.csv"

PLUGIN = ("NDArrayBase", "NDPluginBase")
FILE_PLUGIN = (*PLUGIN, "NDFile")
TEMPLATES = {
    "cam1:": ("NDArrayBase", "ADBase"),
    "image1:": (*PLUGIN, "NDStdArrays"),
    "image2:": (*PLUGIN, "NDStdArrays"),
    "ROI1:": (*PLUGIN, "NDROI"),
    "ROI2:": (*PLUGIN, "NDROI"),
    "Stats1:": (*PLUGIN, "NDStats"),
    "Stats2:": (*PLUGIN, "NDStats"),
    "Stats1:TS:": ("NDTimeSeries",),
    "Stats2:TS:": ("NDTimeSeries",),
    "Proc1:": (*PLUGIN, "NDProcess"),
    "Pva1:": (*PLUGIN, "NDPva"),
    "FITS1:": FILE_PLUGIN,
    "HDF1:": (*FILE_PLUGIN, "NDFileHDF5"),
    "TIFF1:": (*FILE_PLUGIN, "NDFileTIFF"),
}
"""What areaDetector loads for a table; a record of a later template replaces one of an earlier."""

SEEN_AS = {
    "calc": ("ai", "longin"),
    "calcout": ("ai",),
    "busy": ("bo", "bi"),
    "sseq": ("longout",),
    "seq": ("longout",),
    "dfanout": ("ai",),
    "fanout": ("bi", "bo", "longin", "longout"),
    "mbbo": ("mbbo", "bo"),
    "mbbi": ("mbbi", "bi"),
}
"""What clients cannot tell from areaDetector's record: numbers, words, and something that is processed by a put."""

LINKS = {"dfanout": "sets limits of other records", "seq": "puts to other records", "subArray": "a part of Dimensions"}
NOT_OFFERED = {
    **dict.fromkeys(("SetAcquireBusy", "ClearAcquireBusy", "Reset1"), "only a link between two records"),
    **dict.fromkeys(("QueueFreeLow", "QueueUseHIGH", "QueueUseHIHI", "SortFreeLow"), "only sets an alarm limit"),
    "NumFilterRecip": "an intermediate result",
    "AsynIO": "there is no asyn; screens read AsynIO.CNCT, which is offered",
}

DIFFERENT = {
    "ShutterMode_RBV choices": "upstream has 'Camera output', which a put of the setpoint's word never reads back as",
    "FileFormat choices": "each plugin has its own word; the template's are placeholders",
    "FileFormat_RBV choices": "'Invalid' is the setpoint's word; clients compare",
    "TimeRemaining_RBV prec": "it is counted down in tenths of a second",
    "TemperatureActual prec": "sensors of a CCD are read to hundredths of a degree",
    **dict.fromkeys(
        (f"{name}_RBV prec" for name in ("Sigma", "CentroidX", "CentroidY", "SigmaX", "SigmaY")),
        "a tenth of a pixel is too coarse for focus and guiding",
    ),
    "MaxByteRate egu": "upstream says s, it is B/s",
    "MaxByteRate_RBV egu": "upstream says s, it is B/s",
}


@cache
def golden(table: str) -> dict[str, dict[str, str]]:
    """Return areaDetector's records of a table by their suffix."""
    lines = GOLDEN.read_text(encoding="ascii").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {row["suffix"]: row for template in TEMPLATES[table] for row in rows if row["template"] == template}


@cache
def ours() -> dict[str, dict[str, Record[Any, Any]]]:
    """Return our records by table and suffix."""
    found: dict[str, dict[str, Record[Any, Any]]] = {}
    for prefix, rows in CAMERA_TABLES:
        name = re.sub(r"\$\(\w+(?:=([^)]*))?\)", r"\1", prefix)
        found.setdefault(name, {}).update({record.suffix: record for row in rows for record in row.records()})
    return found


def is_link(row: dict[str, str]) -> bool:
    return row["record"] in LINKS or row["suffix"] in NOT_OFFERED


def faults(record: Record[Any, Any], row: dict[str, str]) -> Iterator[str]:
    """Yield what of a record is not as in areaDetector's template."""
    kind, (record_type, _, element) = record.row.kind, row["record"].partition(" ")
    if record.record_type not in SEEN_AS.get(record_type, (record_type,)):
        yield f"type {record.record_type}, not {record_type}"
    if row["choices"] and (not isinstance(kind, Choice) or "|".join(kind.labels) != row["choices"]):
        yield f"choices {getattr(kind, 'labels', kind)}, not {row['choices']}"
    if row["egu"] and getattr(kind, "unit", None) != row["egu"]:
        yield f"egu {getattr(kind, 'unit', None)}, not {row['egu']}"
    if row["prec"].isdecimal() and isinstance(kind, Float) and kind.precision != int(row["prec"]):
        yield f"prec {kind.precision}, not {row['prec']}"
    if element and element not in elements(kind):
        yield f"element {elements(kind)}, not {element}"
    if row["count"].isdecimal() and length(kind) < int(row["count"]):
        yield f"count {length(kind)}, not {row['count']}"


def elements(kind: object) -> tuple[str, ...]:
    if isinstance(kind, Text):
        return ("CHAR",)
    if isinstance(kind, Pixels):
        return ("FTVL",)
    return (kind.ftvl,) if isinstance(kind, Array) else ()


def length(kind: object) -> int:
    if isinstance(kind, Text):
        return kind.size
    return kind.length if isinstance(kind, Array | Pixels) else 1


@pytest.mark.parametrize("table", TEMPLATES)
def test_every_record_of_areadetector_is_offered(table: str) -> None:
    names = {name for name, row in golden(table).items() if not is_link(row)}
    assert sorted(names - set(ours().get(table, {}))) == []


@pytest.mark.parametrize("table", TEMPLATES)
def test_records_are_those_of_areadetector(table: str) -> None:
    found = [
        (name, fault)
        for name, record in ours().get(table, {}).items()
        if name in golden(table)
        for fault in faults(record, golden(table)[name])
    ]
    assert [f"{name}: {fault}" for name, fault in found if f"{name} {fault.split()[0]}" not in DIFFERENT] == []


@pytest.mark.parametrize("table", TEMPLATES)
def test_a_setpoint_and_its_readback_are_of_one_kind(table: str) -> None:
    records = ours().get(table, {})
    pairs = [(record, records[f"{name}_RBV"]) for name, record in records.items() if f"{name}_RBV" in records]
    assert pairs
    assert [
        one.suffix
        for one, other in pairs
        if type(one.row.kind) is not type(other.row.kind) or length(one.row.kind) != length(other.row.kind)
    ] == []


def test_differences_are_explained() -> None:
    assert [what for what, reason in DIFFERENT.items() if len(reason) < 10] == []
