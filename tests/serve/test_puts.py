"""What becomes of a put, whatever server it comes through."""

import pytest

from archon_ioc.errors import StateError
from archon_ioc.live import Live
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Float, Pv
from archon_ioc.serve.puts import put


class Heater:
    """A target that keeps what it is told."""

    def __init__(self) -> None:
        self.level = 0.0
        self.messages: list[str] = []

    def refused(self, message: str) -> None:
        self.messages.append(message)

    def accepted(self) -> None:
        self.messages.append("")

    def set_level(self, level: float) -> None:
        if level == 13:
            raise StateError("not now")
        if level == 14:
            raise ZeroDivisionError
        self.level = level


def table(is_linked: bool = True) -> Table[float, Heater]:
    row = Pv[float, Heater](
        name="Level", kind=Float("V", low=0.0, high=25.0), doc="Level", group="Heater", read=lambda s: s,
        put=Heater.set_level, linked=True,
    )  # fmt: skip
    readback = Pv[float, Heater](name="Power", kind=Float("W"), doc="Power", group="Heater", read=lambda s: s)
    return Table("", (row, readback), Live(0.0), Heater(), lambda _: is_linked)


@pytest.mark.parametrize(
    ("value", "level", "refusal", "told"),
    [
        (12.5, 12.5, "", ""),
        ("12.5", 12.5, "", ""),
        (99.0, 25.0, "", "H:Level: 99 is out of range, 25 is taken"),
        (float("nan"), 0.0, "nan is not a finite number", "nan is not a finite number"),
        ("hot", 0.0, "'hot' is not a number", "'hot' is not a number"),
        (13.0, 0.0, "not now", "not now"),
        (14.0, 0.0, "internal error: ZeroDivisionError()", "internal error: ZeroDivisionError()"),
    ],
)
async def test_a_put_is_done_or_told_why_not(value: object, level: float, refusal: str, told: str) -> None:
    heater = table()
    assert await put(heater, heater.rows[0], "H:Level", value) == refusal
    assert heater.target.level == level
    assert heater.target.messages == [told]


async def test_readbacks_refuse() -> None:
    heater = table()
    assert await put(heater, heater.rows[1], "H:Power_RBV", 1.0) == "H:Power_RBV is read-only"


async def test_without_a_link_the_controllers_rows_refuse() -> None:
    heater = table(is_linked=False)
    refusal = "H:Level cannot be set: the controller is not connected"
    assert await put(heater, heater.rows[0], "H:Level", 1.0) == refusal
    assert heater.target.level == 0.0
