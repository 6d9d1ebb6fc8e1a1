"""Turning images and parts of them, compared with single pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.config import DetectorConfig
from archon_ioc.image.turn import Section, Turn

TURNS = st.builds(Turn, st.booleans(), st.booleans(), st.integers(0, 3))


def looked_at(array: np.ndarray) -> list[list[int]]:
    """The image as it is seen, with the first row at the bottom."""
    return array[::-1].tolist()


def test_rotations_are_counterclockwise_with_the_first_row_at_the_bottom() -> None:
    image = np.array([[3, 4], [1, 2], [7, 8]])
    assert looked_at(image) == [[7, 8], [1, 2], [3, 4]]
    assert looked_at(Turn(quarters=1).array(image)) == [[8, 2, 4], [7, 1, 3]]
    assert looked_at(Turn(quarters=2).array(image)) == [[4, 3], [2, 1], [8, 7]]
    assert looked_at(Turn(quarters=3).array(image)) == [[3, 1, 7], [4, 2, 8]]


def test_an_image_is_mirrored_before_it_is_rotated() -> None:
    image = np.array([[1, 2], [3, 4]])
    assert looked_at(Turn(flip_x=True).array(image)) == [[4, 3], [2, 1]]
    assert looked_at(Turn(flip_y=True).array(image)) == [[1, 2], [3, 4]]
    assert looked_at(Turn(flip_x=True, quarters=1).array(image)) == looked_at(
        Turn(quarters=1).array(Turn(flip_x=True).array(image))
    )


@given(TURNS, st.integers(1, 7), st.integers(1, 7), st.data())
def test_a_section_holds_the_same_pixels(turn: Turn, width: int, height: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    section = Section(x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    image = np.zeros((height, width), np.uint16)
    image[y : y + section.height, x : x + section.width] = 1

    turned, found = turn.array(image), turn.section(section, width, height)

    assert turned.shape[::-1] == turn.size(width, height)
    part = turned[found.y : found.y + found.height, found.x : found.x + found.width]
    assert (part.size, part.sum(), turned.sum()) == (image.sum(),) * 3


@given(TURNS, st.booleans(), st.booleans())
def test_the_corner_that_is_read_first_stays_the_same_pixel(turn: Turn, from_right: bool, from_last: bool) -> None:
    image = np.arange(6).reshape(2, 3)
    corner = image[-1 if from_last else 0, -1 if from_right else 0]
    right, last = turn.directions(from_right, from_last)
    assert turn.array(image)[-1 if last else 0, -1 if right else 0] == corner


def test_a_turned_image_is_not_copied() -> None:
    image = np.arange(6).reshape(2, 3)
    assert np.shares_memory(Turn(True, True, 1).array(image), image)


def test_the_turn_of_a_ccd() -> None:
    ccd = DetectorConfig(name="a", taps=("AD1L",), flip_y=True, rotate=270)
    assert Turn.of(ccd) == Turn(False, True, 3)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Section(0, 0, 9, 9), Section(2, 3, 4, 5)),
        (Section(4, 0, 9, 4), Section(4, 3, 2, 1)),
        (Section(6, 0, 9, 9), None),
        (Section(0, 8, 9, 9), None),
    ],
)
def test_what_two_sections_have_in_common(other: Section, expected: Section | None) -> None:
    assert Section(2, 3, 4, 5).within(other) == expected
    assert other.within(Section(2, 3, 4, 5)) == expected
