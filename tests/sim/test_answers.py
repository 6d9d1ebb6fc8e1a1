"""What is read out of the text of a command."""

import pytest

from archon_ioc.errors import InputError
from archon_ioc.sim.answers import hexadecimal, name_and_value


@pytest.mark.parametrize(("text", "digits", "number"), [("0A", 2, 10), ("ff", 2, 255), ("A0000000", 8, 0xA0000000)])
def test_hexadecimal_numbers_have_a_fixed_width(text: str, digits: int, number: int) -> None:
    assert hexadecimal(text, digits) == number


@pytest.mark.parametrize("text", ["", "A", "0A0", "0x", "+1", " 1", "1_", "²3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="2 hexadecimal digits"):
        hexadecimal(text, 2)


def test_a_parameter_and_its_value() -> None:
    assert name_and_value("IntMS 1048575") == {"IntMS": 1048575}


@pytest.mark.parametrize("text", ["", "IntMS", "IntMS 1 2", "IntMS -1", "IntMS 1.5", "IntMS 1048576", "IntMS ²"])
def test_a_parameter_that_cannot_be_loaded(text: str) -> None:
    with pytest.raises(InputError, match="not a parameter and a number from 0 to 1048575"):
        name_and_value(text)
