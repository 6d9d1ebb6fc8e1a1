# pyright: standard, reportAttributeAccessIssue=false
"""Column: the values of one attribute for all images of an HDF5 file."""

import math
from collections.abc import Mapping

import h5py
import numpy as np
from h5py import h5s

from archon_ioc.plugins.ndarray import DATA_TYPES, EPICS_EPOCH, Attribute, NDArray

_TEXT = np.dtype("S256")
_CHUNK_BYTES = 1 << 16
_MOST_CHUNK = 1 << 14
"""Elements; clients of areaDetector expect this chunk where the number of images is not known."""


def described(array: NDArray) -> Mapping[str, Attribute]:
    """Return the attributes of an image with those that every image has."""
    nanoseconds = round(array.published % 1 * 1e9) % 1_000_000_000
    return {
        "NDArrayUniqueId": Attribute(array.unique_id, "The unique ID of the NDArray"),
        "NDArrayTimeStamp": Attribute(array.timestamp - EPICS_EPOCH, "The timestamp of the NDArray as float64"),
        "NDArrayEpicsTSSec": Attribute(int(array.published) - EPICS_EPOCH, "The NDArray EPICS timestamp seconds"),
        "NDArrayEpicsTSnSec": Attribute(nanoseconds, "The NDArray EPICS timestamp nanoseconds"),
        **array.attributes,
    }


class Column:
    """A dataset with a value for each image; its type is that of the first value."""

    def __init__(
        self, file: h5py.File, path: str, named: tuple[str, Attribute], shape: tuple[int, ...], chunk: int
    ) -> None:
        """Make it: without a shape it grows, ``chunk`` values (0: as is usual) at once."""
        self._name, attribute = named
        self._dtype = _type_of(self._name, attribute)
        self._grows = not shape
        usual = _MOST_CHUNK if self._dtype.kind != "S" else _CHUNK_BYTES // self._dtype.itemsize
        made = file.create_dataset(
            path,
            shape or (0,),
            self._dtype,
            maxshape=shape or (None,),
            chunks=shape or (min(chunk, _MOST_CHUNK) or usual,),
        )
        made.attrs["NDAttrName"] = self._name
        made.attrs["NDAttrDescription"] = attribute.description
        made.attrs["NDAttrSourceType"] = f"NDAttrSource{attribute.source_type.replace(' ', '')}"
        made.attrs["NDAttrSource"] = attribute.source
        self._id = made.id
        self._one = h5s.create_simple((1,) * max(len(shape), 1))

    def write(self, attributes: Mapping[str, Attribute], place: tuple[int, ...]) -> None:
        """Write the value of an image, or nothing that could be one if it has none."""
        if self._grows and place[0] >= self._id.shape[0]:
            self._id.set_extent((place[0] + 1,))
        space = self._id.get_space()
        space.select_hyperslab(place, (1,) * len(place))
        self._id.write(self._one, space, self._value(attributes.get(self._name)))

    def _value(self, attribute: Attribute | None) -> np.ndarray:
        value = attribute.value if attribute else None
        if self._dtype.kind == "S":
            value = ("" if value is None else str(value)).encode()
        elif value is None or isinstance(value, str):
            value = math.nan if self._dtype.kind == "f" else 0
        try:
            return np.full(1, value, self._dtype)
        except (OverflowError, ValueError):
            return np.zeros(1, self._dtype)


def _type_of(name: str, attribute: Attribute) -> np.dtype:
    value = attribute.value
    if attribute.data_type in DATA_TYPES:
        return DATA_TYPES[attribute.data_type]
    if isinstance(value, str) or attribute.data_type:
        return _TEXT
    if isinstance(value, float):
        return np.dtype("f8")
    if name.startswith("NDArrayEpicsTS"):
        return np.dtype("u4")
    return np.dtype("i4") if -(1 << 31) <= value < 1 << 31 else np.dtype("i8")
