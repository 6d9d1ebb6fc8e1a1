"""From fetched frames to images: every pixel where it belongs, every number in the header."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import ConfigError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.picture import ccd_temperature
from archon_ioc.exposure.settings import FrameType

REAL = Path(__file__).parents[3] / "shared" / "data" / "acf"
DEMO = Path(__file__).parents[2] / "config" / "demo.acf"


def opened(camera: Camera) -> fits.HDUList:
    return fits.open(camera.state.file.full_name, checksum=True)


def saved(camera: Camera) -> tuple[np.ndarray, fits.Header]:
    with opened(camera) as hdus:
        hdus.verify("exception")
        assert {"CHECKSUM", "DATASUM"} <= set(hdus[0].header)
        return hdus[0].data.copy(), hdus[0].header.copy()


# Pixels


@pytest.mark.parametrize("sample_mode", [0, 1])
@pytest.mark.parametrize("frame_mode", [0, 1, 2])
async def test_every_pixel_is_where_it_belongs(benches, make_acf, pattern, frame_mode: int, sample_mode: int) -> None:
    acf = make_acf(FRAMEMODE=frame_mode, SAMPLEMODE=sample_mode, taps=("AD1L", "AD2R", "AD3R", "AD4L"))
    async with benches(acf=acf) as bench:
        for frame in (1, 2):
            await bench.good()
            pixels, header = saved(bench.camera)
            assert header["ARCHFRAM"] == frame
            assert pixels.dtype.itemsize == (4 if sample_mode else 2)
            assert np.array_equal(pixels, pattern(acf, frame))


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["BOSS_extra", "LVM_100kHz", "STA4800"])
async def test_real_configurations_from_upload_to_file(benches, pattern, name: str) -> None:
    path = REAL / f"{name}.acf"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    acf = Acf.read(path)
    async with benches(acf=acf, applied=False, powered=False, speed=0) as bench:
        bench.controller.choose_config(str(path))
        await bench.operations.load_config(1)
        await bench.operations.power(1)
        await bench.good()
        pixels, header = saved(bench.camera)
        assert np.array_equal(pixels, pattern(acf, 1))
        assert (header["ARCHACF"], header["ARCHHASH"]) == (path.name, acf.digest)


async def test_the_demonstration_configuration(benches, pattern) -> None:
    acf = Acf.read(DEMO)
    async with benches(acf=acf, speed=0) as bench:
        await bench.good()
        assert np.array_equal(saved(bench.camera)[0], pattern(acf, 1))


async def test_a_window_is_cut_out(bench, make_acf, pattern) -> None:
    await bench.operations.windows.set_region(min_x=5, min_y=7, size_x=20, size_y=11)
    await bench.good()
    pixels, header = saved(bench.camera)
    assert np.array_equal(pixels, pattern(make_acf(), 1)[7:18, 5:25])
    assert header["WINDOW"] == "5 7 20 11"


async def test_a_window_ends_at_the_edge(bench, make_acf, pattern) -> None:
    await bench.operations.windows.set_region(min_x=40, min_y=39, size_x=20, size_y=40)
    await bench.good()
    assert np.array_equal(saved(bench.camera)[0], pattern(make_acf(), 1)[39:, 40:])


@pytest.mark.parametrize(("x", "y"), [(True, False), (False, True), (True, True)])
async def test_reversed(bench, make_acf, pattern, x: bool, y: bool) -> None:
    bench.camera.change(reverse_x=x, reverse_y=y)
    await bench.good()
    whole = pattern(make_acf(), 1)
    expected = whole[:, ::-1] if x else whole
    assert np.array_equal(saved(bench.camera)[0], expected[::-1] if y else expected)


@pytest.mark.parametrize("factors", [{"hbin": 2}, {"vbin": 3}, {"hbin": 2, "vbin": 2}])
async def test_binned_on_the_ccd(bench, make_acf, pattern, factors: dict[str, int]) -> None:
    await bench.operations.windows.set(**factors)
    hbin, vbin = factors.get("hbin", 1), factors.get("vbin", 1)
    await bench.good()
    pixels, header = saved(bench.camera)
    assert np.array_equal(pixels, pattern(make_acf(lines=20 // vbin, pixels=24 // hbin), 1))
    assert header["CCDSUM"] == f"{hbin} {vbin}"
    assert "WINDOW" not in header
    await bench.operations.windows.set(hbin=1, vbin=1)
    await bench.good()
    assert np.array_equal(saved(bench.camera)[0], pattern(make_acf(), 2))


async def test_a_window_of_a_binned_frame_is_given_in_pixels_of_the_ccd(bench, make_acf, pattern) -> None:
    await bench.operations.windows.set(hbin=2, vbin=2)
    await bench.operations.windows.set_region(min_x=4, min_y=6, size_x=8, size_y=10)
    await bench.good()
    assert np.array_equal(saved(bench.camera)[0], pattern(make_acf(lines=10, pixels=12), 1)[3:8, 2:6])


async def test_one_file_per_ccd(benches, make_acf, pattern) -> None:
    detectors = [
        {"name": "red", "taps": ["AD1L", "AD3L"], "gain": [1.5, 1.6]},
        {"name": "blue", "taps": ["AD2R", "AD4R"], "serial": "B-7"},
    ]
    async with benches(site={"detectors": detectors}) as bench:
        bench.camera.change(seconds=0.01)
        await bench.camera.acquire()
        assert bench.files == ["archon_0001_blue.fits", "archon_0001_red.fits"]
        whole = pattern(make_acf(), 1)
        for name, columns in (("red", slice(0, 24)), ("blue", slice(24, 48))):
            with fits.open(bench.folder / f"archon_0001_{name}.fits", checksum=True) as hdus:
                hdus.verify("exception")
                assert np.array_equal(hdus[0].data, whole[:, columns])
                assert hdus[0].header["CCD"] == name


async def test_ccds_that_the_configuration_does_not_have(benches) -> None:
    async with benches(site={"detectors": [{"name": "red", "taps": ["AD9L"]}]}) as bench:
        bench.camera.change(seconds=0.01)
        with pytest.raises(ConfigError, match="no tap AD9L"):
            await bench.camera.acquire()
        assert bench.files == []


# Header


async def test_times_and_numbers(bench) -> None:
    bench.camera.change(seconds=0.25)
    before = datetime.now(UTC).timestamp()
    await bench.camera.acquire()
    after = datetime.now(UTC).timestamp()
    _, header = saved(bench.camera)
    start, end = (Time(header[key], scale="utc").unix for key in ("DATE-BEG", "DATE-END"))
    assert before - 0.001 <= start <= end <= after
    assert end - start == pytest.approx(0.25, abs=0.0011)
    assert header["EXPTIME"] == header["TELAPSE"] == 0.25
    assert 0.25 < header["DARKTIME"] < 3.0, "a little more, by the clock of the controller, which is 20 times faster"
    assert Time(header["MJD-OBS"], format="mjd").unix == pytest.approx(start, abs=0.002)
    assert bench.camera.state.image.timestamp == pytest.approx(start, abs=0.001)
    assert (header["EXPOSURE"], header["FILENAME"]) == (1, "archon_0001.fits")
    assert (header["ARCHPOWR"], header["ARCHTYPE"], header["ARCHBVER"]) == ("ON", "X12", "1.0.1252")
    assert header["BUFFER"] == 1


async def test_the_exposure_time_is_what_the_script_can_do(benches, make_acf, renamed_acf) -> None:
    async with benches(acf=renamed_acf(make_acf(), IntMS="IntCS")) as bench:
        bench.camera.change(seconds=0.026)
        await bench.camera.acquire()
        _, header = saved(bench.camera)
        assert (header["EXPTIME"], header["EXPREQ"]) == (0.03, 0.026)


@pytest.mark.parametrize(
    ("frame_type", "seconds", "word"),
    [
        (FrameType.NORMAL, 0.01, "object"),
        (FrameType.BACKGROUND, 0.01, "dark"),
        (FrameType.BACKGROUND, 0.0, "bias"),
        (FrameType.FLAT_FIELD, 0.01, "flat"),
    ],
)
async def test_what_the_image_is_for(bench, frame_type: FrameType, seconds: float, word: str) -> None:
    bench.camera.change(frame_type=frame_type, seconds=seconds)
    await bench.camera.acquire()
    assert saved(bench.camera)[1]["IMAGETYP"] == word


async def test_cards_of_the_site(benches) -> None:
    site: dict[str, Any] = {
        "header": {"observatory": "LCO", "instrument": "spec", "cards": {"FOO": ("bar", "why")}},
        "temperature_sensor": "MOD2/TEMPB",
    }
    async with benches(site=site) as bench:
        await bench.good()
        _, header = saved(bench.camera)
        assert [header[key] for key in ("OBSERVAT", "INSTRUME", "FOO")] == ["LCO", "spec", "bar"]
        sensors = bench.controller.status.status.modules[2].sensors
        assert header["CCDTEMP"] == pytest.approx(sensors["B"], abs=1.0)


async def test_which_sensor_is_that_of_the_ccd(bench) -> None:
    state = bench.controller.status
    sensors = state.status.modules[2].sensors
    assert sensors["A"] < -273.0 < sensors["B"], "the test is too weak"
    assert ccd_temperature(state, "") == sensors["B"], "by default the first that is connected"
    assert ccd_temperature(state, "mod2\\tempb") == sensors["B"]
    assert ccd_temperature(state, "MOD2/TEMPA") is None
    assert ccd_temperature(state, "MOD9/TEMPA") is None
    assert ccd_temperature(state, "MOD2/DINPUTS") == 0.0
    assert ccd_temperature(ControllerState(), "") is None


async def test_settings_that_change_during_an_exposure_are_for_the_next(bench) -> None:
    bench.camera.change(seconds=0.3)
    client = bench.start()
    await bench.until(lambda state: state.remaining > 0)
    bench.camera.change(seconds=0.01, frame_type=FrameType.BACKGROUND, reverse_x=True)
    await client
    _, header = saved(bench.camera)
    assert (header["EXPTIME"], header["IMAGETYP"]) == (0.3, "object")
    await asyncio.wait_for(bench.camera.acquire(), 5)
    _, header = saved(bench.camera)
    assert (header["EXPTIME"], header["IMAGETYP"]) == (0.01, "dark")
