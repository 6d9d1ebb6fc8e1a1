"""The frame buffers at chosen times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, FrameStatus, parse_pairs
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import FrameBuffers, Geometry, Readout, Shot

BASE = 0xA0000000
GOLDEN = Path(__file__).parents[1] / "golden" / "replies"

Change = Callable[..., Acf]


@pytest.fixture
def buffers() -> FrameBuffers:
    return FrameBuffers(Faults())


def geometry(acf: Acf) -> Geometry:
    found = Geometry.of(acf)
    assert found is not None
    return found


def begin(buffers: FrameBuffers, acf: Acf, start: float, line_seconds: float = 1.0, lines: int = 4) -> None:
    buffers.begin(Readout(start, line_seconds, lines, 1.0, 2.0), Shot(0, geometry(acf)))


def render(buffers: FrameBuffers, number: int, value: int) -> None:
    """Fill a buffer's frame with one value."""
    buffer = buffers.buffers[number - 1]
    assert buffer.shot is not None
    buffer.image = np.full(buffer.shot.geometry.image_bytes, value, np.uint8)


def info(buffers: FrameBuffers, at: float, number: int) -> BufferInfo:
    buffers.advance(at)
    return FrameStatus.parse(buffers.report(at)).buffer(number)


# Geometry


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


# Progress


def test_buffers_are_empty_at_first(buffers: FrameBuffers) -> None:
    status = FrameStatus.parse(buffers.report(1.5))
    assert (status.timer, status.read_buffer, status.write_buffer) == (150_000_000, 0, 0)
    assert [b.base for b in status.buffers] == [0xA0000000, 0xC0000000, 0xE0000000]
    assert {(b.frame, b.width, b.height, b.complete, b.timestamp) for b in status.buffers} == {(0, 0, 0, False, 0)}


def test_the_reply_has_the_keys_of_a_real_one_in_its_order(buffers: FrameBuffers) -> None:
    real = (GOLDEN / "FRAME-revE-876.txt").read_text(encoding="ascii")
    assert list(parse_pairs(buffers.report(0))) == list(parse_pairs(real))


def test_a_frame_grows_line_by_line(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 10)
    found = info(buffers, 10, 1)
    assert (found.frame, found.width, found.height, found.lines, found.complete) == (1, 12, 4, 0, False)
    assert (found.timestamp, found.rising_edge, found.falling_edge) == (10**9, 10**8, 2 * 10**8)
    found = info(buffers, 12.5, 1)
    assert (found.lines, found.pixels, found.complete) == (2, 3, False)
    found = info(buffers, 14, 1)
    assert (found.lines, found.pixels, found.complete) == (4, 6, True)


def test_wbuf_stays_after_a_frame_is_complete(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 0)
    buffers.advance(100)
    assert buffers.write_buffer == 1
    begin(buffers, separate, 100)
    assert buffers.write_buffer == 2


def test_a_stopped_frame_never_completes(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 0)
    buffers.stop(2)
    found = info(buffers, 100, 1)
    assert (found.lines, found.complete) == (2, False)
    begin(buffers, separate, 100)
    assert info(buffers, 104, 2).frame == 2


def test_a_frame_without_time_is_complete_at_once(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 3, line_seconds=0.0)
    assert info(buffers, 3, 1).complete


def test_the_fault_leaves_the_last_line_out(separate: Acf) -> None:
    faults = Faults(frame_never_completes=True)
    buffers = FrameBuffers(faults)
    begin(buffers, separate, 0)
    found = info(buffers, 100, 1)
    assert (found.lines, found.complete) == (3, False)


def test_geometry_is_that_of_the_moment_when_the_frame_started(
    buffers: FrameBuffers, separate: Acf, changed: Change
) -> None:
    begin(buffers, separate, 0)
    begin(buffers, changed(separate, PIXELCOUNT=3, FRAMEMODE=1, SAMPLEMODE=1), 10)
    assert (info(buffers, 20, 1).width, info(buffers, 20, 1).mode) == (12, FrameMode.TOP)
    later = info(buffers, 20, 2)
    assert (later.width, later.mode, later.sample_mode) == (6, FrameMode.BOTTOM, SampleMode.BITS32)


# Rotation and locks


def taken(buffers: FrameBuffers, acf: Acf, count: int) -> list[int]:
    found: list[int] = []
    for n in range(count):
        begin(buffers, acf, 10.0 * n)
        found.append(buffers.write_buffer)
    return found


def test_three_buffers_take_turns(buffers: FrameBuffers, separate: Acf) -> None:
    assert taken(buffers, separate, 4) == [1, 2, 3, 1]


def test_a_locked_buffer_is_never_taken(buffers: FrameBuffers, separate: Acf) -> None:
    buffers.lock(2)
    assert taken(buffers, separate, 4) == [1, 3, 1, 3]
    assert FrameStatus.parse(buffers.report(0)).read_buffer == 2
    buffers.lock(0)
    assert taken(buffers, separate, 2) == [1, 2]


def test_two_big_buffers_take_turns(buffers: FrameBuffers, separate: Acf) -> None:
    buffers.use_big(True)
    assert [b.base for b in FrameStatus.parse(buffers.report(0)).buffers[:2]] == [0xA0000000, 0xD0000000]
    assert taken(buffers, separate, 3) == [1, 2, 1]
    buffers.lock(1)
    assert taken(buffers, separate, 2) == [2, 2]


def test_another_division_of_the_memory_forgets_the_frames(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 0)
    buffers.use_big(False)
    assert info(buffers, 10, 1).frame == 1
    buffers.use_big(True)
    assert info(buffers, 10, 1).frame == 0
    begin(buffers, separate, 20)
    assert info(buffers, 30, 1).frame == 2


# Memory


def test_any_part_of_a_frame_can_be_read(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 0, line_seconds=0.0)
    buffers.buffers[0].image = np.arange(96, dtype=np.uint8)
    buffer, offset = buffers.find(BASE + 10, 20)
    assert buffer.read(offset, 20).tolist() == list(range(10, 30))


def test_behind_the_frame_there_is_junk_but_no_zero(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate, 0, line_seconds=0.0)
    render(buffers, 1, 0)
    block = buffers.buffers[0].read(0, 1024)
    assert not block[:96].any()
    assert block[96:].all()


@pytest.mark.parametrize(
    ("address", "count"), [(BASE - 1024, 1024), (0xC0000000 - 1, 2), (0xFFFFFFFF, 1024), (0, 1024)]
)
def test_addresses_outside_the_buffers_are_refused(buffers: FrameBuffers, address: int, count: int) -> None:
    with pytest.raises(InputError, match="not inside a frame buffer"):
        buffers.find(address, count)


def test_the_last_byte_of_the_memory_can_be_read(buffers: FrameBuffers) -> None:
    buffer, offset = buffers.find(0x100000000 - 1024, 1024)
    assert (buffer.number, offset) == (3, 0x20000000 - 1024)


@pytest.mark.parametrize(
    ("mode", "rows"),
    [(0, [2, 2, 1, 1]), (1, [1, 1, 2, 2]), (2, [2, 2, 1, 1, 1, 1, 2, 2])],
)
def test_while_a_frame_is_written_the_rest_is_still_the_old_one(
    buffers: FrameBuffers, separate: Acf, mode: int, rows: list[int], changed: Change
) -> None:
    acf = changed(separate, FRAMEMODE=mode)
    buffers.use_big(True)
    buffers.lock(2)
    begin(buffers, acf, 0)
    render(buffers, 1, 1)
    begin(buffers, acf, 10)
    render(buffers, 1, 2)
    buffers.advance(12)
    shape = geometry(acf)
    image = buffers.buffers[0].read(0, shape.image_bytes).reshape(shape.height, -1)
    assert image[:, 0].tolist() == rows
    assert (image == image[:, :1]).all()
    buffers.advance(14)
    assert (buffers.buffers[0].read(0, shape.image_bytes) == 2).all()
    assert buffers.buffers[0].before is None  # or the memory of the program would fill up
