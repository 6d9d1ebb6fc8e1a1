"""How taps were read, and each layout against the simulator's test pattern, pixel by pixel."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from archon_ioc.config import DetectorConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.exposure.reading import image_regions, reading
from archon_ioc.image.fits import COMPRESSIONS
from archon_ioc.image.layout import LAYOUTS
from archon_ioc.image.quicklook import Edges
from archon_ioc.image.sections import Reading

CCD = DetectorConfig(name="a", taps=("AD1L",), prescan=4, overscan=12, overscan_lines=6)
DETECTORS = (
    {"name": "red", "taps": ["AD1L", "AD3L"], "flip_x": True, "prescan": 2, "overscan": 3},
    {"name": "blue", "taps": ["AD2R", "AD4R"], "rotate": 270, "overscan_lines": 2},
)


def files(bench: Any) -> list[Path]:
    return [bench.folder / name for name in bench.files]


def images(path: Path) -> dict[str, tuple[np.ndarray, astropy_fits.Header]]:
    with astropy_fits.open(path, checksum=True) as units:
        return {unit.name: (unit.data.copy(), unit.header.copy()) for unit in units if unit.data is not None}


def section(image: np.ndarray, text: str) -> np.ndarray:
    """The part of an image that a section of its header names."""
    (x1, x2), (y1, y2) = (map(int, part.split(":")) for part in text.strip("[]").split(","))
    return image[y1 - 1 : y2, x1 - 1 : x2]


# What is known of a tap


def test_the_window_tells_what_the_site_does_not() -> None:
    window = Window(100, 200, overscanlines=9, overscanpixels=30, hbin=2, vbin=3)
    default = Window(100, 200, overscanlines=9, overscanpixels=30)
    state = ControllerState(window=window, default_window=default)
    assert reading(state) == Reading(Edges(0, 15, 3), (2, 3), (0, 0), (200, 100))
    assert reading(state, CCD) == Reading(Edges(2, 6, 2), (2, 3), (0, 0), (200 + 18 - 4, 100 + 3))
    partly = CCD.model_copy(update={"overscan": None})
    assert reading(state, partly).edges == Edges(2, 15, 2)


def test_the_site_tells_what_the_script_counts_among_its_pixels() -> None:
    state = ControllerState(window=Window(50, 200, preskiplines=30), default_window=Window(100, 200))
    assert reading(state, CCD) == Reading(Edges(4, 12, 0), (1, 1), (0, 30), (184, 94))


def test_what_a_window_skips_counts_from_the_configuration_s_own() -> None:
    default = Window(100, 200, preskiplines=1, preskippixels=5)
    state = ControllerState(window=Window(40, 50, preskiplines=31, preskippixels=25), default_window=default)
    assert (reading(state).skipped, reading(state).full) == ((20, 30), (200, 100))


@pytest.mark.parametrize(
    ("window", "edges"),
    [
        (Window(100, 200), Edges(4, 12, 6)),
        (Window(100, 100), Edges(4, 0, 6)),
        (Window(97, 195, preskippixels=3), Edges(1, 10, 3)),
        (Window(10, 50, preskippixels=150, preskiplines=90), Edges(0, 12, 6)),
        (Window(3, 5, preskippixels=195, preskiplines=97), Edges(0, 5, 3)),
        (Window(90, 180, preskippixels=4, overscanpixels=20, overscanlines=8), Edges(0, 20, 8)),
        (Window(100, 200, hbin=2, vbin=2), Edges(2, 6, 3)),
    ],
)
def test_a_window_has_as_much_overscan_as_it_reads(window: Window, edges: Edges) -> None:
    assert reading(ControllerState(window=window, default_window=Window(100, 200)), CCD).edges == edges


def test_nothing_is_known_without_a_configuration() -> None:
    assert reading(ControllerState()) == Reading()


async def test_without_taps_there_are_no_regions(bench) -> None:
    info = bench.controller.status.frames.buffer(1)
    assert image_regions(info, ControllerState(), bench.camera._site) == {}


# Files


@pytest.mark.parametrize(("layout", "compression"), list(product(LAYOUTS, COMPRESSIONS)))
async def test_each_layout_holds_the_pixels_of_the_pattern(
    benches, make_acf, pattern, layout: str, compression: str
) -> None:
    acf = make_acf()
    async with benches(acf=acf, site={"detectors": DETECTORS}) as bench:
        await bench.camera.filing.change(layout=layout, compression=compression, checksum="md5")
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        written = [path for path in files(bench) if path.suffix != ".md5"]
    frame = pattern(acf, 1)
    red, blue = frame[:, :24][:, ::-1], np.rot90(frame[:, 24:], -3)
    found = [image for path in written for image in images(path).items()]
    if layout == "mef":
        parts = {"AD1L": red[:20], "AD3L": red[20:], "AD2R": blue[:, :20], "AD4R": blue[:, 20:]}
        assert {name: (image == parts[name]).all() for name, (image, _) in found} == dict.fromkeys(parts, True)
    else:
        whole = {"red": red, "blue": blue}
        by_name = {header["CCD"]: image for _, (image, header) in found}
        assert by_name.keys() == whole.keys()
        assert all((by_name[name] == image).all() for name, image in whole.items())


async def test_sections_cut_the_light_out_of_an_image(benches, make_acf, pattern) -> None:
    acf = make_acf()
    async with benches(acf=acf, site={"detectors": DETECTORS}) as bench:
        await bench.camera.filing.change(layout="mef")
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        blue, red = files(bench)
    frame = pattern(acf, 1)
    first, header = images(red)["AD1L"]
    assert (section(first, header["DATASEC"]) == frame[:20, 2:21][:, ::-1]).all()
    assert (section(first, header["BIASSEC"]) == frame[:20, 21:24][:, ::-1]).all()
    turned, header = images(blue)["AD2R"]
    assert (section(turned, header["DATASEC"]) == np.rot90(frame[:18, 24:], -3)).all()
    assert (section(turned, header["BIASSEC"]) == np.rot90(frame[18:20, 24:], -3)).all()


async def test_what_is_cut_out_of_the_frame_has_sections_too(benches, make_acf, pattern) -> None:
    acf = make_acf()
    async with benches(acf=acf) as bench:
        await bench.camera.filing.change(layout="mef")
        bench.camera.change(seconds=0.0, min_x=20, size_x=10, min_y=18, size_y=5, reverse_x=True)
        await bench.camera.acquire()
        (path,) = files(bench)
    found = images(path)
    shown = pattern(acf, 1)[18:23, 20:30][:, ::-1]
    assert (found["AD1L"][0] == shown[:2, 6:]).all()
    assert (found["AD4R"][0] == shown[2:, :6]).all()
    # Counted in the CCD as it is shown, mirrored, and as the tap reads it: from its left edge.
    assert (found["AD1L"][1]["CCDSEC"], found["AD1L"][1]["AMPSEC"]) == ("[25:28,19:20]", "[24:21,19:20]")


async def test_an_excluded_ccd_has_no_files(benches) -> None:
    detectors = (DETECTORS[0], {**DETECTORS[1], "exclude": True})
    async with benches(site={"detectors": detectors}) as bench:
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        assert bench.files == ["archon_0001.fits"]
    async with benches(site={"detectors": [{**one, "exclude": True} for one in detectors]}) as bench:
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        assert bench.files == ["archon_0001.fits"]
        assert bench.camera.state.message == "Done"
