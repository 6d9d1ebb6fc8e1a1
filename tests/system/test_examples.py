"""The site files in ``config`` do what they say, with simulated controllers."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.config import load
from archon_ioc.driver.controller import ArchonController
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

CONFIG = Path(__file__).parents[2] / "config"
SITES = sorted(CONFIG.glob("*.yaml"))


async def expose(site: str, folder: Path, *options: str) -> list[Path]:
    """Take an exposure and return its files."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "archon_ioc", "expose", "--simulate", "--config", CONFIG / site, "--seconds", "0.2",
        *options, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    files = [Path(name) for name in out.decode().split()]
    if shutil.which("fitsverify"):
        command = ("fitsverify", "-q", *map(str, files))
        said = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert said.stdout.count("OK") == len(files), said.stdout
    return files


async def test_spectrographs_have_a_compressed_file_for_each_ccd(tmp_path: Path) -> None:
    files = await expose("spectrographs.yaml", tmp_path, "--type", "twilight")
    assert [file.name for file in files] == [f"sdR-n-{ccd}-00000001.fits.gz" for ccd in ("b1", "r1", "b2", "r2")]
    assert re.fullmatch(r"6\d{4}", files[0].parent.name), "the SDSS day"
    assert (tmp_path / files[0].with_name(f"{files[0].name}.sha256")).exists()
    headers = [fits.getheader(file) for file in files]
    assert [header["SPEC"] for header in headers] == ["sp1", "sp2", "sp3", "sp4"]
    assert [header["CHANNEL"] for header in headers] == ["blue", "red", "blue", "red"]
    assert {(header["IMAGETYP"], header["TELESCOP"], header["LAMPS"]) for header in headers} == {
        ("flat", "Simulated 2.5m", False)
    }
    assert all(isinstance(header["BPTEMP"], float) for header in headers)
    assert ["HEATOUT" in header for header in headers] == [False, False, False, True]


async def test_the_mosaic_starts_at_one_tick_and_has_an_extension_for_each_amplifier(tmp_path: Path) -> None:
    files = await expose("mosaic.yaml", tmp_path)
    names = ("n1", "n2", "e1", "e2", "s1", "s2", "w1")
    assert [file.name for file in files] == [f"mosaic_0001_{name}.fits.fz" for name in names]
    ticks: set[int] = set()
    for file in files:
        with fits.open(file) as hdus:
            ticks.add(hdus[0].header["ARCHTIME"])
            assert [hdu.shape for hdu in hdus[1:]] == [(528, 560), (528, 560)]
            assert all("DETSEC" in hdu.header for hdu in hdus[1:])
    assert len(ticks) == 1


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
async def test_every_window_can_be_read(path: Path) -> None:
    site = load(path)
    for unit in site.units[:1]:
        assert unit.acf is not None
        device = SimArchon(Acf.read(unit.acf), applied=True)
        async with SimServer(device, speed=20.0) as sim, ArchonController("127.0.0.1", sim.port) as archon:
            for window in site.windows.values():
                assert (await archon.check_window(reset=True, **window.changes)).lines > 0
