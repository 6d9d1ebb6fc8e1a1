"""Proc1: arithmetic on each image, NDPluginProcess."""

import math
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Self

from archon_ioc.errors import InputError
from archon_ioc.plugins.arithmetic import (
    Clip,
    Filter,
    Memory,
    Steps,
    Weights,
    auto_scale,
    filter_coefficients,
    processed,
)
from archon_ioc.plugins.conversion import AUTOMATIC
from archon_ioc.plugins.ndarray import Geometry, NDArray, Pixels
from archon_ioc.plugins.plugin import Plugin, PluginState


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What clients set; names and meaning are those of NDPluginProcess.

    ``coefficients`` are OC1 to OC4, FC1 to FC4, RC1 and RC2. A filter type or a filter length sets all of them.
    """

    data_type: str = AUTOMATIC
    enable_background: bool = False
    enable_flat_field: bool = False
    flat_field_scale: float = 255.0
    enable_offset_scale: bool = False
    offset: float = 0.0
    scale: float = 1.0
    enable_low_clip: bool = False
    low_limit: float = 0.0
    low_value: float = 0.0
    enable_high_clip: bool = False
    high_limit: float = 65535.0
    high_value: float = 65535.0
    enable_filter: bool = False
    auto_reset_filter: bool = False
    last_only: bool = False
    """Whether an image goes out only when the filter has had all of its length."""
    filter_length: int = 1
    filter_type: str = "RecursiveAve"
    coefficients: tuple[float, ...] = filter_coefficients("RecursiveAve", 1)
    output_offset: float = 0.0
    output_scale: float = 1.0
    filter_offset: float = 0.0
    filter_scale: float = 1.0
    reset_offset: float = 0.0

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        if new.filter_length < 1:
            raise InputError("a filter takes at least one image")
        if "coefficients" not in changes and {"filter_length", "filter_type"} & set(changes):
            new = replace(new, coefficients=filter_coefficients(new.filter_type, new.filter_length))
        numbers = (number for number in (*astuple(new), *new.coefficients) if isinstance(number, float))
        if not all(map(math.isfinite, numbers)):
            raise InputError("a finite number is wanted")
        return new

    @property
    def filter(self) -> Filter:
        """The filter that these describe."""
        oc, fc, rc = self.coefficients[:4], self.coefficients[4:8], self.coefficients[8:]
        return Filter(
            output=Weights(self.output_offset, self.output_scale, *oc),
            memory=Weights(self.filter_offset, self.filter_scale, *fc),
            reset=Weights(self.reset_offset, c1=rc[0], c3=rc[1]),
            length=self.filter_length,
            resets_itself=self.auto_reset_filter,
        )


@dataclass(frozen=True, slots=True)
class ProcessState(PluginState):
    """Background and flat field are valid if they have the shape of the images that come in.

    ``filtered`` is the number of images since the filter was reset.
    """

    process: ProcessSettings = field(default_factory=ProcessSettings)
    has_background: bool = False
    has_flat_field: bool = False
    filtered: int = 0
    resetting: bool = False
    """Whether the filter is reset by the next image."""
    auto_scaling: bool = False
    """Whether offset and scale are taken from the next image."""


class ProcessPlugin(Plugin[ProcessState]):
    """Computes in its own thread."""

    plugin_type = "NDPluginProcess"
    kept = ("settings", "process")

    def __init__(self, name: str) -> None:
        super().__init__(name, ProcessState())
        self._shown: Pixels | None = None
        self._background: Pixels | None = None
        self._flat_field: Pixels | None = None
        self._memory = Memory()

    async def process(self, array: NDArray) -> NDArray | None:
        """Return the processed image; None if the filter wants more of them first."""
        settings = self.state.process
        self._memory.is_reset |= self.state.resetting
        pixels = await self.in_thread(processed, array.pixels, self._steps(), self._memory, settings.data_type)
        self.update(filtered=self._memory.count, resetting=False)
        if settings.enable_filter and settings.last_only and self._memory.count < settings.filter_length:
            return None
        if self.state.auto_scaling:
            await self._scale_from(array.pixels)
        self._shown = pixels
        return array.with_pixels(pixels)

    def output(self, source: Geometry) -> Geometry:
        """Return how processed images will look."""
        wanted = self.state.process.data_type
        return source if wanted == AUTOMATIC else replace(source, data_type=wanted)

    def prime(self, source: Geometry) -> None:
        """Expect images of this geometry."""
        super().prime(source)
        self._validate()

    def configure(self, **changes: object) -> None:
        """Change settings; the plugins behind are told at once what to expect.

        Raises:
            InputError: if a value makes no sense.
        """
        self.update(process=self.state.process.changed(**changes))
        self.prime(self.state.source)

    def save_background(self) -> None:
        """Take the last image that went out as the background.

        Raises:
            InputError: if there was none.
        """
        self._background = self._last_shown()
        self._validate()

    def save_flat_field(self) -> None:
        """Take the last image that went out as the flat field.

        Raises:
            InputError: if there was none.
        """
        self._flat_field = self._last_shown()
        self._validate()

    def reset_filter(self) -> None:
        """Let the next image begin anew."""
        self.update(resetting=True)

    async def scale_automatically(self) -> None:
        """Take offset, scale and clips from the next image, and return when that has come."""
        self.update(auto_scaling=True)
        await self.live.until(lambda state: not state.auto_scaling)

    async def _scale_from(self, pixels: Pixels) -> None:
        offset, scale, top = await self.in_thread(auto_scale, pixels, self.state.process.data_type)
        self.configure(
            offset=offset, scale=scale, enable_offset_scale=True,
            low_limit=0.0, low_value=0.0, enable_low_clip=True,
            high_limit=top, high_value=top, enable_high_clip=True,
        )  # fmt: skip
        self.update(auto_scaling=False)

    def _steps(self) -> Steps:
        state, settings = self.state, self.state.process
        return Steps(
            background=self._background if settings.enable_background and state.has_background else None,
            flat_field=self._flat_field if settings.enable_flat_field and state.has_flat_field else None,
            flat_field_scale=settings.flat_field_scale,
            offset_scale=(settings.offset, settings.scale) if settings.enable_offset_scale else None,
            high=Clip(settings.high_limit, settings.high_value) if settings.enable_high_clip else None,
            low=Clip(settings.low_limit, settings.low_value) if settings.enable_low_clip else None,
            filter=settings.filter if settings.enable_filter else None,
        )

    def _last_shown(self) -> Pixels:
        if self._shown is None:
            raise InputError(f"{self.name} has given out no image yet")
        return self._shown

    def _validate(self) -> None:
        shape = self.state.source.height, self.state.source.width
        backgrounds = self._background, self._flat_field
        has_background, has_flat_field = (one is not None and one.shape == shape for one in backgrounds)
        self.update(has_background=has_background, has_flat_field=has_flat_field)
