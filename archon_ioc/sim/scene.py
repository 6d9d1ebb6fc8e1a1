"""What the pixels show: a test pattern that names its place, or a field of stars."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from archon_ioc.acf.taps import TapArea
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.sim.frames import Shot

Pixels = NDArray[Any]


class Scene(Protocol):
    """Where pixels come from."""

    def render(self, shot: Shot) -> Pixels:
        """Return the image of ``shot``: little-endian, 16 or 32 bits, rows by columns.

        Called in a worker thread, one call at a time.
        """
        ...


class TestPattern:
    """Each pixel says where it comes from.

    16 bits: ``(tap*5003 + line*257 + pixel + frame*17) mod 2**16``; 32 bits: ``(tap*2**24 + line*4096 + pixel)
    mod 2**32``. Taps count in the order of TAPLINE, lines and pixels in the order in which the tap reads them,
    all from 0.
    """

    __test__ = False  # pytest: not a test in spite of its name

    def render(self, shot: Shot) -> Pixels:
        image = empty_image(shot)
        long = shot.geometry.sample_mode is SampleMode.BITS32
        for area in shot.geometry.areas:
            first = area.index * 2**24 if long else area.index * 5003 + shot.frame * 17
            line = np.arange(area.height, dtype=np.uint64) * (4096 if long else 257) + first
            pixel = np.arange(area.width, dtype=np.uint64)
            in_order(image, area)[...] = np.add.outer(line.astype(image.dtype), pixel.astype(image.dtype))
        return image


def empty_image(shot: Shot) -> Pixels:
    """Return an image of the right shape and type, its pixels not set."""
    long = shot.geometry.sample_mode is SampleMode.BITS32
    return np.empty((shot.geometry.height, shot.geometry.width), dtype="<u4" if long else "<u2")


def in_order(image: Pixels, area: TapArea) -> Pixels:
    """Return the tap's part of the image as the tap reads it: first line first, first pixel first."""
    part = image[area.y : area.y + area.height, area.x : area.x + area.width]
    part = part[::-1] if area.from_bottom else part
    return part[:, ::-1] if area.from_right else part
