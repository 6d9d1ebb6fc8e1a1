"""What a controller has collected, and that its pixels are not kept longer than they are needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from archon_ioc.errors import ReadoutError
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.part import Part
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, Frame

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
INFO = BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, 0, 5, 2, 1, 2, 1, 0, 0, 0, 7, 0, 0)


def frame(number: int, *pixels: int) -> Frame:
    return Frame(replace(INFO, frame=number), memoryview(np.array(pixels, np.uint16)).cast("B"))


def moments(minute: int) -> Moments:
    started = BEGIN + timedelta(minutes=minute)
    return Moments(started, started + timedelta(seconds=2), 2.0, 3.0)


async def test_frames_are_added_up() -> None:
    part = Part()
    await part.add(frame(5, 1, 65535), moments(0))
    await part.add(frame(6, 2, 1), moments(1))
    shot = part.shot({"A": (1, "")}, powered=False)
    assert shot.pixels.tolist() == [[3, 65536]]
    assert (shot.summed, shot.info.frame, shot.powered, shot.cards) == (2, 6, False, {"A": (1, "")})
    assert (shot.moments.started, shot.moments.ended) == (moments(0).started, moments(1).ended)
    assert (shot.moments.seconds, shot.moments.dark_seconds) == (4.0, 6.0)


async def test_nothing_makes_no_image() -> None:
    with pytest.raises(ReadoutError, match="nothing was collected"):
        Part().shot({})


async def test_what_is_handed_out_is_not_kept() -> None:
    part = Part()
    await part.add(frame(5, 1, 2), moments(0))
    assert part.hand_out({}, powered=True).pixels.tolist() == [[1, 2]]
    assert (part.is_handed_out, part.count) == (True, 1)
    with pytest.raises(ReadoutError, match="nothing was collected"):
        part.shot({})
