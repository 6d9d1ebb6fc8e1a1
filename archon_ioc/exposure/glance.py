"""Glance: the quick look at a frame with what controller and site know of its amplifiers."""

import logging
from dataclasses import replace

from archon_ioc.config import DetectorConfig, SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import ReadoutError
from archon_ioc.exposure.reading import reading
from archon_ioc.image import geometry, quicklook
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

_LARGEST_PIXEL = 0xFFFFFFFF


def glance(
    pixels: PixelArray, info: BufferInfo, controller: ControllerState, site: SiteConfig, summed: int = 1
) -> tuple[Amplifier, ...]:
    """Return what each amplifier's part of a frame looks like; nothing where that cannot be told. Blocks.

    Args:
        pixels: the whole frame, or the sum of several.
        info: the buffer it was fetched from.
        controller: whose configuration has the taps and the window.
        site: gains and saturation levels.
        summed: how many frames were added up.
    """
    taps = controller.acf.taps if controller.acf else ()
    if not taps:
        return ()
    names, detectors = [tap.name for tap in taps], site.detectors_of(controller.name)
    own = {tap: detector for detector in detectors for tap in detector.taps}
    edges = {tap: reading(controller, own.get(tap)).edges for tap in names}
    full = quicklook.FULL_SCALE.get(info.sample_mode, quicklook.FULL_SCALE[SampleMode.BITS16])
    levels = {tap: (own[tap].saturation if tap in own else None) or full for tap in names}
    # A pixel of a sum counts when it was saturated each time.
    saturation = {tap: min(level * summed, _LARGEST_PIXEL) for tap, level in levels.items()}
    gains = {tap: gain for tap, detector in own.items() if (gain := _gain(detector, tap)) is not None}
    try:
        areas = geometry.areas_of(info, taps)
        found = quicklook.look(pixels, areas, edges, saturation, gains)
    except ReadoutError as error:  # an image is worth more than a look at it
        log.warning("%s: no quick look: %s", controller.name, error)
        return ()
    return tuple(replace(amplifier, controller=controller.name) for amplifier in found)


def _gain(detector: DetectorConfig, tap: str) -> float | None:
    gains = detector.gain
    if len(gains) == 1:
        return gains[0]
    return gains[detector.taps.index(tap)] if len(gains) == len(detector.taps) else None
