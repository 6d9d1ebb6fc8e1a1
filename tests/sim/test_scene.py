"""Pixels: the pattern is exact, the stars are plausible."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.sim.scene import Pixels, StarField, TestPattern, in_order
from archon_ioc.sim.shot import Geometry, Shot, View

Change = Callable[..., Acf]


def shot_of(acf: Acf, **values: object) -> Shot:
    geometry = Geometry.of(acf)
    assert geometry is not None
    return replace(Shot(7, geometry), **values)


# The pattern


def test_the_pattern_in_top_mode_by_hand(separate: Acf) -> None:
    image = TestPattern().render(shot_of(separate))
    assert (image.dtype, image.shape) == ("<u2", (4, 12))
    assert image[0, :6].tolist() == [119, 120, 121, 122, 123, 124]
    assert image[3, 0] == 119 + 3 * 257
    assert image[0, 6:].tolist() == [119 + 5003 + n for n in (5, 4, 3, 2, 1, 0)]  # this tap reads from the right


def test_the_pattern_in_bottom_mode_begins_below(separate: Acf, changed: Change) -> None:
    image = TestPattern().render(shot_of(changed(separate, FRAMEMODE=1)))
    assert image[:, 0].tolist() == [119 + 257 * n for n in (3, 2, 1, 0)]


def test_the_pattern_in_split_mode_begins_above_and_below(separate: Acf, changed: Change) -> None:
    image = TestPattern().render(shot_of(changed(separate, FRAMEMODE=2)))
    assert image.shape == (8, 6)
    assert image[:4, 0].tolist() == [119 + 257 * n for n in range(4)]
    assert image[4:, 5].tolist() == [119 + 5003 + 257 * n for n in (3, 2, 1, 0)]


def test_the_pattern_of_32_bits(separate: Acf, changed: Change) -> None:
    image = TestPattern().render(shot_of(changed(separate, SAMPLEMODE=1)))
    assert image.dtype == "<u4"
    assert image[2, 3] == 2 * 4096 + 3
    assert image[2, 6 + 3] == 2**24 + 2 * 4096 + 2


def test_the_pattern_wraps(separate: Acf, changed: Change) -> None:
    acf = changed(separate, PIXELCOUNT=30, LINECOUNT=400, TAPLINES=1)
    image = TestPattern().render(shot_of(acf))
    assert image[399, 29] == (399 * 257 + 29 + 119) % 65536


def test_the_pattern_of_real_configurations_names_every_place(real: Acf) -> None:
    shot = shot_of(real)
    image = TestPattern().render(shot)
    assert image.shape == real.frame_shape
    for area in shot.geometry.areas:
        line = np.arange(area.height)[:, np.newaxis]
        pixel = np.arange(area.width)
        wanted = (area.index * 5003 + line * 257 + pixel + 119) % 65536
        assert (in_order(image, area) == wanted).all()


# The stars


@pytest.fixture(scope="module")
def stars() -> StarField:
    return StarField()


def parts(image: Pixels, acf: Acf) -> tuple[list[Pixels], list[Pixels]]:
    """Return what each tap has on the CCD, and its overscan columns."""
    geometry = Geometry.of(acf)
    assert geometry is not None
    taps = [in_order(image, area) for area in geometry.areas]
    return [tap[:512, :512] for tap in taps], [tap[:, 512:] for tap in taps]


def exposed(acf: Acf, seconds: float, **values: object) -> Shot:
    return shot_of(acf, **{"light_seconds": seconds, "dark_seconds": seconds, "view": View(512, 512), **values})


def test_each_amplifier_has_its_bias_and_noise(stars: StarField, demo: Acf) -> None:
    _, overscans = parts(stars.render(exposed(demo, 0)), demo)
    for overscan, tap in zip(overscans, demo.taps, strict=True):
        assert overscan.mean() == pytest.approx(tap.offset, abs=15)
        assert 2 < overscan.std() < 8


def test_light_grows_with_the_time_but_not_in_the_overscan(stars: StarField, demo: Acf) -> None:
    active, overscans = zip(*(parts(stars.render(exposed(demo, s)), demo) for s in (0, 10, 100)), strict=True)
    medians = [[float(np.median(part)) for part in parts] for parts in active]
    assert all(a + 10 < b and b + 100 < c for a, b, c in zip(*medians, strict=True))
    assert [o.mean() for o in overscans[2]] == pytest.approx([o.mean() for o in overscans[0]], abs=0.5)


def test_stars_keep_their_place_and_grow(stars: StarField, demo: Acf) -> None:
    short, long = (parts(stars.render(exposed(demo, s)), demo)[0] for s in (5, 50))
    bright = [(a > np.median(a) + 100) for a in short]
    assert sum(int(b.sum()) for b in bright) > 100
    for before, after, there in zip(short, long, bright, strict=True):
        brighter = after[there].astype(int) > before[there]
        assert brighter.mean() > 0.9  # cosmics do not come back


def test_pixels_saturate(stars: StarField, demo: Acf) -> None:
    assert stars.render(exposed(demo, 3600)).max() == 65535


def test_a_dark_frame_has_hot_pixels_but_no_stars(stars: StarField, demo: Acf) -> None:
    image = stars.render(shot_of(demo, light_seconds=0, dark_seconds=20))
    hot = sum(int((part > np.median(part) + 60).sum()) for part in parts(image, demo)[0])
    assert 4 < hot < 200


def test_noise_differs_from_frame_to_frame_and_repeats_for_the_same(stars: StarField, demo: Acf) -> None:
    first = stars.render(exposed(demo, 1))
    assert (first == stars.render(exposed(demo, 1))).all()
    assert (first != stars.render(exposed(demo, 1, frame=8))).mean() > 0.5


def test_32_bits_are_the_scale_of_the_accumulator(stars: StarField, demo: Acf, changed: Change) -> None:
    image = stars.render(exposed(changed(demo, SAMPLEMODE=1), 1))
    assert image.dtype == "<u4"
    assert 900 < np.median(image) / 65536 < 1300


def test_without_a_word_about_overscan_a_hundredth_of_the_pixels_is(stars: StarField, demo: Acf) -> None:
    image = stars.render(shot_of(demo, light_seconds=100, dark_seconds=100))
    tap = image[:528, :560]
    assert np.median(tap[:, -5:]) == pytest.approx(1000, abs=5)
    assert np.median(tap[:500, -6]) > 1100
    assert np.median(tap[-5:, :]) == pytest.approx(1000, abs=5)


def test_small_frames_are_rendered_too(stars: StarField, separate: Acf) -> None:
    assert stars.render(shot_of(separate, light_seconds=1, dark_seconds=1)).shape == (4, 12)


# Windows and binning


@pytest.fixture
def ccd(stars: StarField, demo: Acf) -> Pixels:
    """The whole CCD of the demonstration without overscan, after 20 s."""
    image = stars.render(exposed(demo, 20, dark_seconds=0))
    rows = np.r_[0:512, 1056 - 512 : 1056]
    columns = np.r_[0:512, 1120 - 512 : 1120]
    return image[np.ix_(rows, columns)].astype(int)


def test_a_window_shows_the_stars_that_are_there(stars: StarField, demo: Acf, ccd: Pixels, changed: Change) -> None:
    acf = changed(demo, LINECOUNT=100, PIXELCOUNT=80)
    window = stars.render(exposed(acf, 20, dark_seconds=0, view=View(512, 512, 200, 300))).astype(int)
    assert window.shape == (200, 160)
    corners = [
        (window[:100, :80], ccd[200:300, 300:380]),
        (window[:100, 80:], ccd[200:300, 1024 - 380 : 1024 - 300]),
        (window[100:, :80], ccd[1024 - 300 : 1024 - 200, 300:380]),
        (window[100:, 80:], ccd[1024 - 300 : 1024 - 200, 1024 - 380 : 1024 - 300]),
    ]
    for seen, wanted in corners:
        bright = wanted > np.median(wanted) + 100
        assert bright.sum() > 10
        assert seen[bright] == pytest.approx(wanted[bright], rel=0.02, abs=100)
        assert (seen[~bright] < np.median(wanted) + 200).all()


def test_bins_hold_the_sum_of_their_pixels(stars: StarField, demo: Acf, ccd: Pixels, changed: Change) -> None:
    acf = changed(demo, LINECOUNT=256, PIXELCOUNT=128)
    image = stars.render(exposed(acf, 20, dark_seconds=0, view=View(512, 512, 0, 0, 2, 4))).astype(int)
    assert image.shape == (512, 256)
    tap = demo.taps[0]
    charge = (ccd[:512, :512] - tap.offset).reshape(256, 2, 128, 4).sum(axis=(1, 3))
    seen = image[:256, :128] - tap.offset
    assert np.median(seen) == pytest.approx(np.median(charge), abs=20)
    faint = charge < 30_000  # not saturated
    assert np.corrcoef(seen[faint], charge[faint])[0, 1] > 0.99
    assert seen[faint].sum() == pytest.approx(charge[faint].sum(), rel=0.03)  # rounded down 8 times


def test_what_is_read_beyond_the_ccd_is_dark(stars: StarField, demo: Acf) -> None:
    image = stars.render(exposed(demo, 100, view=View(512, 512, 600, 0)))
    assert image[:528].max() < 1300


def test_hot_pixels_stay_where_they_are_on_the_ccd(stars: StarField, demo: Acf, changed: Change) -> None:
    whole = stars.render(shot_of(demo, dark_seconds=100, view=View(512, 512)))[:512, :512]
    hot = np.argwhere(whole > 1300)
    acf = changed(demo, LINECOUNT=512, PIXELCOUNT=512)
    shifted = stars.render(shot_of(acf, dark_seconds=100, view=View(512, 512, 10, 20)))[:512, :512]
    seen = [(row, column) for row, column in hot if row >= 10 and column >= 20]
    same = [shifted[row - 10, column - 20] > 1300 for row, column in seen]
    assert len(seen) > 3
    assert sum(same) > 0.6 * len(same)  # the others are cosmics
