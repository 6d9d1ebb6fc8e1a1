# pyright: standard
"""NTNDArray: an image as PVAccess sends it, just as areaDetector's NDPluginPva makes it."""

from typing import Any

import numpy as np
from p4p import Value
from p4p.nt import NTNDArray

from archon_ioc.plugins.codec import compressed
from archon_ioc.plugins.ndarray import Attribute, Dimension, NDArray
from archon_ioc.serve.nt import time_stamp

_TYPE = NTNDArray.buildType()
_MEMBERS = {
    "int8": "byteValue", "uint8": "ubyteValue", "int16": "shortValue", "uint16": "ushortValue", "int32": "intValue",
    "uint32": "uintValue", "int64": "longValue", "uint64": "ulongValue", "float32": "floatValue",
    "float64": "doubleValue",
}  # fmt: skip
_SCALAR_TYPES = {
    "int8": 1, "int16": 2, "int32": 3, "int64": 4, "uint8": 5, "uint16": 6, "uint32": 7, "uint64": 8, "float32": 9,
    "float64": 10,
}  # fmt: skip
"""pvData's numbers of types, which ``codec.parameters`` has as 32 bits: viewers take nothing else."""
_SOURCE_TYPES = {"Driver": 0, "Param": 1, "EPICS PV": 2, "Function": 3, "Const": 4}


def no_image() -> Value:
    """Return what there is before the first image."""
    return Value(_TYPE, {"attribute": [_attribute("ColorMode", Attribute(0, "Color mode"))]})


def image_value(array: NDArray, codec: str = "") -> Value:
    """Return an image. Copies it, or compresses it; for a thread.

    Args:
        array: what is shown.
        codec: nothing, ``lz4``, ``bslz4`` or ``blosc``.

    Raises:
        InputError: if there is no such codec here.
    """
    name = array.pixels.dtype.newbyteorder("=").name
    flat = np.ascontiguousarray(array.pixels).reshape(-1)
    sent, member = flat, _MEMBERS[name]
    if codec:
        sent, member = np.frombuffer(compressed(flat, codec), np.uint8), "ubyteValue"
    color_mode = {"ColorMode": Attribute(0, "Color mode")}
    return Value(
        _TYPE,
        {
            "value": (member, sent),
            "codec": {"name": codec, "parameters": ("i", _SCALAR_TYPES[name])},
            "compressedSize": sent.nbytes,
            "uncompressedSize": flat.nbytes,
            "uniqueId": array.unique_id,
            "dataTimeStamp": time_stamp(array.timestamp),
            "timeStamp": time_stamp(array.published),
            "dimension": [_axis(dimension) for dimension in array.dimensions],
            "attribute": [_attribute(*item) for item in ({**array.attributes, **color_mode}).items()],
        },
    )


def _axis(dimension: Dimension) -> dict[str, int | bool]:
    return {
        "size": dimension.size,
        "offset": dimension.offset,
        "fullSize": dimension.full_size or dimension.size,
        "binning": dimension.binning,
        "reverse": dimension.reverse,
    }


def _attribute(name: str, attribute: Attribute) -> dict[str, Any]:
    return {
        "name": name,
        "value": _variant(attribute.value),
        "descriptor": attribute.description,
        "sourceType": _SOURCE_TYPES[attribute.source_type],
        "source": attribute.source,
    }


def _variant(value: float | int | str) -> Any:
    """Return a value with its type: whole numbers of 32 bits where they fit, as viewers expect."""
    if isinstance(value, str):
        return ("s", value)
    if isinstance(value, float):
        return ("d", value)
    return ("i" if -(1 << 31) <= value < 1 << 31 else "l", int(value))
