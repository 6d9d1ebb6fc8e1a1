"""What may be declared as a row, and what a put to it means."""

import math
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.errors import InputError
from archon_ioc.pvs.row import AlarmLimits, Array, Choice, Float, Int, Kind, Pixels, Pv, Severity, Text


class Cover(IntEnum):
    CLOSED = 0
    OPEN = 1


def a_row(**changes: Any) -> Pv[Any, Any]:
    return Pv(**{"name": "X", "kind": Float(), "doc": "What it is", "group": "Test", "read": lambda s: s, **changes})


def put(target: object, value: object) -> None:
    """Do nothing: only the declaration matters here."""


# Records


@pytest.mark.parametrize(
    ("kind", "readback", "setpoint"),
    [
        (Float(), "ai", "ao"),
        (Int(), "longin", "longout"),
        (Text(), "stringin", "stringout"),
        (Text(256), "waveform", "waveform"),
        (Choice(("Off", "On")), "bi", "bo"),
        (Choice(("A", "B", "C")), "mbbi", "mbbo"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_row_that_can_be_put_is_a_readback_and_a_setpoint(kind: Kind, readback: str, setpoint: str) -> None:
    records = list(a_row(kind=kind, put=put).records())
    assert [(r.suffix, r.record_type, r.writable) for r in records] == [
        ("X_RBV", readback, False),
        ("X", setpoint, True),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"put": put, "rbv": False}, [("X", True)]),
        ({}, [("X_RBV", False)]),
        ({"rbv": False}, [("X", False)]),
    ],
)
def test_other_rows(changes: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    assert [(r.suffix, r.writable) for r in a_row(**changes).records()] == expected


@pytest.mark.parametrize("kind", [Array(100), Array(8, "DOUBLE"), Pixels(100)])
def test_arrays_are_waveforms(kind: Kind) -> None:
    assert [r.record_type for r in a_row(kind=kind, rbv=False).records()] == ["waveform"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doc": ""}, "1 to 40 characters"),
        ({"doc": "x" * 41}, "1 to 40 characters, has 41"),
        ({"kind": Float(low=2, high=1)}, "low 2 is above high 1"),
        ({"kind": Int(low=2, high=1)}, "low 2 is above high 1"),
        ({"kind": Array(3), "put": put}, "arrays cannot be put"),
        ({"kind": Pixels(3), "put": put}, "arrays cannot be put"),
    ],
)
def test_mistakes_in_a_declaration(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"X: .*{message}"):
        a_row(**changes)


@pytest.mark.parametrize("labels", [(), ("one",), tuple("ABCDEFGHIJKLMNOPQ"), ("ok", "x" * 26)])
def test_what_epics_cannot_enumerate(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="2 to 16 choices"):
        Choice(labels)


def test_alarms_of_unknown_choices() -> None:
    with pytest.raises(ValueError, match="'Oof'"):
        Choice(("Off", "On"), {"Oof": Severity.MAJOR})


# Puts


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1.0), ("1.5", 1.5), (" 2e1 ", 20.0), (-5, 0.0), (1e9, 100.0), (True, 1.0)]
)
def test_a_real_number(value: object, expected: float) -> None:
    assert Float(low=0.0, high=100.0).accept(value) == expected


@pytest.mark.parametrize("value", ["", "many", math.nan, math.inf, "-inf", None, [1], 10**400])
def test_not_a_real_number(value: object) -> None:
    with pytest.raises(InputError, match="is not a"):
        Float().accept(value)


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), (1.0, 1), ("7", 7), (-5, 0), (1000, 100), (2**31 - 1, 100), (-(2**31), 0)]
)
def test_a_whole_number(value: object, expected: int) -> None:
    accepted = Int(low=0, high=100).accept(value)
    assert accepted == expected
    assert isinstance(accepted, int)


@pytest.mark.parametrize("value", [1.5, "1.5", 2**31 + 1, -(2**31) - 1, math.nan, "", None])
def test_not_a_whole_number(value: object) -> None:
    with pytest.raises(InputError):
        Int().accept(value)


@pytest.mark.parametrize("size", [40, 256])
def test_text(size: int) -> None:
    assert Text(size).accept("") == ""
    assert Text(size).accept("µ" * (size - 1)) == "µ" * (size - 1)
    with pytest.raises(InputError, match=f"the limit is {size - 1}"):
        Text(size).accept("x" * size)


@pytest.mark.parametrize("value", [1, None, b"bytes"])
def test_not_text(value: object) -> None:
    with pytest.raises(InputError, match="is not text"):
        Text().accept(value)


@pytest.mark.parametrize(("value", "expected"), [("Off", 0), ("On", 1), (1, 1), (0.0, 0), ("1", 1), (Cover.OPEN, 1)])
def test_a_choice(value: object, expected: int) -> None:
    assert Choice(("Off", "On")).accept(value) == expected


def test_a_word_goes_before_an_index() -> None:
    assert Choice(("1", "0")).accept("0") == 1


@pytest.mark.parametrize("value", ["off", "", 2, -1, 0.5, None, "2", math.nan])
def test_not_a_choice(value: object) -> None:
    with pytest.raises(InputError, match="is not one of Off, On"):
        Choice(("Off", "On")).accept(value)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans(), st.binary()))
def test_any_value_is_accepted_or_refused(value: object) -> None:
    for kind in (Float(low=-1, high=1), Int(low=-1, high=1), Text(), Choice(("A", "B"))):
        try:
            accepted = kind.accept(value)
        except InputError:
            continue
        assert isinstance(accepted, str) or -1 <= accepted <= 1


# Alarms


@pytest.mark.parametrize(
    ("value", "status", "severity"),
    [
        (0, "LOLO", Severity.MAJOR),
        (10, "LOLO", Severity.MAJOR),
        (10.1, "LOW", Severity.MINOR),
        (20, "LOW", Severity.MINOR),
        (25, "NO_ALARM", Severity.NO_ALARM),
        (30, "HIGH", Severity.MINOR),
        (39.9, "HIGH", Severity.MINOR),
        (40, "HIHI", Severity.MAJOR),
        (1e30, "HIHI", Severity.MAJOR),
    ],
)
def test_limits(value: float, status: str, severity: Severity) -> None:
    assert AlarmLimits(lolo=10, low=20, high=30, hihi=40).judge(value) == (status, severity)


def test_no_limits() -> None:
    assert AlarmLimits().judge(1e300) == ("NO_ALARM", Severity.NO_ALARM)
    assert AlarmLimits(high=0).judge(-1e300) == ("NO_ALARM", Severity.NO_ALARM)


def test_alarms_of_choices() -> None:
    choice = Choice(("Down", "Up"), {"Down": Severity.MAJOR})
    assert choice.judge(0) == ("STATE", Severity.MAJOR)
    assert choice.judge(1) == ("NO_ALARM", Severity.NO_ALARM)
