"""Files of every layout and compression, checked by the program that HEASARC has for it, and pixel by pixel."""

import gzip
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from archon_ioc.acf.taps import Tap, place
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError
from archon_ioc.image import fits, geometry, layout
from archon_ioc.image.header import Facts
from archon_ioc.image.quicklook import Amplifier, Edges
from archon_ioc.image.sections import Reading, regions
from archon_ioc.protocol.enums import FrameMode
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, SystemInfo

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
TAPS = tuple(Tap("AD", n, "LR"[n % 2]) for n in range(1, 9))
BLUE = DetectorConfig(
    name="b1", taps=("AD1R", "AD2L", "AD5R", "AD6L"), serial="08-1234", type="STA1600", gain=(1.1, 1.2, 1.3, 1.4),
    read_noise=(2.5,), rotate=90,
)  # fmt: skip
RED = DetectorConfig(name="r1", taps=("AD3R", "AD4L", "AD7R", "AD8L"), flip_y=True, position=(44, 0))
AREAS = place(TAPS, FrameMode.SPLIT, 25, 12)
READING = Reading(Edges(prescan=1, overscan=2, overscan_lines=2), (2, 1))


def reply(name: str) -> str:
    return (GOLDEN / "replies" / f"{name}.txt").read_text(encoding="ascii")


FACTS = Facts(
    number=7,
    image_type="object",
    requested_seconds=1.0,
    exposure_seconds=1.0,
    dark_seconds=1.0,
    started=NOW,
    ended=NOW,
    written=NOW,
    buffer=FrameStatus.parse(reply("FRAME-revE-876")).buffer(1),
    controller="sp1",
    system=SystemInfo.parse(reply("SYSTEM-revE-876")),
    status=DeviceStatus.parse(reply("STATUS-revE-876")),
    acf_digest="0123456789abcdef" * 4,
    binning=(2, 1),
    amplifiers=tuple(Amplifier(tap.name, 1000.5, 4.25, 3, 300, 1200.0, "overscan", 1.5) for tap in TAPS),
    regions={detector.name: regions(AREAS, detector, READING) for detector in (BLUE, RED)},
    extra={"OBSERVER": ("O'Brien", "Who took it"), "LONG": ("text " * 30, "More than a line")},
    extra_of={"b1": {"SLIT": (1.5, "[arcsec] Width"), "GAIN1": (9.0, "")}},
)


def frame(kind: type[np.generic] = np.uint16) -> np.ndarray:
    highest = np.iinfo(kind).max  # type: ignore[type-var]
    pixels = np.random.default_rng(1).normal(1000, 5, (24, 100)).astype(kind)
    pixels[0, :2] = 0, highest
    return pixels


def written(folder: Path, name: str, compression: str, kind: type[np.generic] = np.uint16) -> list[Path]:
    images = geometry.split(frame(kind), AREAS, [BLUE, RED])
    sets = [images] if name == "controller" else [{ccd: image} for ccd, image in images.items()]
    paths = [folder / f"{name}{n}.fits{fits.COMPRESSIONS[compression]}" for n in range(len(sets))]
    for path, part in zip(paths, sets, strict=True):
        fits.write(path, layout.units(name, part, FACTS, [BLUE, RED]), compression)
    return paths


def opened(path: Path) -> Any:
    return astropy_fits.open(path, checksum=True)  # a wrong sum is a warning, and so an error here


EVERY = [(name, compression) for name in layout.LAYOUTS for compression in fits.COMPRESSIONS]


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
@pytest.mark.parametrize(("name", "compression"), EVERY)
def test_fitsverify_has_nothing_to_say(tmp_path: Path, name: str, compression: str, kind: type[np.generic]) -> None:
    paths = written(tmp_path, name, compression, kind)
    verifier = shutil.which("fitsverify")
    assert verifier or "CI" not in os.environ, "fitsverify is missing: apt-get install fitsverify"
    for path in paths:
        with opened(path) as file:
            file.verify("exception")
        if verifier:
            done = subprocess.run([verifier, path], capture_output=True, text=True, check=False)
            assert re.search(r"verification OK|found 0 warning\(s\) and 0 error\(s\)", done.stdout), done.stdout
            assert "**** " not in done.stdout.replace("**** Verification found 0", ""), done.stdout


def images(path: Path) -> dict[str, np.ndarray]:
    with opened(path) as file:
        return {unit.name: unit.data.copy() for unit in file if unit.data is not None}


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
@pytest.mark.parametrize("compression", fits.COMPRESSIONS)
def test_all_layouts_hold_the_same_pixels(tmp_path: Path, compression: str, kind: type[np.generic]) -> None:
    expected = geometry.split(frame(kind), AREAS, [BLUE, RED])
    for ccd, path in zip(expected, written(tmp_path, "ccd", compression, kind), strict=True):
        (found,) = images(path).values()
        assert found.dtype == np.dtype(kind)
        assert (found == expected[ccd]).all()
    (path,) = written(tmp_path, "controller", compression, kind)
    found = images(path)
    assert list(found) == ["B1", "R1"]
    assert all((found[ccd.upper()] == image).all() for ccd, image in expected.items())
    for ccd, path in zip((BLUE, RED), written(tmp_path, "mef", compression, kind), strict=True):
        found = images(path)
        assert list(found) == list(ccd.taps)
        for area in AREAS:
            if area.tap.name in ccd.taps:
                part = frame(kind)[area.y : area.y + area.height, area.x : area.x + area.width]
                turned = np.rot90(part, -1) if ccd is BLUE else part[::-1]
                assert (found[area.tap.name] == turned).all()


def test_an_amplifier_has_the_sections_of_its_own_image(tmp_path: Path) -> None:
    path = written(tmp_path, "mef", "none")[1]
    with opened(path) as file:
        assert (file[0].header["NEXTEND"], file[0].header["CCD"]) == (4, "r1")
        assert [unit.header["AMPNAME"] for unit in file[1:]] == list(RED.taps)
        header = file[1].header
    # The first line that AD3R reads is the last one of this image: the CCD is mirrored top and bottom.
    expected = {
        "INHERIT": True, "CCDNAME": "r1", "CCDSUM": "2 1", "DATASEC": "[3:24,3:12]", "TRIMSEC": "[3:24,3:12]",
        "BIASSEC": "[1:2,3:12]", "CCDSEC": "[1:44,11:20]", "AMPSEC": "[44:1,10:1]", "DETSEC": "[45:88,11:20]",
        "CCDSIZE": "[1:88,1:20]", "DETSIZE": "[1:132,1:88]", "BIASLV": 1000.5, "NOISE": 4.25,
    }  # fmt: skip
    assert {keyword: header[keyword] for keyword in expected} == expected
    assert "GAIN" not in header


def test_gain_and_noise_are_those_of_the_amplifier(tmp_path: Path) -> None:
    with opened(written(tmp_path, "mef", "none")[0]) as file:
        assert [unit.header["GAIN"] for unit in file[1:]] == [1.1, 1.2, 1.3, 1.4]
        assert {unit.header["RDNOISE"] for unit in file[1:]} == {2.5}
        assert {unit.header["CCDSUM"] for unit in file} == {"1 2"}, "rotated by a quarter"


def test_cards_of_one_ccd_are_in_its_header_only(tmp_path: Path) -> None:
    for name in ("ccd", "mef"):
        first, second = written(tmp_path, name, "none")
        with opened(first) as one, opened(second) as other:
            assert (one[0].header["SLIT"], one[0].header["GAIN1"]) == (1.5, 9.0)
            assert "SLIT" not in other[0].header
            assert one[0].header["OBSERVER"] == other[0].header["OBSERVER"] == "O'Brien"
    with opened(written(tmp_path, "controller", "none")[0]) as file:
        assert ["SLIT" in unit.header for unit in file] == [False, True, False]
        assert ["CCD" in unit.header for unit in file] == [False, True, True]
        assert file[1].header["GAIN1"] == 9.0
        assert file[0].header["OBSERVER"] == "O'Brien"


def test_a_bad_card_of_one_ccd_is_refused() -> None:
    bad = replace(FACTS, extra_of={"b1": {"EXTNAME": ("x", "")}})
    for name in layout.LAYOUTS:
        with pytest.raises(ConfigError, match="EXTNAME: belongs to the structure"):
            layout.units(name, {"b1": frame()}, bad, [BLUE])


@pytest.mark.parametrize("ccd", [(), (BLUE,)])
def test_an_image_whose_amplifiers_are_not_known_is_one_extension(ccd: tuple[DetectorConfig, ...]) -> None:
    name = ccd[0].name if ccd else ""
    primary, extension = layout.units("mef", {name: frame()}, replace(FACTS, regions={}), ccd)
    assert primary.array is None
    assert extension.name == (name or "IMAGE")
    assert extension.array is not None


def test_compressed_files_are_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(1000, 5, (500, 500)).astype(np.uint16)
    sizes = {}
    for compression in fits.COMPRESSIONS:
        path = tmp_path / compression
        fits.write(path, [fits.Unit([], noise)], compression)
        sizes[compression] = path.stat().st_size
    assert sizes["rice"] < sizes["gzip"] < sizes["none"] / 2
    assert gzip.decompress((tmp_path / "gzip").read_bytes()) == (tmp_path / "none").read_bytes()
