"""Exposure: one image with everything that is known of it, made from a fetched frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archon_ioc.config import SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.state import CameraState
from archon_ioc.image import geometry, header
from archon_ioc.image.geometry import PixelArray
from archon_ioc.protocol.replies import BufferInfo, Frame

_FRAME_TYPES = ("Normal", "Background", "FlatField", "DblCorrelation")


@dataclass(frozen=True, slots=True)
class Moments:
    """Begin and end of the integration, UTC."""

    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """One image: ``picture`` as clients see it (rows x columns), ``images`` by CCD as they are filed.

    ``timestamp`` is the begin of the integration in POSIX seconds.
    """

    picture: PixelArray
    images: Mapping[str, PixelArray]
    facts: header.Facts
    settings: ExposureSettings
    timestamp: float


def develop(frames: Sequence[Frame], state: CameraState, moments: Moments, site: SiteConfig) -> Exposure:
    """Make the image of one exposure, or of the sum of several. Blocks; for use in a thread.

    Args:
        frames: what was fetched, in order of time; one unless exposures are summed.
        state: the camera with the settings of this exposure.
        moments: when the light was collected.
        site: the CCDs and the header cards of the site.

    Raises:
        ReadoutError: if a frame does not fit its own geometry.
        ConfigError: if the CCDs of the site file do not fit the configuration.
    """
    info = frames[-1].info
    arrays = [geometry.pixels(frame) for frame in frames]
    picture = arrays[0] if len(arrays) == 1 else _sum(arrays)
    if site.detectors:
        taps = state.controller.acf.taps if state.controller.acf else ()
        images = geometry.split(picture, geometry.areas_of(info, taps), site.detectors)
    else:
        picture = _windowed(picture, state)
        images = {geometry.WHOLE_FRAME: picture}
    reverse = state.settings.reverse_x, state.settings.reverse_y
    return Exposure(
        picture=geometry.flip(picture, *reverse),
        images={name: geometry.flip(image, *reverse) for name, image in images.items()},
        facts=_facts(info, state, moments, site, summed=len(frames)),
        settings=state.settings,
        timestamp=moments.started.timestamp(),
    )


def ccd_temperature(state: ControllerState, sensor: str) -> float | None:
    """Return the reading of ``sensor`` (``MOD2/TEMPA``) in °C, by default the first heater's first sensor."""
    if state.status is None:
        return None
    if sensor:
        text = state.status.fields.get(sensor.replace("\\", "/").upper())
        try:
            return float(text) if text else None
        except ValueError:
            return None
    first = next((module for _, module in sorted(state.status.modules.items()) if module.sensors), None)
    return next(iter(first.sensors.values())) if first else None


def _sum(arrays: Sequence[PixelArray]) -> PixelArray:
    total = geometry.accumulate(None, arrays[0])
    for array in arrays[1:]:
        total = geometry.accumulate(total, array)
    return total


def _windowed(picture: PixelArray, state: CameraState) -> PixelArray:
    columns, rows = state.full_size
    x, y, width, height = state.window
    if (x, y, width, height) == (0, 0, columns, rows):
        return picture
    window = state.controller.window
    hbin, vbin = (window.hbin, window.vbin) if window else (1, 1)
    return geometry.crop(picture, x // hbin, y // vbin, max(width // hbin, 1), max(height // vbin, 1))


def _facts(info: BufferInfo, state: CameraState, moments: Moments, site: SiteConfig, *, summed: int) -> header.Facts:
    settings, controller = state.settings, state.controller
    window, seconds = controller.window, (moments.ended - moments.started).total_seconds()
    acf = controller.acf
    is_whole = bool(site.detectors) or state.window == (0, 0, *state.full_size)
    return header.Facts(
        number=settings.files.number,
        image_type=header.image_type(_FRAME_TYPES[settings.frame_type], settings.seconds),
        requested_seconds=settings.seconds,
        exposure_seconds=seconds * summed,
        dark_seconds=seconds * summed,
        started=moments.started,
        ended=moments.ended,
        written=datetime.now(UTC),
        buffer=info,
        controller=controller.name,
        system=controller.system,
        status=controller.status,
        ccd_temperature=ccd_temperature(controller, site.temperature_sensor),
        acf_name=Path(acf.path).name if acf else "",
        acf_digest=acf.digest if acf else "",
        binning=(window.hbin, window.vbin) if window else (1, 1),
        window=None if is_whole else state.window,
        summed=summed,
        observatory=site.header.observatory,
        instrument=site.header.instrument,
        extra=site.header.cards,
    )
