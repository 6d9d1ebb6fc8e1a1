"""INI text as Qt writes it: what it says, and writing it back with nothing changed but what was changed."""

from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.ini import CONFIG, SYSTEM, fresh, parse, quoted, section_name, text_lines, unquoted

LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
KEYS = st.from_regex(r"[A-Z][A-Z0-9_]{0,5}(/[A-Z][A-Z0-9_]{0,5})?", fullmatch=True)
SETTINGS = st.dictionaries(KEYS, LATIN, min_size=1)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])


def changed_lines(old: str, new: str) -> list[str]:
    """Return the lines of a text diff, without its headings."""
    diff = unified_diff(text_lines(old), text_lines(new), n=0)
    return [line for line in diff if line[:3] not in ("---", "+++") and line[:2] != "@@"]


# Values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("1.5", "1.5"),
        ("Main:", "Main:"),
        ("# Clock levels", "# Clock levels"),
        ("RG_HIGH=8", '"RG_HIGH=8"'),
        ("0,3F", '"0,3F"'),
        ("X; X(3)", '"X; X(3)"'),
        (" padded ", '" padded "'),
        ('say "RD"', r"say \"RD\""),
        ("back\\slash", r"back\\slash"),
        ("µV", "µV"),
        ("a\nb", r"a\xa\x62"),
        ("a\x01z", r"a\x1z"),
    ],
)
def test_values_are_written_as_qt_writes_them(value: str, written: str) -> None:
    assert quoted(value) == written
    assert unquoted(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"1"', "1"),
        ('  "a" ', "a"),
        (r"\xb5V", "µV"),
        (r"tab\tend", "tab\tend"),
        ('"Reset drain, "RD""', 'Reset drain, "RD"'),
        (r"A\B", r"A\B"),  # Qt knows no such escape
        (r"\x20ac", r"\x20ac"),  # not in Latin-1
        (r"\xffffffffffffffffffff", r"\xffffffffffffffffffff"),
        ('"', '"'),
        ("\xa0", "\xa0"),
    ],
)
def test_values_that_others_have_written(written: str, value: str) -> None:
    assert unquoted(written) == value


@given(LATIN)
def test_what_is_written_is_read(value: str) -> None:
    written = quoted(value)
    assert unquoted(written) == value
    assert "\n" not in written
    assert "\r" not in written


# Texts

TEXT = """\
; Written by hand
[SYSTEM]
BACKPLANE_TYPE=1

[MODE_FAST]
ACF: PIXELCOUNT=7
this is nobody's business

[CONFIG]
LINE0=Main:
  LINE1 = "X; GOTO Main"
# a comment; between
MOD1\\LABEL1="quoted without need"
PIXELCOUNT=30
"""


def test_what_a_text_says() -> None:
    document = parse(TEXT)
    assert document.problems == ()
    assert dict(document.sections[SYSTEM]) == {"BACKPLANE_TYPE": "1"}
    assert dict(document.config) == {
        "LINE0": "Main:",
        "LINE1": "X; GOTO Main",
        "MOD1/LABEL1": "quoted without need",
        "PIXELCOUNT": "30",
    }
    assert document.lines == {"LINE0": 10, "LINE1": 11, "MOD1/LABEL1": 13, "PIXELCOUNT": 14}


def test_equal_keys_give_the_same_text() -> None:
    document = parse(TEXT)
    assert document.text(document.config) == TEXT
    assert document.text(dict(reversed(document.config.items()))) == TEXT


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"PIXELCOUNT": "31"}, ["-PIXELCOUNT=30\n", "+PIXELCOUNT=31\n"]),
        ({"LINE1": "X"}, ['-  LINE1 = "X; GOTO Main"\n', '+  LINE1 = "X"\n']),
        ({"LINE0": "X; X"}, ["-LINE0=Main:\n", '+LINE0="X; X"\n']),
        ({"MOD1/LABEL1": ""}, ['-MOD1\\LABEL1="quoted without need"\n', '+MOD1\\LABEL1=""\n']),
    ],
)
def test_a_change_changes_its_line_only(changes: dict[str, str], lines: list[str]) -> None:
    document = parse(TEXT)
    new = document.text({**document.config, **changes})
    assert changed_lines(TEXT, new) == lines
    assert parse(new).config == {**document.config, **changes}


def test_a_new_key_comes_where_its_place_in_the_order_is() -> None:
    document = parse(TEXT)
    keys = dict(document.config)
    first = document.text({"A/B": "1", **keys})
    assert changed_lines(TEXT, first) == ["+A\\B=1\n"]
    assert text_lines(first)[9] == "A\\B=1\n"
    later = document.text({"LINE0": keys.pop("LINE0"), "NEW": "a;b", "NEWER": "", **keys})
    assert changed_lines(TEXT, later) == ['+NEW="a;b"\n', "+NEWER=\n"]
    assert text_lines(later)[10] == 'NEW="a;b"\n'


def test_a_key_can_be_removed() -> None:
    document = parse(TEXT)
    new = document.text({key: value for key, value in document.config.items() if key != "LINE1"})
    assert changed_lines(TEXT, new) == ['-  LINE1 = "X; GOTO Main"\n']


def test_a_key_that_stands_there_twice_is_changed_twice() -> None:
    document = parse("[CONFIG]\nA=1\nB=2\nA=1\n")
    assert document.text({"A": "9", "B": "2"}) == "[CONFIG]\nA=9\nB=2\nA=9\n"
    assert document.lines["A"] == 4


def test_the_last_line_may_have_no_end() -> None:
    document = parse("[CONFIG]\nA=1")
    assert document.text(document.config) == "[CONFIG]\nA=1"
    assert document.text({"A": "2"}) == "[CONFIG]\nA=2"
    assert document.text({"A": "1", "B": "2"}) == "[CONFIG]\nA=1\nB=2\n"


def test_a_byte_order_mark_is_kept() -> None:
    text = "\xef\xbb\xbf[CONFIG]\r\nA=1\r\n"
    document = parse(text)
    assert dict(document.config) == {"A": "1"}
    assert document.text({"A": "2", "B": "3"}) == "\xef\xbb\xbf[CONFIG]\r\nA=2\r\nB=3\r\n"


@pytest.mark.parametrize("first", ["; A comment", "", "# A comment"])
def test_a_byte_order_mark_may_stand_before_a_comment(first: str) -> None:
    text = f"\xef\xbb\xbf{first}\n[CONFIG]\nA=1\n"
    document = parse(text)
    assert (document.config, document.problems) == ({"A": "1"}, ())
    assert document.text(document.config) == text


@given(SETTINGS, SETTINGS, LINE_ENDS)
def test_any_change_is_read_back_and_others_stay(old: dict[str, str], new: dict[str, str], end: str) -> None:
    text = fresh(old, {"BACKPLANE_TYPE": "1"}).replace("\n", end)
    document = parse(text)
    assert dict(document.config) == old
    assert document.text(old) == text
    changed = document.text(new)
    again = parse(changed)
    assert again.problems == ()
    assert dict(again.config) == new
    assert dict(again.sections[SYSTEM]) == {"BACKPLANE_TYPE": "1"}
    kept = [key for key in old if new.get(key) == old[key]]
    before, after = text_lines(text), text_lines(changed)
    assert all(before[document.lines[key] - 1] == after[again.lines[key] - 1] for key in kept)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_text_is_kept(text: str) -> None:
    document = parse("[CONFIG]\n" + text)
    if len(document.problems) <= 1000:
        assert document.text(document.config) == "[CONFIG]\n" + text


# A new file


def test_a_new_file_is_sorted_as_the_vendors_program_does() -> None:
    keys = {"MOD10/LABEL1": "", "MOD1/LABEL1": "a=b", "LINES": "1", "LINE0": "X; X"}
    assert fresh(keys, {"POWER_ID": "1", "BACKPLANE_REV": "5"}) == (
        '[CONFIG]\nLINE0="X; X"\nLINES=1\nMOD1\\LABEL1="a=b"\nMOD10\\LABEL1=\n\n[SYSTEM]\nBACKPLANE_REV=5\nPOWER_ID=1\n'
    )
    assert fresh({"A": "1"}, {}) == "[CONFIG]\nA=1\n"
    assert CONFIG in parse(fresh({}, {})).sections


@pytest.mark.parametrize(
    ("line", "name"), [("[Config]\r\n", "CONFIG"), ("  [A b] ", "A B"), ("[]", ""), ("[X", ""), ("X]", ""), ("", "")]
)
def test_section_names(line: str, name: str) -> None:
    assert section_name(line) == name


@given(st.text(st.characters(max_codepoint=255)))
def test_lines_are_the_whole_text(text: str) -> None:
    lines = text_lines(text)
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
