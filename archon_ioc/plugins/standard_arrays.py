"""Standard arrays: images for Channel Access viewers, NDPluginStdArrays; the newest of those that wait is shown."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np

from archon_ioc.plugins.ndarray import Geometry, NDArray, Pixels
from archon_ioc.plugins.plugin import Plugin, PluginSettings, PluginState

Show = Callable[[NDArray], Awaitable[None]]
"""Shows an image of unsigned pixels; of pixels that are too wide for it, what can be shown of them."""

PREVIEW_PIXELS = 1 << 20
"""Most pixels of a preview."""
_SLAB_PIXELS = 1 << 18
"""Pixels that are binned in one go: what is made of them on the way stays in the processor's cache."""


async def _nowhere(_: NDArray) -> None:
    pass


class StandardArrays(Plugin[PluginState]):
    """Shows whole images in a record for unsigned pixels of ``bits``, whose type cannot change."""

    plugin_type = "NDPluginStdArrays"
    keeps_newest = True

    def __init__(self, name: str, bits: int = 16) -> None:
        super().__init__(name, PluginState(PluginSettings(queue_size=2)))
        self.show: Show = _nowhere
        """Where images go; whoever serves them sets it."""
        self._type: np.dtype[np.uint16 | np.uint32] = np.dtype(np.uint16 if bits == 16 else np.uint32)

    def output(self, source: Geometry) -> Geometry:
        """Return the geometry with the type of the record."""
        return replace(source, data_type=f"UInt{8 * self._type.itemsize}")

    async def process(self, array: NDArray) -> NDArray | None:
        """Show it, after its size."""
        shown, fitted = await self.in_thread(self._fitted, array)
        self.update(array=self.state.array.of(fitted, counts=False))  # viewers ask for it when the pixels come
        await self.show(shown)
        return fitted

    def _fitted(self, array: NDArray) -> tuple[NDArray, NDArray]:
        """Return what is to be shown, and that as the record has it."""
        if array.pixels.dtype == self._type:
            return array, array
        fitted = array.with_pixels(_clipped(array.pixels, self._type))
        return (array if array.pixels.dtype.kind == "u" else fitted), fitted


class Preview(StandardArrays):
    """Shows images binned to a megapixel at most, as means of their pixels."""

    def output(self, source: Geometry) -> Geometry:
        """Return the geometry of the preview."""
        step = _step(source.width, source.height)
        return super().output(replace(source, width=source.width // step, height=source.height // step))

    def _fitted(self, array: NDArray) -> tuple[NDArray, NDArray]:
        return super()._fitted(preview(array))


def preview(array: NDArray) -> NDArray:
    """Return an image binned to `PREVIEW_PIXELS` at most; what is left over at its end is cut. Blocks."""
    height, width = array.pixels.shape
    step = _step(width, height)
    if step == 1:
        return array
    binned = _means(array.pixels[: height // step * step, : width // step * step], step)
    dimensions = tuple(
        replace(dimension, size=dimension.size // step, binning=dimension.binning * step)
        for dimension in array.dimensions
    )
    return array.with_pixels(binned, dimensions)


def _step(width: int, height: int) -> int:
    step = 1
    while (width // step) * (height // step) > PREVIEW_PIXELS:
        step += 1
    return min(step, max(width, 1), max(height, 1))


def _means(pixels: Pixels, step: int) -> Pixels:
    """Return the means of squares of pixels, in the type of the pixels."""
    means = np.empty((pixels.shape[0] // step, pixels.shape[1] // step), pixels.dtype)
    lines = max(_SLAB_PIXELS // (pixels.shape[1] * step), 1)
    for first in range(0, len(means), lines):
        means[first : first + lines] = _means_of_slab(pixels[first * step : (first + lines) * step], step)
    return means


def _means_of_slab(pixels: Pixels, step: int) -> Pixels:
    kind = np.float64 if pixels.dtype.kind == "f" else np.int64 if pixels.dtype.itemsize > 2 else np.int32
    rows = pixels[0::step].astype(kind)
    for row in range(1, step):  # whole rows first: that goes along the memory
        rows += pixels[row::step]
    total = rows[:, 0::step].copy()
    for column in range(1, step):
        total += rows[:, column::step]
    return total / step**2 if kind is np.float64 else total // step**2


def _clipped(pixels: Pixels, kind: np.dtype[np.uint16 | np.uint32]) -> Pixels:
    whole = np.rint(pixels) if pixels.dtype.kind == "f" else pixels
    return np.clip(whole, 0, np.iinfo(kind).max).astype(kind)
