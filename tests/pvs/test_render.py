"""Rows and a state make readings."""

import logging
import math
from dataclasses import dataclass, replace
from typing import Any

import pytest

from archon_ioc.live import Live
from archon_ioc.pvs.render import Reading, Table, reading
from archon_ioc.pvs.row import AlarmLimits, Choice, Float, Int, Pixels, Pv, Severity, Text

UNKNOWN = Reading(None, "UDF", Severity.INVALID)


@dataclass(frozen=True)
class Oven:
    heat: float | None = 20.0
    door: str | int | None = "Open"
    label: str = "oven"
    linked: bool = True


class Nobody:
    def accepted(self) -> None: ...

    def refused(self, message: str) -> None:
        raise AssertionError(message)


def a_row(name: str, kind: Any, **changes: Any) -> Pv[Oven, Nobody]:
    return Pv(name=name, kind=kind, doc="What it is", group="Test", **changes)


HEAT = a_row("Heat", Float(alarms=AlarmLimits(hihi=90)), read=lambda s: s.heat, linked=True)
DOOR = a_row("Door", Choice(("Shut", "Open"), {"Open": Severity.MINOR}), read=lambda s: s.door, linked=True)
LABEL = a_row("Label", Text(), read=lambda s: s.label)
WRONG = a_row("WrongRow", Int(), read=lambda s: s.no_such_thing)
IMAGE = a_row("Image", Pixels(9), read=lambda s: None, rbv=False)


@pytest.mark.parametrize(
    ("row", "state", "expected"),
    [
        (HEAT, Oven(), Reading(20.0)),
        (HEAT, Oven(heat=90), Reading(90, "HIHI", Severity.MAJOR)),
        (HEAT, Oven(heat=None), UNKNOWN),
        (HEAT, Oven(heat=math.nan), UNKNOWN),
        (DOOR, Oven(), Reading(1, "STATE", Severity.MINOR)),
        (DOOR, Oven(door=0), Reading(0)),
        (DOOR, Oven(door=None), UNKNOWN),
        (LABEL, Oven(), Reading("oven")),
        (LABEL, Oven(label=""), Reading("")),
    ],
)
def test_a_reading(row: Pv[Oven, Nobody], state: Oven, expected: Reading) -> None:
    assert reading(row, state, linked=True) == expected


@pytest.mark.parametrize(
    ("row", "state", "expected"),
    [
        (HEAT, Oven(heat=95.0), Reading(95.0, "COMM", Severity.INVALID)),
        (HEAT, Oven(heat=None), Reading(None, "COMM", Severity.INVALID)),
        (HEAT, Oven(heat=math.nan), Reading(None, "COMM", Severity.INVALID)),
        (DOOR, Oven(), Reading(1, "COMM", Severity.INVALID)),
        (LABEL, Oven(), Reading("oven")),
    ],
)
def test_without_a_link_the_controllers_values_are_invalid(
    row: Pv[Oven, Nobody], state: Oven, expected: Reading
) -> None:
    assert reading(row, state, linked=False) == expected


def test_a_table_renders_every_row_but_images_in_order() -> None:
    live = Live(Oven())
    table = Table("oven1:", (HEAT, IMAGE, DOOR, LABEL), live, Nobody())
    assert [(row.name, made.value) for row, made in table.render(table.live.value)] == [
        ("Heat", 20.0),
        ("Door", 1),
        ("Label", "oven"),
    ]
    live.set(replace(live.value, label="stove"))
    assert [made.value for _, made in table.render(table.live.value)] == [20.0, 1, "stove"]


@pytest.mark.parametrize(
    ("linked", "severities"), [(True, [0, 1, 0]), (False, [3, 3, 0])], ids=["linked", "not linked"]
)
def test_a_table_knows_whether_the_controller_is_there(linked: bool, severities: list[int]) -> None:
    table = Table("oven1:", (HEAT, DOOR, LABEL), Live(Oven(linked=linked)), Nobody(), is_linked=lambda s: s.linked)
    assert [made.severity for _, made in table.render(table.live.value)] == severities


@pytest.mark.parametrize(
    "wrong",
    [
        WRONG,
        a_row("WrongChoice", Choice(("A", "B")), read=lambda s: 2),
        a_row("WrongKind", Float(alarms=AlarmLimits(high=1)), read=lambda s: "hot"),
    ],
    ids=lambda row: row.name,
)
def test_one_wrong_row_does_not_stop_the_others(wrong: Pv[Oven, Nobody], caplog: pytest.LogCaptureFixture) -> None:
    table = Table("oven1:", (HEAT, wrong, LABEL), Live(Oven()), Nobody())
    with caplog.at_level(logging.ERROR):
        rendered = [list(table.render(table.live.value)) for _ in range(3)]
    assert [[made.value for _, made in one] for one in rendered] == [[20.0, None, "oven"]] * 3
    assert rendered[0][1][1] == Reading(None, "CALC", Severity.INVALID)
    assert [record.message for record in caplog.records] == [f"row {wrong.name} cannot be rendered"]
    assert caplog.records[0].exc_info is not None
