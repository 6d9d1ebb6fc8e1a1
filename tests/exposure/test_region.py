"""Which part of a frame becomes an image, by configuration, window and what was asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.window import Window
from archon_ioc.exposure.region import crop, full_size, kept, lines_to_read
from archon_ioc.exposure.settings import ExposureSettings

DEMO = Acf.read(Path(__file__).parents[2] / "config" / "demo.acf")  # 4 taps of 512 + 48 pixels, 512 + 16 lines
TOP, BOTTOM, SPLIT = (DEMO.with_value("FRAMEMODE", str(mode)) for mode in (0, 1, 2))


def controller(acf: Acf, **changes: int) -> ControllerState:
    """Return a controller with this configuration, and a window that was set since."""
    default = Window.of(acf)
    window = default.changed(changes)
    return ControllerState(acf=acf.with_values(window.entries(acf)), window=window, default_window=default)


def asked(**changes: int) -> ExposureSettings:
    return ExposureSettings().changed(**changes)


def read_rows(acf: Acf, min_y: int, size_y: int) -> ControllerState:
    """Return a controller that was told to read only these rows."""
    changes = lines_to_read(controller(acf), min_y, size_y)
    assert changes is not None
    return controller(acf, **changes)


@pytest.mark.parametrize(("acf", "size"), [(TOP, (2240, 528)), (BOTTOM, (2240, 528)), (SPLIT, (1120, 1056))])
def test_without_a_window_all_is_kept(acf: Acf, size: tuple[int, int]) -> None:
    state = controller(acf)
    assert full_size(state) == size
    assert kept(state, asked()) == (0, 0, *size)
    assert crop(state, asked()) is None


def test_without_a_configuration_it_is_what_was_asked_for() -> None:
    settings = asked(min_x=1, min_y=2, size_x=3, size_y=4)
    assert full_size(ControllerState()) == (0, 0)
    assert kept(ControllerState(), settings) == (1, 2, 3, 4)
    assert crop(ControllerState(), settings) is None
    assert lines_to_read(ControllerState(), 1, 2) is None


@pytest.mark.parametrize(
    ("acf", "preskip", "lines", "postskip", "overscan"),
    [(TOP, 100, 50, 362, 0), (BOTTOM, 378, 50, 84, 0)],
)
def test_rows_are_left_out_on_the_ccd(acf: Acf, preskip: int, lines: int, postskip: int, overscan: int) -> None:
    assert lines_to_read(controller(acf), 100, 50) == {
        "preskiplines": preskip, "lines": lines, "postskiplines": postskip, "overscanlines": overscan,
    }  # fmt: skip
    state = read_rows(acf, 100, 50)
    assert full_size(state) == (2240, 528)
    assert kept(state, asked(min_y=100, size_y=50)) == kept(state, asked()) == (0, 100, 2240, 50)
    assert crop(state, asked(min_y=100, size_y=50)) is None


def test_overscan_is_read_as_far_as_it_is_asked_for() -> None:
    assert lines_to_read(controller(TOP), 500, 20) == {
        "preskiplines": 500, "lines": 12, "postskiplines": 0, "overscanlines": 8,
    }  # fmt: skip
    assert kept(read_rows(TOP, 500, 20), asked()) == (0, 500, 2240, 20)
    alone = read_rows(TOP, 512, 16)
    assert alone.window == alone.default_window, "overscan comes after all lines"
    assert crop(alone, asked(min_y=512)) == (0, 512, 2240, 16)


def test_all_rows_are_the_window_as_loaded() -> None:
    changes = lines_to_read(read_rows(TOP, 100, 50), 0, 0)
    assert changes is not None
    assert Window.of(TOP).changed(changes) == Window.of(TOP)


@pytest.mark.parametrize(
    "acf",
    [
        SPLIT,
        TOP.with_value(TOP.parameter_key("PostSkipLines"), "Other=0"),
        TOP.with_value(TOP.parameter_key("OverscanLines"), "Other=0").with_value("LINECOUNT", "512"),
        TOP.with_value("LINECOUNT", "527"),
        replace(TOP, keys={**TOP.keys, "LINESCAN": "1"}),
    ],
)
def test_where_rows_cannot_be_left_out_exactly_the_frame_is_cut(acf: Acf) -> None:
    state = controller(acf)
    exact = lines_to_read(state, 100, 50)
    if acf.line_count == 512:  # without overscan lines nothing is missing
        assert exact is not None
    else:
        assert exact is None
        assert crop(state, asked(min_y=100, size_y=50))[1::2] == (100, 50)


def test_a_frame_is_cut_in_its_own_binned_pixels() -> None:
    state = controller(SPLIT, hbin=2, vbin=4)
    settings = asked(min_x=10, size_x=101, min_y=8, size_y=3)
    assert full_size(state) == (1120, 1056)
    assert kept(state, settings) == (10, 8, 101, 3)
    assert crop(state, settings) == (5, 2, 50, 1)


def test_columns_are_cut_of_rows_that_were_left_out() -> None:
    state = read_rows(BOTTOM, 100, 50)
    assert crop(state, asked(min_x=7, size_x=9, min_y=100, size_y=50)) == (7, 0, 9, 50)
    assert crop(state, asked(min_y=110, size_y=10)) == (0, 10, 2240, 10)


def test_what_is_not_read_cannot_be_kept() -> None:
    state = read_rows(TOP, 100, 50)
    assert kept(state, asked(min_y=140, size_y=50)) == (0, 140, 2240, 10)
    assert kept(state, asked(min_y=300, size_y=50)) == (0, 100, 2240, 50), "then all is kept"
    assert kept(state, asked(min_y=140), whole=True) == (0, 100, 2240, 50)


@pytest.mark.parametrize("changes", [{"lines": 100}, {"preskiplines": 5}, {"lines": 600, "overscanlines": 0}])
def test_a_frame_that_is_no_part_of_the_usual_one_has_its_own_size(changes: dict[str, int]) -> None:
    """Overscan lines follow with a gap, or more than the CCD is read."""
    state = controller(TOP, **changes)
    rows = changes.get("lines", 512) + changes.get("overscanlines", 16)
    assert full_size(state) == (2240, rows)
    assert kept(state, asked()) == (0, 0, 2240, rows)


def test_a_window_that_is_set_by_number_shows_as_a_region() -> None:
    state = controller(TOP, preskiplines=200, lines=100, overscanlines=0)
    assert (full_size(state), kept(state, asked())) == ((2240, 528), (0, 200, 2240, 100))
