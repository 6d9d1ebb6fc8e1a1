"""Reading configurations, and saying what is wrong with them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import SystemInfo

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"
REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"


@pytest.fixture
def small() -> Acf:
    return Acf.read(SMALL)


def config(*lines: str) -> str:
    return "\n".join(("[CONFIG]", *lines))


# What a file says


def test_lines_are_as_the_controller_wants_them(small: Acf) -> None:
    assert small.lines[:4] == ("BIGBUF=0", "CONSTANT0=# clock levels", "CONSTANT1=RG_HIGH=8", "CONSTANTS=2")
    assert "LINE1=RESET; IF Exposures GOTO Expose" in small.lines
    assert "LINE2=" in small.lines
    assert 'MOD9/HVHC_LABEL1=Reset drain, "RD" in µV' in small.lines
    assert "STATE0/CONTROL=0,1" in small.lines
    assert len(small.lines) == 30
    assert not any("\\" in line for line in small.lines)


def test_a_keys_position_is_its_line_number(small: Acf) -> None:
    for number, line in enumerate(small.lines):
        assert small.line_number(line.partition("=")[0]) == number


@pytest.mark.parametrize("key", ["MOD9/HVHC_V1", "MOD9\\HVHC_V1", "mod9/hvhc_v1", "Mod9\\HvHc_v1"])
def test_keys_are_found_however_they_are_written(small: Acf, key: str) -> None:
    assert key in small
    assert small.find(key) == "MOD9/HVHC_V1"
    assert small.lines[small.line_number(key)] == "MOD9/HVHC_V1=15.5"
    assert small.with_value(key, "16").keys["MOD9/HVHC_V1"] == "16"


def test_a_key_that_is_not_there(small: Acf) -> None:
    assert "MOD9/HVHC_V2" not in small
    for call in (small.find, small.line_number, lambda key: small.with_value(key, "1")):
        with pytest.raises(InputError, match="no key 'MOD9/HVHC_V2'"):
            call("MOD9/HVHC_V2")


def test_parameters(small: Acf) -> None:
    assert dict(small.parameters) == {"ContinuousExposures": 0, "Exposures": 0, "IntMS": 1048575}
    assert small.parameter_name("INTMS") == "IntMS"
    assert small.parameter_name("IntCS") is None


def test_only_the_counted_parameters_are_there() -> None:
    acf = Acf.parse(config("PARAMETER0=A=1", "PARAMETER1=B=2", "PARAMETERS=1"))
    assert dict(acf.parameters) == {"A": 1}


def test_taps_and_geometry(small: Acf) -> None:
    assert [(tap.name, tap.gain, tap.offset) for tap in small.taps] == [("AD1L", -1.5, 1000), ("AD4R", 1, 1100)]
    assert (small.pixel_count, small.line_count) == (30, 20)
    assert small.frame_mode is FrameMode.SPLIT
    assert small.sample_mode is SampleMode.BITS32
    assert small.frame_shape == (40, 30)
    assert small.with_value("FRAMEMODE", "0").frame_shape == (20, 60)


def test_the_system_section_is_like_a_reply(small: Acf) -> None:
    system = SystemInfo.from_fields(small.system)
    assert system.revision_letter == "F"
    assert [(m.slot, m.type.label) for m in system.modules] == [(5, "AD"), (9, "HVXBias")]


def test_numbers(small: Acf) -> None:
    assert small.number("LINECOUNT") == 20
    assert small.number("RAWSEL", 7) == 7
    with pytest.raises(ConfigError, match="RAWSEL='' is not a whole number"):
        small.number("RAWSEL")
    with pytest.raises(ConfigError, match=r"HVHC_V1='15.5' is not a whole number"):
        small.number("MOD9/HVHC_V1", 7)


def test_changes_make_a_copy(small: Acf) -> None:
    other = small.with_values({"pixelcount": "10", "MOD9\\HVHC_V1": "1"})
    assert (other.pixel_count, small.pixel_count) == (10, 30)
    assert len(other.lines) == len(small.lines)
    assert other.line_number("PIXELCOUNT") == small.line_number("PIXELCOUNT")
    assert other.digest != small.digest
    assert other.with_values({"PIXELCOUNT": "30", "MOD9/HVHC_V1": "15.5"}).digest == small.digest


def test_what_a_controllers_memory_holds_is_the_same_configuration(small: Acf) -> None:
    memory = [*small.lines, "", "", ""]
    assert Acf.from_lines(memory).digest == small.digest
    assert Acf.from_lines(memory).problems() == []


def test_carriage_returns_and_blanks_around_values_do_not_matter(small: Acf) -> None:
    text = SMALL.read_bytes().decode("latin-1")
    assert Acf.parse(text.replace("\n", "\r\n")).digest == small.digest
    assert Acf.parse(text.replace("=", " = ", 20)).digest != small.digest  # inside quotes they do
    assert Acf.parse("[config]\n  A = 1  \n").lines == ("A=1",)


def test_a_label_may_hold_any_character_of_latin_1() -> None:
    label = "".join(chr(n) for n in range(160, 256))
    assert Acf.parse(config(f'MOD1\\LABEL1="{label}"')).lines == (f"MOD1/LABEL1={label}",)
    assert Acf.parse(config('MOD1\\LABEL1="a\x85b"')).lines == ("MOD1/LABEL1=a\x85b",)


KEYS = st.from_regex(r"MOD[0-9]/LABEL[0-9]", fullmatch=True)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.dictionaries(KEYS, PRINTABLE))
def test_quoting(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = config("A=1", *(f"{key.replace('/', chr(92))}={quoted(value)}" for key, value in values.items()))
    assert dict(Acf.parse(text).keys) == {"A": "1", **values}


# What is wrong with it

BAD = {
    "empty file": ("", "not an ACF: there is no \\[CONFIG\\] section"),
    "something else": ("\x7fELF\x02\x01\x00\x00", "not an ACF"),
    "a FITS file": ("SIMPLE  =                    T", "not an ACF"),
    "no CONFIG": ("[SYSTEM]\nBACKPLANE_TYPE=1", "not an ACF"),
    "empty CONFIG": ("[CONFIG]\n; nothing\n", "not an ACF: its \\[CONFIG\\] section is empty"),
    "line before the first section": ("A=1\n[CONFIG]\nA=1", "line 1: before the first"),
    "line without equals sign": (config("A=1", "what is this"), "line 3: 'what is this' is not KEY=VALUE"),
    "key with a blank": (config("A B=1"), "line 2: 'A B=1' is not KEY=VALUE"),
    "no key": (config("=1"), "line 2: '=1' is not KEY=VALUE"),
    "two values": (config("A=1", "B=2", "A=3"), "line 4: A was given another value before"),
    "wrong count": (config("LINES=many"), "LINES='many': not a whole number"),
    "negative count": (config("PIXELCOUNT=-1"), "PIXELCOUNT='-1': not from 1 to 65535"),
    "empty count": (config("TAPLINES="), "TAPLINES='': not a whole number"),
    "no pixels": (config("PIXELCOUNT=0"), "PIXELCOUNT='0': not from 1 to 65535"),
    "too many parameters": (config("PARAMETERS=1000000000"), "not from 0 to 255"),
    "parameter without value": (config("PARAMETER0=IntMS"), "PARAMETER0='IntMS': not Name=number"),
    "parameter with a fraction": (config("PARAMETER0=IntMS=1.5"), "PARAMETER0='IntMS=1.5': not Name=number"),
    "negative parameter": (config("PARAMETER0=IntMS=-1"), "not Name=number"),
    "parameter with a strange letter": (config("PARAMETER0=Intµ=1"), "not Name=number"),
    "parameter above the limit": (config("PARAMETER0=IntMS=1048576"), "above 1048575, the limit of a counter"),
    "wrong tap": (config('TAPLINE0="BD5L, 1, 1000"'), "TAPLINE0='BD5L, 1, 1000': 'BD5L, 1, 1000' is not a tap"),
    "control character": (config("MOD1\\LABEL1=a\x01b"), "MOD1/LABEL1='a\\\\x01b': a control character"),
    "long line": (config("LINE0=" + "x" * 2048), "longer than 2048 characters"),
    "thousands of digits": (config("PIXELCOUNT=" + "9" * 9999, "TAPLINE0=AD" + "1" * 9999 + "L"), "2 bad line"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Acf.parse(text, "some/ccd.acf")
    assert str(error.value).startswith("some/ccd.acf: ")
    assert error.value.path == "some/ccd.acf"
    assert len(str(error.value)) < 400


def test_the_same_value_twice_is_tolerated() -> None:
    assert Acf.parse(config("A=1", "A=1")).lines == ("A=1",)


def test_every_bad_line_is_counted_and_the_first_ten_are_named() -> None:
    with pytest.raises(ConfigError) as error:
        Acf.parse(config(*(f"PARAMETER{n}=bad" for n in range(25))))
    message = str(error.value)
    assert message.startswith("25 bad line(s): PARAMETER0='bad'")
    assert "PARAMETER9=" in message
    assert "PARAMETER10=" not in message
    assert message.endswith("; and 15 more")


def test_a_file_of_nothing_but_bad_lines_is_left_early() -> None:
    with pytest.raises(ConfigError, match=r"^1001 bad line\(s\)"):
        Acf.parse(config(*["bad"] * 100_000))


def test_more_keys_than_the_controller_holds() -> None:
    full = [f"LABEL{n}=x" for n in range(16384)]
    assert len(Acf.parse(config(*full)).lines) == 16384
    with pytest.raises(ConfigError, match="16385 keys, the controller holds 16384"):
        Acf.parse(config(*full, "ONE=more"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.acf: No such file or directory"):
        Acf.read(tmp_path / "none.acf")
    with pytest.raises(ConfigError, match="Is a directory"):
        Acf.read(tmp_path)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.acf"
    path.write_bytes(b"[CONFIG]\n" + b"\n" * (4 << 20))
    with pytest.raises(ConfigError, match="too many for an ACF"):
        Acf.read(path)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    try:
        acf = Acf.parse(text)
    except ConfigError:
        return
    assert acf.lines


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30)))
def test_any_lines_are_a_configuration_or_refused(lines: list[str]) -> None:
    try:
        acf = Acf.parse(config("A=1", *lines))
    except ConfigError:
        return
    assert "A" in acf


# Those of real instruments, where they are at hand


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "shape", "taps", "lines"),
    [
        ("BOSS_extra", (4224, 8704), 8, 1247),
        ("LVM_100kHz", (4080, 12360), 12, 1388),
        ("STA4800", (300, 4800), 16, 1021),
    ],
)
def test_real_configurations(name: str, shape: tuple[int, int], taps: int, lines: int) -> None:
    path = REAL / f"{name}.acf"
    if not path.exists():
        pytest.skip(f"{path.name} is not at hand")
    acf = Acf.read(path)
    assert acf.frame_shape == shape
    assert len(acf.taps) == taps
    assert len(acf.lines) == lines
    assert "Exposures" in acf.parameters
