from typing import Any

import caproto as ca
import numpy as np
import pytest

from archon_ioc.driver.memory import FrameMemory
from archon_ioc.serve import wire


def test_pixels_are_big_endian_flat_clipped_and_locked() -> None:
    pixels = np.array([[1, 65_535], [65_536, 1 << 31]], dtype=np.uint32)
    sent, is_clipped = wire.pixels_sent(pixels, 16, FrameMemory())
    assert is_clipped
    assert sent.tobytes() == b"\x00\x01\xff\xff\xff\xff\xff\xff"
    assert sent.dtype == np.dtype(">i2")
    with pytest.raises(ValueError, match="read-only"):
        sent[0] = 3


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_pixels_of_32_bits_are_whole(kind: type) -> None:
    pixels = np.array([0, 1, np.iinfo(kind).max], kind)
    sent, is_clipped = wire.pixels_sent(pixels, 32, FrameMemory())
    assert not is_clipped
    assert sent.dtype == np.dtype(">i4")
    assert sent.astype("<i4").view("<u4").tolist() == pixels.tolist()


def test_pixels_are_a_copy_even_if_they_have_the_right_order_already() -> None:
    pixels = np.array([1, 2], dtype=">u2")
    sent, _ = wire.pixels_sent(pixels, 16, FrameMemory())
    pixels[0] = 9
    assert sent.tolist() == [1, 2]


def test_memory_is_used_again_when_nobody_looks_at_the_pixels() -> None:
    memory = FrameMemory()
    first = wire.pixels_sent(np.full(100_000, 1, np.uint16), 16, memory)[0]
    event = wire.WireReading(first, b"").payload(ca.ChannelType.INT, 0).buffers(1)
    where = first.ctypes.data
    del first
    second = wire.pixels_sent(np.full(100_000, 2, np.uint16), 16, memory)[0]
    assert second.ctypes.data != where
    assert b"".join(event).count(b"\0\1") >= 100_000
    del event
    assert wire.pixels_sent(np.full(100_000, 3, np.uint16), 16, memory)[0].ctypes.data == where


def test_caproto_sends_arrays_without_copying() -> None:
    sent, _ = wire.pixels_sent(np.ones(10, np.uint16), 16, FrameMemory())
    command = ca.EventAddResponse(sent, ca.ChannelType.INT, len(sent), 1, 1)
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), sent) for part in command.buffers if len(part))


def payload(values: Any, data_type: ca.ChannelType = ca.ChannelType.INT, count: int = 0) -> bytes:
    return b"".join(wire.WireReading(values, b"").payload(data_type, count).buffers(77))


def sent_by_caproto(values: Any, data_type: ca.ChannelType, count: int) -> bytes:
    return bytes(ca.EventAddResponse(values, data_type, count, 1, 77))


@pytest.mark.parametrize("count", [1, 3, 32_000, 0xFFFF, 0x10000, 100_001])
def test_events_are_the_same_bytes_as_those_of_caproto(count: int) -> None:
    numbers, _ = wire.pixels_sent(np.arange(count).astype(np.uint16), 16, FrameMemory())
    assert payload(numbers) == sent_by_caproto(numbers, ca.ChannelType.INT, count)


def test_events_with_metadata() -> None:
    metadata = ca.DBR_TYPES[ca.ChannelType.TIME_DOUBLE]()
    metadata.severity = 2
    for count in (1, 50_000):
        values = wire.numbers(np.arange(count), ca.ChannelType.DOUBLE)
        made = wire.WireReading(values, metadata).payload(ca.ChannelType.TIME_DOUBLE, 0).buffers(77)
        expected = ca.EventAddResponse(values, ca.ChannelType.TIME_DOUBLE, count, 1, 77, metadata=metadata)
        assert b"".join(made) == bytes(expected)


def test_a_large_value_is_shared_by_all_events() -> None:
    pixels, _ = wire.pixels_sent(np.ones(100_000, np.uint16), 16, FrameMemory())
    reading = wire.WireReading(pixels, b"")
    for subscription in (1, 2):
        parts = reading.payload(ca.ChannelType.INT, 0).buffers(subscription)
        assert any(np.shares_memory(np.frombuffer(part, np.uint8), pixels) for part in parts if len(part))


@pytest.mark.parametrize(("count", "expected"), [(0, [7, 8]), (1, [7]), (4, [7, 8, 0, 0])])
def test_a_fixed_number_of_elements_is_cut_or_filled_up(count: int, expected: list[int]) -> None:
    values = wire.numbers([7, 8], ca.ChannelType.INT)
    assert payload(values, count=count) == payload(wire.numbers(expected, ca.ChannelType.INT))


def test_an_empty_array_is_not_taken_for_the_end_of_a_subscription() -> None:
    event = payload(np.zeros(0, ">i2"))
    assert event[2:4] == b"\0\x08"
    assert event[6:8] == b"\0\0"
    assert len(event) == 24


def test_every_second_element_can_be_sent() -> None:
    values = wire.numbers(np.arange(100_000), ca.ChannelType.INT)[::2]
    assert payload(values) == payload(values.copy())


def test_text_that_latin_1_lacks_is_replaced_and_cut() -> None:
    assert wire.latin("30 µm ☉", 40) == b"30 \xb5m ?"
    assert wire.latin("x" * 50, 40) == b"x" * 39
    with pytest.raises(TypeError):
        wire.latin(5, 40)


@pytest.mark.parametrize(
    ("values", "native", "text"),
    [
        ([b"caf\xe9"], ca.ChannelType.STRING, "café"),
        (np.frombuffer(b"ab\0cd", np.uint8), ca.ChannelType.CHAR, "ab"),
        (np.zeros(0, np.uint8), ca.ChannelType.CHAR, ""),
        ([], ca.ChannelType.STRING, ""),
        (np.array([2.5]), ca.ChannelType.DOUBLE, "2.5"),
    ],
)
def test_text_sent_in_any_type(values: object, native: ca.ChannelType, text: str) -> None:
    assert wire.text_sent(values, native) == text


def test_values_sent_in_any_type() -> None:
    assert wire.value_sent([b"1.5"], ca.ChannelType.STRING) == "1.5"
    assert wire.value_sent(np.array([7], ">i4"), ca.ChannelType.LONG) == 7
    assert wire.value_sent(np.zeros(0), ca.ChannelType.DOUBLE) is None
