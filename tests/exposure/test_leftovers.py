"""What a killed program has left is told from what it has finished, and from what is not its own."""

from pathlib import Path

import numpy as np
import pytest

from archon_ioc.exposure.leftovers import holds, remove_parts
from archon_ioc.image import fits
from archon_ioc.image.header import Card

CARDS = [
    Card("SPEC", "blue"), Card("ARCHBACK", "0001"), Card("ARCHFRAM", 7), Card("ARCHTIME", 12.5), Card("CCD", "b1"),
    Card("DATE", "2026-03-01T00:00:00"),
]  # fmt: skip
PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)


def changed(**values: object) -> list[Card]:
    return [Card(card.keyword, values.get(card.keyword, card.value)) for card in CARDS]


@pytest.fixture
def name(tmp_path: Path) -> str:
    path = tmp_path / "m31_0001_b1.fits"
    fits.write(path, [fits.Unit(CARDS, PIXELS)])
    return str(path)


def test_a_file_of_the_exposure_is_known(name: str) -> None:
    assert holds(name, CARDS)
    assert holds(name, changed(DATE="2026-03-01T00:00:09"))  # when it was written does not matter


@pytest.mark.parametrize("other", [{"SPEC": "red"}, {"ARCHFRAM": 8}, {"ARCHTIME": 12.6}, {"ARCHBACK": "0002"}])
def test_a_file_of_another_one_is_not(name: str, other: dict[str, object]) -> None:
    assert not holds(name, changed(**other))


def test_cards_may_be_in_an_extension(tmp_path: Path) -> None:
    path = tmp_path / "m31.fits"
    fits.write(path, [fits.Unit(CARDS[:2]), fits.Unit(CARDS[2:], PIXELS, name="AD1L")])
    assert holds(str(path), CARDS)
    assert not holds(str(path), changed(ARCHFRAM=8))


def test_a_file_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert not holds(str(tmp_path / "none.fits"), CARDS)


def test_a_name_that_was_only_taken_is_free_again(tmp_path: Path) -> None:
    path = tmp_path / "m31.fits"
    path.touch()
    assert not holds(str(path), CARDS)
    assert not path.exists()


def test_what_is_no_image_is_not_ours_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "m31.fits"
    path.write_text("of somebody else")
    assert not holds(str(path), CARDS)
    assert path.exists()


def test_hidden_files_of_the_exposure_are_removed_and_no_others(tmp_path: Path) -> None:
    ours = tmp_path / ".m31_0001.fits.1a2b3c4d.part"
    sum_file = tmp_path / ".m31_0001.fits.md5.1a2b3c4d.part"
    others = [tmp_path / name for name in (".m31_0002.fits.1a2b3c4d.part", "m31_0001.fits", ".m31_0001.fits.part")]
    for path in (ours, sum_file, *others):
        path.touch()
    names = [str(tmp_path / "m31_0001.fits"), str(tmp_path / "gone" / "m31_0001.fits")]
    assert sorted(remove_parts(names)) == sorted([str(ours), str(sum_file)])
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        holds(str(tmp_path), CARDS)
