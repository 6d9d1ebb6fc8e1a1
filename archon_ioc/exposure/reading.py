"""Reading: how the taps of a controller were read, from the site file and the timing script's window."""

from collections.abc import Mapping
from dataclasses import dataclass

from archon_ioc.config import DetectorConfig, SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.image import geometry
from archon_ioc.image.quicklook import Edges
from archon_ioc.image.sections import Reading, Region, cut_regions, regions, turn_regions
from archon_ioc.image.turn import Section, Turn
from archon_ioc.protocol.replies import BufferInfo


def reading(controller: ControllerState, detector: DetectorConfig | None = None) -> Reading:
    """Return how the taps of a CCD are read; what the site file does not say is taken from the window.

    Prescan and overscan of the site file are unbinned, those of the result are as they are in the frame.
    """
    window = controller.window or Window(0, 0)
    default = controller.default_window or window
    prescan, overscan, lines = _site_edges(detector)
    prescan = prescan or 0
    skipped = _skipped(window, default)
    columns = _Span(skipped[0], window.pixels, window.overscanpixels)
    rows = _Span(skipped[1], window.lines, window.overscanlines)
    return Reading(
        edges=Edges(
            columns.before(prescan) // window.hbin,
            columns.beyond(overscan, default.pixels, default.overscanpixels) // window.hbin,
            rows.beyond(lines, default.lines, default.overscanlines) // window.vbin,
        ),
        binning=(window.hbin, window.vbin),
        skipped=(max(skipped[0] - prescan, 0), skipped[1]),
        full=_light(default, prescan, overscan, lines) if controller.default_window else None,
    )


def _light(whole: Window, prescan: int, overscan: int | None, lines: int | None) -> tuple[int, int]:
    """Pixels and lines of a whole tap on which light falls."""
    columns, rows = _Span(0, whole.pixels, whole.overscanpixels), _Span(0, whole.lines, whole.overscanlines)
    beyond = columns.beyond(overscan, whole.pixels, whole.overscanpixels)
    below = rows.beyond(lines, whole.lines, whole.overscanlines)
    return whole.pixels + whole.overscanpixels - prescan - beyond, whole.lines + whole.overscanlines - below


@dataclass(frozen=True, slots=True)
class _Span:
    """What a window reads along one axis, unbinned: ``count`` from ``first`` on, then ``overscan`` beyond the CCD."""

    first: int
    count: int
    overscan: int

    def before(self, prescan: int) -> int:
        """Return how many of them are among the first ``prescan`` of the whole tap."""
        return min(max(prescan - self.first, 0), self.count)

    def beyond(self, overscan: int | None, count: int, own: int) -> int:
        """Return how many are among the last ``overscan`` of the whole tap, which has ``count`` and ``own`` beyond."""
        if overscan is None:
            return self.overscan
        light_end = max(count - max(overscan - own, 0), self.first)
        return max(self.overscan - max(own - overscan, 0), 0) + max(self.first + self.count - light_end, 0)


def image_regions(
    info: BufferInfo,
    controller: ControllerState,
    site: SiteConfig,
    part: tuple[int, int, int, int] | None = None,
    mirrored: Turn | None = None,
) -> Mapping[str, tuple[Region, ...]]:
    """Return what the amplifiers have read of each image, by CCD; that of the whole frame has no name.

    Args:
        info: the buffer that was fetched.
        controller: whose frame it is.
        site: its CCDs.
        part: what was cut out of the whole frame, in its pixels.
        mirrored: how images were turned after that.

    Raises:
        ReadoutError: if the frame cannot be divided among the taps.
    """
    taps = controller.acf.taps if controller.acf else ()
    if not taps:
        return {}
    areas = geometry.areas_of(info, taps)
    whole = DetectorConfig(name="whole", taps=tuple(tap.name for tap in taps))
    detectors = {detector.name: detector for detector in site.detectors_of(controller.name) if not detector.exclude}
    named = detectors or {geometry.WHOLE_FRAME: whole}
    found: dict[str, tuple[Region, ...]] = {}
    for name, detector in named.items():
        own = reading(controller, detectors.get(name))
        seen = regions(areas, detector, own)
        if part is not None:
            seen = cut_regions(seen, Section(*part), own.binning)
        found[name] = turn_regions(seen, mirrored, *_size(seen, part)) if mirrored else seen
    return found


def _site_edges(detector: DetectorConfig | None) -> tuple[int | None, int | None, int | None]:
    return (detector.prescan, detector.overscan, detector.overscan_lines) if detector else (None, None, None)


def _skipped(window: Window, default: Window) -> tuple[int, int]:
    """Pixels and lines that are left out beyond those that the configuration itself leaves out."""
    pixels, lines = window.preskippixels - default.preskippixels, window.preskiplines - default.preskiplines
    return max(pixels, 0), max(lines, 0)


def _size(found: tuple[Region, ...], part: tuple[int, int, int, int] | None) -> tuple[int, int]:
    """Columns and rows of an image."""
    if part is not None:
        return part[2], part[3]
    wholes = [region.whole for region in found]
    return max(one.x + one.width for one in wholes), max(one.y + one.height for one in wholes)
