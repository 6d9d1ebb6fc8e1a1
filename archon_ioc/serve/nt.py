# pyright: standard
"""Normative types: records as PVAccess sees them, as NTScalar, NTScalarArray and NTEnum."""

import math
from collections.abc import Mapping
from typing import Any

from p4p import Type, Value
from p4p.nt import NTScalar
from p4p.nt.common import alarm, timeStamp

from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import AlarmLimits, Array, Choice, Float, Int, Kind, Severity, Text

_ENUM = Type(
    id="epics:nt/NTEnum:1.0",
    spec=[
        ("value", ("S", "enum_t", [("index", "i"), ("choices", "as")])),
        ("alarm", alarm),
        ("timeStamp", timeStamp),
        ("display", ("S", None, [("description", "s")])),
    ],
)
_TEXT = NTScalar.buildType("s", display=True)
_FLOAT = NTScalar.buildType("d", display=True, control=True, valueAlarm=True, form=True)
_INT = NTScalar.buildType("i", display=True, control=True, valueAlarm=True, form=True)
_ARRAYS = {"LONG": NTScalar.buildType("ai", display=True), "DOUBLE": NTScalar.buildType("ad", display=True)}

_FORMS = ["Default", "String", "Binary", "Decimal", "Hex", "Exponential", "Engineering"]
_DEVICE, _DRIVER, _RECORD, _UNDEFINED = 1, 2, 3, 6
_STATUS = {"NO_ALARM": 0, "READ": _DEVICE, "WRITE": _DEVICE, "COMM": _DRIVER, "TIMEOUT": _DRIVER, "UDF": _UNDEFINED}
"""Where an alarm comes from, as normative types say it; those of a record's own limits and states are the rest."""


def opening(kind: Kind, description: str) -> Value:
    """Return what a record is before it has a value: everything that never changes, and the alarm UDF."""
    value = Value(_type_of(kind), {"display.description": description})
    value["alarm"] = _alarm(Reading(None, "UDF", Severity.INVALID))
    if isinstance(kind, Choice):
        value["value.choices"] = list(kind.labels)
    if isinstance(kind, Float | Int):
        _describe_number(value, kind)
    if isinstance(kind, Array):
        value["display.units"] = kind.unit
    return value


def update(kind: Kind, reading: Reading, timestamp: float) -> Value:
    """Return what a reading changes; its value is as `archon_ioc.serve.pva.encoded` makes it."""
    changes: dict[str, Any] = {"alarm": _alarm(reading), "timeStamp": time_stamp(timestamp)}
    if reading.value is not None:
        changes["value.index" if isinstance(kind, Choice) else "value"] = reading.value
    value = Value(_type_of(kind))
    for name, change in changes.items():
        value[name] = change
    return value


def put_value(kind: Kind, value: Value) -> object:
    """Return what a client put, as the row's kind takes it; None if it put no value."""
    name = "value.index" if isinstance(kind, Choice) else "value"
    return value[name] if value.changed(name) or value.changed("value") else None


def time_stamp(posix: float) -> Mapping[str, int]:
    """Return seconds of Unix time as a time_t."""
    seconds = math.floor(posix)
    return {"secondsPastEpoch": seconds, "nanoseconds": int((posix - seconds) * 1e9)}


def _type_of(kind: Kind) -> Type:
    if isinstance(kind, Array):
        return _ARRAYS[kind.ftvl]
    return {Float: _FLOAT, Int: _INT, Text: _TEXT, Choice: _ENUM}[type(kind)]


def _alarm(reading: Reading) -> Mapping[str, Any]:
    message = "" if reading.status == "NO_ALARM" else reading.status
    status = _STATUS.get(reading.status, _RECORD)
    return {"severity": int(reading.severity), "status": status, "message": message}


def _describe_number(value: Value, kind: Float | Int) -> None:
    limits = kind.alarms or AlarmLimits()
    value["display.units"] = kind.unit
    value["display.precision"] = kind.precision if isinstance(kind, Float) else 0
    value["display.form.choices"] = _FORMS
    low, high = kind.low, kind.high
    if low is not None and high is not None and (low, high) != (Int().low, Int().high):
        for group in ("display", "control"):
            value[f"{group}.limitLow"], value[f"{group}.limitHigh"] = low, high
    names = {"lowAlarm": limits.lolo, "lowWarning": limits.low, "highWarning": limits.high, "highAlarm": limits.hihi}
    value["valueAlarm.active"] = any(limit is not None for limit in names.values())
    for name, limit in names.items():
        if limit is not None:
            value[f"valueAlarm.{name}Limit"] = limit
            value[f"valueAlarm.{name}Severity"] = int(Severity.MAJOR if name.endswith("Alarm") else Severity.MINOR)
        elif isinstance(kind, Float):
            value[f"valueAlarm.{name}Limit"] = math.nan
