"""Exposure: one image with everything that is known of it, made from a fetched frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from archon_ioc.config import SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure import kinds, region
from archon_ioc.exposure.cards import extra_cards
from archon_ioc.exposure.glance import glance
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.reading import image_regions
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.state import CameraState
from archon_ioc.image import geometry, header
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.turn import Turn
from archon_ioc.protocol.replies import BufferInfo, Frame

_NOT_CONNECTED = -273.0  # an open sensor reads absolute zero


@dataclass(frozen=True, slots=True)
class Shot:
    """What was fetched: the pixels of one frame, or the sum of ``summed`` frames of which ``info`` is the last.

    ``powered`` tells whether the CCD had its voltages to the end of the readout, ``cards`` are what clients want in
    the header, beside what is always there.
    """

    pixels: PixelArray
    info: BufferInfo
    moments: Moments
    summed: int = 1
    powered: bool = True
    cards: Mapping[str, tuple[header.Value, str]] = field(default_factory=dict[str, tuple[header.Value, str]])


@dataclass(frozen=True, slots=True)
class Exposure:
    """One image: ``picture`` as clients see it (rows x columns), ``images`` by CCD as they are filed.

    ``timestamp`` is the begin of the integration in POSIX seconds. ``window`` is the part of the ``full_size`` that
    the picture shows, both in unbinned pixels. When it is given to clients it has a ``unique_id``, and ``published`` is
    that moment.
    """

    picture: PixelArray
    images: Mapping[str, PixelArray]
    facts: header.Facts
    settings: ExposureSettings
    timestamp: float
    window: region.Rectangle
    full_size: tuple[int, int]
    unique_id: int = 0
    published: float = 0.0


def add(total: PixelArray | None, frame: Frame) -> PixelArray:
    """Return ``total`` with the pixels of a frame added; from None those of the frame. Blocks; for use in a thread.

    Raises:
        ReadoutError: if the frame does not fit its own geometry or the total.
    """
    pixels = geometry.pixels(frame)
    if total is None:
        return pixels
    started = cast("npt.NDArray[np.uint32]", total) if total.flags.writeable else geometry.accumulate(None, total)
    return geometry.accumulate(started, pixels)


def develop(shot: Shot, state: CameraState, site: SiteConfig) -> Exposure:
    """Make the image of one exposure. Blocks; for use in a thread.

    Args:
        shot: what was fetched.
        state: the camera with the settings of this exposure, and the controller of this frame as its only one.
        site: the CCDs and the header cards of the site.

    Raises:
        ReadoutError: if the frame cannot be divided among the taps.
        ConfigError: if the CCDs of the site file do not fit the configuration.
    """
    picture, part = shot.pixels, None
    controller = state.controller
    if detectors := site.detectors_of(controller.name):
        taps = controller.acf.taps if controller.acf else ()
        images = geometry.split(picture, geometry.areas_of(shot.info, taps), detectors)
    else:
        part = None if _is_whole(site) else _part(shot, state)
        picture = picture if part is None else geometry.crop(picture, *part)
        images = dict.fromkeys(site.images_of(controller.name), picture)
    is_looked_at = state.settings.quick_look
    amplifiers = glance(shot.pixels, shot.info, state.controller, site, shot.summed) if is_looked_at else ()
    reverse = Turn(state.settings.reverse_x, state.settings.reverse_y)
    return Exposure(
        picture=reverse.array(picture),
        images={name: reverse.array(image) for name, image in images.items()},
        facts=replace(
            _facts(shot, state, site),
            amplifiers=amplifiers,
            regions=image_regions(shot.info, controller, site, part, reverse),
        ),
        settings=state.settings,
        timestamp=shot.moments.started.timestamp(),
        window=region.kept(controller, state.settings, whole=_is_whole(site)),
        full_size=state.full_size,
    )


def ccd_temperature(state: ControllerState, sensor: str) -> float | None:
    """Return the reading of ``sensor`` (``MOD2/TEMPA``) in °C, by default the first heater sensor that is connected."""
    if state.status is None:
        return None
    if sensor:
        return _celsius(state.status.fields.get(sensor.replace("\\", "/").upper()))
    modules = [module for _, module in sorted(state.status.modules.items())]
    readings = (_celsius(celsius) for module in modules for celsius in module.sensors.values())
    return next((celsius for celsius in readings if celsius is not None), None)


def _celsius(reading: str | float | None) -> float | None:
    try:
        celsius = float(reading or "")
    except ValueError:
        return None
    return celsius if celsius > _NOT_CONNECTED else None


def _is_whole(site: SiteConfig) -> bool:
    """Whether frames are kept whole: a window is possible only where a frame is the only image."""
    return bool(site.detectors) or len(site.units) > 1


def _part(shot: Shot, state: CameraState) -> region.Rectangle | None:
    """What is cut out of a frame; nothing if it has another shape than the configuration promised."""
    is_expected = state.controller.acf is not None and shot.pixels.shape == state.controller.acf.frame_shape
    return region.crop(state.controller, state.settings) if is_expected else None


def _facts(shot: Shot, state: CameraState, site: SiteConfig) -> header.Facts:
    settings, controller = state.settings, state.controller
    window, acf, moments = controller.window, controller.acf, shot.moments
    shown = region.kept(controller, settings, whole=_is_whole(site))
    extra, extra_of = extra_cards(shot.cards, controller, site)
    return header.Facts(
        number=settings.files.number,
        image_type=kinds.word(settings),
        requested_seconds=settings.seconds * shot.summed,
        exposure_seconds=moments.seconds,
        dark_seconds=round(moments.dark_seconds, 6),
        started=moments.started,
        ended=moments.ended,
        written=datetime.now(UTC),
        buffer=shot.info,
        controller=controller.name,
        system=controller.system,
        status=controller.status,
        ccd_temperature=ccd_temperature(controller, site.temperature_sensor),
        acf_name=Path(acf.path).name if acf else "",
        acf_digest=acf.digest if acf else "",
        binning=(window.hbin, window.vbin) if window else (1, 1),
        window=None if shown == (0, 0, *state.full_size) else shown,
        summed=shot.summed,
        observatory=site.header.observatory,
        instrument=site.header.instrument,
        extra=extra,
        extra_of=extra_of,
    )
