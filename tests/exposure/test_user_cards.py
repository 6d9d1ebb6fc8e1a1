"""Cards that the user gives as JSON: from the put to the header, and after a restart."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.errors import InputError

CCDS = ({"name": "red", "taps": ["AD1L", "AD3L"]}, {"name": "blue", "taps": ["AD2R", "AD4R"]})


def headers(bench: Any) -> dict[str, fits.Header]:
    found = [fits.getheader(bench.folder / name) for name in bench.files]
    return {header["CCD"]: header for header in found}


async def test_cards_reach_the_files_they_are_for(benches) -> None:
    text = {"OBSERVER": "Ann", "red": {"SLIT": [2.5, "[arcsec] Width"]}, "archon": {"NOTE": "x"}, "SPEC": "mine"}
    async with benches(site={"detectors": CCDS, "header": {"cards": {"OBSERVER": ("nobody", "")}}}) as bench:
        bench.camera.user_cards.set_text(json.dumps(text))
        bench.camera.change(seconds=0.0)
        await bench.camera.acquire()
        found = headers(bench)
    assert found["red"]["SLIT"] == 2.5
    assert found["red"].comments["SLIT"] == "[arcsec] Width"
    assert "SLIT" not in found["blue"]
    assert {(header["OBSERVER"], header["NOTE"], header["SPEC"]) for header in found.values()} == {("Ann", "x", "mine")}


async def test_cards_are_kept_until_others_are_put(benches, tmp_path: Path) -> None:
    path = tmp_path / "header.json"
    path.write_text('{"A": 1, "B": 1}')
    async with benches() as bench:
        await bench.camera.user_cards.set_file(str(path))
        bench.camera.user_cards.set_text('{"B": 2}')
        await bench.good()
    async with benches() as bench:
        await bench.good()
        assert bench.camera.user_cards.cards() == {"A": (1, ""), "B": (2, "")}
        for name in bench.files:
            header = fits.getheader(bench.folder / name)
            assert (header["A"], header["B"]) == (1, 2)
        bench.camera.user_cards.set_text("")
        await bench.camera.user_cards.set_file("")
        assert bench.camera.user_cards.cards() == {}


@pytest.mark.parametrize("text", ["{", '{"SIMPLE": 1}', '{"green": {"A": 1}}'])
async def test_what_is_wrong_changes_nothing(bench, tmp_path: Path, text: str) -> None:
    path = tmp_path / "header.json"
    path.write_text(text)
    bench.camera.user_cards.set_text('{"A": 1}')
    with pytest.raises(InputError, match="header"):
        bench.camera.user_cards.set_text(text)
    with pytest.raises(InputError, match="header"):
        await bench.camera.user_cards.set_file(str(path))
    assert bench.camera.user_cards.cards() == {"A": (1, "")}
    assert (bench.camera.state.settings.header_json, bench.camera.state.settings.header_file) == ('{"A": 1}', "")


async def test_a_file_that_cannot_be_read_is_refused(bench, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text(" " * 70_000)
    for name, message in (("none", "No such file"), ("binary", "decode"), ("long", "longer than")):
        with pytest.raises(InputError, match=message):
            await bench.camera.user_cards.set_file(str(tmp_path / name))


async def test_a_file_that_is_gone_after_a_restart_is_told_and_images_go_on(
    benches, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "header.json"
    path.write_text('{"A": 1}')
    async with benches() as bench:
        await bench.camera.user_cards.set_file(str(path))
        await bench.good()
    path.unlink()
    with caplog.at_level(logging.ERROR):
        async with benches() as bench:
            await bench.good()
            assert bench.camera.user_cards.cards() == {}
    assert "header.json: No such file" in caplog.text
