"""Images for viewers."""

import asyncio
from typing import Any

import numpy as np
import pytest

from archon_ioc.plugins.ndarray import Dimension, Geometry, NDArray
from archon_ioc.plugins.standard_arrays import Preview, StandardArrays, preview
from tests.plugins.arrays import array


class Shown:
    """Keeps what is shown, and the state of the plugin at that moment."""

    def __init__(self, plugin: StandardArrays) -> None:
        self.arrays: list[NDArray] = []
        self.geometries: list[Geometry] = []
        self._plugin = plugin
        plugin.show = self

    async def __call__(self, array: NDArray) -> None:
        self.arrays.append(array)
        self.geometries.append(self._plugin.state.array.geometry)


async def test_sizes_are_known_before_the_pixels(running: Any) -> None:
    plugin = StandardArrays("Image1")
    shown = Shown(plugin)
    async with running(plugin) as chain:
        await chain.send(array(1))
        await chain.send(array(2, (3, 5)))
        await chain.settled()
    assert shown.geometries == [Geometry(6, 4), Geometry(5, 3)]
    assert [one.unique_id for one in shown.arrays] == [1, 2]
    assert (plugin.state.array.counter, plugin.state.array.unique_id) == (2, 2)


async def test_a_slow_viewer_gets_the_newest(running: Any) -> None:
    plugin = StandardArrays("Image1")
    gate, shown = asyncio.Event(), list[int]()

    async def show(array: NDArray) -> None:
        await gate.wait()
        shown.append(array.unique_id)

    plugin.show = show
    async with running(plugin) as chain:
        for number in range(1, 6):
            await chain.send(array(number))
        gate.set()
        await chain.settled()
    assert shown == [1, 5]
    assert plugin.state.dropped == 3


@pytest.mark.parametrize(
    ("dtype", "values", "shown", "fitted"),
    [
        ("uint32", [0, 70000], [0, 70000], [0, 65535]),
        ("float64", [-1.0, 2.6], [0, 3], [0, 3]),
        ("int16", [-5, 7], [0, 7], [0, 7]),
    ],
)
async def test_a_record_has_one_type(
    running: Any, dtype: str, values: list[float], shown: list[int], fitted: list[int]
) -> None:
    plugin = StandardArrays("Image1", 16)
    seen = Shown(plugin)
    wide = NDArray(np.array([values], dtype), 1, 1.0, 2.0, (Dimension(2), Dimension(1)))
    async with running(plugin) as chain:
        chain.prime(wide.geometry)
        assert plugin.state.array.geometry == Geometry(2, 1, "UInt16")
        await chain.send(wide)
        await chain.settled()
    assert seen.arrays[0].pixels.tolist() == [shown], "what is clipped is seen by the server, which tells"
    assert plugin.state.array.geometry == Geometry(2, 1, "UInt16")
    assert plugin.last
    assert (await StandardArrays("X", 16).process(wide)).pixels.tolist() == [fitted]  # type: ignore[union-attr]


async def test_a_wide_record_has_room_for_all() -> None:
    narrow = await StandardArrays("X", 32).process(array())
    assert narrow
    assert narrow.geometry == Geometry(6, 4, "UInt32")


def test_a_small_image_is_its_own_preview() -> None:
    small = array()
    assert preview(small) is small


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "float64"])
@pytest.mark.parametrize(("shape", "step"), [((1025, 1030), 2), ((4000, 500), 2), ((3100, 3000), 3), ((4096, 4096), 4)])
def test_a_preview_has_the_means(shape: tuple[int, int], step: int, dtype: str) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 65536, shape).astype(dtype)
    binned = preview(NDArray(pixels, 1, 1.0, 2.0, (Dimension(shape[1], 8, 5000), Dimension(shape[0], 0, 5000, 2))))
    rows, columns = shape[0] // step, shape[1] // step
    blocks = pixels[: rows * step, : columns * step].astype(np.float64).reshape(rows, step, columns, step)
    means = blocks.mean(axis=(1, 3))
    assert binned.pixels.dtype == pixels.dtype
    assert np.array_equal(binned.pixels, means if dtype == "float64" else np.floor(means))
    assert binned.pixels.size <= 1 << 20
    assert binned.dimensions == (Dimension(columns, 8, 5000, step), Dimension(rows, 0, 5000, 2 * step))


async def test_a_preview_says_before_what_it_will_be() -> None:
    plugin = Preview("Image2")
    shown = Shown(plugin)
    big = NDArray(np.full((3000, 3100), 70000, np.uint32), 1, 1.0, 2.0, (Dimension(3100), Dimension(3000)))
    fitted = await plugin.process(big)
    assert fitted
    assert plugin.output(big.geometry) == fitted.geometry == Geometry(1033, 1000, "UInt16")
    assert shown.arrays[0].pixels.max() == 70000
    assert plugin.output(Geometry()) == Geometry()
