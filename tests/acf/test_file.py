"""Reading configurations, saying what is wrong with them, changing them and writing them back."""

import os
import resource
import stat
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError, InputError, SaveError

SMALL = Path(__file__).parents[1] / "golden" / "acf" / "small.acf"
DEMO = Path(__file__).parents[2] / "config" / "demo.acf"
REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"
FILES = [*sorted(SMALL.parent.glob("*.*cf")), DEMO, *sorted(REAL.glob("*.acf"))]


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


def test_a_key_that_is_not_there(small: Acf) -> None:
    assert "MOD9/HVHC_V2" not in small
    for call in (small.find, small.line_number, lambda key: small.with_value(key, "1")):
        with pytest.raises(InputError, match="no key 'MOD9/HVHC_V2'"):
            call("MOD9/HVHC_V2")


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


# Changing it and writing it back


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def changed_lines(old: str, new: str) -> list[str]:
    """Return the lines of a text diff, without its headings."""
    diff = unified_diff(old.split("\n"), new.split("\n"), n=0, lineterm="")
    return [line for line in diff if line[:3] not in ("---", "+++") and line[:2] != "@@"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_written_back_as_it_was(path: Path, tmp_path: Path) -> None:
    acf = Acf.read(path)
    acf.write(tmp_path / path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_the_lines_that_were_changed_differ(path: Path) -> None:
    acf = Acf.read(path)
    edited = acf.with_parameter("Exposures", 3).with_value("PIXELCOUNT", "77").without("BIGBUF")
    differences = changed_lines(acf.text(), edited.text())
    assert len(differences) == 5
    assert differences.count("-BIGBUF=0") == 1
    assert {"+PIXELCOUNT=77"} <= set(differences)
    assert sum("Exposures=3" in line for line in differences) == 1
    again = Acf.parse(edited.text())
    assert list(again.keys.items()) == list(edited.keys.items())
    assert dict(again.system) == dict(acf.system)
    assert again.digest == edited.digest


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".acf"], ids=lambda path: path.name)
def test_without_its_file_it_is_written_anew_with_equal_content(path: Path) -> None:
    acf = Acf.read(path)
    again = Acf.parse(Acf(acf.keys, acf.system).text())
    assert dict(again.keys) == dict(acf.keys)
    assert dict(again.system) == dict(acf.system)


def test_parameters_and_constants_are_set_by_name(small: Acf) -> None:
    changed = small.with_parameter("intms", 100).with_constant("rg_high", 7.5)
    assert changed_lines(small.text(), changed.text()) == [
        '-CONSTANT1="RG_HIGH=8"',
        '+CONSTANT1="RG_HIGH=7.5"',
        '-PARAMETER4="IntMS=1048575"',
        '+PARAMETER4="IntMS=100"',
    ]
    assert changed.parameters["IntMS"] == 100
    assert changed.constants["RG_HIGH"] == 7.5
    with pytest.raises(InputError, match="no parameter 'IntCS'"):
        small.with_parameter("IntCS", 1)
    with pytest.raises(InputError, match="no constant 'RG_LOW'"):
        small.with_constant("RG_LOW", 1)


def test_a_new_key_stands_beside_its_neighbours(small: Acf) -> None:
    changed = small.with_key("MOD9\\HVHC_V2", "3").with_key("A", "first").with_key("PIXELCOUNT", "31")
    assert changed_lines(small.text(), changed.text()) == [
        "+A=first",
        "+MOD9\\HVHC_V2=3",
        "-PIXELCOUNT=30",
        "+PIXELCOUNT=31",
    ]
    keys = list(changed.keys)
    assert keys[0] == "A"
    assert keys[keys.index("MOD9/HVHC_V1") + 1] == "MOD9/HVHC_V2"
    assert list(Acf.parse(changed.text()).keys) == keys


def test_a_key_is_removed(small: Acf) -> None:
    changed = small.without("mod5\\clamp1")
    assert "MOD5/CLAMP1" not in changed
    assert changed_lines(small.text(), changed.text()) == ["-MOD5\\CLAMP1=0.5"]
    with pytest.raises(InputError, match="no key"):
        changed.without("MOD5/CLAMP1")


def test_where_a_key_stands_in_the_file(small: Acf) -> None:
    lines = small.text().split("\n")
    for key in small.keys:
        line = small.source_line(key)
        assert line is not None
        assert lines[line - 1].replace("\\", "/", 1).startswith(f"{key}=")
    assert small.source_line("pixelcount") == 35
    assert small.source_line("MOD5_TYPE") == 7
    assert small.source_line("NOTHING") is None
    assert small.with_key("NEW", "1").source_line("NEW") is None
    assert small.with_key("A", "1").source_line("PIXELCOUNT") == 35
    assert Acf.from_lines(list(small.lines)).source_line("PIXELCOUNT") is None


def test_other_sections_are_kept_and_never_sent() -> None:
    text = "[MODE_FAST]\nACF: PIXELCOUNT=7\nnot KEY VALUE\n[CONFIG]\nPIXELCOUNT=8\n[MODE_SLOW]\nFITS: A=1 / x\n"
    acf = Acf.parse(text)
    assert acf.lines == ("PIXELCOUNT=8",)
    assert acf.text() == text
    assert acf.with_value("PIXELCOUNT", "9").text() == text.replace("=8", "=9")


def test_writing_replaces_the_file_as_a_whole(small: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat().st_ino
    small.write(path)
    assert path.read_bytes() == SMALL.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before  # who has the old one open still sees the old one
    assert names(tmp_path) == ["ccd.acf"]


def test_a_disk_that_is_full_keeps_the_old_file(small: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(SaveError, match="File too large"):
            small.write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["ccd.acf"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(small: Acf, tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="No such file or directory"):
        small.write(tmp_path / "nowhere" / "ccd.acf")
    folder = tmp_path / "ccd.acf"
    folder.mkdir()
    with pytest.raises(SaveError, match="Is a directory"):
        small.write(folder)
    assert names(tmp_path) == ["ccd.acf"]


def test_writing_keeps_the_owner(small: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_bytes(SMALL.read_bytes())
    path.chmod(0o640)
    owner = (1234, 5678) if os.geteuid() == 0 else (os.geteuid(), os.getegid())  # only root may give files away
    os.chown(path, *owner)
    small.with_value("PIXELCOUNT", "31").write(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*owner, 0o640)
    assert Acf.read(path).keys["PIXELCOUNT"] == "31"


def test_letters_that_no_acf_holds_are_not_written(small: Acf, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'€' is not in Latin-1"):
        small.with_key("MOD1/LABEL1", "5 €").write(tmp_path / "ccd.acf")
    assert names(tmp_path) == []


@given(st.dictionaries(KEYS, st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)))
def test_any_edits_are_read_back(values: dict[str, str]) -> None:
    acf = Acf.read(SMALL)
    for key, value in values.items():
        acf = acf.with_key(key, value)
    assert list(Acf.parse(acf.text()).keys.items()) == list(acf.keys.items())


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
