"""The frame buffers: rotation, locks, progress, numbers, and the bytes that a fetch finds in them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from archon_ioc.acf.raster import NO_EDGES, Edges
from archon_ioc.errors import InputError
from archon_ioc.protocol.enums import FrameMode
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.shot import BIG_BUFFERS, BUFFERS, RAW_BLOCK_BYTES, REV_H_BIG_BUFFERS, Shot

Bytes = NDArray[np.uint8]

_TIMES = (
    "TIMESTAMP",
    "RETIMESTAMP",
    "FETIMESTAMP",
    "REATIMESTAMP",
    "FEATIMESTAMP",
    "REBTIMESTAMP",
    "FEBTIMESTAMP",
)


@dataclass(slots=True)
class Buffer:
    """One frame buffer. ``image`` and ``raw`` are None until somebody has rendered ``shot``."""

    number: int
    shot: Shot | None = None
    started: int = 0
    """The tick of the first sample."""
    edges: Edges = NO_EDGES
    complete: bool = False
    lines: int = 0
    pixels: int = 0
    image: Bytes | None = None
    raw: Bytes | None = None
    pulses: tuple[int, ...] = ()
    """The PIXEL edges of a line of the raw capture, in ticks after the first one; nothing until it is captured."""
    before: Bytes | None = field(default=None, repr=False)
    """What the memory held before this frame; the lines that are not read out yet still hold it."""

    @property
    def is_rendered(self) -> bool:
        """Whether everything that can be rendered so far has been."""
        raw = self.shot is not None and self.shot.geometry.raw is not None and self.pulses
        return self.image is not None and (self.raw is not None or not raw)

    def read(self, offset: int, count: int) -> Bytes:
        """Return ``count`` bytes from ``offset``; a view where that is possible."""
        image = self.image
        if self.complete and image is not None and offset + count <= len(image):
            return image[offset : offset + count]
        found = _junk(offset, count)
        if self.before is not None and not self.complete:
            _overlay(found, offset, self.before, 0, len(self.before))
        if image is not None:
            for first, end in self._filled():
                _overlay(found, offset, image, first, end)
        if self.raw is not None and self.shot is not None:
            start = self.shot.geometry.raw_offset
            _overlay(found, offset - start, self.raw, 0, self._captured())
        return found

    def _filled(self) -> Iterator[tuple[int, int]]:
        """Yield the byte ranges that this frame has filled so far."""
        if self.shot is None:
            return
        geometry = self.shot.geometry
        row = geometry.width * geometry.sample_mode.bytes_per_pixel
        if geometry.frame_mode is not FrameMode.BOTTOM:
            yield 0, self.lines * row
        if geometry.frame_mode is not FrameMode.TOP:
            yield (geometry.height - self.lines) * row, geometry.height * row

    def _captured(self) -> int:
        """Return how many bytes of the raw capture are there."""
        raw = self.shot.geometry.raw if self.shot else None
        if raw is None:
            return 0
        return min(max(self.lines - raw.first_line, 0), raw.lines) * raw.blocks * RAW_BLOCK_BYTES


class FrameBuffers:
    """The three frame buffers, or two with BIGBUF. Ticks are of 10 ns since power-up."""

    def __init__(self, faults: Faults, last_frame: int = 0, *, is_rev_h: bool = False) -> None:
        self._faults = faults
        self._big = REV_H_BIG_BUFFERS if is_rev_h else BIG_BUFFERS
        self._division = BUFFERS
        self._filling: Buffer | None = None
        self._missing_line = False
        self.buffers = [Buffer(n) for n in (1, 2, 3)]
        self.frame = last_frame
        """Number of the last frame that started."""
        self.locked = 0
        self.write_buffer = 0
        self.completed: deque[Buffer] = deque(maxlen=len(self.buffers))
        """Frames that have still to be pushed, as many as the buffers hold; see `set_autofetch`."""
        self._autofetch = False

    def use_big(self, big: bool) -> None:
        """Divide the memory into two buffers instead of three, or back; that forgets the frames."""
        division = self._big if big else BUFFERS
        if division is not self._division:
            self._division = division
            self._filling = None
            self.buffers = [Buffer(n) for n in (1, 2, 3)]
            self.write_buffer = 0

    def set_autofetch(self, on: bool) -> None:
        """Collect the frames that complete from now on, so that they can be pushed, or forget them (FASTAUTOFETCH)."""
        self._autofetch = on
        self.completed.clear()

    def begin(self, tick: int, shot: Shot, edges: Edges = NO_EDGES) -> None:
        """Start a frame in the next buffer that is not locked; ``shot`` gets its number here."""
        self.frame += 1
        number = self._next_buffer()
        before = self.buffers[number - 1]
        left = before.image if before.image is not None else before.before
        self._filling = Buffer(number, replace(shot, frame=self.frame), tick, edges, before=left)
        self._missing_line = self._faults.frame_never_completes
        self.buffers[number - 1] = self._filling
        self.write_buffer = number

    def progress(self, lines: int, pixels: int) -> None:
        """Take notice of how many whole lines the frame has, and how many pixels its last line."""
        buffer = self._filling
        if buffer is None or buffer.shot is None:
            return
        buffer.lines = min(lines, buffer.shot.geometry.line_count - self._missing_line)
        buffer.pixels = pixels

    def capture(self, pulses: tuple[int, ...]) -> None:
        """Take notice of the PIXEL edges of the first line of the raw capture."""
        if self._filling is not None:
            self._filling.pulses = pulses

    def complete(self) -> None:
        """End the frame: it is whole."""
        buffer = self._filling
        if buffer is None or buffer.shot is None:
            return
        geometry = buffer.shot.geometry
        self.progress(geometry.line_count, geometry.pixel_count)
        self._filling = None
        if not self._missing_line:
            buffer.complete = True
            buffer.before = None
            if self._autofetch:
                self.completed.append(buffer)

    def stop(self) -> None:
        """End the readout where it is: the frame stays incomplete for ever."""
        self._filling = None

    def lock(self, number: int) -> None:
        """Keep buffer ``number`` from being taken by a new frame; 0 unlocks."""
        self.locked = number

    def find(self, address: int, count: int) -> tuple[Buffer, int]:
        """Return the buffer that holds these bytes of memory, and their offset in it.

        Raises:
            InputError: if they are not inside one buffer.
        """
        bases, size, used = self._division
        for buffer, base in list(zip(self.buffers, bases, strict=True))[:used]:
            if base <= address and address + count <= base + size:
                return buffer, address - base
        raise InputError(f"{count} bytes at {address:#x} are not inside a frame buffer")

    def report(self, at: float) -> str:
        """Return the text of a FRAME reply."""
        words = [f"TIMER={ticks(at):016X}", f"RBUF={self.locked}", f"WBUF={self.write_buffer}"]
        rows = [self._fields(buffer) for buffer in self.buffers]
        for keys in _GROUPS:
            words += [f"BUF{n}{key}={row[key]}" for n, row in enumerate(rows, 1) for key in keys]
        return " ".join(words)

    def _fields(self, buffer: Buffer) -> dict[str, int | str]:
        geometry = buffer.shot.geometry if buffer.shot else None
        raw = geometry.raw if geometry else None
        return {
            "SAMPLE": int(geometry.sample_mode) if geometry else 0,
            "COMPLETE": int(buffer.complete),
            "MODE": int(geometry.frame_mode) if geometry else 0,
            "BASE": self._division.bases[buffer.number - 1],  # manual: decimal, unlike the times
            "FRAME": buffer.shot.frame if buffer.shot else 0,
            "WIDTH": geometry.width if geometry else 0,
            "HEIGHT": geometry.height if geometry else 0,
            "PIXELS": buffer.pixels,
            "LINES": buffer.lines,
            "RAWBLOCKS": raw.blocks if raw else 0,
            "RAWLINES": raw.lines if raw else 0,
            "RAWOFFSET": geometry.raw_offset if geometry and raw else 0,
            **{key: f"{tick:016X}" for key, tick in zip(_TIMES, (buffer.started, *buffer.edges), strict=True)},
        }

    def _next_buffer(self) -> int:
        count = self._division.used
        candidates = [(self.write_buffer + step) % count + 1 for step in range(count)]
        return next(n for n in candidates if n != self.locked)


_GROUPS = (
    # The order of the captured reply of a Rev E.
    *(("SAMPLE",), ("COMPLETE",), ("MODE",), ("BASE",), ("FRAME",)),
    *(("WIDTH", "HEIGHT"), ("PIXELS", "LINES"), ("RAWBLOCKS", "RAWLINES"), ("RAWOFFSET",)),
    *((time,) for time in _TIMES),
)


def ticks(seconds: float) -> int:
    """Return a time in the controller's ticks of 10 ns."""
    return round(seconds / TICK)


def _junk(offset: int, count: int) -> Bytes:
    """Return what unused memory holds: never zeros, so that a client that trusts the padding is found out."""
    return (np.arange(offset, offset + count, dtype=np.int64) % 251 + 1).astype(np.uint8)


def _overlay(found: Bytes, offset: int, source: Bytes, first: int, end: int) -> None:
    """Copy ``source[first:end]`` to its place in ``found``, which begins at ``offset``."""
    first = max(first, offset)
    end = min(end, offset + len(found), len(source))
    if first < end:
        found[first - offset : end - offset] = source[first:end]
