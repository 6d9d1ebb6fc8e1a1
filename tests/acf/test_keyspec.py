"""One row of the catalogue: which keys it is for, and which values it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.keyspec import Apply, KeySpec, Kind, is_comment, parse_constant, parse_parameter

LEVEL = KeySpec(
    "MODm/LEVELi", "Level", Kind.FLOAT, Apply.MODULE, unit="V", low=-14, high=14, indices=range(1, 9),
    may_name_constant=True,
)  # fmt: skip


def spec(kind: Kind, **more: object) -> KeySpec:
    return KeySpec("KEY", "Something", kind, Apply.CDS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "indices", "key", "matches"),
    [
        ("LINES", (), "LINES", True),
        ("LINES", (), "LINES1", False),
        ("LINEn", range(2048), "LINE0", True),
        ("LINEn", range(2048), "LINE2048", False),
        ("LINEn", range(2048), "LINE", False),
        ("STATEn/MODm", range(2048), "STATE7/MOD12", True),
        ("STATEn/MODm", range(2048), "STATE7/MOD0", False),
        ("MODm/LABELi", range(1, 9), "MOD3/LABEL8", True),
        ("MODm/LABELi", range(1, 9), "MOD3/LABEL9", False),
        ("MODm/LABELi", range(1, 9), "MOD100/LABEL1", False),
        ("MODm/DIO_DIRi", (12, 34), "MOD3/DIO_DIR34", True),
        ("MODm/DIO_DIRi", (12, 34), "MOD3/DIO_DIR3", False),
        ("MODm/HEATERxP", (), "MOD3/HEATERBP", True),
        ("MODm/HEATERxP", (), "MOD3/HEATERCP", False),
        ("MODm/SENSORyTYPE", (), "MOD3/SENSORCTYPE", True),
    ],
)
def test_which_keys_a_pattern_is_for(pattern: str, indices: range, key: str, matches: bool) -> None:
    row = KeySpec(pattern, "Something", Kind.TEXT, Apply.MODULE, indices=indices)
    assert row.matches(key) is matches


@pytest.mark.parametrize("value", ["0", "-14", "14.0", " 3.5 ", "1e1", "A_HIGH", "a_high"])
def test_numbers_and_names_of_constants_are_levels(value: str) -> None:
    assert LEVEL.objection(value, {"A_HIGH"}) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("15", "not from -14 to 14 V"),
        ("-14.001", "not from -14 to 14 V"),
        ("B_HIGH", "not a number and no constant's name"),
        ("", "not a number and no constant's name"),
        ("nan", "not a number and no constant's name"),
        ("1_0", "not a number and no constant's name"),
        ("１", "not a number and no constant's name"),
        ("1e999", "not a number and no constant's name"),
    ],
)
def test_what_is_no_level(value: str, why: str) -> None:
    assert LEVEL.objection(value, {"A_HIGH"}) == why


@pytest.mark.parametrize(
    ("row", "value", "why"),
    [
        (spec(Kind.INT, low=1, high=65535), "300", None),
        (spec(Kind.INT, low=1, high=65535), "0", "not from 1 to 65535"),
        (spec(Kind.INT, low=1, high=65535), "1.5", "not a whole number"),
        (spec(Kind.INT, low=0, unit="nA"), "-1", "not 0 nA or more"),
        (spec(Kind.INT, high=3), "4", "not up to 3"),
        (spec(Kind.INT), "9" * 5000, "not a whole number"),
        (spec(Kind.CHOICE, choices={0: "low", 1: "high"}), "1", None),
        (spec(Kind.CHOICE, choices={0: "low", 1: "high"}), "2", "not one of 0 (low), 1 (high)"),
        (spec(Kind.CHOICE, choices={0: "low", 1: "high"}), "", "not one of 0 (low), 1 (high)"),
        (spec(Kind.CHOICE, choices={0: "low", 1: "high"}), "0000000001", "not one of 0 (low), 1 (high)"),
        (spec(Kind.TEXT), "anything; at all", None),
        (spec(Kind.ADDRESS), "10.0.0.2", None),
        (spec(Kind.ADDRESS), "10.0.0.256", "not an address such as 10.0.0.2"),
        (spec(Kind.ADDRESS), "10.0.2", "not an address such as 10.0.0.2"),
        (spec(Kind.PARAMETER), "IntMS=1048575", None),
        (spec(Kind.PARAMETER), "# IntMS", None),
        (spec(Kind.PARAMETER), "", None),
        (spec(Kind.PARAMETER), "IntMS", "not Name=number"),
        (spec(Kind.PARAMETER), "IntMS=1048576", "above 1048575, the limit of a counter"),
        (spec(Kind.PARAMETER), "IntMS=" + "9" * 5000, "above 1048575, the limit of a counter"),
        (spec(Kind.CONSTANT), "RG=-2.5", None),
        (spec(Kind.CONSTANT), "RG=low", "not NAME=number"),
        (spec(Kind.CONTROL), "0,3F", None),
        (spec(Kind.CONTROL), "8, 37", None),
        (spec(Kind.CONTROL), "8", "not two hexadecimal numbers 'clocks,keep'"),
        (spec(Kind.CONTROL), "0,3G", "not two hexadecimal numbers 'clocks,keep'"),
        (spec(Kind.TAP), "AD5L, -1, 1000", None),
        (spec(Kind.TAP), "# none", None),
        (spec(Kind.TAP), "AD17L", "'AD17L': channels are AD1 to AD16"),
    ],
)
def test_what_is_said_of_a_value(row: KeySpec, value: str, why: str | None) -> None:
    assert row.objection(value) == why


@given(st.floats(-14, 14))
def test_every_number_of_the_range_is_taken(volts: float) -> None:
    assert LEVEL.objection(f"{volts}") is None


@given(st.text(max_size=20))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for kind in Kind:
        why = spec(kind, choices={0: "zero"}).objection(text)
        assert why is None or why


@pytest.mark.parametrize(
    ("text", "parameter"),
    [("IntMS=5", ("IntMS", 5)), (" IntMS = 5 ", ("IntMS", 5)), ("IntMS=-5", None), ("# A=1", None), ("", None)],
)
def test_entries_of_parameters(text: str, parameter: tuple[str, int] | None) -> None:
    assert parse_parameter(text) == parameter


@pytest.mark.parametrize(
    ("text", "constant"),
    [("RG=8", ("RG", 8.0)), ("A_SLEW = 0.1", ("A_SLEW", 0.1)), ("RG=x", None), ("RG=nan", None), ("#RG=1", None)],
)
def test_entries_of_constants(text: str, constant: tuple[str, float] | None) -> None:
    assert parse_constant(text) == constant


@pytest.mark.parametrize(
    ("text", "comment"),
    [("", True), ("  ", True), ("# x", True), ("; x", True), ("X", False), (" # x", True), ("X # x", False)],
)
def test_comments(text: str, comment: bool) -> None:
    assert is_comment(text) is comment
