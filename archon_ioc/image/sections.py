"""Which parts of an image each amplifier has read: light, overscan, and where they are on the CCD.

The words are those of the mosaic files of NOAO and IRAF: DATASEC and BIASSEC count pixels of the image as it is stored,
CCDSEC, DETSEC and AMPSEC those of the CCD, the mosaic and the amplifier, as if nothing were binned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from archon_ioc.acf.taps import TapArea
from archon_ioc.config import DetectorConfig
from archon_ioc.image.geometry import tap_rows
from archon_ioc.image.quicklook import Edges
from archon_ioc.image.turn import Section, Turn


@dataclass(frozen=True, slots=True)
class Reading:
    """How each tap was read.

    ``edges`` count binned pixels, as they are in the frame. ``skipped`` are the pixels of a line and the lines that
    a window leaves out before the first one, ``full`` those of a whole tap, None if there are no more; unbinned.
    """

    edges: Edges = field(default_factory=Edges)
    binning: tuple[int, int] = (1, 1)
    skipped: tuple[int, int] = (0, 0)
    full: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """What one amplifier has read of an image.

    ``whole`` and ``light`` are parts of the image, ``overscan`` too if there is any; ``ccd`` is where the light fell,
    in unbinned pixels of the CCD, which has ``ccd_size``. Of ``ccd`` the amplifier has read ``amplifier``: columns and
    rows counted as it reads them, from the last one on where ``reversed``.
    """

    tap: str
    whole: Section
    light: Section
    overscan: Section | None
    ccd: Section
    ccd_size: tuple[int, int]
    amplifier: Section
    reversed: tuple[bool, bool]
    position: tuple[int, int] = (0, 0)
    """Where the CCD's first pixel is in the mosaic, unbinned."""

    @property
    def mosaic(self) -> Section:
        """Where the light fell in the mosaic of all CCDs, unbinned."""
        return self.ccd.moved(*self.position)

    @property
    def amplifier_section(self) -> str:
        """The pixels of the amplifier in the order of the image's columns and rows: ``[100:1,1:50]``."""
        x, y, columns, rows = self.amplifier.x, self.amplifier.y, self.amplifier.width, self.amplifier.height
        spans = ((x + 1, x + columns), (y + 1, y + rows))
        ordered = [(b, a) if is_reversed else (a, b) for (a, b), is_reversed in zip(spans, self.reversed, strict=True)]
        return "[" + ",".join(f"{a}:{b}" for a, b in ordered) + "]"


def regions(areas: Sequence[TapArea], detector: DetectorConfig, reading: Reading) -> tuple[Region, ...]:
    """Return what each tap of a CCD has read of its image, in the order of the site file's taps.

    Args:
        areas: where the taps' pixels are in the frame.
        detector: the CCD; its images are turned as it says.
        reading: how its taps were read. Edges that leave nothing are taken for none.
    """
    found = tuple(_unturned(tap_rows(areas, detector), reading))
    width = max((region.whole.x + region.whole.width for region in found), default=0)
    height = max((region.whole.y + region.whole.height for region in found), default=0)
    turned = turn_regions(found, Turn.of(detector), width, height)
    placed = (replace(region, position=detector.position) for region in turned)
    return tuple(sorted(placed, key=lambda region: detector.taps.index(region.tap)))


def turn_regions(regions: Sequence[Region], turn: Turn, width: int, height: int) -> tuple[Region, ...]:
    """Return the regions of an image of ``width`` x ``height`` pixels that was turned."""
    return tuple(_turned(region, turn, width, height) for region in regions)


def cut_regions(regions: Sequence[Region], window: Section, binning: tuple[int, int]) -> tuple[Region, ...]:
    """Return the regions of the part of an image in ``window``; those that have no light in it are left out."""
    found = (_cut(region, window, binning) for region in regions)
    return tuple(region for region in found if region is not None)


def _unturned(rows: Sequence[Sequence[TapArea]], reading: Reading) -> Iterator[Region]:
    lights = [[_light(area, reading.edges) for area in row] for row in rows]
    sizes = [[_ccd_size(light, reading) for light in row] for row in lights]
    ccd_size = (
        max((sum(width for width, _ in row) for row in sizes), default=0),
        sum(max((height for _, height in row), default=0) for row in sizes),
    )
    ccd_y = image_y = 0
    for row, row_lights, row_sizes in zip(rows, lights, sizes, strict=True):
        ccd_x = image_x = 0
        for area, light, size in zip(row, row_lights, row_sizes, strict=True):
            region = _region(area, light, reading, Section(ccd_x, ccd_y, *size))
            yield replace(_placed(region, image_x, image_y), ccd_size=ccd_size)
            image_x, ccd_x = image_x + area.width, ccd_x + size[0]
        image_y += row[0].height
        ccd_y += max(height for _, height in row_sizes)


def _light(area: TapArea, edges: Edges) -> Section:
    """The light area of a tap, in pixels of its own part of the frame."""
    columns, rows = area.width - edges.prescan - edges.overscan, area.height - edges.overscan_lines
    first, width = (edges.prescan, columns) if columns > 0 else (0, area.width)
    height = rows if rows > 0 else area.height
    x = area.width - first - width if area.from_right else first
    return Section(x, area.height - height if area.from_bottom else 0, width, height)


def _ccd_size(light: Section, reading: Reading) -> tuple[int, int]:
    """Unbinned columns and rows of the CCD that a tap reads when it reads all."""
    (hbin, vbin), skipped = reading.binning, reading.skipped
    full = reading.full or (0, 0)
    return max(full[0], light.width * hbin + skipped[0]), max(full[1], light.height * vbin + skipped[1])


def _region(area: TapArea, light: Section, reading: Reading, ccd: Section) -> Region:
    """The region of a tap; image coordinates are those of its own part of the frame."""
    hbin, vbin = reading.binning
    read = Section(*reading.skipped, light.width * hbin, light.height * vbin)
    x = ccd.width - read.x - read.width if area.from_right else read.x
    y = ccd.height - read.y - read.height if area.from_bottom else read.y
    return Region(
        tap=area.tap.name,
        whole=Section(0, 0, area.width, area.height),
        light=light,
        overscan=_overscan(area, light, reading.edges),
        ccd=Section(ccd.x + x, ccd.y + y, read.width, read.height),
        ccd_size=(ccd.width, ccd.height),
        amplifier=read,
        reversed=(area.from_right, area.from_bottom),
    )


def _overscan(area: TapArea, light: Section, edges: Edges) -> Section | None:
    """The overscan of the lines with light, else the overscan lines."""
    if edges.overscan and light.width < area.width:
        x = 0 if area.from_right else area.width - edges.overscan
        return Section(x, light.y, edges.overscan, light.height)
    if edges.overscan_lines and light.height < area.height:
        return Section(light.x, 0 if area.from_bottom else light.height, light.width, edges.overscan_lines)
    return None


def _placed(region: Region, x: int, y: int) -> Region:
    return replace(
        region,
        whole=region.whole.moved(x, y),
        light=region.light.moved(x, y),
        overscan=region.overscan and region.overscan.moved(x, y),
    )


def _turned(region: Region, turn: Turn, width: int, height: int) -> Region:
    own = region.amplifier
    columns, rows = turn.size(own.width, own.height)
    x, y = turn.size(own.x, own.y)
    return replace(
        region,
        whole=turn.section(region.whole, width, height),
        light=turn.section(region.light, width, height),
        overscan=region.overscan and turn.section(region.overscan, width, height),
        ccd=turn.section(region.ccd, *region.ccd_size),
        ccd_size=turn.size(*region.ccd_size),
        amplifier=Section(x, y, columns, rows),
        reversed=turn.directions(*region.reversed),
    )


def _cut(region: Region, window: Section, binning: tuple[int, int]) -> Region | None:
    whole, light = region.whole.within(window), region.light.within(window)
    if whole is None or light is None:
        return None
    hbin, vbin = binning
    left, top = (light.x - region.light.x) * hbin, (light.y - region.light.y) * vbin
    width, height = light.width * hbin, light.height * vbin
    own, (from_right, from_last) = region.amplifier, region.reversed
    x = own.width - left - width if from_right else left
    y = own.height - top - height if from_last else top
    overscan = region.overscan and region.overscan.within(window)
    return replace(
        region,
        whole=whole.moved(-window.x, -window.y),
        light=light.moved(-window.x, -window.y),
        overscan=overscan and overscan.moved(-window.x, -window.y),
        ccd=Section(region.ccd.x + left, region.ccd.y + top, width, height),
        amplifier=Section(own.x + x, own.y + y, width, height),
    )
