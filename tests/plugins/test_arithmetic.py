"""Arithmetic on images, compared with the same pixel by pixel."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins.arithmetic import (
    FILTER_TYPES,
    Clip,
    Filter,
    Memory,
    Steps,
    Weights,
    auto_scale,
    filter_coefficients,
    processed,
)

Image = np.ndarray[Any, Any]
BACKGROUND = np.array([[10, 20, 0]], np.uint16)
FLAT = np.array([[2, 4, 0]], np.uint16)


def image(*pixels: float, dtype: str = "uint16") -> Image:
    return np.array([pixels], dtype)


def result(steps: Steps, pixels: Image, data_type: str = "Float64", memory: Memory | None = None) -> list[float]:
    return processed(pixels, steps, memory or Memory(), data_type)[0].tolist()


def filter_of(kind: str, length: int = 1, **changes: Any) -> Steps:
    c = filter_coefficients(kind, length)
    made = Filter(Weights(0, 1, *c[:4]), Weights(0, 1, *c[4:8]), Weights(c1=c[8], c3=c[9]), length)
    return Steps(filter=replace(made, **changes))


def test_nothing_is_done_unless_wanted() -> None:
    pixels = image(1, 2, 3)
    assert processed(pixels, Steps(), Memory(), "Automatic") is pixels
    assert result(Steps(), pixels, "Float32") == [1.0, 2.0, 3.0]


def test_each_step() -> None:
    pixels = image(12, 18, 7)
    assert result(Steps(background=BACKGROUND), pixels) == [2, -2, 7]
    assert result(Steps(flat_field=FLAT, flat_field_scale=10.0), pixels) == [60, 45, 10], "where it is 0, the scale"
    assert result(Steps(offset_scale=(-2.0, 3.0)), pixels) == [30, 48, 15]
    assert result(Steps(high=Clip(11.0, -1.0)), pixels) == [-1, -1, 7]
    assert result(Steps(low=Clip(12.0, 99.0)), pixels) == [12, 18, 99]


def test_the_order_of_steps() -> None:
    steps = Steps(BACKGROUND, FLAT, 100.0, (50.0, 2.0), Clip(300.0, 300.0), Clip(150.0, 0.0))
    # (12 - 10) / 2 * 100 = 100, + 50, * 2 = 300; (18 - 20) / 4 * 100 = -50, 0 -> 0; 100 + 50 = 150 -> 300
    assert result(steps, image(12, 18, 7)) == [300, 0, 300]


@pytest.mark.parametrize(("data_type", "expected"), [("Automatic", [2, 0, 7]), ("Int8", [2, -2, 7])])
def test_the_type_that_comes_out(data_type: str, expected: list[int]) -> None:
    made = processed(image(12, 18, 7), Steps(background=BACKGROUND), Memory(), data_type)
    assert made[0].tolist() == expected
    assert made.dtype.name == ("uint16" if data_type == "Automatic" else "int8")


def test_a_large_image_is_done_in_pieces() -> None:
    pixels = np.arange(700 * 900, dtype=np.uint32).reshape(700, 900)
    memory = Memory()
    for count in (1, 2, 3):
        made = processed(pixels, filter_of("Sum", 9), memory, "Automatic")
        assert np.array_equal(made, count * pixels)


@pytest.mark.parametrize(
    ("kind", "length", "expected"),
    [
        # N counts up to the length: the mean of all so far, then each new one weighs 1 / 3.
        ("RecursiveAve", 3, [3.0, 4.5, 6.0, 4.0 + 5.0]),
        ("Average", 3, [1.0, 3.0, 6.0, 11.0]),
        ("Sum", 3, [3.0, 9.0, 18.0, 33.0]),
        ("Difference", 3, [0.0, 3.0, 3.0, 6.0]),
        ("RecursiveAveDiff", 3, [0.0, 3.0, 4.5, 9.0]),
        ("CopyToFilter", 3, [3.0, 6.0, 9.0, 15.0]),
    ],
)
def test_filters(kind: str, length: int, expected: list[float]) -> None:
    memory = Memory()
    made = [result(filter_of(kind, length), image(pixel), memory=memory)[0] for pixel in (3, 6, 9, 15)]
    assert made == pytest.approx(expected)
    assert memory.count == 3


def test_a_filter_may_begin_anew_by_itself() -> None:
    memory = Memory()
    steps = filter_of("Sum", 2, resets_itself=True)
    made = [(result(steps, image(pixel), memory=memory)[0], memory.count) for pixel in (1, 2, 3, 4, 5)]
    assert made == [(1, 1), (3, 2), (3, 1), (7, 2), (5, 1)]


def test_a_filter_begins_anew_when_told_or_for_another_shape() -> None:
    memory = Memory()
    steps = filter_of("Sum", 9)
    assert [result(steps, image(1), memory=memory) for _ in range(2)] == [[1], [2]]
    memory.is_reset = True
    assert [result(steps, image(1), memory=memory) for _ in range(2)] == [[1], [2]]
    assert result(steps, image(1, 1), memory=memory) == [1, 1]
    assert memory.count == 1


def test_all_numbers_of_a_filter() -> None:
    memory = Memory()
    steps = Steps(
        filter=Filter(
            Weights(1.0, 2.0, 0.5, 0.25, 3.0, 1.0),
            Weights(10.0, 0.5, 1.0, 0.0, 0.0, 4.0),
            Weights(7.0, c1=2.0, c3=4.0),
            2,
        )
    )
    first = 7 + 2 * 5 + 4 * 5  # both are the image, there is no memory yet
    assert result(steps, image(5), memory=memory) == [1 + 2 * (0.5 + 0.25) * first + 2 * (3 + 1) * 5]
    second = 10 + 0.5 * first + 0.5 * 4 * 5
    assert result(steps, image(6), memory=memory) == [1 + 2 * (0.5 + 0.125) * second + 2 * (3 + 0.5) * 6]


def test_the_kinds_of_filters_are_areadetectors() -> None:
    assert list(FILTER_TYPES) == [
        "RecursiveAve", "Average", "Sum", "Difference", "RecursiveAveDiff", "CopyToFilter",
    ]  # fmt: skip
    assert filter_coefficients("Average", 4) == (1, 0, 0.25, 0, 1, 0, 0.25, 0, 0, 0)


@pytest.mark.parametrize(
    ("data_type", "top"), [("UInt8", 255.0), ("Int16", 32767.0), ("Automatic", 65535.0), ("Float32", 2.0**32 - 1)]
)
def test_a_scale_that_fills_the_range(data_type: str, top: float) -> None:
    assert auto_scale(image(100, 300, 150), data_type) == (-100.0, top / 200, top)
    assert auto_scale(image(100, 100), data_type) == (-100.0, 1.0, top)
