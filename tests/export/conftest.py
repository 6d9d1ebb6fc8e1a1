"""Rows of every kind, for all that is made of rows, and EPICS base to read it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.pvs.row import AlarmLimits, Array, Choice, Float, Int, Pixels, Pv, Severity, Text

Tables = list[tuple[str, tuple[Pv[Any, Any], ...]]]


def a_row(name: str, kind: Any, **changes: Any) -> Pv[Any, Any]:
    plain = {"doc": f"What {name} is", "group": "First", "read": lambda s: s}
    return Pv(**{"name": name, "kind": kind, **plain, **changes})


def put(target: object, value: object) -> None:
    """Only the declaration matters here."""


# Run by an interpreter of its own: what EPICS base has loaded stays for the life of a process.
LOAD = """
import sys
from softioc import softioc
softioc.dbLoadDatabase(sys.argv[1], None, sys.argv[2])
softioc.dbl("", " ".join(sys.argv[3:]))
"""


def load(template: Path, macros: str, *fields: str) -> dict[str, dict[str, str]]:
    """Return fields of every record that EPICS base makes of a template; that it complains is an error."""
    wanted = sorted(set(fields), key=lambda field: field == "DESC")  # last, as it may hold commas
    run = subprocess.run(
        [sys.executable, "-c", LOAD, str(template), macros, *wanted],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert not run.stderr, run.stderr
    assert run.returncode == 0
    records: dict[str, dict[str, str]] = {}
    for line in run.stdout.splitlines():
        name, *values = line.split(", ", len(wanted))
        shown = (value.strip().removeprefix('"').removesuffix('"') for value in values)
        records[name] = dict(zip(wanted, shown, strict=True))
    return records


@pytest.fixture
def loaded() -> Callable[..., dict[str, dict[str, str]]]:
    return load


@pytest.fixture
def tables() -> Tables:
    alarms = AlarmLimits(lolo=-10.5, low=0, high=45, hihi=50)
    first = (
        a_row("Real", Float(unit="s", precision=4, low=0.0, high=36000.0), put=put, more="0 is allowed."),
        a_row("RealFrom", Float(low=0.0), put=put),
        a_row("RealTo", Float(high=9.5), put=put),
        a_row("Heat", Float(unit="degC", precision=1, alarms=alarms), group="Second"),
        a_row("Whole", Int(low=1, high=1048575), put=put, rbv=False),
        a_row("Count", Int(unit="counts", alarms=AlarmLimits(hihi=3)), rbv=False),
        a_row("Word", Text(), put=put, doc='Says "a|b" \\ more'),
        a_row("Path", Text(256), put=put, group="Second"),
        a_row("Switch", Choice(("Off", "On"), {"On": Severity.MAJOR}), put=put),
    )
    second = (
        a_row("State", Choice(("A", "B", "C"), {"C": Severity.MINOR, "A": Severity.NO_ALARM})),
        a_row("Many", Choice(tuple(f"Choice {n}" for n in range(16))), put=put),
        a_row("Curve", Array(100, "DOUBLE", unit="V"), rbv=False),
        a_row("Bins", Array(8), rbv=False),
        a_row("Pixels", Pixels(4096), rbv=False),
        a_row("Empty", Pixels(), rbv=False),
        a_row("Other.CNCT", Int(), rbv=False),
    )
    return [("$(P)$(R)", first), ("$(P)$(I=image1:)", second)]
