"""ROI1, ROI2: give a part of each image to the plugins behind them, NDPluginROI."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

from archon_ioc.errors import InputError
from archon_ioc.plugins.conversion import AUTOMATIC
from archon_ioc.plugins.cutout import EVERYTHING, Axis, Cutout, cut
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.plugin import Plugin, PluginState


@dataclass(frozen=True, slots=True)
class RoiSettings:
    """What clients asked for, names and meaning as in NDPluginROI; by axis, x first. Images have no third axis."""

    label: str = ""
    starts: tuple[int, int, int] = (0, 0, 0)
    sizes: tuple[int, int, int] = (EVERYTHING, EVERYTHING, EVERYTHING)
    binnings: tuple[int, int, int] = (1, 1, 1)
    reverses: tuple[bool, bool, bool] = (False, False, False)
    auto_sizes: tuple[bool, bool, bool] = (False, False, False)
    enables: tuple[bool, bool, bool] = (True, True, True)
    enable_scale: bool = False
    scale: float = 1.0
    data_type: str = AUTOMATIC
    collapse: bool = False

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if the scale is not a finite number.
        """
        new = replace(self, **changes)
        if not math.isfinite(new.scale):
            raise InputError("the scale must be a finite number")
        return new

    def axis(self, index: int) -> Axis:
        """Return what is asked for of one axis."""
        return Axis(
            self.starts[index],
            self.sizes[index],
            self.binnings[index],
            self.reverses[index],
            self.auto_sizes[index],
            self.enables[index],
        )

    def cutout(self, source: Geometry) -> Cutout:
        """Return what of it images of this geometry can give."""
        return Cutout(
            self.axis(0).fitted(source.width),
            self.axis(1).fitted(source.height),
            self.scale if self.enable_scale else 1.0,
            self.data_type,
            self.collapse,
        )


@dataclass(frozen=True, slots=True)
class RoiState(PluginState):
    """``roi`` is what clients asked for; `shown` what of it can be had now."""

    roi: RoiSettings = field(default_factory=RoiSettings)

    def shown(self, index: int) -> Axis:
        """Return an axis as images that come in now allow it; as asked for while none is known, or it is disabled."""
        axis, length = self.roi.axis(index), self.max_size(index)
        return axis.fitted(length) if axis.enabled and length else axis

    def max_size(self, index: int) -> int:
        """Return the pixels of an axis of images that come in, 0 if there is no such axis."""
        return (self.source.width, self.source.height, 0)[index]


class RoiPlugin(Plugin[RoiState]):
    """Cuts in its own thread."""

    plugin_type = "NDPluginROI"
    kept = ("settings", "roi")

    def __init__(self, name: str) -> None:
        super().__init__(name, RoiState())

    async def process(self, array: NDArray) -> NDArray | None:
        """Return the part that is asked for."""
        cutout = self.state.roi.cutout(array.geometry)
        pixels = await self.in_thread(cut, array.pixels, cutout)
        return array.with_pixels(pixels, cutout.dimensions(array.dimensions))

    def output(self, source: Geometry) -> Geometry:
        """Return how the part will look."""
        if not source.width or not source.height:
            return source
        cutout = self.state.roi.cutout(source)
        size = cutout.x.output_size, cutout.y.output_size
        width, height = reversed(size) if cutout.is_column else size
        return Geometry(width, height, source.data_type if cutout.data_type == AUTOMATIC else cutout.data_type)

    def configure(self, **changes: object) -> None:
        """Change settings of the ROI; the plugins behind are told at once what to expect.

        Raises:
            InputError: if a value makes no sense.
        """
        self.update(roi=self.state.roi.changed(**changes))
        self.prime(self.state.source)

    def set_axis(self, field_name: str, index: int, value: object) -> None:
        """Change one setting of one axis, for instance ``starts`` of 0, the x axis."""
        values = list(getattr(self.state.roi, field_name))
        values[index] = value
        self.configure(**{field_name: tuple(values)})
