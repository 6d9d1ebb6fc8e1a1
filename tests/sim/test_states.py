"""What states tell modules."""

import pytest

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.sim.states import Orders, orders_of

KEEP = "0,1," + ",".join(["1,1"] * 7)


@pytest.mark.parametrize(
    ("kind", "text", "lines", "biases"),
    [
        (ModuleType.LVXBIAS, KEEP + ",0,1,0.0", (), ()),
        (ModuleType.LVXBIAS, "1,0," + KEEP[4:] + ",1,26,-4.5", ((0, True),), ((0, 26, "-4.5"),)),
        (ModuleType.LVBIAS, KEEP, (), ()),
        (ModuleType.HEATERX, "1,1,0,0,1,0", ((1, False), (2, True)), ()),
        (ModuleType.HVXBIAS, "1,3,VOD", (), ((0, 3, "VOD"),)),
        (ModuleType.HVXBIAS, "0,3,5", (), ()),
        (ModuleType.HVXBIAS, "1,3", (), ()),
        (ModuleType.XVBIAS, "0,1,0.0,1,2,-40", (), ((1, 2, "-40"),)),
        (ModuleType.XVBIAS, "1,1,60,1,2,-40", (), ((0, 1, "60"), (1, 2, "-40"))),
        (ModuleType.LVDS, ",".join(["1,0"] * 16) + ",1,0,1,1,0,0,1,1", ((0, True), (2, False)), ()),
        (ModuleType.HS, ",".join(["0101010101,0"] * 12) + ",1,1,1,0,0,1,1,1", ((1, True),), ()),
        (ModuleType.DRIVER, "5,0,0", (), ()),
        (ModuleType.AD, "1,0", (), ()),
        (ModuleType.LVXBIAS, "", (), ()),
    ],
)
def test_each_type_has_its_form(kind: ModuleType, text: str, lines: tuple, biases: tuple) -> None:
    assert orders_of(kind, text) == Orders(lines, biases)
