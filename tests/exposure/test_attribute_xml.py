"""Attributes that clients want, named in areaDetector's XML."""

from pathlib import Path

import pytest

from archon_ioc.exposure.attribute_xml import AttributesError, AttributesStatus, Wanted, wanted
from tests.exposure.pvs import FakePvs, xml

GAIN = 'name="CamGain" type="EPICS_PV" source="X:cam1:Gain_RBV" dbrtype="DBR_NATIVE" description="Gain of it"'


def loaded(text: str, macros: str = "") -> tuple[Wanted, ...]:
    return wanted(text, macros, FakePvs(), "CAM")


def status_of(text: str, macros: str = "") -> AttributesStatus:
    with pytest.raises(AttributesError) as caught:
        loaded(text, macros)
    return caught.value.status


@pytest.mark.parametrize("text", ["", "  \n", xml()])
def test_none(text: str) -> None:
    assert loaded(text) == ()


def of_pv(name: str, text: str, pv: str, data_type: str = "") -> Wanted:
    return Wanted(name, text, pv, "EPICS PV", pv=pv, data_type=data_type)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (GAIN, of_pv("CamGain", "Gain of it", "X:cam1:Gain_RBV")),
        ('name="k" source="X:cam1:FrameType" dbrtype="DBR_STRING"', of_pv("k", "k", "X:cam1:FrameType", "String")),
        ('name="k" source="X:cam1:FrameType" dbrtype="dbr_enum"', of_pv("k", "k", "X:cam1:FrameType", "Int16")),
        ('name="m" source="M:x.RBV" dbrtype="DBR_DOUBLE"', of_pv("m", "m", "M:x.RBV", "Float64")),
        ('name="Observer" type="CONST" source=" A. Nonymous "',
         Wanted("Observer", "Observer", "A. Nonymous", value="A. Nonymous")),
        ('name="n" type="CONST" datatype="INT" source="12"', Wanted("n", "n", "12", value=12)),
        ('name="x.y z" type="CONST" datatype="DOUBLE" source="1e3"', Wanted("x.y z", "x.y z", "1e3", value=1000.0)),
        ('name="cam-sum" type="PARAM" source="GAIN" datatype="DOUBLE" addr="0"',
         Wanted("cam-sum", "cam-sum", "GAIN", "Param", pv="X:cam1:Gain_RBV", data_type="Float64")),
    ],
)  # fmt: skip
def test_an_attribute(attribute: str, expected: Wanted) -> None:
    assert loaded(xml(attribute)) == (expected,)


def test_values_of_now() -> None:
    text = xml(GAIN, 'name="k" source="X:cam1:FrameType" dbrtype="DBR_STRING"', 'name="u" source="X:cam1:Unknown"',
               'name="c" type="CONST" source="x"')  # fmt: skip
    assert [one.value_now(FakePvs()) for one in loaded(text)] == [1.0, "Background", None, "x"]


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
        xml('name="a" type="PARAM" source="NOTHING"'),
        xml('name="a" type="PARAM" source="GAIN" datatype="COLOUR"'),
        xml('name="a" source="X:cam1:Gain_RBV" dbrtype="DBR_COLOUR"'),
        xml('name="a" type="CONST"', 'name="a" type="CONST"'),
        xml('name="a" type="FUNCTION" source="f"'),
        xml('name="a" type="EPICS_PV" source="Y:other"'),
        xml('name="a"'),
        xml('name="a" type="CONST" datatype="INT" source="1.5"'),
        xml('name="a" type="CONST" datatype="DOUBLE" source="x"'),
        xml('name="a" type="CONST" datatype="INT" source="99999999999999999999"'),
        xml('name="a" type="CONST" datatype="COLOUR" source="1"'),
    ],
)
def test_wrong_xml(text: str) -> None:
    assert status_of(text) is AttributesStatus.WRONG_XML


def test_without_process_variables_only_constants() -> None:
    with pytest.raises(AttributesError, match="no process variable that can be reached"):
        wanted(xml(GAIN), "", None, "CAM")
    assert len(wanted(xml('name="a" type="CONST"'), "", None, "CAM")) == 1
