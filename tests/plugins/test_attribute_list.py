"""Attributes of what goes out of a plugin."""

import math
from typing import Any

import pytest

from archon_ioc.exposure.attribute_xml import AttributesStatus, Wanted
from archon_ioc.plugins.attribute_list import attributes_of
from archon_ioc.plugins.ndarray import Attribute, NDArray
from archon_ioc.plugins.plugin import Plugin, PluginState
from tests.exposure.pvs import FakePvs, xml
from tests.plugins.arrays import array


class Kept(Plugin[PluginState]):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__("KEPT", PluginState())
        self.arrays: list[NDArray] = []

    async def process(self, array: NDArray) -> NDArray | None:
        self.arrays.append(array)
        return None


async def test_attributes_go_out_with_the_values_of_now(running: Any) -> None:
    one, kept = Plugin("ONE", PluginState()), Kept()
    one.attributes.source = source = FakePvs()
    one.change(attributes_file=xml('name="g" type="PARAM" source="GAIN" datatype="DOUBLE"', 'name="c" type="CONST"'))
    async with running(one, kept) as chain:
        kept.connect("ONE")
        await one.live.until(lambda _: bool(source.followed), 5)
        await chain.send(array(1))
        await chain.settled()
        one.change(attributes_file="")
        await one.attributes.load()
        await chain.send(array(2))
        await chain.settled()
    first, second = (one.attributes for one in kept.arrays)
    assert first == {
        "g": Attribute(1.0, "g", "GAIN", "Param", "Float64"), "c": Attribute("", "c", "", "Const"),
    }  # fmt: skip
    assert second == {}
    assert source.followed == {"ONE": frozenset()}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("/nowhere.xml", AttributesStatus.NOT_FOUND),
        ("<", AttributesStatus.WRONG_XML),
        ("<$(A)", AttributesStatus.WRONG_MACRO),
    ],
)
async def test_what_is_wrong_is_told(text: str, status: AttributesStatus) -> None:
    told: list[str] = []
    one = Plugin("ONE", PluginState())
    one.tell = told.append
    one.change(attributes_file=text)
    await one.attributes.load()
    assert one.state.attributes_status == status
    assert told[0].startswith("ONE: attributes: ")
    one.change(attributes_file="")
    await one.attributes.load()
    assert one.state.attributes_status == AttributesStatus.OK


def test_what_is_not_known_is_no_number() -> None:
    number, text, flag = Wanted("a", "A", "pv"), Wanted("b", "B", "pv", data_type="String"), Wanted("c", "C", "pv")
    found = attributes_of({number: None, text: None, flag: True})
    assert math.isnan(float(found["a"].value))
    assert (found["b"].value, found["c"].value) == ("", 1)
