"""Feed: gives the images of a camera to the chain of plugins, and says what is on its way and in memory."""

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.picture import Exposure
from archon_ioc.exposure.state import CameraState
from archon_ioc.live import Live
from archon_ioc.plugins.attribute_list import attributes_of
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.ndarray import Attribute, Dimension, Geometry, NDArray, Pixels, Pool

_MEMORY_PERIOD = 1.0
"""Seconds between two looks at the memory of images."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is on its way and in memory."""

    pool: Pool = field(default_factory=Pool)


class Feed:
    """The sink of a camera, in front of a chain; until `run` the images wait in the plugins' queues."""

    def __init__(self, camera: Camera, chain: Chain, limit_bytes: float = 0.0) -> None:
        self.chain = chain
        self.live = Live(FeedState(Pool(limit_bytes)))
        self._camera = camera
        camera.sinks.append(self)
        for plugin in chain.plugins:
            plugin.tell, plugin.accepted = camera.refused, camera.accepted
            plugin.live.follow(lambda _: self._count())
        camera.live.follow(self._look)

    async def run(self) -> None:
        """Let the plugins work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.chain.run(), name="plugins")
            while True:
                self._measure()
                await asyncio.sleep(_MEMORY_PERIOD)

    async def take(self, exposure: Exposure) -> None:
        """Give an image to the plugins; waits where one that must not lose any has no room."""
        known = attributes_of(self._camera.attributes.values())
        await self.chain.send(array_of(exposure, {**facts_of(exposure), **known}))

    async def settled(self) -> None:
        """Wait until the plugins have processed every image."""
        await self.chain.settled()

    def empty(self) -> None:
        """Give back the memory of images that are only kept to be processed or written once more."""
        self._camera.filing.drop()
        for plugin in self.chain.plugins:
            plugin.last = None
        self._measure()

    def preallocate(self, count: int) -> None:
        """Keep what a client wishes; memory is taken as it is needed."""
        self._update(preallocated=count)

    def refused(self, message: str) -> None:
        """Tell why something could not be done."""
        self._camera.refused(message)

    def accepted(self) -> None:
        """Something could be done."""
        self._camera.accepted()

    def _look(self, state: CameraState) -> None:
        # At once: no client may see a window that was set, and plugins that expect another one.
        self.chain.prime(next_geometry(state))
        self._count()

    def _count(self) -> None:
        queued = self._camera.state.queued + self.chain.queued
        if queued != self.live.value.pool.queued:
            self._update(queued=queued)

    def _measure(self) -> None:
        used = _owners(array.pixels for plugin in self.chain.plugins for array in plugin.waiting)
        kept = _owners(plugin.last.pixels for plugin in self.chain.plugins if plugin.last)
        kept |= _owners(self._camera.filing.held)
        together = kept | used
        self._update(used_bytes=sum(together.values()), images=len(together), free=len(kept.keys() - used.keys()))

    def _update(self, **changes: float) -> None:
        state = self.live.value
        if (pool := replace(state.pool, **changes)) != state.pool:
            self.live.set(FeedState(pool))


def next_geometry(state: CameraState) -> Geometry:
    """Return what the next image will be like; without a configuration it is like the last one."""
    controller = state.controller
    if controller.acf is None and state.image.unique_id:
        return Geometry(state.image.width, state.image.height, state.image.data_type)
    _, _, width, height = state.window
    hbin, vbin = (controller.window.hbin, controller.window.vbin) if controller.window else (1, 1)
    is_long = controller.acf is not None and controller.acf.sample_mode.bytes_per_pixel == 4
    data_type = "UInt32" if is_long or state.settings.num_exposures > 1 else "UInt16"
    return Geometry(_binned(width, hbin), _binned(height, vbin), data_type)


def facts_of(exposure: Exposure) -> dict[str, Attribute]:
    """Return what is known of each image, by the names of areaDetector's records where there are such."""
    facts = exposure.facts
    found: dict[str, tuple[float | int | str | None, str]] = {
        "ColorMode": (0, "Mono"),
        "AcquireTime": (facts.exposure_seconds, "Seconds of light"),
        "DarkTime": (facts.dark_seconds, "Seconds from clearing to readout"),
        "ImageType": (facts.image_type, "What the image is for"),
        "DateObs": (facts.started.isoformat(), "Begin of the integration, UTC"),
        "FileNumber": (facts.number, "Number of the FITS file, 0 for none"),
        "NumExposures": (facts.summed, "Exposures in this image"),
        "FrameNumber": (facts.buffer.frame, "Number of the frame in the controller"),
        "FrameTimer": (facts.buffer.timestamp, "TIMER of the controller at its first pixel, 10 ns"),
        "Controller": (facts.controller, "Name of the controller"),
        "ConfigFile": (facts.acf_name, "Configuration of the controller"),
        "TemperatureActual": (facts.ccd_temperature, "CCD in degrees Celsius"),
    }
    return {name: Attribute(math.nan if value is None else value, text) for name, (value, text) in found.items()}


def array_of(exposure: Exposure, attributes: Mapping[str, Attribute] | None = None) -> NDArray:
    """Return an image as plugins take it."""
    rows, columns = exposure.picture.shape
    first, full, binning = exposure.window[:2], exposure.full_size, exposure.facts.binning
    reverse = exposure.settings.reverse_x, exposure.settings.reverse_y
    return NDArray(
        pixels=exposure.picture.view(),
        unique_id=exposure.unique_id,
        timestamp=exposure.timestamp,
        published=exposure.published,
        dimensions=tuple(
            Dimension(size, first[axis], full[axis], binning[axis], reverse[axis])
            for axis, size in enumerate((columns, rows))
        ),
        attributes=attributes or {},
    )


def _binned(size: int, binning: int) -> int:
    return max(size // binning, 1) if size else 0


def _owners(images: Iterable[Pixels]) -> dict[int, int]:
    """Return the bytes of the memory behind images, by its identity: parts of an image keep all of it."""
    owners = [image.base if isinstance(image.base, type(image)) else image for image in images]
    return {id(owner): owner.nbytes for owner in owners}
