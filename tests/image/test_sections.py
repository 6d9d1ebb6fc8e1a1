"""The parts of an image, compared with a CCD that is read pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.taps import Tap, TapArea, place
from archon_ioc.config import DetectorConfig
from archon_ioc.image import geometry
from archon_ioc.image.quicklook import Edges
from archon_ioc.image.sections import Reading, Region, cut_regions, regions, turn_regions
from archon_ioc.image.turn import Section, Turn
from archon_ioc.protocol.enums import FrameMode

TAPS = (Tap("AD", 1, "L"), Tap("AD", 2, "R"), Tap("AD", 3, "L"), Tap("AD", 4, "R"))
OVERSCAN, PRESCAN = 60_000, 50_000


def ccd(**facts: object) -> DetectorConfig:
    return DetectorConfig(name="a", taps=tuple(tap.name for tap in TAPS), **facts)


def expose(areas: tuple[TapArea, ...], edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    """A CCD whose pixels are all different, and the frame that its taps make of it: each reads from its corner."""
    light = areas[0].width - edges.prescan - edges.overscan, areas[0].height - edges.overscan_lines
    rows = sorted({area.y for area in areas})
    columns = sorted({area.x for area in areas})
    pixels = np.arange(light[0] * len(columns) * light[1] * len(rows)).reshape(light[1] * len(rows), -1)
    frame = np.zeros((areas[0].height * len(rows), areas[0].width * len(columns)), np.uint16)
    for area in areas:
        x, y = columns.index(area.x) * light[0], rows.index(area.y) * light[1]
        own = pixels[y : y + light[1], x : x + light[0]]
        read = own[:: -1 if area.from_bottom else 1, :: -1 if area.from_right else 1]
        part = np.full((area.height, area.width), OVERSCAN)
        part[: light[1], edges.prescan : edges.prescan + light[0]] = read
        part[:, : edges.prescan] = PRESCAN
        stored = part[:: -1 if area.from_bottom else 1, :: -1 if area.from_right else 1]
        frame[area.y : area.y + area.height, area.x : area.x + area.width] = stored
    return pixels, frame


def cut(image: np.ndarray, section: Section) -> np.ndarray:
    return image[section.y : section.y + section.height, section.x : section.x + section.width]


SPLITS = st.sampled_from([FrameMode.TOP, FrameMode.BOTTOM, FrameMode.SPLIT])
EDGES = st.builds(Edges, st.integers(0, 3), st.integers(0, 3), st.integers(0, 2))


@given(SPLITS, EDGES, st.booleans(), st.booleans(), st.sampled_from([0, 90, 180, 270]))
def test_sections_find_the_pixels_of_the_ccd(
    mode: FrameMode, edges: Edges, flip_x: bool, flip_y: bool, rotate: int
) -> None:
    areas = place(TAPS, mode, 9, 5)
    pixels, frame = expose(areas, edges)
    detector = ccd(flip_x=flip_x, flip_y=flip_y, rotate=rotate)
    image = geometry.split(frame, areas, [detector])["a"]
    seen = Turn.of(detector).array(pixels)  # the CCD as the image shows it

    found = regions(areas, detector, Reading(edges))

    assert [region.tap for region in found] == list(detector.taps)
    assert sum(cut(image, region.whole).size for region in found) == image.size
    for region in found:
        assert (cut(image, region.light) == cut(seen, region.ccd)).all()
        assert region.ccd_size == seen.shape[::-1]
        assert region.overscan is None or (cut(image, region.overscan) == OVERSCAN).all()
        assert (region.overscan is None) is (not edges.overscan and not edges.overscan_lines)


@given(st.booleans(), st.booleans(), st.integers(0, 3), st.booleans(), st.booleans())
def test_the_amplifier_counts_from_its_corner(
    flip_x: bool, flip_y: bool, quarters: int, from_right: bool, from_last: bool
) -> None:
    (area,) = place((Tap("AD", 1, "R" if from_right else "L"),), FrameMode.BOTTOM if from_last else FrameMode.TOP, 4, 6)
    detector = DetectorConfig(name="a", taps=(area.tap.name,), flip_x=flip_x, flip_y=flip_y, rotate=90 * quarters)
    (region,) = regions([area], detector, Reading())
    right, last = Turn(flip_x, flip_y, quarters).directions(from_right, from_last)
    width, height = (6, 4) if quarters % 2 else (4, 6)
    columns, rows = (f"{width}:1" if right else f"1:{width}"), (f"{height}:1" if last else f"1:{height}")
    assert region.amplifier_section == f"[{columns},{rows}]"


def texts(region: Region) -> list[str]:
    sections = (region.whole, region.light, region.overscan, region.ccd)
    return [*map(str, sections), region.amplifier_section]


def test_binning_and_a_window_are_told_in_unbinned_pixels() -> None:
    areas = place(TAPS, FrameMode.SPLIT, 25, 12)
    reading = Reading(Edges(prescan=2, overscan=3, overscan_lines=2), (2, 3), (10, 6), (100, 60))
    found = regions(areas, ccd(), reading)
    assert [region.ccd_size for region in found] == [(200, 120)] * 4
    assert texts(found[0]) == ["[1:25,1:12]", "[3:22,1:10]", "[23:25,1:10]", "[11:50,7:36]", "[11:50,7:36]"]
    assert texts(found[1]) == ["[26:50,1:12]", "[29:48,1:10]", "[26:28,1:10]", "[151:190,7:36]", "[50:11,7:36]"]
    assert texts(found[3]) == ["[26:50,13:24]", "[29:48,15:24]", "[26:28,15:24]", "[151:190,85:114]", "[50:11,36:7]"]


def test_overscan_lines_are_the_bias_where_there_are_no_overscan_pixels() -> None:
    (area,) = place(TAPS[:1], FrameMode.TOP, 10, 8)
    (region,) = regions([area], DetectorConfig(name="a", taps=("AD1L",)), Reading(Edges(prescan=1, overscan_lines=2)))
    assert (str(region.light), str(region.overscan)) == ("[2:10,1:6]", "[2:10,7:8]")


@pytest.mark.parametrize("edges", [Edges(overscan=10), Edges(prescan=6, overscan=6), Edges(overscan_lines=8)])
def test_edges_that_leave_nothing_are_none(edges: Edges) -> None:
    (area,) = place(TAPS[:1], FrameMode.TOP, 10, 8)
    (region,) = regions([area], DetectorConfig(name="a", taps=("AD1L",)), Reading(edges))
    assert (str(region.light), region.overscan) == ("[1:10,1:8]", None)


def test_a_part_of_an_image_has_the_parts_of_its_regions() -> None:
    areas = place(TAPS, FrameMode.SPLIT, 25, 12)
    found = regions(areas, ccd(), Reading(Edges(overscan=5), (2, 1)))
    left, right = cut_regions(found, Section(15, 2, 25, 5), (2, 1))
    assert texts(left) == ["[1:10,1:5]", "[1:5,1:5]", "[6:10,1:5]", "[31:40,3:7]", "[31:40,3:7]"]
    assert texts(right) == ["[11:25,1:5]", "[16:25,1:5]", "[11:15,1:5]", "[41:60,3:7]", "[40:21,3:7]"]
    assert cut_regions(found, Section(0, 0, 50, 24), (2, 1)) == found


def test_a_client_can_mirror_what_the_site_has_turned() -> None:
    areas = place(TAPS, FrameMode.SPLIT, 25, 12)
    found = regions(areas, ccd(), Reading(Edges(overscan=5)))
    assert turn_regions(found, Turn(flip_x=True), 50, 24) == regions(
        areas, ccd(flip_x=True), Reading(Edges(overscan=5))
    )
