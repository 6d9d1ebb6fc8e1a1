"""Conversion of pixels to other types."""

import numpy as np
import pytest

from archon_ioc.plugins.conversion import AUTOMATIC, OUTPUT_TYPES, converted
from archon_ioc.plugins.ndarray import DATA_TYPES, data_type_of


def test_the_choices_are_areadetectors() -> None:
    assert OUTPUT_TYPES == (
        "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64", "Automatic",
    )  # fmt: skip


@pytest.mark.parametrize("given", DATA_TYPES)
@pytest.mark.parametrize("wanted", DATA_TYPES)
def test_what_fits_stays_and_what_does_not_becomes_the_nearest(given: str, wanted: str) -> None:
    def ends(name: str) -> tuple[int, int]:
        if name.startswith("Float"):
            return -(2**70), 2**70
        return int(np.iinfo(DATA_TYPES[name]).min), int(np.iinfo(DATA_TYPES[name]).max)

    pixels = np.array([[*ends(given), 0, 100]], DATA_TYPES[given])
    result = converted(pixels, wanted)
    assert data_type_of(result) == wanted
    low, high = ends(wanted)
    expected = [min(max(int(pixel), low), high) for pixel in pixels[0]]
    # A float has no room for all digits of a whole number of 64 bits.
    assert [float(pixel) for pixel in result[0]] == pytest.approx([float(number) for number in expected], rel=1e-7)
    assert (int(result[0, 2]), int(result[0, 3])) == (0, 100)


def test_fractions_are_cut_off_and_nonsense_is_nothing() -> None:
    pixels = np.array([1.9, -1.9, np.nan, np.inf, -np.inf])
    assert converted(pixels, "Int16").tolist() == [1, -1, 0, 32767, -32768]
    assert converted(pixels, "UInt8").tolist() == [1, 0, 0, 255, 0]
    assert np.isnan(pixels[2]), "the pixels that were given stay"


def test_the_same_type_costs_nothing() -> None:
    pixels = np.zeros((2, 2), np.uint16)
    assert converted(pixels, "UInt16") is pixels
    assert converted(pixels, AUTOMATIC) is pixels
