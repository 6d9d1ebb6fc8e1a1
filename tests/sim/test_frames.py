"""The frame buffers at chosen times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.raster import Edges
from archon_ioc.errors import InputError
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, FrameStatus, parse_pairs
from archon_ioc.sim.faults import Faults
from archon_ioc.sim.frames import FrameBuffers
from archon_ioc.sim.shot import Geometry, Shot

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


def begin(buffers: FrameBuffers, acf: Acf, tick: int = 0) -> None:
    buffers.begin(tick, Shot(0, geometry(acf)), Edges(100, 200, 3, 4, 5, 6))


def render(buffers: FrameBuffers, number: int, value: int) -> None:
    """Fill a buffer's frame with one value."""
    buffer = buffers.buffers[number - 1]
    assert buffer.shot is not None
    buffer.image = np.full(buffer.shot.geometry.image_bytes, value, np.uint8)


def info(buffers: FrameBuffers, number: int) -> BufferInfo:
    return FrameStatus.parse(buffers.report(0)).buffer(number)


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
    begin(buffers, separate, 10**9)
    found = info(buffers, 1)
    assert (found.frame, found.width, found.height, found.lines, found.complete) == (1, 12, 4, 0, False)
    buffers.progress(2, 3)
    found = info(buffers, 1)
    assert (found.lines, found.pixels, found.complete) == (2, 3, False)
    buffers.complete()
    found = info(buffers, 1)
    assert (found.lines, found.pixels, found.complete) == (4, 6, True)


def test_the_times_are_those_of_the_first_sample_and_of_the_edges_before_it(
    buffers: FrameBuffers, separate: Acf
) -> None:
    begin(buffers, separate, 10**9 + 1)
    found = parse_pairs(buffers.report(20))
    assert (found["TIMER"], found["BUF1TIMESTAMP"]) == (f"{2 * 10**9:016X}", f"{10**9 + 1:016X}")
    edges = [int(found[f"BUF1{name}TIMESTAMP"], 16) for name in ("RE", "FE", "REA", "FEA", "REB", "FEB")]
    assert edges == [100, 200, 3, 4, 5, 6]


def test_wbuf_stays_after_a_frame_is_complete(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.complete()
    assert buffers.write_buffer == 1
    assert info(buffers, 1).lines == 4
    begin(buffers, separate)
    assert buffers.write_buffer == 2


def test_a_stopped_frame_never_completes(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.progress(2, 1)
    buffers.stop()
    buffers.complete()
    found = info(buffers, 1)
    assert (found.lines, found.complete) == (2, False)
    begin(buffers, separate)
    assert info(buffers, 2).frame == 2


def test_the_fault_leaves_the_last_line_out(separate: Acf) -> None:
    faults = Faults(frame_never_completes=True)
    buffers = FrameBuffers(faults)
    begin(buffers, separate)
    buffers.progress(3, 6)
    buffers.complete()
    found = info(buffers, 1)
    assert (found.lines, found.complete) == (3, False)
    faults.clear()
    begin(buffers, separate)
    buffers.complete()
    assert info(buffers, 2).complete


def test_geometry_is_that_of_the_moment_when_the_frame_started(
    buffers: FrameBuffers, separate: Acf, changed: Change
) -> None:
    begin(buffers, separate)
    begin(buffers, changed(separate, PIXELCOUNT=3, FRAMEMODE=1, SAMPLEMODE=1))
    assert (info(buffers, 1).width, info(buffers, 1).mode) == (12, FrameMode.TOP)
    later = info(buffers, 2)
    assert (later.width, later.mode, later.sample_mode) == (6, FrameMode.BOTTOM, SampleMode.BITS32)


def test_completed_frames_wait_to_be_pushed_only_if_somebody_asked(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.complete()
    assert not buffers.completed
    buffers.set_autofetch(True)
    for _ in range(5):
        begin(buffers, separate)
        buffers.complete()
    assert [b.shot.frame for b in buffers.completed if b.shot] == [4, 5, 6]
    buffers.set_autofetch(False)
    assert not buffers.completed


# Rotation and locks


def taken(buffers: FrameBuffers, acf: Acf, count: int) -> list[int]:
    found: list[int] = []
    for n in range(count):
        begin(buffers, acf, 10 * n)
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


def test_a_rev_h_has_its_big_buffers_elsewhere(separate: Acf) -> None:
    buffers = FrameBuffers(Faults(), is_rev_h=True)
    assert info(buffers, 1).base == BASE
    buffers.use_big(True)
    bases = [buffer.base for buffer in FrameStatus.parse(buffers.report(0)).buffers]
    assert bases == [0x20000000, 0x50000000, 0x60000000]
    assert taken(buffers, separate, 3) == [1, 2, 1]
    assert buffers.find(0x4FFFFC00, 1024) == (buffers.buffers[0], (768 << 20) - 1024)
    assert buffers.find(0x60000000, 1024) == (buffers.buffers[1], 256 << 20)
    for address in (0x4FFFFE00, 0x80000000, BASE):
        with pytest.raises(InputError, match="not inside a frame buffer"):
            buffers.find(address, 1024)


def test_another_division_of_the_memory_forgets_the_frames(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.use_big(False)
    assert info(buffers, 1).frame == 1
    buffers.use_big(True)
    assert info(buffers, 1).frame == 0
    begin(buffers, separate)
    assert info(buffers, 1).frame == 2


# Memory


def test_any_part_of_a_frame_can_be_read(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.complete()
    buffers.buffers[0].image = np.arange(96, dtype=np.uint8)
    buffer, offset = buffers.find(BASE + 10, 20)
    assert buffer.read(offset, 20).tolist() == list(range(10, 30))


def test_behind_the_frame_there_is_junk_but_no_zero(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    buffers.complete()
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
    begin(buffers, acf)
    render(buffers, 1, 1)
    begin(buffers, acf)
    render(buffers, 1, 2)
    buffers.progress(2, 0)
    shape = geometry(acf)
    image = buffers.buffers[0].read(0, shape.image_bytes).reshape(shape.height, -1)
    assert image[:, 0].tolist() == rows
    assert (image == image[:, :1]).all()
    buffers.complete()
    assert (buffers.buffers[0].read(0, shape.image_bytes) == 2).all()
    assert buffers.buffers[0].before is None  # or the memory of the program would fill up


# Raw capture


@pytest.fixture
def raw(separate: Acf, changed: Change) -> Acf:
    return changed(separate, RAWENABLE=1, RAWSTARTLINE=1, RAWENDLINE=2, RAWSAMPLES=1025)


def test_raw_capture_is_told_with_the_frame(buffers: FrameBuffers, raw: Acf) -> None:
    begin(buffers, raw)
    found = info(buffers, 1)
    assert (found.raw_blocks, found.raw_lines, found.raw_offset) == (2, 2, 2048)


def test_raw_lines_come_as_the_lines_of_the_frame_do(buffers: FrameBuffers, raw: Acf) -> None:
    begin(buffers, raw)
    buffers.capture((0, 100))
    buffer = buffers.buffers[0]
    buffer.image = np.full(96, 1, np.uint8)
    assert not buffer.is_rendered
    buffer.raw = np.zeros(2 * 4096, np.uint8)
    assert buffer.is_rendered
    found: list[int] = []
    for lines in range(4):
        buffers.progress(lines, 0)
        found.append(int((buffer.read(2048, 8192) == 0).sum()))
    assert found == [0, 0, 4096, 8192]
    buffers.complete()
    whole = buffer.read(0, 2048 + 8192 + 10)
    assert (whole[:96] == 1).all()
    assert whole[96:2048].all()
    assert not whole[2048 : 2048 + 8192].any()
    assert whole[2048 + 8192 :].all()


def test_without_raw_capture_nothing_is_told_of_it(buffers: FrameBuffers, separate: Acf) -> None:
    begin(buffers, separate)
    found = info(buffers, 1)
    assert (found.raw_blocks, found.raw_lines, found.raw_offset) == (0, 0, 0)
    buffers.buffers[0].image = np.full(96, 1, np.uint8)
    assert buffers.buffers[0].is_rendered


def test_a_buffer_without_a_frame_holds_junk_and_takes_no_part_in_raw_capture(buffers: FrameBuffers) -> None:
    buffers.capture((0, 100))
    buffer = buffers.buffers[0]
    buffer.image = np.zeros(96, np.uint8)
    assert buffer.pulses == ()
    assert buffer.read(0, 96).all()
