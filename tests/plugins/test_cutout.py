"""What is cut out of an image: compared with adding pixel by pixel."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins.cutout import Axis, Cutout, cut
from archon_ioc.plugins.ndarray import DATA_TYPES, Dimension

LINES, COLUMNS = 13, 21


def image(dtype: str = "uint16") -> np.ndarray[Any, Any]:
    return (np.arange(LINES * COLUMNS).reshape(LINES, COLUMNS) % 97).astype(dtype)


def one_by_one(pixels: np.ndarray[Any, Any], x: Axis, y: Axis) -> list[list[float]]:
    """Sum the pixels of each bin one after the other."""
    rows = [
        [
            sum(
                float(pixels[y.start + row * y.binning + j, x.start + column * x.binning + i])
                for j in range(y.binning)
                for i in range(x.binning)
            )
            for column in range(x.size // x.binning)
        ]
        for row in range(y.size // y.binning)
    ]
    rows = rows[:: -1 if y.reverse else 1]
    return [row[:: -1 if x.reverse else 1] for row in rows]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (Axis(0, COLUMNS), Axis(0, LINES)),
        (Axis(3, 10), Axis(2, 7)),
        (Axis(3, 11, 2, reverse=True), Axis(2, 8, 3)),
        (Axis(0, 20, 1), Axis(0, 13, 2, reverse=True)),
        (Axis(1, 20, 10), Axis(0, LINES, LINES)),
        (Axis(20, 1), Axis(12, 1)),
    ],
)
def test_a_part_binned_and_turned(dtype: str, x: Axis, y: Axis) -> None:
    result = cut(image(dtype), Cutout(x, y, data_type="Float64"))
    assert result.tolist() == one_by_one(image(dtype), x, y)
    assert result.flags.c_contiguous


def test_a_large_image_is_binned_in_pieces() -> None:
    pixels = np.arange(1200 * 2100, dtype=np.uint32).reshape(1200, 2100) % 1000
    result = cut(pixels, Cutout(Axis(0, 2100, 2), Axis(0, 1200, 3), data_type="UInt32"))
    assert np.array_equal(result, pixels.reshape(400, 3, 1050, 2).sum(axis=(1, 3)))


@pytest.mark.parametrize(("binning", "expected"), [(1, 65535), (2, 65535)])
def test_a_sum_that_does_not_fit_is_the_largest_value(binning: int, expected: int) -> None:
    pixels = np.full((4, 4), 65535, np.uint16)
    axis = Axis(0, 4, binning)
    assert cut(pixels, Cutout(axis, axis)).max() == expected
    assert cut(pixels, Cutout(axis, axis, data_type="UInt32")).max() == 65535 * binning**2


def test_the_scale_divides_before_fractions_are_cut_off() -> None:
    ones = np.ones((6, 9), np.uint16)
    assert np.all(cut(ones, Cutout(Axis(0, 9, 3), Axis(0, 6, 3), scale=9.0)) == 1)
    assert cut(image(), Cutout(Axis(0, 5), Axis(0, 1), scale=2.0)).tolist() == [[0, 0, 1, 1, 2]]
    assert cut(image(), Cutout(Axis(0, 3), Axis(0, 1), 2.0, "Float32")).tolist() == [[0.0, 0.5, 1.0]]
    assert cut(image(), Cutout(Axis(0, 3), Axis(0, 1), scale=0.0)).tolist() == [[0, 1, 2]], "0 is no scale"


@pytest.mark.parametrize("data_type", DATA_TYPES)
def test_the_type_is_the_one_that_is_asked_for(data_type: str) -> None:
    for binning in (1, 2):
        result = cut(image(), Cutout(Axis(0, 8, binning), Axis(0, 8, binning), data_type=data_type))
        assert result.dtype == DATA_TYPES[data_type]


def test_a_column_may_become_a_row() -> None:
    one = Cutout(Axis(4, 1), Axis(0, LINES), collapse=True)
    assert cut(image(), one).tolist() == [image()[:, 4].tolist()]
    assert one.dimensions((Dimension(COLUMNS), Dimension(LINES)))[0].size == LINES
    assert cut(image(), replace(one, collapse=False)).shape == (LINES, 1)


def test_nothing_is_copied_for_the_whole_image() -> None:
    pixels = image()
    assert np.shares_memory(cut(pixels, Cutout(Axis(0, COLUMNS), Axis(0, LINES))), pixels)


@pytest.mark.parametrize(
    ("asked", "fitted"),
    [
        (Axis(), Axis(0, 100)),
        (Axis(-5, 0, 0), Axis(0, 1, 1)),
        (Axis(200, 50), Axis(99, 1)),
        (Axis(90, 50, 20), Axis(90, 10, 10)),
        (Axis(10, 5, auto_size=True), Axis(10, 90, auto_size=True)),
        (Axis(10, 5, 2, reverse=True, enabled=False), Axis(0, 100, enabled=False)),
    ],
)
def test_what_is_asked_for_is_limited_to_what_there_is(asked: Axis, fitted: Axis) -> None:
    assert asked.fitted(100) == fitted


def test_the_place_on_the_ccd() -> None:
    given = Dimension(100, offset=1000, full_size=4096, binning=2)
    assert Axis(10, 21, 4).dimension(given) == Dimension(5, 1020, 4096, 8)
    turned = Dimension(100, offset=1000, full_size=4096, binning=2, reverse=True)
    # Its first pixel is at 1198 of the CCD: pixels 10 to 29 of it are at 1178 down to 1140.
    assert Axis(10, 21, 4, reverse=True).dimension(turned) == Dimension(5, 1140, 4096, 8, reverse=False)
    assert Axis(10, 21, 4).dimension(turned) == Dimension(5, 1140, 4096, 8, reverse=True)
