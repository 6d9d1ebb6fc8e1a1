"""What is known of an image."""

import numpy as np
import pytest

from archon_ioc.plugins.ndarray import DATA_TYPES, ArrayState, Geometry, data_type_of
from tests.plugins.arrays import array


@pytest.mark.parametrize("name", DATA_TYPES)
def test_types_have_areadetectors_names(name: str) -> None:
    assert data_type_of(np.zeros(1, name.lower())) == name


def test_the_byte_order_does_not_matter() -> None:
    assert data_type_of(np.zeros(1, ">u2")) == "UInt16"


def test_arrays_never_change() -> None:
    one = array()
    with pytest.raises(ValueError, match="read-only"):
        one.pixels[0, 0] = 1


def test_a_geometry_knows_its_size() -> None:
    assert array(shape=(4, 6)).geometry == Geometry(6, 4, "UInt16")
    assert Geometry(6, 4, "Float64").byte_count == 192


def test_the_state_of_an_array() -> None:
    state = ArrayState(counter=7).of(array(3))
    assert (state.unique_id, state.counter, state.timestamp, state.published) == (3, 8, 1003.0, 1004.0)
    assert ArrayState(counter=7).of(array(3), counts=False).counter == 7
