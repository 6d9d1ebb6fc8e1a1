"""Setting something by its name."""

from pathlib import Path

import pytest

from archon_ioc.acf.edit import require_no_worse, with_setting
from archon_ioc.acf.file import Acf
from archon_ioc.errors import InputError

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"
DEMO = Path(__file__).parents[2] / "config" / "demo.acf"


@pytest.fixture(scope="module")
def demo() -> Acf:
    return Acf.read(DEMO)


@pytest.fixture
def small() -> Acf:
    return Acf.read(SMALL)


def test_a_key(small: Acf) -> None:
    assert with_setting(small, "MOD9\\HVHC_V1", "16").keys["MOD9/HVHC_V1"] == "16"
    assert with_setting(small, "mod9/hvhc_v1", "RG_HIGH").keys["MOD9/HVHC_V1"] == "RG_HIGH"


def test_a_parameter_and_a_constant(small: Acf) -> None:
    assert with_setting(small, "intms", "100").keys["PARAMETER4"] == "IntMS=100"
    assert with_setting(small, "RG_HIGH", "7.5").keys["CONSTANT1"] == "RG_HIGH=7.5"


def test_a_key_of_the_manual_that_is_not_there_yet(small: Acf) -> None:
    assert with_setting(small, "trigInEnable", "1").keys["TRIGINENABLE"] == "1"
    assert with_setting(small, "MOD9\\HVLC_V3", "4").keys["MOD9/HVLC_V3"] == "4"


def test_a_name_that_is_written_exactly_goes_first(demo: Acf) -> None:
    assert "LINES" in demo
    assert "Lines" in demo.parameters
    parameter = with_setting(demo, "Lines", "7")
    assert parameter.parameters["Lines"] == 7
    assert parameter.keys["LINES"] == demo.keys["LINES"]
    key = with_setting(demo, "LINES", "7")
    assert key.keys["LINES"] == "7"
    assert key.parameters["Lines"] == demo.parameters["Lines"]


def test_a_name_that_may_be_two_things(demo: Acf) -> None:
    place = demo.parameter_key("Lines")
    with pytest.raises(InputError, match=f"'lines' may be LINES or {place}; write that key"):
        with_setting(demo, "lines", "7")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("MOD9/HVHC_V1", "32", "MOD9/HVHC_V1=32: not from 0 to 31 V"),
        ("MOD9/HVHC_V1", "RG_HIGHER", "not a number and no constant's name"),
        ("IntMS", "1.5", "IntMS=1.5: not Name=number"),
        ("IntMS", "1048576", "above 1048575"),
        ("RG_HIGH", "high", "RG_HIGH=high: not NAME=number"),
        ("PARAMETER4", "100", "not Name=number"),
        ("Nothing", "1", "'Nothing' is neither a key of the manual, nor a parameter, nor a constant"),
        ("MOD9/LVLC_V1", "1", "'MOD9/LVLC_V1' is neither a key of the manual for slot 9: HVXBias, nor"),
        ("MOD3/LABEL1", "x", "for slot 3: None, nor"),
    ],
)
def test_what_is_refused(small: Acf, name: str, value: str, why: str) -> None:
    with pytest.raises(InputError) as error:
        with_setting(small, name, value)
    assert why in str(error.value)


def test_without_a_system_section_any_module_will_do(small: Acf) -> None:
    assert with_setting(Acf(small.keys), "MOD3/LABEL1", "x").keys["MOD3/LABEL1"] == "x"


def test_what_is_refused_can_be_forced(small: Acf) -> None:
    assert with_setting(small, "MOD9/HVHC_V1", "32", is_forced=True).keys["MOD9/HVHC_V1"] == "32"
    assert with_setting(small, "Something\\New", "1", is_forced=True).keys["Something/New"] == "1"
    assert with_setting(small, "trigInEnable", "5", is_forced=True).keys["TRIGINENABLE"] == "5"


@pytest.mark.parametrize(
    ("name", "value"), [("IntMS", "-1"), ("PIXELCOUNT", "0"), ("MOD5/CLAMP1", "a\x01"), ("A B", "1")]
)
def test_but_not_what_makes_the_file_unreadable(small: Acf, name: str, value: str) -> None:
    with pytest.raises(InputError):
        with_setting(small, name, value, is_forced=True)


def test_a_frame_mode_that_is_not_documented_needs_force(small: Acf) -> None:
    with pytest.raises(InputError, match=r"FRAMEMODE=3: not one of 0 \(top\), 1 \(bottom\), 2 \(split\)"):
        with_setting(small, "FRAMEMODE", "3")
    assert with_setting(small, "FRAMEMODE", "3", is_forced=True).keys["FRAMEMODE"] == "3"
    with pytest.raises(InputError, match="FRAMEMODE"):
        with_setting(small, "FRAMEMODE", "4", is_forced=True)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("LINE5", "HOLD; GOTO Nowhere", "LINE5: 'HOLD; GOTO Nowhere': there is no label 'Nowhere'"),
        ("PARAMETERS", "3", "there is neither a parameter nor a constant 'ST' (and 37 more)"),
        ("LINES", "500", "LINES: LINES=500 counts LINE130, LINE131, LINE132 and 367 more, which are not there"),
        ("STATE4/NAME", "OTHER", "there is no state 'FRAMECLK'"),
    ],
)
def test_what_a_controller_would_not_take_any_more(demo: Acf, name: str, value: str, why: str) -> None:
    with pytest.raises(InputError) as error:
        require_no_worse(demo, with_setting(demo, name, value))
    assert why in str(error.value)


def test_edits_may_need_each_other(demo: Acf) -> None:
    one = with_setting(demo, "LINES", "131")
    with pytest.raises(InputError, match="LINE130"):
        require_no_worse(demo, one)
    require_no_worse(demo, with_setting(one, "LINE130", "HOLD; GOTO Main"))


def test_a_script_that_was_wrong_may_stay_so(demo: Acf) -> None:
    wrong = with_setting(demo, "LINE5", "HOLD; GOTO Nowhere")
    require_no_worse(wrong, with_setting(wrong, "IntMS", "5"))
    require_no_worse(wrong, demo)
    with pytest.raises(InputError, match="LINE6"):
        require_no_worse(wrong, with_setting(wrong, "LINE6", "HOLD; GOTO Nowhere"))
