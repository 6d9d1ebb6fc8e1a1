"""Header cards that clients ask for with areaDetector's XML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.exposure.attributes import Attribute, AttributesError, AttributesStatus, load

PVS: dict[str, tuple[object, str]] = {
    "X:cam1:Gain_RBV": (1.0, "1.0"),
    "X:cam1:FrameType": (1, "Background"),
    "X:cam1:Unknown": (None, ""),
}


class FakePvs:
    def knows(self, name: str) -> bool:
        return name in PVS

    def read(self, name: str, *, as_text: bool) -> Any:
        return PVS[name][as_text]


def xml(*attributes: str) -> str:
    elements = "".join(f"<Attribute {attribute}/>" for attribute in attributes)
    return f"<?xml version='1.0'?>\n<!-- why -->\n<Attributes>{elements}</Attributes>"


GAIN = 'name="CamGain" type="EPICS_PV" source="X:cam1:Gain_RBV" dbrtype="DBR_NATIVE" description="Gain of it"'


def loaded(text: str, macros: str = "") -> tuple[Attribute, ...]:
    return load(text, macros, FakePvs(), {"FOO": ("bar", "")})


def status_of(text: str, macros: str = "") -> AttributesStatus:
    with pytest.raises(AttributesError) as caught:
        loaded(text, macros)
    return caught.value.status


# Understanding


@pytest.mark.parametrize("text", ["", "  \n", xml()])
def test_none(text: str) -> None:
    assert loaded(text) == ()


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (GAIN, Attribute("CAMGAIN", "Gain of it", pv="X:cam1:Gain_RBV")),
        ('name="kind" source="X:cam1:FrameType" dbrtype="DBR_STRING"',
         Attribute("KIND", "kind", pv="X:cam1:FrameType", as_text=True)),
        ('name="Observer" type="CONST" source=" A. Nonymous "', Attribute("OBSERVER", "Observer", "A. Nonymous")),
        ('name="n" type="CONST" datatype="INT" source="12"', Attribute("N", "n", 12)),
        ('name="x.y z" type="CONST" datatype="DOUBLE" source="1e3"', Attribute("X_Y_Z", "x.y z", 1000.0)),
        ('name="VeryLongName" type="CONST"', Attribute("VERYLONG", "VeryLongName", "")),
    ],
)  # fmt: skip
def test_an_attribute(attribute: str, expected: Attribute) -> None:
    assert loaded(xml(attribute)) == (expected,)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "attributes.xml"
    path.write_text(xml(GAIN))
    assert loaded(str(path)) == loaded(xml(GAIN))


def test_a_namespace_as_areadetector_writes_it() -> None:
    text = xml(GAIN).replace("<Attributes>", '<Attributes xmlns="http://epics.aps.anl.gov/areaDetector/attributes">')
    assert len(loaded(text)) == 1


@pytest.mark.parametrize(
    ("template", "macros"),
    [
        ("$(P)$(R)Gain_RBV", "P=X:, R=cam1:"),
        ("${P}cam1:Gain_RBV", "P=X:,"),
        ("$(P=X:)cam1:Gain_RBV", ""),
        ("$(P=Y:)cam1:Gain_RBV", " P = X: "),
    ],
)
def test_macros(template: str, macros: str) -> None:
    assert loaded(xml(GAIN.replace("X:cam1:Gain_RBV", template)), macros) == loaded(xml(GAIN))


@pytest.mark.parametrize(
    ("template", "macros"), [("$(P)", ""), ("${P}", "Q=1"), ("$()", "P=X:"), ("x", "P"), ("x", "=1"), ("x", "A=1,B")]
)
def test_wrong_macros(template: str, macros: str) -> None:
    assert status_of(xml(f'name="a" type="CONST" source="{template}"'), macros) is AttributesStatus.WRONG_MACRO


@pytest.mark.parametrize("path", ["/nowhere/attributes.xml", "/", "\0"])
def test_no_such_file(path: str) -> None:
    expected = AttributesStatus.WRONG_XML if path == "\0" else AttributesStatus.NOT_FOUND
    assert status_of(path) is expected


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "attributes.xml"
    path.write_bytes(b"\xff\xfe\x00")
    assert status_of(str(path)) is AttributesStatus.WRONG_XML


@pytest.mark.parametrize(
    "text",
    [
        "<",
        "<Attributes>",
        "<Other/>",
        "<Attributes><Other/></Attributes>",
        '<!DOCTYPE a [<!ENTITY b "c">]><Attributes/>',
        xml("") + " " * 70000,
        xml('type="CONST"'),
        xml('name="a" type="PARAM" source="ACQ_TIME"'),
        xml('name="a" type="FUNCTION" source="f"'),
        xml('name="a" type="EPICS_PV" source="Y:other"'),
        xml('name="a"'),
        xml('name="a" type="CONST" datatype="INT" source="1.5"'),
        xml('name="a" type="CONST" datatype="DOUBLE" source="x"'),
        xml('name="a" type="CONST" datatype="DOUBLE" source="nan"'),
        xml('name="a" type="CONST" datatype="INT" source="99999999999999999999"'),
        xml('name="a" type="CONST" datatype="COLOUR" source="1"'),
        xml('name="abcdefgh1" type="CONST"', 'name="abcdefgh2" type="CONST"'),
        xml('name="foo" type="CONST"'),
        xml('name="ExpTime" type="CONST"'),
        xml('name="CCDTemp" type="CONST"'),
        xml('name="temp2a" type="CONST"'),
        xml('name="gain1" type="CONST"'),
        xml('name="archhash" type="CONST"'),
        xml('name="NAXIS1" type="CONST"'),
        xml('name="SIMPLE" type="CONST"'),
        xml('name="COMMENT" type="CONST"'),
    ],
)
def test_wrong_xml(text: str) -> None:
    assert status_of(text) is AttributesStatus.WRONG_XML


def test_without_process_variables_only_constants() -> None:
    with pytest.raises(AttributesError, match="no process variable of this program"):
        load(xml(GAIN), "", None, {})
    assert len(load(xml('name="a" type="CONST"'), "", None, {})) == 1


# In use


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
