"""Pictures of waveforms."""

import sys
from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.panel import panels
from archon_ioc.errors import InputError, SaveError
from archon_ioc.export.plot import draw

pytest.importorskip("matplotlib")

DEMO = Path(__file__).parents[2] / "config" / "demo.acf"
PANELS = panels(Acf.read(DEMO), changes={"IntMS": 20})
CAPTIONS = ["one pixel", "one line", "one frame"]


def test_an_svg_says_what_it_shows(tmp_path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):  # texts as texts
        draw(tmp_path / "demo.svg", PANELS, "the title", CAPTIONS)
    text = (tmp_path / "demo.svg").read_text(encoding="utf-8")
    for shown in ("the title", *CAPTIONS, "PIXEL", "SHP", "SHD", "S1", "P1_TOP, P1_BOTTOM", "−8 … 3 V"):
        assert f">{shown}<" in text
    for axis in ("PIXEL edge / µs", "first pixel of the line / µs", "start of the exposure / ms"):
        assert f">time from {axis}<" in text


def test_a_picture_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        draw(tmp_path / name, PANELS[:1], "the title", CAPTIONS[:1])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_name_tells_the_kind_of_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.png or \.svg"):
        draw(tmp_path / "demo.jpg", PANELS, "", CAPTIONS)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="No such file"):
        draw(tmp_path / "nowhere" / "demo.png", PANELS[:1], "", CAPTIONS[:1])


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'archon-ioc\[plot\]'"):
        draw(tmp_path / "demo.png", PANELS, "", CAPTIONS)
