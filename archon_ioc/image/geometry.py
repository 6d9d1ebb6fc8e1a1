"""From the bytes of a frame to one array per CCD. Arrays are rows x columns, as the controller stores them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archon_ioc.acf.taps import Tap, TapArea, place
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError, InputError, ReadoutError
from archon_ioc.image.turn import Turn
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, Frame

PixelArray = npt.NDArray[np.uint16 | np.uint32]
"""Rows x columns; 16 or 32 bits as the frame's sample mode says."""

WHOLE_FRAME = ""
"""The name of the only CCD where the site file has none."""

_PIXEL_TYPES = {SampleMode.BITS16: np.dtype("<u2"), SampleMode.BITS32: np.dtype("<u4")}


def pixels(frame: Frame) -> PixelArray:
    """Return the frame as rows x columns: a read-only view of its bytes, not a copy.

    Raises:
        ReadoutError: if the bytes are not those of the geometry in ``frame.info``.
    """
    info = frame.info
    pixel_type = _PIXEL_TYPES.get(info.sample_mode)
    if pixel_type is None:
        raise ReadoutError(f"frame {info.frame} has an unknown sample mode")
    if not info.image_bytes or frame.data.nbytes != info.image_bytes:
        raise ReadoutError(
            f"frame {info.frame} has {frame.data.nbytes} bytes; {info.width} x {info.height} pixels"
            f" of {pixel_type.itemsize} bytes are {info.image_bytes}"
        )
    return np.frombuffer(frame.data.toreadonly(), pixel_type).reshape(info.height, info.width)


def areas_of(info: BufferInfo, taps: Sequence[Tap]) -> tuple[TapArea, ...]:
    """Return where the taps' pixels are in a frame, from the frame's own geometry.

    A frame may be binned or windowed and so differ from PIXELCOUNT and LINECOUNT of the ACF.

    Args:
        info: the buffer as it was when the frame was fetched.
        taps: the taps of the ACF in the order of its TAPLINEs.

    Raises:
        ReadoutError: if the frame cannot be divided among the taps.
    """
    is_split = info.mode is FrameMode.SPLIT
    if info.mode is FrameMode.UNKNOWN:
        raise ReadoutError(f"frame {info.frame} has an unknown frame mode")
    try:
        # The taps of one row, and the rows: one pixel and one line each.
        units = place(tuple(taps), info.mode, 1, 1)
    except ConfigError as error:
        raise ReadoutError(f"frame {info.frame}: {error}") from error
    across, down = len(units) // (1 + is_split), 1 + is_split
    if not across or info.width % across or info.height % down:
        raise ReadoutError(
            f"frame {info.frame} of {info.width} x {info.height} pixels cannot be divided among {len(taps)} taps"
            f" in mode {info.mode.name}"
        )
    return place(tuple(taps), info.mode, info.width // across, info.height // down)


def check_layout(areas: Sequence[TapArea], detectors: Sequence[DetectorConfig]) -> None:
    """Check that the CCDs of the site file can be cut out of the frame of an ACF; for use when either is loaded.

    Raises:
        ConfigError: naming every CCD that has an unknown tap, a tap used before, halves of different width, or a
            number of gains or read noises that does not fit its taps.
    """
    problems: list[str] = []
    known = {area.tap.name for area in areas}
    used = Counter(tap for detector in detectors for tap in detector.taps)
    names = Counter(detector.name for detector in detectors)
    problems += [f"there are {count} CCDs {name}" for name, count in names.items() if count > 1]
    problems += [f"tap {tap} is used {count} times" for tap, count in used.items() if count > 1]
    for detector in detectors:
        if unknown := [tap for tap in detector.taps if tap not in known]:
            problems.append(f"CCD {detector.name}: the ACF has no tap {', '.join(unknown)}")
        elif len({_width(row) for row in tap_rows(areas, detector)}) > 1:
            problems.append(f"CCD {detector.name}: its upper and its lower taps differ in width")
        for what, numbers in (("gain", detector.gain), ("read_noise", detector.read_noise)):
            if len(numbers) not in (0, 1, len(detector.taps)):
                problems.append(f"CCD {detector.name}: {len(numbers)} x {what} for {len(detector.taps)} taps")
    if problems:
        raise ConfigError("; ".join(problems))


def split(array: PixelArray, areas: Sequence[TapArea], detectors: Sequence[DetectorConfig]) -> dict[str, PixelArray]:
    """Return one array per CCD, by name: its upper taps side by side in TAPLINE order, the lower ones below; turned.

    Neighbouring taps give a view, others a copy. Without detectors the whole frame is one CCD. There are none of
    excluded CCDs.

    Raises:
        ConfigError: if the taps of a CCD are not in ``areas`` (see `check_layout`).
    """
    if not detectors:
        return {WHOLE_FRAME: array}
    check_layout(areas, detectors)
    return {
        detector.name: Turn.of(detector).array(_stacked(array, tap_rows(areas, detector)))
        for detector in detectors
        if not detector.exclude
    }


def crop(array: PixelArray, x: int, y: int, width: int, height: int) -> PixelArray:
    """Return a rectangle as a view; ``x`` and ``y`` count from 0.

    Raises:
        InputError: if it is empty or not inside the array.
    """
    rows, columns = array.shape
    if not (0 <= x < x + width <= columns and 0 <= y < y + height <= rows):
        raise InputError(f"{width} x {height} pixels at {x}, {y} are not inside {columns} x {rows}")
    return array[y : y + height, x : x + width]


def accumulate(total: npt.NDArray[np.uint32] | None, array: PixelArray) -> npt.NDArray[np.uint32]:
    """Return ``total`` with ``array`` added in place; a new total from None. Pixels stop at the highest number.

    Raises:
        ReadoutError: if the shapes differ.
    """
    if total is None:
        return array.astype(np.uint32)
    if total.shape != array.shape:
        raise ReadoutError(f"an exposure of {array.shape} pixels cannot be added to one of {total.shape}")
    np.add(total, array, out=total)
    np.copyto(total, np.uint32(0xFFFFFFFF), where=total < array)  # a sum below a summand has run over
    return total


def tap_rows(areas: Sequence[TapArea], detector: DetectorConfig) -> list[list[TapArea]]:
    """Return the areas of a CCD: one row of taps, or two in split mode, each in TAPLINE order."""
    own = sorted((area for area in areas if area.tap.name in detector.taps), key=lambda area: area.index)
    return [[area for area in own if area.y == y] for y in sorted({area.y for area in own})]


def _width(row: Sequence[TapArea]) -> int:
    return sum(area.width for area in row)


def _merged(row: Sequence[TapArea]) -> list[TapArea]:
    """The same columns as few areas: neighbours become one."""
    merged = [row[0]]
    for area in row[1:]:
        last = merged[-1]
        if area.x == last.x + last.width:
            merged[-1] = replace(last, width=last.width + area.width)
        else:
            merged.append(area)
    return merged


def _stacked(array: PixelArray, rows: Sequence[Sequence[TapArea]]) -> PixelArray:
    merged = [_merged(row) for row in rows]
    spans = {tuple((area.x, area.width) for area in row) for row in merged}
    first, last = merged[0][0], merged[-1][0]
    if len(spans) == 1 and len(merged[0]) == 1:  # the rows are above each other: one rectangle
        return crop(array, first.x, first.y, first.width, last.y + last.height - first.y)
    blocks = [[crop(array, area.x, area.y, area.width, area.height) for area in row] for row in merged]
    return np.vstack([np.hstack(row) for row in blocks])
