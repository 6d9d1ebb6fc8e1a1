import caproto as ca
import numpy as np
import pytest

from archon_ioc.serve import wire


def test_pixels_are_big_endian_flat_clipped_and_locked() -> None:
    pixels = np.array([[1, 65_535], [65_536, 1 << 31]], dtype=np.uint32)
    sent, is_clipped = wire.pixels_sent(pixels, 16)
    assert is_clipped
    assert sent.tobytes() == b"\x00\x01\xff\xff\xff\xff\xff\xff"
    assert sent.dtype == np.dtype(">i2")
    with pytest.raises(ValueError, match="read-only"):
        sent[0] = 3


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_pixels_of_32_bits_are_whole(kind: type) -> None:
    pixels = np.array([0, 1, np.iinfo(kind).max], kind)
    sent, is_clipped = wire.pixels_sent(pixels, 32)
    assert not is_clipped
    assert sent.dtype == np.dtype(">i4")
    assert sent.astype("<i4").view("<u4").tolist() == pixels.tolist()


def test_pixels_are_a_copy_even_if_they_have_the_right_order_already() -> None:
    pixels = np.array([1, 2], dtype=">u2")
    sent, _ = wire.pixels_sent(pixels, 16)
    pixels[0] = 9
    assert sent.tolist() == [1, 2]


def test_caproto_sends_arrays_without_copying() -> None:
    sent, _ = wire.pixels_sent(np.ones(10, np.uint16), 16)
    command = ca.EventAddResponse(sent, ca.ChannelType.INT, len(sent), 1, 1)
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), sent) for part in command.buffers if len(part))


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
