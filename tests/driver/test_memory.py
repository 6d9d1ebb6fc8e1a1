"""Memory for frames is used again, but never while anybody looks at a frame."""

import numpy as np

from archon_ioc.driver.memory import FrameMemory


def address(memory: memoryview) -> int:
    return np.frombuffer(memory, np.uint8).ctypes.data


def test_memory_that_nobody_looks_at_is_lent_again() -> None:
    memory = FrameMemory()
    first = memory.lend(1 << 20)
    where = address(first)
    first[:4] = b"1234"
    del first

    again = memory.lend(1 << 20)

    assert address(again) == where
    assert bytes(again[:4]) == b"1234"


def test_memory_behind_an_array_is_not_lent_again() -> None:
    memory = FrameMemory()
    pixels = np.frombuffer(memory.lend(1 << 20)[: 1 << 19], "<u2").reshape(512, 512)[::-1, :100]
    pixels_before = pixels.copy()

    memory.lend(1 << 20)[:] = b"\xff" * (1 << 20)
    memory.lend(1 << 20)[:] = b"\xaa" * (1 << 20)

    assert np.array_equal(pixels, pixels_before)


def test_two_frames_have_memory_of_their_own() -> None:
    memory = FrameMemory()
    first, second = memory.lend(1024), memory.lend(1024)
    first[:], second[:] = b"1" * 1024, b"2" * 1024

    assert (bytes(first), bytes(second)) == (b"1" * 1024, b"2" * 1024)


def test_frame_of_another_size_gets_other_memory() -> None:
    memory = FrameMemory()
    memory.lend(1024)

    assert len(memory.lend(4096)) == 4096
    assert len(memory.lend(1024)) == 1024
