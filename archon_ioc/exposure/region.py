"""Region: which part of a frame becomes an image, in areaDetector's terms: MaxSize, Min and Size, unbinned pixels.

Rows are left out on the CCD where that gives exactly the image that cutting it out of the frame would give: where all
taps begin at the same edge of the frame and the timing script can skip lines. Elsewhere, and of columns always, the
frame is cut after it was read.
"""

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window, has_parameter
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.protocol.enums import FrameMode

Rectangle = tuple[int, int, int, int]
"""First column, first row, columns, rows."""

_SKIPS = ("lines", "preskiplines", "postskiplines")


def full_size(controller: ControllerState) -> tuple[int, int]:
    """Return columns and rows of a whole frame, unbinned; 0 without a configuration.

    Rows that the window leaves out count where it is known at which edge of the image they are missing.
    """
    columns, rows = _read_size(controller)
    if _first_row(controller) is not None and (default := controller.default_window):
        rows = _stored_lines(default)
    return columns, rows


def kept(controller: ControllerState, settings: ExposureSettings, *, whole: bool = False) -> Rectangle:
    """Return the part of the full size that the next image shows, unbinned.

    That is what was asked for, as far as it is read: all that is read if nothing of it is, or if images are to be kept
    ``whole``. Without a configuration it is what was asked for.
    """
    columns, rows = _read_size(controller)
    if not columns:
        return settings.min_x, settings.min_y, settings.size_x, settings.size_y
    top = _first_row(controller) or 0
    if whole:
        return 0, top, columns, rows
    x, width = _overlap(settings.min_x, settings.size_x, 0, columns)
    y, height = _overlap(settings.min_y, settings.size_y, top, rows)
    return x, y, width, height


def crop(controller: ControllerState, settings: ExposureSettings) -> Rectangle | None:
    """Return the part of the frame that becomes the image, in pixels of the frame; None if all of it does."""
    columns, rows = _read_size(controller)
    x, y, width, height = kept(controller, settings)
    y -= _first_row(controller) or 0
    if not columns or (x, y, width, height) == (0, 0, columns, rows):
        return None
    window = controller.window
    hbin, vbin = (window.hbin, window.vbin) if window else (1, 1)
    return x // hbin, y // vbin, max(width // hbin, 1), max(height // vbin, 1)


def lines_to_read(controller: ControllerState, min_y: int, size_y: int) -> dict[str, int] | None:
    """Return the changes of the window that read only these rows of the full size; 0 ``size_y`` is up to the end.

    None where cutting the frame is the only way.
    """
    acf, default = controller.acf, controller.default_window
    if acf is None or default is None or not _can_skip(acf, default, controller.window):
        return None
    rows = _stored_lines(default)
    y = min(min_y, rows - 1)
    count = min(size_y or rows, rows - y)
    first = rows - y - count if acf.frame_mode is FrameMode.BOTTOM else y
    light = min(first + count, default.lines) - first
    if light < 1:  # nothing but overscan: it comes after all lines, or not at all
        return {field: getattr(default, field) for field in (*_SKIPS, "overscanlines")}
    return {
        "preskiplines": default.preskiplines + first,
        "lines": light,
        "postskiplines": default.postskiplines + default.lines - first - light,
        "overscanlines": count - light,
    }


def _read_size(controller: ControllerState) -> tuple[int, int]:
    acf, window = controller.acf, controller.window
    if acf is None or not acf.taps:
        return 0, 0
    rows, columns = acf.frame_shape
    return (columns * window.hbin, rows * window.vbin) if window else (columns, rows)


def _first_row(controller: ControllerState) -> int | None:
    """Return the row of the full size with which the frame begins; None if it is not simply a part of it."""
    acf, window, default = controller.acf, controller.window, controller.default_window
    if acf is None or window is None or default is None or not _has_one_edge(acf, window):
        return None
    first, rows = window.preskiplines - default.preskiplines, _stored_lines(default)
    is_gapless = not window.overscanlines or first + window.lines == default.lines
    if not is_gapless or first < 0 or first + _stored_lines(window) > rows:
        return None
    return rows - first - _stored_lines(window) if acf.frame_mode is FrameMode.BOTTOM else first


def _has_one_edge(acf: Acf, window: Window) -> bool:
    """Return whether all taps begin at the same edge of the frame, with the first line that the script counts."""
    is_one_sided = acf.frame_mode in (FrameMode.TOP, FrameMode.BOTTOM) and acf.number("LINESCAN", 0) != 1
    return is_one_sided and acf.line_count == _stored_lines(window) // window.vbin


def _can_skip(acf: Acf, default: Window, window: Window | None) -> bool:
    fields = (*_SKIPS, "overscanlines") if default.overscanlines else _SKIPS
    return window is not None and _has_one_edge(acf, window) and all(has_parameter(acf, field) for field in fields)


def _stored_lines(window: Window) -> int:
    return window.lines + window.overscanlines


def _overlap(first: int, size: int, read_first: int, read: int) -> tuple[int, int]:
    """Return first and size of what is both asked for and read; of what is read where there is none."""
    start, end = max(first, read_first), read_first + read
    if size:
        end = min(end, first + size)
    return (start, end - start) if start < end else (read_first, read)
