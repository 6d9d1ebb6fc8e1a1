"""Header cards that clients ask for with areaDetector's XML."""

from collections.abc import Callable
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.exposure.attribute_xml import AttributesStatus, wanted
from archon_ioc.exposure.attributes import keywords_of
from tests.exposure.pvs import FakePvs, xml

GAIN = 'name="CamGain" type="EPICS_PV" source="X:cam1:Gain_RBV" dbrtype="DBR_NATIVE" description="Gain of it"'


def keywords(*attributes: str) -> tuple[dict[str, str], list[str]]:
    return keywords_of(wanted(xml(*attributes), "", FakePvs(), "CAM"), {"FOO": ("bar", "")})


@pytest.mark.parametrize(
    ("name", "keyword"), [("CamGain", "CAMGAIN"), ("x.y z", "X_Y_Z"), ("VeryLongName", "VERYLONG"), ("a-b", "A-B")]
)
def test_keywords(name: str, keyword: str) -> None:
    assert keywords(f'name="{name}" type="CONST"') == ({name: keyword}, [])


@pytest.mark.parametrize(
    "name", ["foo", "ExpTime", "CCDTemp", "temp2a", "gain1", "archhash", "NAXIS1", "SIMPLE", "COMMENT"]
)
def test_what_the_header_has_already_is_no_card(name: str) -> None:
    assert keywords(f'name="{name}" type="CONST"') == ({}, [name])


def test_a_keyword_is_for_the_first_that_wants_it() -> None:
    assert keywords('name="abcdefgh1" type="CONST"', 'name="abcdefgh2" type="CONST"') == (
        {"abcdefgh1": "ABCDEFGH"},
        ["abcdefgh2"],
    )


def test_what_no_card_can_hold() -> None:
    assert keywords('name="a" type="CONST" datatype="DOUBLE" source="nan"') == ({}, ["a"])


async def test_what_is_no_card_is_known_all_the_same(bench) -> None:
    bench.camera.attributes.source = source = FakePvs()
    bench.camera.attributes.port = "CAM"
    await bench.camera.attributes.change(attributes_file=xml(GAIN, 'name="ExpTime" source="X:cam1:Unknown"'))
    assert bench.camera.state.attributes_status == AttributesStatus.OK
    assert bench.camera.state.message == "attributes that are no header cards: ExpTime"
    assert {one.name: value for one, value in bench.camera.attributes.values().items()} == {
        "CamGain": 1.0, "ExpTime": None,
    }  # fmt: skip
    assert list(bench.camera.attributes.cards()) == ["CAMGAIN"]
    assert source.followed == {"CAM": frozenset({("X:cam1:Gain_RBV", False), ("X:cam1:Unknown", False)})}


async def test_cards_in_the_file(bench) -> None:
    bench.camera.attributes.source = FakePvs()
    text = xml(
        GAIN,
        'name="Kind" source="X:cam1:FrameType" dbrtype="DBR_STRING"',
        'name="Missing" source="X:cam1:Unknown"',
        'name="Observer" type="CONST" source="$(WHO)" description="Who it was"',
    )
    await bench.camera.attributes.change(attributes_file=text)
    assert bench.camera.state.attributes_status == AttributesStatus.WRONG_MACRO
    assert bench.camera.state.message == "attributes: $(WHO) is not among the macros"
    await bench.good()
    await bench.camera.attributes.change(attributes_macros="WHO=me")
    assert bench.camera.state.attributes_status == AttributesStatus.OK
    await bench.good()
    with fits.open(bench.camera.state.file.full_name, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert [header[key] for key in ("CAMGAIN", "KIND", "OBSERVER")] == [1.0, "Background", "me"]
        assert header.comments["OBSERVER"] == "Who it was"
        assert "MISSING" not in header
    await bench.camera.attributes.change(attributes_file="")
    await bench.good()
    assert "CAMGAIN" not in fits.getheader(bench.camera.state.file.full_name)


async def test_what_is_wrong_costs_no_image(bench) -> None:
    await bench.camera.attributes.change(attributes_file="/nowhere.xml")
    assert bench.camera.state.attributes_status == AttributesStatus.NOT_FOUND
    await bench.good()


async def test_they_are_kept_over_a_restart(benches: Callable[..., Any]) -> None:
    async with benches() as bench:
        await bench.camera.attributes.change(attributes_file=xml('name="a" type="CONST" source="b"'))
        await bench.good()
    async with benches() as bench:
        await bench.good()
        assert fits.getheader(bench.camera.state.file.full_name)["A"] == "b"
