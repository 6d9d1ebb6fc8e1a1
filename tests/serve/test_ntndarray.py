"""NTNDArray: the types that viewers insist on."""

import numpy as np
import pytest

from archon_ioc.plugins.ndarray import Attribute, Dimension, NDArray
from archon_ioc.serve.ntndarray import image_value


def array(dtype: str = "uint16", **attributes: Attribute) -> NDArray:
    pixels = np.arange(6).reshape(2, 3).astype(dtype)
    return NDArray(pixels, 1, 0.0, 0.0, (Dimension(3), Dimension(2)), attributes)


@pytest.mark.parametrize(
    ("dtype", "number"),
    [("int8", 1), ("int16", 2), ("int32", 3), ("int64", 4), ("uint8", 5), ("uint16", 6), ("uint32", 7),
     ("uint64", 8), ("float32", 9), ("float64", 10)],
)  # fmt: skip
def test_the_parameter_of_the_codec_is_the_type_as_32_bits(dtype: str, number: int) -> None:
    value = image_value(array(dtype))
    assert f"any parameters int32_t = {number}\n" in str(value)
    assert value.value.dtype == np.dtype(dtype)


def test_attributes_have_types_that_viewers_know() -> None:
    value = image_value(array(Gain=Attribute(2), Big=Attribute(1 << 40), Seconds=Attribute(0.5), Name=Attribute("x")))
    found = {one.name: one.value for one in value.attribute}
    assert found == {"Gain": 2, "Big": 1 << 40, "Seconds": 0.5, "Name": "x", "ColorMode": 0}
    for declared in ("int32_t = 2\n", "int64_t = 1099511627776\n", "double = 0.5\n", 'string = "x"\n'):
        assert f"any value {declared}" in str(value)


@pytest.mark.parametrize("codec", ["lz4", "bslz4", "blosc"])
def test_compressed_pixels_are_bytes_and_come_back(codec: str) -> None:
    big = NDArray((np.arange(4096) % 7).astype(np.uint16).reshape(64, 64), 1, 0.0, 0.0, (Dimension(64), Dimension(64)))
    value = image_value(big, codec)
    sent = value.value.tobytes()
    assert value["codec.name"] == codec
    assert value.value.dtype == np.uint8
    assert (value.compressedSize, value.uncompressedSize) == (len(sent), 8192)
    assert value.compressedSize < value.uncompressedSize
    assert np.array_equal(decoded(sent, codec), big.pixels.reshape(-1))


def decoded(sent: bytes, codec: str) -> np.ndarray:
    if codec == "lz4":
        from lz4 import block

        return np.frombuffer(block.decompress(sent, uncompressed_size=8192), np.uint16)
    if codec == "blosc":
        import blosc

        return np.frombuffer(blosc.decompress(sent), np.uint16)
    import bitshuffle

    return bitshuffle.decompress_lz4(np.frombuffer(sent, np.uint8), (4096,), np.dtype(np.uint16))
