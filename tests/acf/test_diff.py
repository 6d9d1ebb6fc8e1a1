"""What differs between two configurations in meaning, and what applying it takes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.diff import Difference, Part, commands_for, compare
from archon_ioc.acf.file import Acf

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"
DEMO = Path(__file__).parents[2] / "config" / "demo.acf"


@pytest.fixture(scope="module")
def demo() -> Acf:
    return Acf.read(DEMO)


@pytest.fixture
def small() -> Acf:
    return Acf.read(SMALL)


def one(old: Acf, new: Acf) -> Difference:
    (difference,) = compare(old, new)
    return difference


# What is the same


def test_a_file_is_like_itself_however_it_is_written(demo: Acf) -> None:
    assert compare(demo, demo) == ()
    assert compare(demo, Acf.parse(Acf(dict(reversed(demo.keys.items())), demo.system).text())) == ()


def test_places_comments_and_blanks_do_not_matter() -> None:
    old = Acf.parse(
        "[CONFIG]\nLINES=2\nLINE0=Main:\nLINE1=X; CALL Line(Lines)\nPARAMETERS=2\nPARAMETER0=A=1\nPARAMETER1=B=2\n"
        "CONSTANTS=1\nCONSTANT0=HIGH=5\nTAPLINES=1\nTAPLINE0=AD1L, 1, 0\nSTATES=2\nSTATE0/NAME=X\n"
        "STATE0/CONTROL=0,3F\nSTATE1/NAME=Y\nSTATE1/CONTROL=1,3E\nMOD1/LVLC_V1=0.0\nMOD1/LABEL1=a\n"
    )
    new = Acf.parse(
        "[CONFIG]\nLINES=4\nLINE0=# The script\nLINE1= main:\nLINE2=\nLINE3=X;call line( LINES )\nPARAMETERS=3\n"
        "PARAMETER0=B=2\nPARAMETER1=# switches\nPARAMETER2=A = 1\nCONSTANTS=2\nCONSTANT0=\nCONSTANT1=HIGH=5.0\n"
        "TAPLINES=3\nTAPLINE0=\nTAPLINE1=# one\nTAPLINE2=AD1L,1.0,0\nSTATES=2\nSTATE1/NAME=X\nSTATE1/CONTROL=0,3f\n"
        "STATE0/NAME=Y\nSTATE0/CONTROL=1, 3E\nMOD1/LVLC_V1=0\nMOD1/LABEL1=a\n"
    )
    assert compare(old, new) == ()


# What is not


def test_a_parameter(demo: Acf) -> None:
    assert one(demo, demo.with_parameter("IntMS", 5)) == Difference(
        Part.PARAMETER, "IntMS", f"{demo.parameters['IntMS']}", "5", ("LOADPARAM IntMS",)
    )


def test_a_parameter_more_or_less(small: Acf) -> None:
    more = small.with_value("PARAMETER2", "Lines=7")
    assert one(small, more) == Difference(Part.PARAMETER, "Lines", None, "7", ("LOADTIMING",))
    assert one(more, small) == Difference(Part.PARAMETER, "Lines", "7", None, ("LOADTIMING",))


def test_a_constant_and_the_modules_that_use_it(demo: Acf) -> None:
    found = one(demo, demo.with_constant("S_SLEW", 150))
    users = {key.partition("/")[0] for key, value in demo.keys.items() if value == "S_SLEW"}
    assert users
    assert (found.part, found.name, found.old, found.new) == (Part.CONSTANT, "S_SLEW", "200", "150")
    assert found.applies == ("LOADTIMING", *sorted(f"APPLYMOD{int(slot[3:]) - 1:02X}" for slot in users))


def test_lines_of_the_script(demo: Acf) -> None:
    line = next(key for key, text in demo.entries("LINE") if text == "HOLD; CALL IntegrateMS(IntMS)")
    changed = demo.with_value(line, "HOLD; CALL IntegrateMS(5)")
    assert one(demo, changed) == Difference(
        Part.SCRIPT, line, "HOLD; CALL IntegrateMS(IntMS)", "HOLD; CALL IntegrateMS(5)", ("LOADTIMING",)
    )


def test_lines_that_are_put_in_or_taken_out() -> None:
    def script(*lines: str) -> Acf:
        return Acf.from_lines([f"LINES={len(lines)}", *(f"LINE{n}={line}" for n, line in enumerate(lines))])

    short, long = script("Main:", "X; GOTO Main"), script("Main:", "Y", "Y; Z", "X; GOTO Main")
    assert one(short, long) == Difference(Part.SCRIPT, "LINE1", None, "Y\nY; Z", ("LOADTIMING",))
    assert one(long, short) == Difference(Part.SCRIPT, "LINE1", "Y\nY; Z", None, ("LOADTIMING",))


def test_a_state(demo: Acf) -> None:
    old = demo.keys["STATE3/CONTROL"]
    name = demo.keys["STATE3/NAME"]
    assert one(demo, demo.with_value("STATE3/CONTROL", "F,0")) == Difference(
        Part.STATE, f"{name} CONTROL", old.upper(), "F,0", ("LOADTIMING",)
    )


def test_a_state_more(small: Acf) -> None:
    more = small.with_key("STATE1/NAME", "IDLE").with_value("STATES", "2")
    assert one(small, more) == Difference(Part.STATE, "IDLE", None, "", ("LOADTIMING",))


def test_taps(small: Acf) -> None:
    turned = small.with_values({"TAPLINE0": "AD4R, 1, 1100", "TAPLINE3": "AD1L, -1.5, 1000"})
    found = compare(small, turned)
    assert {item.part for item in found} == {Part.TAP}
    assert {item.applies for item in found} == {("APPLYCDS",)}
    assert one(small, small.with_value("TAPLINE3", "AD4R, 1, 1200")) == Difference(
        Part.TAP, "TAPLINE3", "AD4R, 1, 1100", "AD4R, 1, 1200", ("APPLYCDS",)
    )


@pytest.mark.parametrize(
    ("key", "value", "old", "applies"),
    [
        ("MOD9/HVHC_V1", "16", "15.5", ("APPLYMOD08",)),
        ("PIXELCOUNT", "31", "30", ("APPLYCDS",)),
        ("TRIGINENABLE", "1", None, ("APPLYSYSTEM",)),
        ("MOD9/DIO_SOURCE1", "1", None, ("APPLYDIO08",)),
        ("APPLYALL", "1", None, ()),
        ("IP", "10.0.0.3", None, ()),
        ("NOBODY_KNOWS", "1", None, ()),
    ],
)
def test_other_keys(small: Acf, key: str, value: str, old: str | None, applies: tuple[str, ...]) -> None:
    assert one(small, small.with_key(key, value)) == Difference(Part.KEY, key, old, value, applies)


def test_the_system_section_is_apart(small: Acf) -> None:
    other = Acf(small.keys, {**small.system, "MOD5_TYPE": "17"})
    assert one(small, other) == Difference(Part.SYSTEM, "MOD5_TYPE", "2", "17")


# What it takes


def test_commands_are_named_once_and_loading_the_script_loads_the_parameters(demo: Acf) -> None:
    changes = demo.with_parameter("IntMS", 5).with_parameter("NoIntMS", 5)
    assert commands_for(compare(demo, changes)) == ("LOADPARAM IntMS", "LOADPARAM NoIntMS")
    more = changes.with_constant("S_LOW", -6).with_value("PIXELCOUNT", "5").with_value("LINECOUNT", "5")
    assert commands_for(compare(demo, more)) == ("APPLYCDS", "LOADTIMING")
    assert commands_for(()) == ()


@given(st.dictionaries(st.sampled_from(sorted(Acf.read(SMALL).keys)), st.just("17"), max_size=3))
def test_what_is_removed_and_put_back_is_seen_from_both_sides(chosen: dict[str, str]) -> None:
    whole = Acf.read(SMALL)
    less = whole
    for key in chosen:
        less = less.without(key)
    there, back = compare(whole, less), compare(less, whole)
    assert sorted((item.part.value, item.name, item.old or "", item.new or "") for item in there) == sorted(
        (item.part.value, item.name, item.new or "", item.old or "") for item in back
    )
