# pyright: standard
"""Attributes in HDF5 files."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from archon_ioc.plugins.hdf5_columns import Column, described
from archon_ioc.plugins.ndarray import EPICS_EPOCH, Attribute
from tests.plugins.arrays import array


def test_what_every_image_has() -> None:
    image = replace(array(5), timestamp=EPICS_EPOCH + 1.5, published=EPICS_EPOCH + 2.25)
    values = {name: attribute.value for name, attribute in described(image).items()}
    assert values == {
        "NDArrayUniqueId": 5,
        "NDArrayTimeStamp": 1.5,
        "NDArrayEpicsTSSec": 2,
        "NDArrayEpicsTSnSec": 250_000_000,
    }


@pytest.mark.parametrize(
    ("first", "later", "dtype", "read"),
    [
        (1, [2, "x", 1 << 40, None], "i4", [1, 2, 0, 0, 0]),
        (1 << 40, [7], "i8", [1 << 40, 7]),
        ("warm", ["cold", 7, None], "S256", [b"warm", b"cold", b"7", b""]),
        (1.5, [2, "x", None], "f8", [1.5, 2.0, np.nan, np.nan]),
    ],
)
def test_the_first_value_has_the_type(
    tmp_path: Path, first: float | int | str, later: list[float | int | str | None], dtype: str, read: list[object]
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        column = Column(file, "/x/Gain", ("Gain", Attribute(first, "what", "MOD1", "EPICS PV")), (), 0)
        for place, value in enumerate((first, *later)):
            column.write({} if value is None else {"Gain": Attribute(value)}, (place,))
        made = file["/x/Gain"]
        assert isinstance(made, h5py.Dataset)
        assert made.dtype == dtype
        np.testing.assert_array_equal(made[:], np.array(read, dtype))
        assert dict(made.attrs) == {
            "NDAttrName": "Gain", "NDAttrDescription": "what", "NDAttrSource": "MOD1",
            "NDAttrSourceType": "NDAttrSourceEPICSPV",
        }  # fmt: skip


def test_chunks(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, value, chunk in (("a", 1, 0), ("b", 1, 10), ("c", "x", 0)):
            Column(file, name, (name, Attribute(value)), (), chunk)
        assert [file[name].chunks for name in "abc"] == [(16384,), (10,), (256,)]  # type: ignore[union-attr]


def test_a_column_may_have_the_shape_of_a_scan(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        column = Column(file, "a", ("a", Attribute(1)), (2, 3), 0)
        column.write({"a": Attribute(9)}, (1, 2))
        np.testing.assert_array_equal(file["a"], [[0, 0, 0], [0, 0, 9]])
