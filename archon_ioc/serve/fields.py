# pyright: standard
"""Fields of records, made when a client first asks: 1500 records have 30 000 of them, clients want a handful."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import caproto as ca

from archon_ioc.errors import InputError
from archon_ioc.pvs.row import AlarmLimits, Array, Choice, Float, Int, Pixels, Text
from archon_ioc.serve.wire import value_sent

if TYPE_CHECKING:
    from archon_ioc.serve.channels import RecordChannel

LIVE_FIELDS = frozenset({"STAT", "SEVR", "UDF", "NORD", "RVAL"})
"""Fields that change with the value of their record."""
_STATES = ["ZR", "ON", "TW", "TH", "FR", "FV", "SX", "SV", "EI", "NI", "TE", "EL", "TV", "TT", "FT", "FF"]
_SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")

_SCANS = (
    "Passive", "Event", "I/O Intr", "10 second", "5 second", "2 second", "1 second", ".5 second", ".2 second",
    ".1 second",
)  # fmt: skip
_ELEMENTS = (
    "STRING", "CHAR", "UCHAR", "SHORT", "USHORT", "LONG", "ULONG", "INT64", "UINT64", "FLOAT", "DOUBLE", "ENUM",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Menu:
    """A choice of those that EPICS base has for a field."""

    choices: tuple[str, ...]
    chosen: str

    @property
    def index(self) -> int:
        """The place of the choice."""
        return self.choices.index(self.chosen)


FieldValue = str | int | float | Menu


class Field(ca.ChannelData):
    """A field; some can be put, which changes nothing but what they show, until the next start."""

    is_writable = False

    def check_access(self, hostname: str, username: str) -> ca.AccessRights:
        """All but one are read-only."""
        del hostname, username
        return ca.AccessRights.READ | ca.AccessRights.WRITE if self.is_writable else ca.AccessRights.READ


class _TextField(Field, ca.ChannelString):
    pass


class _IntField(Field, ca.ChannelInteger):
    pass


class _FloatField(Field, ca.ChannelDouble):
    pass


class _MenuField(Field, ca.ChannelEnum):
    async def auth_write(
        self, hostname: str, username: str, data: Any, data_type: Any, metadata: Any, **kwargs: Any
    ) -> Any:
        """Refuse what there is not: nobody could read the field any more."""
        del metadata, kwargs
        if ca.AccessRights.WRITE not in self.check_access(hostname, username):
            return ca.CAStatus.ECA_NOWTACCESS
        try:
            index = Choice(self.enum_strings).accept(value_sent(data, ca.native_type(data_type)))
        except InputError:
            return ca.CAStatus.ECA_PUTFAIL
        await self.write(index, verify_value=False)
        return None


def make_field(channel: "RecordChannel", name: str) -> Field:
    """Return the channel of a field of a record; its type follows the value.

    Raises:
        KeyError: if such a record has no such field.
    """
    value = field_values(channel)[name]
    if isinstance(value, Menu):
        field: Field = _MenuField(value=value.index, enum_strings=value.choices, max_subscription_backlog=1)
    else:
        classes = {str: _TextField, int: _IntField, float: _FloatField}
        field = classes[type(value)](value=value, max_subscription_backlog=1)
    # Screens of areaDetector set SCAN of buttons; what these do is done all the time here.
    field.is_writable = name == "DESC" or (name == "SCAN" and channel.record.writable)
    return field


def field_values(channel: "RecordChannel") -> Mapping[str, FieldValue]:
    """Return what the fields of a record are now."""
    record, kind = channel.record, channel.record.row.kind
    status, severity = channel.shown_alarm
    values: dict[str, FieldValue] = {
        "NAME": channel.name,
        "DESC": record.row.doc,
        "RTYP": record.record_type,
        "STAT": status.name,
        "SEVR": Menu(_SEVERITIES, _SEVERITIES[severity]),
        "UDF": int(status == ca.AlarmStatus.UDF),
        "DISA": 0,
        "SCAN": Menu(_SCANS, "Passive" if record.writable else "I/O Intr"),
    }
    if isinstance(kind, Float | Int):
        values |= _number_fields(channel, kind)
    if isinstance(kind, Choice):
        values["RVAL"] = int(channel.value)
        values |= _state_fields(kind)
    if record.record_type == "waveform":
        values |= _array_fields(channel, kind)
    return values


def _number_fields(channel: Any, kind: Float | Int) -> Mapping[str, FieldValue]:
    number = float if isinstance(kind, Float) else int
    alarms = kind.alarms or AlarmLimits()
    absent = math.nan if isinstance(kind, Float) else 0
    values: dict[str, FieldValue] = {
        "EGU": kind.unit,
        "HOPR": number(channel.upper_disp_limit),
        "LOPR": number(channel.lower_disp_limit),
        "ADEL": number(0),
        "MDEL": number(0),
    }
    for name in ("HIHI", "HIGH", "LOW", "LOLO"):
        limit = getattr(alarms, name.lower())
        values[name] = absent if limit is None else number(limit)
    if isinstance(kind, Float):
        values["PREC"] = kind.precision
    if channel.record.writable:
        values |= {"DRVH": values["HOPR"], "DRVL": values["LOPR"]}
    return values


def _state_fields(kind: Choice) -> Mapping[str, FieldValue]:
    if len(kind.labels) == 2:
        return {"ZNAM": kind.labels[0], "ONAM": kind.labels[1]}
    labels: Iterator[str] = iter((*kind.labels, *[""] * len(_STATES)))
    return {f"{state}ST": label for state, label in zip(_STATES, labels, strict=False)}


def _array_fields(channel: Any, kind: Any) -> Mapping[str, FieldValue]:
    element = (
        "CHAR"
        if isinstance(kind, Text)
        else ("SHORT" if kind.bits == 16 else "LONG")
        if isinstance(kind, Pixels)
        else kind.ftvl
    )
    values: dict[str, FieldValue] = {
        "NELM": channel.max_length,
        "FTVL": Menu(_ELEMENTS, element),
        "NORD": len(channel.value),
    }
    if isinstance(kind, Array):
        values["EGU"] = kind.unit
    return values
