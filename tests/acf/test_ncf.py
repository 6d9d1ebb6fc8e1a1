"""The vendor's "nice" form: lists without numbers, states one after the other."""

from pathlib import Path

import pytest

from archon_ioc.acf import ncf
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.errors import ConfigError, InputError

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.ncf"


@pytest.fixture
def small() -> Acf:
    return Acf.read(SMALL)


def test_it_is_known_by_its_script() -> None:
    assert ncf.is_ncf(SMALL.read_text(encoding="latin-1"))
    assert not ncf.is_ncf("[SYSTEM]\n[CONFIG]\nLINE0=[TIMINGSCRIPT] here\n")


def test_the_keys_that_it_stands_for(small: Acf) -> None:
    keys = small.keys
    assert (keys["LINES"], keys["LINE0"], keys["LINE1"], keys["LINE4"]) == ("9", "; The script; X", "Start:", "")
    assert keys["LINE2"] == "RESET; IF Exposures GOTO Expose"
    assert (keys["PARAMETERS"], keys["PARAMETER1"], keys["PARAMETER3"]) == (
        "4",
        "IntMS=1000",
        "; Times, IntMS=1000 for instance",
    )
    assert (keys["CONSTANTS"], keys["CONSTANT0"]) == ("1", "AD_CLAMP=0.5")
    assert (keys["TAPLINES"], keys["TAPLINE1"], keys["TAPLINE2"]) == ("3", "AD1R,1.2,-176", "")
    assert (keys["STATES"], keys["STATE0/MOD5"], keys["STATE2/NAME"]) == ("3", "1,0", "PCLK")
    assert (keys["MOD4/VCPU_LINES"], keys["MOD4/VCPU_LINE0"]) == ("1", "")
    assert keys["MOD4/LVLC_LABEL1"] == '"OG", upper'  # nothing is quoted here
    assert small.system["MOD4_TYPE"] == "9"
    assert [tap.name for tap in small.taps] == ["AD2L", "AD1R"]


def test_its_script_compiles(small: Acf) -> None:
    assert set(compile_script(small).labels) == {"START", "EXPOSE"}


def test_it_is_written_back_as_it_was(small: Acf) -> None:
    assert small.text() == SMALL.read_text(encoding="latin-1")


def test_values_are_changed_in_their_lines(small: Acf) -> None:
    changed = small.with_parameter("IntMS", 5).with_values({"LINE6": "PCLK; IntMS--", "STATE1/CONTROL": "0,37"})
    changed = changed.with_key("MOD4/LVLC_V2", "1").without("BIGBUF")
    old, new = small.text().splitlines(), changed.text().splitlines()
    assert [line for line in old if line not in new] == ["BIGBUF=0", "PCLK; Exposures--", "IntMS=1000", "CONTROL=0,3F"]
    assert [line for line in new if line not in old] == ["MOD4/LVLC_V2=1", "PCLK; IntMS--", "IntMS=5", "CONTROL=0,37"]
    assert Acf.parse(changed.text()).keys == changed.keys


def test_where_a_key_stands(small: Acf) -> None:
    lines = SMALL.read_text(encoding="latin-1").splitlines()
    assert [lines[(small.source_line(key) or 0) - 1] for key in ("LINE2", "PARAMETER1", "STATE2/NAME", "BIGBUF")] == [
        "RESET; IF Exposures GOTO Expose",
        "IntMS=1000",
        "NAME=PCLK",
        "BIGBUF=0",
    ]
    assert small.source_line("LINES") is None


@pytest.mark.parametrize(
    "changed",
    [
        lambda acf: acf.without("LINE2"),
        lambda acf: acf.with_key("PARAMETER4", "New=1"),
        lambda acf: acf.with_value("LINES", "3"),
        lambda acf: acf.with_value("LINE2", "X\nX"),
        lambda acf: acf.with_value("LINE2", "[END]"),
    ],
)
def test_what_this_form_cannot_say_is_refused(small: Acf, changed: object) -> None:
    with pytest.raises(InputError, match=r"write an \.acf"):
        changed(small).text()  # type: ignore[operator]


def test_it_becomes_an_acf(small: Acf, tmp_path: Path) -> None:
    more = small.with_key("PARAMETER4", "New=1").with_value("PARAMETERS", "5")
    more.write(tmp_path / "small.acf")
    again = Acf.read(tmp_path / "small.acf")
    assert dict(again.keys) == dict(more.keys)
    assert dict(again.system) == dict(more.system)
    small.write(tmp_path / "small.ncf")
    assert (tmp_path / "small.ncf").read_bytes() == SMALL.read_bytes()


def test_a_line_that_is_no_pair_is_told() -> None:
    text = SMALL.read_text(encoding="latin-1").replace("BIGBUF=0", "BIGBUF")
    with pytest.raises(ConfigError, match="line 8: 'BIGBUF' is not KEY=VALUE"):
        Acf.parse(text)


def test_carriage_returns_do_not_matter(small: Acf) -> None:
    text = small.text().replace("\n", "\r\n")
    assert Acf.parse(text).keys == small.keys
    assert Acf.parse(text).text() == text
