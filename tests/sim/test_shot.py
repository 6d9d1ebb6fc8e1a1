"""What a frame shows: geometry, raw window, and the part of the CCD."""

from collections.abc import Callable

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.sim.shot import Ccd, Geometry, RawWindow, Shot, View

Change = Callable[..., Acf]


def geometry(acf: Acf) -> Geometry:
    found = Geometry.of(acf)
    assert found is not None
    return found


def test_geometry_is_that_of_the_configuration(separate: Acf) -> None:
    found = geometry(separate)
    assert (found.width, found.height, found.frame_mode, found.sample_mode) == (
        12, 4, FrameMode.TOP, SampleMode.BITS16,
    )  # fmt: skip
    assert found.image_bytes == 96


def test_split_mode_and_32_bits(separate: Acf, changed: Change) -> None:
    found = geometry(changed(separate, FRAMEMODE=2, SAMPLEMODE=1))
    assert (found.width, found.height, found.image_bytes) == (6, 8, 192)


def test_a_configuration_may_describe_no_frame(separate: Acf, changed: Change) -> None:
    assert Geometry.of(Acf({})) is None
    assert Geometry.of(changed(separate, TAPLINES=0)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PIXELCOUNT": "0"}, "PIXELCOUNT=0 is not 1 to 65535"),
        ({"LINECOUNT": "65536"}, "LINECOUNT=65536 is not 1 to 65535"),
        ({"LINECOUNT": "many"}, "LINECOUNT='many' is not a whole number"),
        ({"FRAMEMODE": "3"}, "FRAMEMODE"),
        ({"SAMPLEMODE": "2"}, "SAMPLEMODE"),
        ({"TAPLINE0": "XX1L"}, "'XX1L' is not a tap"),
        ({"FRAMEMODE": "2", "TAPLINES": "1"}, "even number of taps"),
        ({"PIXELCOUNT": "20000", "LINECOUNT": "20000"}, "does not fit"),
    ],
)
def test_a_wrong_geometry_is_named(separate: Acf, changes: dict[str, str], reason: str, changed: Change) -> None:
    with pytest.raises(ConfigError, match=reason):
        Geometry.of(changed(separate, **changes))


def test_a_frame_that_is_too_big_for_three_buffers_may_fit_into_two(separate: Acf, changed: Change) -> None:
    assert geometry(changed(separate, PIXELCOUNT=15000, LINECOUNT=10000, BIGBUF=1)).image_bytes == 600_000_000
    with pytest.raises(ConfigError, match="does not fit"):
        Geometry.of(changed(separate, PIXELCOUNT=15000, LINECOUNT=10000, BIGBUF=0))


# Raw capture


def test_raw_capture_takes_whole_blocks_of_some_lines(separate: Acf, changed: Change) -> None:
    window = geometry(changed(
        separate, RAWENABLE=1, RAWSEL=7, RAWSTARTLINE=1, RAWENDLINE=2, RAWSTARTPIXEL=3, RAWSAMPLES=1025,
        SHP1=20, SHP2=140, SHD1=200, SHD2=340,
    )).raw  # fmt: skip
    assert window == RawWindow(7, 1, 2, 3, 2, (20, 140), (200, 340))
    assert (window.samples, window.size) == (2048, 2 * 2 * 2048)


def test_raw_capture_lies_behind_the_image(separate: Acf, changed: Change) -> None:
    found = geometry(changed(separate, RAWENABLE=1, RAWENDLINE=9, RAWSAMPLES=1024))
    assert found.raw is not None
    assert (found.raw.lines, found.raw_offset, found.size) == (4, 2048, 2048 + 4 * 2048)


@pytest.mark.parametrize(
    "changes",
    [
        {"RAWENABLE": 0, "RAWENDLINE": 3, "RAWSAMPLES": 1024},
        {"RAWENABLE": 1, "RAWENDLINE": 3, "RAWSAMPLES": 0},
        {"RAWENABLE": 1, "RAWSTARTLINE": 3, "RAWENDLINE": 2, "RAWSAMPLES": 1024},
        {"RAWENABLE": 1, "RAWSTARTLINE": 4, "RAWENDLINE": 9, "RAWSAMPLES": 1024},
    ],
)
def test_there_may_be_nothing_to_capture(separate: Acf, changes: dict[str, int], changed: Change) -> None:
    found = geometry(changed(separate, **changes))
    assert found.raw is None
    assert found.size == found.image_bytes


def test_raw_capture_needs_its_place_in_the_buffer(separate: Acf, changed: Change) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        geometry(changed(separate, LINECOUNT=65535, RAWENABLE=1, RAWENDLINE=65534, RAWSAMPLES=8192))


# The part of the CCD


def view_of(acf: Acf, *, ccd: Ccd | None = None, **parameters: int) -> tuple[View, tuple[int, int]]:
    """Return what a readout shows, and how much of each tap's image is on the CCD."""
    ccd = ccd or Ccd()
    ccd.learn(acf, geometry(acf))
    stored = {name.upper(): value for name, value in acf.parameters.items()}
    view = ccd.view(stored | {name.upper(): value for name, value in parameters.items()})
    return view, view.active(geometry(acf))


def test_what_is_read_beyond_lines_and_pixels_is_overscan(demo: Acf) -> None:
    assert view_of(demo) == (View(512, 512), (512, 512))


def test_without_a_word_about_overscan_a_hundredth_is(separate: Acf, changed: Change) -> None:
    acf = changed(separate, PIXELCOUNT=560, LINECOUNT=528, PARAMETERS=0)
    assert view_of(acf) == (View(523, 555), (523, 555))
    assert Shot(1, geometry(acf)).shown == View(523, 555)


def test_a_skipped_part_leaves_more_room_for_overscan(demo: Acf) -> None:
    view, active = view_of(demo, PreSkipLines=100, PreSkipPixels=512)
    assert (view.first_line, view.first_pixel) == (100, 512)
    assert active == (412, 0)


def test_a_binned_frame_shows_the_same_ccd(demo: Acf, changed: Change) -> None:
    ccd = Ccd()
    view_of(demo, ccd=ccd)
    half = changed(demo, LINECOUNT=264, PIXELCOUNT=280)
    view, active = view_of(half, ccd=ccd, VerticalBinning=2, HorizontalBinning=2, Lines=256, Pixels=256)
    assert (view.lines, view.pixels, view.line_bin, view.pixel_bin) == (512, 512, 2, 2)
    assert active == (256, 256)


def test_a_window_shows_a_part_of_the_same_ccd(demo: Acf, changed: Change) -> None:
    ccd = Ccd()
    view_of(demo, ccd=ccd)
    window = changed(demo, LINECOUNT=100, PIXELCOUNT=80)
    view, active = view_of(window, ccd=ccd, PreSkipLines=200, PreSkipPixels=300, Lines=100, Pixels=80)
    assert view == View(512, 512, 200, 300)
    assert active == (100, 80)


def test_what_is_read_after_a_second_skip_is_overscan(demo: Acf, changed: Change) -> None:
    ccd = Ccd()
    view_of(demo, ccd=ccd)
    window = changed(demo, LINECOUNT=116, PIXELCOUNT=148)
    skips = {"PreSkipLines": 200, "PostSkipLines": 212, "PreSkipPixels": 12, "PostSkipPixels": 400}
    _, active = view_of(window, ccd=ccd, Lines=100, Pixels=100, **skips)
    assert active == (100, 100)
    _, active = view_of(window, ccd=ccd, Lines=100, Pixels=100, **skips | {"PostSkipLines": 0})
    assert active == (116, 100)


def test_another_detector_has_another_ccd(demo: Acf, separate: Acf) -> None:
    ccd = Ccd()
    view_of(demo, ccd=ccd)
    assert view_of(separate, ccd=ccd)[0] == View(4, 6)


def test_some_scripts_count_only_the_extra_shifts_of_horizontal_binning(demo: Acf, changed: Change) -> None:
    number = next(key for key, value in demo.keys.items() if value.startswith("HorizontalBinning="))
    acf = changed(demo, **{number: "HorizontalBinning=0"})
    assert view_of(acf)[0].pixel_bin == 1
    assert view_of(acf, HorizontalBinning=1)[0].pixel_bin == 2
    assert view_of(demo, HorizontalBinning=0)[0].pixel_bin == 1
