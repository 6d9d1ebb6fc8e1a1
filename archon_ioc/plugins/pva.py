"""Pva1: gives images to the PVAccess server, NDPluginPva; of many in a short time the last."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from archon_ioc.errors import ArchonError, InputError
from archon_ioc.plugins.codec import CODECS, is_available
from archon_ioc.plugins.ndarray import DATA_TYPES, Dimension, Geometry, NDArray
from archon_ioc.plugins.plugin import Plugin, PluginSettings, PluginState

log = logging.getLogger(__name__)

PostImage = Callable[[NDArray, str], Awaitable[int]]
"""Shows an image, compressed by a codec, and returns the bytes that are sent."""


async def _nowhere(array: NDArray, _: str) -> int:
    return array.pixels.nbytes


@dataclass(frozen=True, slots=True)
class PvaSettings:
    """What clients set: ``codec`` is one of `CODECS`."""

    codec: str = ""

    def changed(self, codec: str) -> Self:
        """Return other settings.

        Raises:
            InputError: if the codec is not installed.
        """
        if codec not in CODECS or not is_available(codec):
            raise InputError(f"the codec {codec!r} is not available here; install archon-ioc[pva,codecs]")
        return replace(self, codec=codec)


@dataclass(frozen=True, slots=True)
class PvaState(PluginState):
    """``sent_codec`` and ``sent_bytes`` are those of the last image as it was sent."""

    pva: PvaSettings = field(default_factory=PvaSettings)
    sent_codec: str = ""
    sent_bytes: int = 0

    @property
    def compression_factor(self) -> float:
        """How many times smaller the last image is sent than it is."""
        whole = self.array.geometry.byte_count
        return whole / self.sent_bytes if self.sent_bytes else 1.0


class PvaPlugin(Plugin[PvaState]):
    """Shows each image; before the first one zeros, so that viewers know the shape."""

    plugin_type = "NDPluginPva"
    keeps_newest = True
    kept = ("settings", "pva")

    def __init__(self, name: str) -> None:
        super().__init__(name, PvaState(PluginSettings(queue_size=2)))
        self.post: PostImage = _nowhere
        """Where images go; whoever serves them sets it."""

    async def run(self) -> None:
        """Show zeros as soon as the shape is known, then images until cancelled."""
        state = await self.live.until(lambda state: state.queued > 0 or state.array.geometry.byte_count > 0)
        if not state.queued:
            await self._show_zeros(state.array.geometry)
        await super().run()

    async def process(self, array: NDArray) -> NDArray | None:
        """Show it."""
        await self._show(array)
        return array

    def set_codec(self, codec: str) -> None:
        """Compress images from now on.

        Raises:
            InputError: if the codec is not installed.
        """
        self.update(pva=self.state.pva.changed(codec))

    async def _show_zeros(self, geometry: Geometry) -> None:
        try:
            await self._show(_zeros(geometry))
        except (ArchonError, OSError) as error:  # there is no image to lose yet
            log.error("%s: %s", self.name, error)
            self.refused(str(error))

    async def _show(self, array: NDArray) -> None:
        codec = self.state.pva.codec
        sent = await self.post(array, codec)
        self.update(sent_codec=codec, sent_bytes=sent)


def _zeros(geometry: Geometry) -> NDArray:
    pixels = np.zeros((geometry.height, geometry.width), DATA_TYPES[geometry.data_type])
    return NDArray(pixels, 0, 0.0, 0.0, (Dimension(geometry.width), Dimension(geometry.height)))
