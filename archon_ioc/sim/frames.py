"""The frame buffers: rotation, locks, progress, numbers, and the bytes that a fetch finds in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from archon_ioc.acf.file import Acf
from archon_ioc.acf.taps import TapArea, place
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import TICK
from archon_ioc.sim.faults import Faults

Bytes = NDArray[np.uint8]

_BASES = (0xA0000000, 0xC0000000, 0xE0000000)  # manual, FRAME: three buffers of 512 MB …
_BIG_BASES = (0xA0000000, 0xD0000000, 0xD0000000)  # … or two of 768 MB, the third one listed but not used
_END = 0x1_0000_0000
_LARGEST_COUNT = 65535  # manual: LINECOUNT and PIXELCOUNT are 1 to 65535
_TIMES = (
    "TIMESTAMP",
    "RETIMESTAMP",
    "FETIMESTAMP",
    "REATIMESTAMP",
    "FEATIMESTAMP",
    "REBTIMESTAMP",
    "FEBTIMESTAMP",
)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The shape of a frame: what APPLYCDS settles."""

    areas: tuple[TapArea, ...]
    frame_mode: FrameMode
    sample_mode: SampleMode
    width: int
    height: int
    pixel_count: int
    line_count: int

    @classmethod
    def of(cls, acf: Acf) -> Self | None:
        """Return the geometry of a configuration, None if it describes no frame at all.

        Raises:
            ConfigError: if the taps, the counts or the modes are wrong.
        """
        if "PIXELCOUNT" not in acf and "LINECOUNT" not in acf:
            return None
        for key in ("PIXELCOUNT", "LINECOUNT"):
            if not 1 <= acf.number(key) <= _LARGEST_COUNT:
                raise ConfigError(f"{key}={acf.number(key)} is not 1 to {_LARGEST_COUNT}")
        if acf.frame_mode is FrameMode.UNKNOWN or acf.sample_mode is SampleMode.UNKNOWN:
            raise ConfigError("FRAMEMODE is 0 to 2, SAMPLEMODE 0 or 1")
        areas = place(acf.taps, acf.frame_mode, acf.pixel_count, acf.line_count)
        if not areas:
            return None
        height, width = acf.frame_shape
        geometry = cls(areas, acf.frame_mode, acf.sample_mode, width, height, acf.pixel_count, acf.line_count)
        room = (_END - _BASES[0]) // (2 if acf.number("BIGBUF", 0) else 3)
        if geometry.image_bytes > room:
            raise ConfigError(f"a frame of {geometry.image_bytes} bytes does not fit into a buffer of {room}")
        return geometry

    @property
    def image_bytes(self) -> int:
        """Size of the image."""
        return self.width * self.height * self.sample_mode.bytes_per_pixel


@dataclass(frozen=True, slots=True)
class Shot:
    """What the pixels of one frame show, settled when the frame starts."""

    frame: int
    geometry: Geometry
    light_seconds: float = 0.0
    """How long light fell on the CCD since it was cleared."""
    dark_seconds: float = 0.0
    """How long charge gathered, with or without light."""
    overscan_pixels: int = 0
    """Pixels at the end of each tap's line that have no place on the CCD."""
    overscan_lines: int = 0


@dataclass(frozen=True, slots=True)
class Readout:
    """How one frame is clocked out; times in seconds since power-up."""

    start: float
    line_seconds: float
    lines: int
    """Lines that the script clocks; with fewer than LINECOUNT the frame never completes."""
    rising_edge: float
    falling_edge: float


@dataclass(slots=True)
class Buffer:
    """One frame buffer. ``image`` is None until somebody has rendered ``shot``."""

    number: int
    shot: Shot | None = None
    readout: Readout = Readout(0, 0, 0, 0, 0)
    complete: bool = False
    lines: int = 0
    pixels: int = 0
    image: Bytes | None = None
    before: Bytes | None = field(default=None, repr=False)
    """What the memory held before this frame; the lines that are not read out yet still hold it."""

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


class FrameBuffers:
    """The three frame buffers, or two with BIGBUF. Times are seconds since power-up."""

    def __init__(self, faults: Faults, last_frame: int = 0) -> None:
        self._faults = faults
        self._bases = _BASES
        self._filling: Buffer | None = None
        self._missing_line = False
        self.buffers = [Buffer(n) for n in (1, 2, 3)]
        self.frame = last_frame
        """Number of the last frame that started."""
        self.locked = 0
        self.write_buffer = 0

    def use_big(self, big: bool) -> None:
        """Divide the memory into two buffers instead of three, or back; that forgets the frames."""
        bases = _BIG_BASES if big else _BASES
        if bases is not self._bases:
            self._bases = bases
            self._filling = None
            self.buffers = [Buffer(n) for n in (1, 2, 3)]
            self.write_buffer = 0

    def begin(self, readout: Readout, shot: Shot) -> None:
        """Start a frame in the next buffer that is not locked; ``shot`` gets its number here."""
        self.advance(readout.start)
        self.frame += 1
        shot = Shot(
            self.frame, shot.geometry, shot.light_seconds, shot.dark_seconds,
            shot.overscan_pixels, shot.overscan_lines,
        )  # fmt: skip
        number = self._next_buffer()
        before = self.buffers[number - 1]
        left = before.image if before.image is not None else before.before
        self._filling = Buffer(number, shot, readout, before=left)
        self._missing_line = self._faults.frame_never_completes
        self.buffers[number - 1] = self._filling
        self.write_buffer = number
        self.advance(readout.start)

    def stop(self, at: float) -> None:
        """End the readout where it is: the frame stays incomplete for ever."""
        self.advance(at)
        self._filling = None

    def advance(self, at: float) -> None:
        """Bring the frame that is being filled up to date."""
        buffer = self._filling
        if buffer is None or buffer.shot is None:
            return
        geometry, readout = buffer.shot.geometry, buffer.readout
        limit = min(readout.lines, geometry.line_count - self._missing_line)
        elapsed = max(at - readout.start, 0.0)
        # The last line of a readout ends exactly at a time that was itself a sum: forgive rounding.
        done = elapsed / readout.line_seconds + 1e-6 if readout.line_seconds else limit
        buffer.lines = min(int(done), limit)
        buffer.pixels = int((done - int(done)) * geometry.pixel_count) if done < limit else geometry.pixel_count
        if buffer.lines == geometry.line_count:
            buffer.complete = True
            buffer.before = None
            self._filling = None

    def lock(self, number: int) -> None:
        """Keep buffer ``number`` from being taken by a new frame; 0 unlocks."""
        self.locked = number

    def find(self, address: int, count: int) -> tuple[Buffer, int]:
        """Return the buffer that holds these bytes of memory, and their offset in it.

        Raises:
            InputError: if they are not inside one buffer.
        """
        for buffer, base, end in zip(self.buffers, self._bases, self._ends(), strict=True):
            if base <= address and address + count <= end:
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
        readout = buffer.readout
        times = (readout.start, readout.rising_edge, readout.falling_edge, 0.0, 0.0, 0.0, 0.0)
        return {
            "SAMPLE": int(geometry.sample_mode) if geometry else 0,
            "COMPLETE": int(buffer.complete),
            "MODE": int(geometry.frame_mode) if geometry else 0,
            "BASE": self._bases[buffer.number - 1],  # manual: decimal, unlike the times
            "FRAME": buffer.shot.frame if buffer.shot else 0,
            "WIDTH": geometry.width if geometry else 0,
            "HEIGHT": geometry.height if geometry else 0,
            "PIXELS": buffer.pixels,
            "LINES": buffer.lines,
            "RAWBLOCKS": 0,
            "RAWLINES": 0,
            "RAWOFFSET": 0,
            **{key: f"{ticks(time):016X}" for key, time in zip(_TIMES, times, strict=True)},
        }

    def _next_buffer(self) -> int:
        count = 2 if self._bases is _BIG_BASES else 3
        candidates = [(self.write_buffer + step) % count + 1 for step in range(count)]
        return next(n for n in candidates if n != self.locked)

    def _ends(self) -> tuple[int, ...]:
        if self._bases is _BIG_BASES:
            return (_BIG_BASES[1], _END, _BIG_BASES[2])
        return (*_BASES[1:], _END)


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
