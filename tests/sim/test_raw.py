"""Raw capture: a waveform that gives the pixels again when it is sampled as the controller samples it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from archon_ioc.acf.file import Acf
from archon_ioc.sim.frames import Buffer
from archon_ioc.sim.raw import render
from archon_ioc.sim.scene import Pixels, StarField, TestPattern, in_order
from archon_ioc.sim.shot import Geometry, Shot

Change = Callable[..., Acf]
PERIOD = 400
PULSES = tuple(range(0, 4096, PERIOD))
WINDOWS = {"SHP1": 20, "SHP2": 140, "SHD1": 200, "SHD2": 340}


class Level:
    """A scene of one value."""

    def __init__(self, value: int) -> None:
        self.value = value

    def render(self, shot: Shot) -> Pixels:
        return np.full((shot.geometry.height, shot.geometry.width), self.value, "<u2")


@pytest.fixture
def raw(demo: Acf, changed: Change) -> Acf:
    """The demonstration with raw capture of the first tap's lines 3 to 6, from pixel 5 on."""
    return changed(
        demo, RAWENABLE=1, RAWSEL=0, RAWSTARTLINE=3, RAWENDLINE=6, RAWSTARTPIXEL=5, RAWSAMPLES=4000, **WINDOWS
    )


def buffer_of(acf: Acf, pulses: tuple[int, ...] = PULSES) -> Buffer:
    geometry = Geometry.of(acf)
    assert geometry is not None
    return Buffer(1, Shot(1, geometry, light_seconds=5), pulses=pulses)


def samples(acf: Acf, scene: object = None, pulses: tuple[int, ...] = PULSES) -> NDArray[np.uint16]:
    """Return the captured lines."""
    buffer = buffer_of(acf, pulses)
    render(scene or StarField(), buffer)
    assert buffer.raw is not None
    return buffer.raw.view("<u2").reshape(4, 4096)


def sampled(line: NDArray[np.uint16], gain: float, offset: float) -> list[float]:
    """Sample a line as the controller does (manual, TAPLINE)."""
    reset = np.array([line[p + 20 : p + 140].mean() for p in PULSES[:-1]])
    video = np.array([line[p + 200 : p + 340].mean() for p in PULSES[:-1]])
    return ((reset - video) * gain + offset).tolist()


@pytest.mark.parametrize(("channel", "tap"), [(0, 0), (1, 1), (4, 2), (5, 3)])
def test_the_waveform_gives_the_pixels_of_the_image(raw: Acf, changed: Change, channel: int, tap: int) -> None:
    acf = changed(raw, RAWSEL=channel)
    buffer = buffer_of(acf)
    render(StarField(), buffer)
    assert buffer.shot is not None
    assert buffer.image is not None
    assert buffer.raw is not None
    geometry = buffer.shot.geometry
    image = in_order(buffer.image.view("<u2").reshape(geometry.height, geometry.width), geometry.areas[tap])
    for n, line in enumerate(buffer.raw.view("<u2").reshape(4, 4096)):
        wanted = image[3 + n, 5 : 5 + len(PULSES) - 1].tolist()
        assert sampled(line, acf.taps[tap].gain, acf.taps[tap].offset) == pytest.approx(wanted, rel=0.02, abs=8)


def test_a_pixel_has_a_reset_level_a_video_level_and_a_reset_spike(raw: Acf) -> None:
    line = samples(raw, Level(11_000))[0].astype(int)
    for pulse in PULSES[:-1]:
        reset, video = line[pulse + 20 : pulse + 140], line[pulse + 200 : pulse + 340]
        assert (reset.std(), video.std()) == pytest.approx((12, 12), abs=4)
        assert reset.mean() - video.mean() == pytest.approx(10_000, rel=0.01)
        assert line[pulse + 340 : pulse + PERIOD].max() > reset.mean() + 2_000
    assert line.min() > 0
    assert line.max() < 65535


def test_behind_the_last_pixel_of_the_line_there_is_no_charge(raw: Acf, changed: Change) -> None:
    line = samples(changed(raw, RAWSTARTPIXEL=557), Level(11_000))[0]
    found = sampled(line, 1, 1000)
    assert found[:3] == pytest.approx([11_000] * 3, abs=20)
    assert found[3:] == pytest.approx([1000] * 7, abs=20)


def test_lines_have_their_own_noise_that_repeats_with_the_frame(raw: Acf) -> None:
    lines = samples(raw, Level(5000))
    assert (lines[0] != lines[1]).mean() > 0.9
    assert (lines == samples(raw, Level(5000))).all()


def test_an_input_without_a_tap_has_noise_only(raw: Acf, changed: Change) -> None:
    lines = samples(changed(raw, RAWSEL=15), Level(30_000))
    assert lines.std() == pytest.approx(12, abs=3)


def test_sampling_windows_that_do_not_fit_into_a_pixel_do_no_harm(raw: Acf, changed: Change) -> None:
    line = samples(changed(raw, SHP2=0, SHD2=5000), Level(11_000))[0].astype(int)
    assert line[:100].mean() - line[250:380].mean() == pytest.approx(10_000, rel=0.05)


def test_one_pulse_is_enough(raw: Acf) -> None:
    line = samples(raw, Level(11_000), (0,))[0].astype(int)
    assert line[20:140].mean() - line[200:340].mean() == pytest.approx(10_000, rel=0.02)


def test_samples_have_16_bits_also_in_the_32_bit_mode(raw: Acf, changed: Change) -> None:
    short, long = (samples(changed(raw, SAMPLEMODE=mode)) for mode in (0, 1))
    assert (short == long).all()


def test_the_raw_capture_is_made_once_its_pulses_are_known(raw: Acf) -> None:
    buffer = buffer_of(raw, ())
    render(TestPattern(), buffer)
    assert buffer.image is not None
    assert buffer.raw is None
    image = buffer.image
    buffer.pulses = PULSES
    assert not buffer.is_rendered
    render(TestPattern(), buffer)
    assert buffer.is_rendered
    assert buffer.image is image


def test_an_empty_buffer_has_nothing_to_render() -> None:
    buffer = Buffer(1)
    render(TestPattern(), buffer)
    assert (buffer.image, buffer.raw) == (None, None)


def test_without_raw_capture_there_is_only_the_image(demo: Acf) -> None:
    buffer = replace(buffer_of(demo))
    render(TestPattern(), buffer)
    assert buffer.image is not None
    assert buffer.raw is None
