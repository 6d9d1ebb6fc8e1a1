"""Statistics of images, compared with sums over the pixels one by one."""

import math
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins import statistics
from archon_ioc.plugins.statistics import Centroid, Levels, centroid, histogram, levels, project

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def star(dtype: str = "uint16", shape: tuple[int, int] = (40, 60)) -> np.ndarray[Any, Any]:
    """A tilted, skewed spot on a bias of 20; the same in all types."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    u, v = (x - 25.0) + 0.6 * (y - 17.0), (y - 17.0) - 0.3 * (x - 25.0)
    spot = 90 * np.exp(-(u**2) / 60 - v**2 / 20) * (1 + 0.1 * np.tanh((x - 25.0) / 5))
    return (20 + spot + (x * 7 + y * 3) % 5).astype(int).astype(dtype)


def by_hand(pixels: np.ndarray[Any, Any], threshold: float) -> Centroid:
    """The formulas of NDPluginStats with raw moments, in whole numbers where possible."""
    moments: dict[tuple[int, int], int] = {}
    places = [(x, y, int(value)) for (y, x), value in np.ndenumerate(pixels) if value >= threshold]
    for i, j in ((0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1), (3, 0), (0, 3), (4, 0), (0, 4)):
        moments[i, j] = sum(value * x**i * y**j for x, y, value in places)
    total = moments[0, 0]

    def central(mean: int, *raw: int) -> tuple[float, float, float]:
        """Second to fourth moment around the mean, times the total."""
        second, third, fourth = raw
        return (
            second - mean**2 / total,
            third - 3 * mean * second / total + 2 * mean**3 / total**2,
            fourth - 4 * third * mean / total + 6 * second * mean**2 / total**2 - 3 * mean**4 / total**3,
        )

    x2, x3, x4 = central(*(moments[i, 0] for i in (1, 2, 3, 4)))
    y2, y3, y4 = central(*(moments[0, j] for j in (1, 2, 3, 4)))
    xy = moments[1, 1] - moments[1, 0] * moments[0, 1] / total
    return Centroid(
        total=total,
        x=moments[1, 0] / total,
        y=moments[0, 1] / total,
        sigma_x=math.sqrt(x2 / total),
        sigma_y=math.sqrt(y2 / total),
        sigma_xy=xy / math.sqrt(x2 * y2),
        skew_x=x3 / (total * (x2 / total) ** 1.5),
        skew_y=y3 / (total * (y2 / total) ** 1.5),
        kurtosis_x=x4 / (total * (x2 / total) ** 2) - 3,
        kurtosis_y=y4 / (total * (y2 / total) ** 2) - 3,
        eccentricity=((x2 - y2) ** 2 + 4 * xy**2) / (x2 + y2) ** 2,
        orientation=math.degrees(0.5 * math.atan2(2 * xy, x2 - y2)),
    )


@pytest.mark.parametrize("dtype", TYPES)
def test_levels(dtype: str) -> None:
    pixels = star(dtype)
    values = [int(value) for value in pixels.ravel()]
    total, mean = sum(values), sum(values) / len(values)
    result = levels(pixels)
    assert (result.minimum, result.maximum, result.total, result.net) == (min(values), max(values), total, total)
    assert (result.min_y * 60 + result.min_x, result.max_y * 60 + result.max_x) == (
        values.index(min(values)),
        values.index(max(values)),
    ), "the first of several"
    assert result.mean == pytest.approx(mean, rel=1e-14)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    assert result.sigma == pytest.approx(deviation, rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3000, 1100)])
def test_images_of_any_shape(shape: tuple[int, int]) -> None:
    pixels = (np.arange(shape[0] * shape[1]).reshape(shape) % 60_000).astype(np.uint16)
    result = levels(pixels, 1)
    assert result.mean == pytest.approx(pixels.mean(dtype=float))
    assert result.sigma == pytest.approx(pixels.std(dtype=float))
    assert project(pixels, 0).x.tolist() == pixels.sum(axis=0).tolist()
    assert project(pixels, 0).bright_y.tolist() == pixels.sum(axis=1).tolist()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint16", 65535), ("int16", -32768), ("uint8", 255), ("uint32", 2**32 - 1), ("uint64", 2**50)],
)
def test_no_sum_overflows(dtype: str, value: int) -> None:
    pixels = np.full((600, 1000), value, dtype)
    pixels[0, 0] -= pixels.dtype.type(1) if value > 0 else pixels.dtype.type(0)
    result = levels(pixels)
    assert result.total == pytest.approx(value * 600_000 - (value > 0), rel=1e-15)
    expected = math.sqrt(1 / 600_000 - 1 / 600_000**2) if value > 0 else 0.0
    assert result.sigma == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_small_scatter_on_a_high_level_is_not_lost() -> None:
    pixels = np.full((1000, 1000), 3_000_000_000, np.uint32)
    pixels[::2] += 2
    assert levels(pixels).sigma == pytest.approx(1.0, rel=1e-9)
    assert levels(pixels.astype(np.float64)).sigma == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("width", [1, 2, 100])
def test_the_net_is_without_the_mean_of_the_edges(width: int) -> None:
    pixels = star()
    edges = [
        int(pixels[y, x])
        for inside in (
            lambda x, y: x < width,
            lambda x, y: x >= 60 - width,
            lambda x, y: y < width,
            lambda x, y: y >= 40 - width,
        )
        for y in range(40)
        for x in range(60)
        if inside(x, y)
    ]  # corners count twice
    result = levels(pixels, width)
    assert result.net == pytest.approx(result.total - sum(edges) / len(edges) * 2400)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize("threshold", [0, 30, 75.5])
def test_centroid(dtype: str, threshold: float) -> None:
    result, expected = centroid(project(star(dtype), threshold)), by_hand(star(dtype), threshold)
    for name in Centroid.__dataclass_fields__:
        assert getattr(result, name) == pytest.approx(getattr(expected, name), rel=1e-8), name


def test_a_tilted_line_is_as_eccentric_as_can_be() -> None:
    result = centroid(project(np.eye(50, dtype=np.uint16) * 1000, 1))
    assert (result.x, result.y) == (24.5, 24.5)
    assert result.sigma_xy == pytest.approx(1.0)
    assert result.eccentricity == pytest.approx(1.0)
    assert result.orientation == pytest.approx(45.0)


def test_a_narrow_spot_far_from_the_origin_keeps_its_shape() -> None:
    y, x = np.mgrid[:3000, :3000].astype(float)
    spot = 1e6 * np.exp(-((x - 2900) ** 2) / 18 - (y - 2800) ** 2 / 32)
    result = centroid(project(spot, 0.0))
    assert (result.x, result.y, result.sigma_x, result.sigma_y) == pytest.approx((2900, 2800, 3, 4), rel=1e-9)
    assert (result.skew_x, result.kurtosis_x, result.kurtosis_y) == pytest.approx((0, 0, 0), abs=1e-6)
    assert result.eccentricity == pytest.approx(((16 - 9) / 25) ** 2)


@pytest.mark.parametrize("pixels", [np.zeros((4, 5), np.uint16), np.full((4, 5), 7, np.uint16)])
def test_nothing_bright_has_no_centroid(pixels: np.ndarray[Any, Any]) -> None:
    assert centroid(project(pixels, 8)) == Centroid()


def test_one_bright_pixel_has_a_place_and_no_shape() -> None:
    pixels = np.zeros((8, 9), np.uint16)
    pixels[3, 5] = 50
    assert centroid(project(pixels, 1)) == Centroid(total=50.0, x=5.0, y=3.0)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("size", "low", "high"), [(256, 0.0, 255.0), (10, 25.0, 75.0), (1, 0.0, 100.0), (7, 50, 50)])
def test_histogram(dtype: str, size: int, low: float, high: float) -> None:
    counts, below, above = [0] * size, 0, 0
    pixels = star(dtype)
    scale = (size - 1) / (high - low) if high > low else 0.0
    for value in pixels.ravel().tolist():
        step = int((value - low) * scale + 0.5)
        if value < low:
            below += 1
        elif step >= size or value > high:
            above += 1
        else:
            counts[step] += 1
    result = histogram(pixels, size, low, high)
    assert (result.counts.tolist(), result.below, result.above) == (counts, below, above)
    entropy = -sum(count * math.log(count) for count in counts if count) / pixels.size
    assert result.entropy == pytest.approx(entropy)
    assert sum(counts) + below + above == pixels.size


def test_the_axis_of_a_histogram() -> None:
    axis = statistics.histogram_axis(5, 10.0, 30.0)
    assert axis.tolist() == [10.0, 15.0, 20.0, 25.0, 30.0]
    made = [histogram(np.full((1, 2), value), 5, 10.0, 30.0).counts for value in axis]
    assert np.array_equal(made, 2 * np.eye(5)), "each value is in its own step"


def test_the_order_of_a_time_series() -> None:
    level = Levels(*(float(n) for n in range(10)))
    middle = Centroid(*(float(n) for n in range(10, 22)))
    assert statistics.numbers(level, middle) == tuple(range(22))
