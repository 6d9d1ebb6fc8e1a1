"""Salvage: which buffer of a controller holds the frame of an exposure that was left behind. Pure functions."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from archon_ioc.errors import ReadoutError, StateError
from archon_ioc.exposure.journal import Entry
from archon_ioc.exposure.moments import Moments
from archon_ioc.protocol.replies import TICK, BufferInfo, FrameStatus

_EARLY = 0.25
"""Seconds: a frame that begins earlier than this before the planned time belongs to an integration that was stopped."""
_SMALL_BUFFER = 512 << 20
"""Bytes (manual, FRAME): three buffers of this size, or with BIGBUF two larger ones."""


class OtherControllerError(StateError):
    """A controller is not the one that has exposed, it only has its name."""


def find(entry: Entry, backplane: str, frames: FrameStatus) -> BufferInfo | None:
    """Return the buffer with an exposure's frame, which may still be being read; None if that is still to come.

    A frame that was seen is the same only with the same number and time. One that nobody saw is the only one that is
    not among the buffers before the exposure, all others of which are as they were: a restart forgets them.

    Args:
        entry: the exposure.
        backplane: the serial number of the controller that answers now.
        frames: what its FRAME says now.

    Raises:
        ReadoutError: if the controller cannot have the frame any more, and why.
        OtherControllerError: if it is another controller.
    """
    require_same(entry, backplane)
    seen = entry.frame.timestamp if entry.frame else entry.before.timer
    if frames.timer < seen:
        raise ReadoutError("the controller was restarted")
    found = _unseen(entry, frames) if entry.frame is None else _seen(entry.frame, frames)
    if entry.held and found:
        raise ReadoutError("another program has read the CCD out")
    return found


def has(entry: Entry, frame: BufferInfo, backplane: str, frames: FrameStatus) -> bool:
    """Return whether a controller still has a frame that was seen.

    Args:
        entry: the exposure.
        frame: the one in question, the entry's own or another one of its sum.
        backplane: the serial number of the controller that answers now.
        frames: what its FRAME says now.

    Raises:
        OtherControllerError: if it is another controller.
    """
    require_same(entry, backplane)
    return frames.timer >= frame.timestamp and frames.buffer(frame.number).is_same_frame(frame)


def require_same(entry: Entry, backplane: str) -> None:
    """Refuse another controller than the one that has exposed; ``backplane`` is the serial number of its own.

    Raises:
        OtherControllerError: if it is another one.
    """
    if backplane != entry.controller.backplane:
        # It may come back, and still have the frame.
        expected = entry.controller.backplane
        raise OtherControllerError(f"another controller answers: backplane {backplane}, not {expected}")


def _seen(frame: BufferInfo, frames: FrameStatus) -> BufferInfo:
    now = frames.buffer(frame.number)
    if not now.is_same_frame(frame):
        raise ReadoutError(f"buffer {frame.number} holds frame {now.frame} now")
    return now


def _unseen(entry: Entry, frames: FrameStatus) -> BufferInfo | None:
    old = {(buffer.frame, buffer.timestamp) for buffer in entry.before.buffers}
    fresh = [buffer for buffer in frames.buffers if (buffer.frame, buffer.timestamp) not in old]
    if not fresh:
        return None
    if any(not buffer.frame for buffer in fresh):
        raise ReadoutError("the controller was restarted")
    if len(fresh) > 1:
        numbers = " and ".join(str(buffer.frame) for buffer in fresh)
        raise ReadoutError(f"frames {numbers} are newer, nobody knows which one it is")
    return fresh[0]


def seconds_left(entry: Entry, frames: FrameStatus) -> float:
    """Return how long until the first pixel is due, by the controller's clock; negative when that is over."""
    seconds = entry.seconds + entry.paused
    if entry.moments and entry.frame is None:  # the light is over, perhaps early
        seconds = min(seconds, (entry.moments.ended - entry.noted).total_seconds())
    return seconds + entry.pause - (frames.timer - entry.before.timer) * TICK


def moments(entry: Entry, frame: BufferInfo) -> Moments:
    """Return when an exposure was, as well as the entry and the controller's clock tell."""
    to_first_pixel = (frame.timestamp - entry.before.timer) * TICK
    if entry.moments:  # of a frame that nobody saw: what was held, and then told to be read out
        return entry.moments if entry.frame else replace(entry.moments, dark_seconds=to_first_pixel)
    if entry.triggered:
        ended = entry.noted + timedelta(seconds=to_first_pixel - entry.pause)
        return Moments(ended - timedelta(seconds=entry.seconds), ended, entry.seconds, entry.seconds + entry.pause)
    length = entry.seconds + entry.paused
    if to_first_pixel < length + entry.pause - _EARLY:
        length = max(to_first_pixel - entry.pause, entry.paused)
    # Between the entry and the begin any time can have passed. A script that reads out by itself tells when that was.
    late = max(to_first_pixel - entry.pause - length, 0.0) if _reads_out_by_itself(entry) else 0.0
    started = entry.noted + timedelta(seconds=late)
    return Moments(started, started + timedelta(seconds=length), length - entry.paused, to_first_pixel)


def _reads_out_by_itself(entry: Entry) -> bool:
    return not (entry.settings.host_moves_shutter or entry.settings.holds_charge)


def in_danger(entries: Iterable[Entry], frames: FrameStatus) -> Entry | None:
    """Return the exposure whose frame the next one would overwrite, None if there is none."""
    now = _next(frames)
    return next((entry for entry in entries if any(now.is_same_frame(frame) for frame in _frames(entry))), None)


def survives(frame: BufferInfo, frames: FrameStatus) -> bool:
    """Return whether the next exposure leaves a frame alone."""
    return frames.buffer(frame.number).is_same_frame(frame) and not _next(frames).is_same_frame(frame)


def _next(frames: FrameStatus) -> BufferInfo:
    """Return the buffer that is written next: one that is locked, perhaps by a fetch before, is left out."""
    count = _buffers_in_use(frames)
    following = ((frames.write_buffer + step) % count + 1 for step in range(count))
    return frames.buffer(next(number for number in following if number != frames.read_buffer))


def _frames(entry: Entry) -> list[BufferInfo]:
    return [frame for frame in (*(earlier for earlier, _ in entry.earlier), entry.frame) if frame]


def _buffers_in_use(frames: FrameStatus) -> int:
    first, second, _ = frames.buffers
    return 2 if abs(second.base - first.base) > _SMALL_BUFFER else 3
