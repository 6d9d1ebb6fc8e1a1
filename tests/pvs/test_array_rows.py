"""What the camera and every plugin say of their images."""

from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import ArrayState, Geometry
from archon_ioc.pvs.array_rows import Once, array_rows, require
from archon_ioc.pvs.row import Pv

STATE = ArrayState(Geometry(30, 40, "UInt32"), 7, 1.8e9, 1.8e9 + 0.25, 3, 0.5)


def rows() -> list[Pv[ArrayState, Any]]:
    return list(array_rows(lambda state: state))


def value(name: str, state: ArrayState = STATE) -> Any:
    return next(row for row in rows() if row.name == name).read(state)


def test_sizes() -> None:
    assert [value(f"ArraySize{axis}") for axis in "XYZ"] == [30, 40, 0]
    assert [value(f"ArraySize{axis}") for axis in range(10)] == [30, 40, *[0] * 8]
    assert list(value("Dimensions")) == [30, 40, *[0] * 8]
    assert (value("ArraySize"), value("CompressedSize")) == (30 * 40 * 4, 30 * 40 * 4)


def test_both_sets_of_array_sizes_exist() -> None:
    suffixes = {record.suffix for row in rows() for record in row.records()}
    assert {f"ArraySize{n}{end}" for n in range(10) for end in ("", "_RBV")} <= suffixes


def test_time_stamps_count_from_1990_and_none_is_0() -> None:
    assert value("TimeStamp") == 1.8e9 - 631_152_000
    assert (value("EpicsTSSec"), value("EpicsTSNsec")) == (1_800_000_000 - 631_152_000, 250_000_000)
    assert [value(name, ArrayState()) for name in ("TimeStamp", "EpicsTSSec", "EpicsTSNsec")] == [0, 0, 0]


def test_only_what_an_image_is_can_be_put() -> None:
    for name, right in (("NDimensions", 2), ("ColorMode", 0)):
        row = next(row for row in rows() if row.name == name)
        assert row.put
        row.put(None, right)
        with pytest.raises(InputError, match="an image"):
            row.put(None, right + 1)
    require(True, "never")


def test_what_many_rows_ask_for_is_made_once_per_state() -> None:
    made: list[ArrayState] = []
    once = Once(lambda state: made.append(state) or len(made))
    other = ArrayState()
    assert [once(STATE), once(STATE), once(other), once(other)] == [1, 1, 2, 2]
