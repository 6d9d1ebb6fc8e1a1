"""Layout files."""

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.hdf5_layout import Label, Link, parse

DETECTOR = '<dataset name="d" source="detector"/>'


def layout(inner: str, more: str = "") -> str:
    return f'<hdf5_layout {more}><group name="g">{inner}</group></hdf5_layout>'


def test_the_default_is_what_readers_know() -> None:
    default = parse("")
    assert default.images == "/entry/instrument/detector/data"
    assert default.rest == "/entry/instrument/NDAttributes/"
    assert not default.leaves_out
    groups = dict(default.walk())
    assert groups["/entry/data/"].links == (Link("data", "/entry/instrument/detector/data"),)
    assert groups["/entry/"].labels[0] == Label("NX_class", "NXentry")


def test_a_layout_of_ones_own() -> None:
    text = layout(
        DETECTOR + '<dataset name="n" source="constant" type="int" value="1,2"/>'
        '<dataset name="x" source="constant" type="float" value="1.5"/>'
        '<dataset name="t" source="ndattribute" ndattribute="Temperature" when="OnFileClose"/>'
        '<attribute name="a" source="ndattribute" ndattribute="Gain"/>',
        'auto_ndattr_default="false"',
    )
    found = parse(text)
    assert (found.images, found.rest, found.leaves_out) == ("/g/d", "/", True)
    datasets = {dataset.name: dataset for _, dataset in found.datasets()}
    assert datasets["n"].constant == (1, 2)
    assert datasets["x"].constant == 1.5
    assert (datasets["t"].ndattribute, datasets["t"].once) == ("Temperature", True)
    assert found.groups[0].labels == (Label("a", ndattribute="Gain"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<hdf5_layout", "is no XML"),
        ("<other/>", "is a hdf5_layout"),
        (layout(""), "one dataset has the source detector, not 0"),
        (layout(DETECTOR * 2), "not 2"),
        (f'<hdf5_layout><global/><group name="g">{DETECTOR}</group></hdf5_layout>', "global is not possible"),
        (layout('<dataset source="detector"/>'), "needs name"),
        (layout('<dataset name="d" source="moon"/>'), "the source is one of"),
        (layout('<dataset name="d" source="detector" when="never"/>'), "when is one of"),
        (layout('<dataset name="d" source="ndattribute"/>'), "needs ndattribute"),
        (layout('<dataset name="d" source="constant" type="int" value="x"/>'), "is no int"),
        (layout('<attribute name="a" source="detector"/>'), "images are no attribute"),
        (layout('<hardlink name="a"/>'), "needs target"),
    ],
)
def test_what_is_no_layout_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(text)
