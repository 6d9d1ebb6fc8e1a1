"""Where the pixels of a tap land, compared with the picture that the manual draws of each frame mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.taps import Tap, TapArea, parse_tap, place
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import FrameMode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AD5L, -1, 1000", Tap("AD", 5, "L", -1.0, 1000.0)),
        ("AD16R,1,0", Tap("AD", 16, "R", 1.0, 0.0)),
        ("AM72L, 2.5, -1e3", Tap("AM", 72, "L", 2.5, -1000.0)),
        ("  AD1L  ", Tap("AD", 1, "L", 1.0, 0.0)),
        ("AD1L, 2", Tap("AD", 1, "L", 2.0, 0.0)),
    ],
)
def test_parse(text: str, expected: Tap) -> None:
    assert parse_tap(text) == expected
    assert expected.name == text.strip().partition(",")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a tap"),
        ("AD5", "is not a tap"),
        ("AD5X, 1, 1000", "is not a tap"),
        ("ad5l, 1, 1000", "is not a tap"),
        ("AD5L; 1; 1000", "is not a tap"),
        ("AD5L, 1, 1000, 3", "is not a tap"),
        ("AD0L", "channels are AD1 to AD16"),
        ("AD17L", "channels are AD1 to AD16"),
        ("AM73R", "channels are AM1 to AM72"),
        ("AD5L, --1, 1000", "gain and offset are numbers"),
        ("AD5L, 1e999, 1000", "gain and offset are finite numbers"),
        ("AD5L, 1, -1e999", "gain and offset are finite numbers"),
    ],
)
def test_what_is_not_a_tap(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_tap(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [("AD1L", 5), ("AD4R", 5), ("AD5L", 6), ("AD16R", 8), ("AM1L", 5), ("AM18L", 5), ("AM19L", 6), ("AM72R", 8)],
)
def test_slot_of_a_tap(text: str, slot: int) -> None:
    assert parse_tap(text).slot == slot


def picture(areas: tuple[TapArea, ...], rows: int, columns: int) -> list[str]:
    """Draw which tap (A, B, …) fills each pixel, with its first pixel as the lower-case letter."""
    drawing = [["."] * columns for _ in range(rows)]
    for area in areas:
        letter = chr(ord("A") + area.index)
        for y in range(area.y, area.y + area.height):
            for x in range(area.x, area.x + area.width):
                assert drawing[y][x] == "."
                drawing[y][x] = letter
        first_row = area.y + (area.height - 1 if area.from_bottom else 0)
        first_column = area.x + (area.width - 1 if area.from_right else 0)
        drawing[first_row][first_column] = letter.lower()
    return ["".join(row) for row in drawing]


FOUR = tuple(parse_tap(text) for text in ("AD1L", "AD2R", "AD3L", "AD4R"))

PICTURES = {
    FrameMode.TOP: [
        "aAABBbcCCDDd",
        "AAABBBCCCDDD",
    ],
    FrameMode.BOTTOM: [
        "AAABBBCCCDDD",
        "aAABBbcCCDDd",
    ],
    FrameMode.SPLIT: [
        "aAABBb",
        "AAABBB",
        "CCCDDD",
        "cCCDDd",
    ],
}


@pytest.mark.parametrize("mode", PICTURES)
def test_frame_modes(mode: FrameMode) -> None:
    expected = PICTURES[mode]
    areas = place(FOUR, mode, pixel_count=3, line_count=2)
    assert picture(areas, len(expected), len(expected[0])) == expected
    assert [area.tap for area in areas] == list(FOUR)


def test_split_mode_needs_an_even_number_of_taps() -> None:
    with pytest.raises(ConfigError, match="even number of taps, not 3"):
        place(FOUR[:3], FrameMode.SPLIT, 3, 2)
    assert len(place(FOUR[:3], FrameMode.TOP, 3, 2)) == 3


def test_no_taps() -> None:
    assert place((), FrameMode.SPLIT, 3, 2) == ()


@given(
    count=st.integers(1, 10),
    mode=st.sampled_from(list(PICTURES)),
    pixels=st.integers(1, 5),
    lines=st.integers(1, 5),
)
def test_every_pixel_belongs_to_one_tap(count: int, mode: FrameMode, pixels: int, lines: int) -> None:
    taps = tuple(Tap("AD", n + 1, "LR"[n % 2]) for n in range(count * (2 if mode is FrameMode.SPLIT else 1)))
    rows, columns = (2 * lines if mode is FrameMode.SPLIT else lines), count * pixels
    assert not any("." in row for row in picture(place(taps, mode, pixels, lines), rows, columns))
