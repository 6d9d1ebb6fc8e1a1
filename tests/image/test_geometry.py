"""Frames cut into CCDs, compared with a loop over every pixel."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.taps import Tap, place
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError, InputError, ReadoutError
from archon_ioc.image import geometry
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, Frame, FrameStatus

TAPS = tuple(Tap("AD", channel, side) for channel in range(1, 17) for side in "LR")
MODES = (FrameMode.TOP, FrameMode.BOTTOM, FrameMode.SPLIT)


def buffer(
    width: int, height: int, mode: FrameMode = FrameMode.TOP, sample: SampleMode = SampleMode.BITS16
) -> BufferInfo:
    text = "".join(
        f"BUF{n}SAMPLE=0 BUF{n}COMPLETE=1 BUF{n}MODE=0 BUF{n}BASE=0 BUF{n}FRAME=5 BUF{n}WIDTH=0 BUF{n}HEIGHT=0 "
        f"BUF{n}PIXELS=0 BUF{n}LINES=0 BUF{n}RAWBLOCKS=0 BUF{n}RAWLINES=0 BUF{n}RAWOFFSET=0 "
        for n in (1, 2, 3)
    )
    first = FrameStatus.parse(f"TIMER=0 RBUF=0 WBUF=0 {text}").buffer(1)
    return replace(first, width=width, height=height, mode=mode, sample_mode=sample)


def ccd(name: str, *taps: Tap, **facts: tuple[float, ...]) -> DetectorConfig:
    return DetectorConfig(name=name, taps=tuple(tap.name for tap in taps), **facts)


def mark(tap: int, line: int, column: int) -> int:
    """The value of a pixel: which tap, line of the frame and column of the tap it is."""
    return tap * 1600 + line * 40 + column


def marked(taps: int, mode: FrameMode, width: int, lines: int) -> np.ndarray:
    """A frame as the manual describes it, pixel by pixel: ``width`` columns and ``lines`` lines per tap."""
    split = mode is FrameMode.SPLIT
    array = np.empty((lines * (1 + split), width * taps // (1 + split)), np.uint16)
    for y in range(array.shape[0]):
        for x in range(array.shape[1]):
            lower = taps // 2 if split and y >= lines else 0
            array[y, x] = mark(x // width + lower, y, x % width)
    return array


@st.composite
def layouts(draw: st.DrawFn):
    """A frame mode, its taps, and CCDs that own some of them: as many upper as lower taps, or of one half only."""
    mode = draw(st.sampled_from(MODES))
    half = draw(st.integers(1, 5))
    count = 2 * half if mode is FrameMode.SPLIT else draw(st.integers(1, 10))
    taps = draw(st.permutations(TAPS))[:count]
    rows = [list(range(half)), list(range(half, count))] if mode is FrameMode.SPLIT else [list(range(count))]
    rows = [draw(st.permutations(row)) for row in rows]
    owned: list[list[int]] = []
    while rows and rows[0] and len(owned) < 3:
        size = draw(st.integers(1, len(rows[0])))
        owned.append(draw(st.permutations([tap for row in rows for tap in row[:size]])))
        rows = [row[size:] for row in rows]
    return mode, taps, owned, draw(st.integers(1, 6)), draw(st.integers(1, 5))


@given(layouts())
def test_each_ccd_has_its_taps_in_tapline_order(layout) -> None:
    mode, taps, owned, width, lines = layout
    frame = marked(len(taps), mode, width, lines)
    detectors = [ccd(f"c{n}", *(taps[i] for i in own)) for n, own in enumerate(owned)]
    areas = geometry.areas_of(buffer(frame.shape[1], frame.shape[0], mode), taps)

    images = geometry.split(frame, areas, detectors)

    half = len(taps) // 2
    for n, own in enumerate(owned):
        halves = [[i for i in sorted(own) if i < half], [i for i in sorted(own) if i >= half]]
        rows = halves if mode is FrameMode.SPLIT else [sorted(own)]
        expected = [
            [mark(tap, y, column) for tap in row for column in range(width)]
            for number, row in enumerate(rows)
            for y in range(number * lines, (number + 1) * lines)
        ]
        assert images[f"c{n}"].tolist() == expected
    assert list(images) == [d.name for d in detectors]


@pytest.mark.parametrize("mode", MODES)
def test_an_acf_is_placed_like_the_frame_it_makes(mode: FrameMode) -> None:
    taps = TAPS[:8]
    frame = marked(8, mode, 3, 2)
    assert geometry.areas_of(buffer(frame.shape[1], frame.shape[0], mode), taps) == place(taps, mode, 3, 2)


def test_neighbouring_taps_are_not_copied() -> None:
    frame = marked(8, FrameMode.SPLIT, 3, 2)
    areas = geometry.areas_of(buffer(12, 4, FrameMode.SPLIT), TAPS[:8])
    neighbours = ccd("a", TAPS[1], TAPS[2], TAPS[5], TAPS[6])
    images = geometry.split(frame, areas, [neighbours])
    assert np.shares_memory(images["a"], frame)
    assert images["a"].tolist() == frame[:, 3:9].tolist()


def test_a_ccd_may_have_taps_in_one_half_only() -> None:
    frame = marked(4, FrameMode.SPLIT, 3, 2)
    areas = geometry.areas_of(buffer(6, 4, FrameMode.SPLIT), TAPS[:4])
    images = geometry.split(frame, areas, [ccd("up", TAPS[0], TAPS[1]), ccd("down", TAPS[3], TAPS[2])])
    assert images["up"].tolist() == frame[:2].tolist()
    assert images["down"].tolist() == frame[2:].tolist()


def test_without_detectors_the_whole_frame_is_one_ccd() -> None:
    frame = marked(2, FrameMode.TOP, 3, 2)
    assert geometry.split(frame, (), ())[geometry.WHOLE_FRAME] is frame


def test_a_binned_frame_is_divided_by_its_own_size() -> None:
    areas = geometry.areas_of(buffer(20, 7), TAPS[:2])
    assert [(a.x, a.width, a.height) for a in areas] == [(0, 10, 7), (10, 10, 7)]


@pytest.mark.parametrize(
    ("info", "taps", "message"),
    [
        (buffer(10, 4), TAPS[:3], "10 x 4 pixels cannot be divided among 3 taps in mode TOP"),
        (buffer(10, 5, FrameMode.SPLIT), TAPS[:4], "10 x 5 pixels cannot be divided among 4 taps in mode SPLIT"),
        (buffer(10, 4, FrameMode.SPLIT), TAPS[:3], "even number of taps, not 3"),
        (buffer(10, 4, FrameMode.UNKNOWN), TAPS[:2], "unknown frame mode"),
        (buffer(10, 4), (), "among 0 taps"),
    ],
)
def test_a_frame_that_does_not_fit_the_taps_is_refused(info: BufferInfo, taps, message: str) -> None:
    with pytest.raises(ReadoutError, match=message):
        geometry.areas_of(info, taps)


@pytest.mark.parametrize(
    ("detectors", "message"),
    [
        ([ccd("a", TAPS[0], TAPS[9])], "CCD a: the ACF has no tap AD5R"),
        ([ccd("a", TAPS[0]), ccd("b", TAPS[0])], "tap AD1L is used 2 times"),
        ([ccd("a", TAPS[0], TAPS[0])], "tap AD1L is used 2 times"),
        ([ccd("a", TAPS[0]), ccd("a", TAPS[1])], "there are 2 CCDs a"),
        ([ccd("a", TAPS[0], TAPS[1], TAPS[2])], "CCD a: its upper and its lower taps differ in width"),
        ([ccd("a", TAPS[0], TAPS[2], TAPS[1], TAPS[3], gain=(1.0, 2.0))], "CCD a: 2 x gain for 4 taps"),
        ([ccd("a", TAPS[0], read_noise=(1.0, 2.0))], "CCD a: 2 x read_noise for 1 taps"),
    ],
)
def test_a_layout_that_the_acf_cannot_have_is_refused(detectors: list[DetectorConfig], message: str) -> None:
    areas = place(TAPS[:4], FrameMode.SPLIT, 3, 2)
    with pytest.raises(ConfigError, match=message):
        geometry.check_layout(areas, detectors)
    with pytest.raises(ConfigError, match=message):
        geometry.split(marked(4, FrameMode.SPLIT, 3, 2), areas, detectors)


def test_every_problem_of_a_layout_is_named() -> None:
    with pytest.raises(ConfigError, match="used 2 times; CCD b: the ACF has no tap AD16R"):
        geometry.check_layout(place(TAPS[:2], FrameMode.TOP, 3, 2), [ccd("a", TAPS[0]), ccd("b", TAPS[0], TAPS[31])])


@pytest.mark.parametrize(("sample", "kind"), [(SampleMode.BITS16, "<u2"), (SampleMode.BITS32, "<u4")])
def test_pixels_are_a_read_only_view_of_the_bytes(sample: SampleMode, kind: str) -> None:
    expected = np.arange(12, dtype=kind).reshape(3, 4) * 5000
    memory = bytearray(expected.tobytes())
    array = geometry.pixels(Frame(buffer(4, 3, sample=sample), memoryview(memory)))
    assert array.dtype == np.dtype(kind)
    assert array.tolist() == expected.tolist()
    assert not array.flags.writeable
    memory[0] = 77
    assert array[0, 0] == 77


@pytest.mark.parametrize(
    ("info", "size", "message"),
    [
        (buffer(4, 3), 23, "frame 5 has 23 bytes; 4 x 3 pixels of 2 bytes are 24"),
        (buffer(4, 3), 1024, "1024 bytes"),
        (buffer(0, 3), 0, "0 x 3 pixels"),
        (buffer(4, 3, sample=SampleMode.UNKNOWN), 24, "unknown sample mode"),
    ],
)
def test_bytes_that_do_not_fit_the_frame_are_refused(info: BufferInfo, size: int, message: str) -> None:
    with pytest.raises(ReadoutError, match=message):
        geometry.pixels(Frame(info, memoryview(bytes(size))))


def test_crop_is_a_view_of_the_rectangle() -> None:
    frame = marked(1, FrameMode.TOP, 5, 4)
    part = geometry.crop(frame, 1, 2, 3, 2)
    assert part.tolist() == [[mark(0, y, x) for x in (1, 2, 3)] for y in (2, 3)]
    assert np.shares_memory(part, frame)


@pytest.mark.parametrize(
    "window", [(-1, 0, 2, 2), (0, -1, 2, 2), (4, 0, 2, 1), (0, 3, 1, 2), (0, 0, 0, 1), (0, 0, 1, 0)]
)
def test_crop_refuses_what_is_not_inside(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match="not inside 5 x 4"):
        geometry.crop(marked(1, FrameMode.TOP, 5, 4), *window)


def test_exposures_are_added_up_to_the_highest_number() -> None:
    total = geometry.accumulate(None, np.array([[1, 65535]], np.uint16))
    assert total.dtype == np.uint32
    again = geometry.accumulate(total, np.array([[2, 65535]], np.uint16))
    assert again is total
    assert total.tolist() == [[3, 131070]]
    geometry.accumulate(total, np.array([[0, 0xFFFFFFFF]], np.uint32))
    assert total.tolist() == [[3, 0xFFFFFFFF]]


def test_the_first_exposure_is_not_changed_by_adding() -> None:
    first = np.array([[1]], np.uint32)
    geometry.accumulate(geometry.accumulate(None, first), first)
    assert first.tolist() == [[1]]


def test_exposures_of_another_shape_are_not_added() -> None:
    with pytest.raises(ReadoutError, match="cannot be added"):
        geometry.accumulate(np.zeros((2, 2), np.uint32), np.zeros((1, 2), np.uint16))


def test_a_ccd_is_turned_as_the_site_says_and_others_may_be_left_out() -> None:
    frame = marked(4, FrameMode.TOP, 3, 2)
    areas = geometry.areas_of(buffer(12, 2), TAPS[:4])
    turned = DetectorConfig(name="turned", taps=(TAPS[0].name,), rotate=180)
    images = geometry.split(frame, areas, [turned, DetectorConfig(name="b", taps=(TAPS[1].name,), exclude=True)])
    assert list(images) == ["turned"]
    assert images["turned"].tolist() == frame[::-1, 2::-1].tolist()
