"""From a fetched frame to what its amplifiers look like, in state and header."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.config import DetectorConfig
from archon_ioc.exposure.glance import glance
from archon_ioc.image.quicklook import EDGE, OVERSCAN
from archon_ioc.protocol.enums import SampleMode
from archon_ioc.protocol.replies import BufferInfo
from archon_ioc.sim.scene import StarField

DEMO = Acf.read(Path(__file__).parents[2] / "config" / "demo.acf")
NOISE, STEP = 4.0, 3
"""Of the simulator's stars: read noise, and by what the bias of each tap is above that of the one before."""


def last_frame(bench: Any) -> BufferInfo:
    return bench.controller.status.frames.buffer(1)


async def test_state_and_header_tell_of_each_amplifier(benches) -> None:
    detector = DetectorConfig(name="ccd", taps=("AD5L", "AD1L", "AD2R", "AD6R"), gain=(2.0, 0.5, 0.5, 0.5))
    async with benches(acf=DEMO, scene=StarField(), speed=0, site={"detectors": (detector,)}) as bench:
        await bench.good()
        shown = bench.camera.state.quick_look
        header = fits.getheader(bench.camera.state.file.full_name)
    assert [(one.controller, one.tap, one.reference) for one in shown] == [
        ("archon", tap, OVERSCAN) for tap in ("AD1L", "AD2R", "AD5L", "AD6R")
    ]
    assert [one.bias for one in shown] == pytest.approx(
        [tap.offset + n * STEP for n, tap in enumerate(DEMO.taps)], abs=1
    )
    assert [one.noise for one in shown] == pytest.approx([NOISE] * 4, rel=0.02)
    assert [one.gain for one in shown] == [0.5, 0.5, 2.0, 0.5]

    third = shown[2]  # the first of the CCD
    assert header["QLREF"] == OVERSCAN
    assert (header["BIASLV1"], header["NOISE1"]) == (round(third.bias, 3), round(third.noise, 3))
    assert header["ENOISE1"] == pytest.approx(2 * third.noise, abs=1e-3)
    assert (header["MEDIAN1"], header["NSATUR1"], header["NSATUR"]) == (third.median, 0, 0)
    assert header.comments["NOISE1"] == "[adu] Measured read noise of tap AD5L"
    assert header["GAIN1"] == 2.0


async def test_it_can_be_switched_off(bench) -> None:
    await bench.good()
    assert {one.reference for one in bench.camera.state.quick_look} == {EDGE}
    bench.camera.change(quick_look=False)
    await bench.good()
    assert bench.camera.state.quick_look == ()
    assert "NSATUR" not in fits.getheader(bench.camera.state.file.full_name)


@pytest.mark.parametrize(("level", "saturated"), [(None, 1), (65_000, 2)])
async def test_saturation_is_that_of_the_site(bench, level: int | None, saturated: int) -> None:
    await bench.good()
    pixels = np.zeros((40, 48), np.uint16)
    pixels[0, :3] = 65_535, 65_000, 64_999
    detector = DetectorConfig(name="ccd", taps=("AD1L", "AD2R"), saturation=level)
    site = bench.camera._site.model_copy(update={"detectors": (detector,)})
    shown = glance(pixels, last_frame(bench), bench.controller.status, site)
    assert [one.saturated for one in shown] == [saturated, 0, 0, 0]


async def test_a_pixel_of_a_sum_is_saturated_when_it_was_each_time(bench) -> None:
    await bench.good()
    pixels = np.zeros((40, 48), np.uint32)
    pixels[0, :2] = 3 * 65_535, 3 * 65_535 - 1
    shown = glance(pixels, last_frame(bench), bench.controller.status, bench.camera._site, summed=3)
    assert shown[0].saturated == 1


async def test_in_32_bits_the_scale_ends_higher(benches, make_acf) -> None:
    async with benches(acf=make_acf(SAMPLEMODE=1)) as bench:
        await bench.good()
        assert last_frame(bench).sample_mode is SampleMode.BITS32
        pixels = np.full((40, 48), 0xFFFEFFFF, np.uint32)
        pixels[0, 0] = 0xFFFF0000
        shown = glance(pixels, last_frame(bench), bench.controller.status, bench.camera._site)
    assert shown[0].saturated == 1


async def test_a_look_that_is_not_possible_costs_no_image(benches, make_acf, caplog: pytest.LogCaptureFixture) -> None:
    acf = make_acf(PARAMETERS=18, PARAMETER17="OverscanPixels=24")
    async with benches(acf=acf) as bench:
        await bench.good()
        assert bench.camera.state.quick_look == ()
    assert "no quick look" in caplog.text
