"""Normative types: what clients of PVAccess get, field by field."""

import pytest

from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Severity, Text
from archon_ioc.serve import nt


@pytest.mark.parametrize(
    ("kind", "kind_id", "code"),
    [
        (Float("V"), "NTScalar", "d"),
        (Int("px"), "NTScalar", "i"),
        (Text(), "NTScalar", "s"),
        (Text(256), "NTScalar", "s"),
        (Array(3), "NTScalarArray", "ai"),
        (Array(3, "DOUBLE"), "NTScalarArray", "ad"),
    ],
)
def test_every_kind_has_its_type(kind: Kind, kind_id: str, code: str) -> None:
    value = nt.opening(kind, "what it is")
    assert value.getID() == f"epics:nt/{kind_id}:1.0"
    assert value.type().aspy("value") == code
    assert value["display.description"] == "what it is"
    assert (value["alarm.severity"], value["alarm.status"], value["alarm.message"]) == (3, 6, "UDF")


def test_an_update_has_only_what_changed() -> None:
    value = nt.update(Float("V"), Reading(2.5), 1000.75)
    assert value.value == 2.5
    assert [name for name in ("value", "alarm", "timeStamp", "display", "control") if value.changed(name)] == [
        "value", "alarm", "timeStamp",
    ]  # fmt: skip
    assert value["timeStamp.nanoseconds"] == 750_000_000


def test_an_unknown_value_keeps_the_old_one() -> None:
    value = nt.update(Float("V"), Reading(None, "UDF", Severity.INVALID), 0.0)
    assert not value.changed("value")
    assert value["alarm.severity"] == 3


def test_a_put_without_a_value_puts_nothing() -> None:
    kind = Choice(("Off", "On"))
    value = nt.opening(kind, "what it is")
    value.unmark()
    assert nt.put_value(kind, value) is None
    value["value.index"] = 1
    assert nt.put_value(kind, value) == 1


def test_times_before_1970_and_fractions() -> None:
    assert nt.time_stamp(-0.25) == {"secondsPastEpoch": -1, "nanoseconds": 750_000_000}
