"""A file from its first byte to its name."""

from pathlib import Path

import pytest

from archon_ioc.errors import SaveError
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.plugins.open_file import OpenFile, part_of


class Nothing:
    """Writes nothing; cannot always be closed."""

    def __init__(self, problem: str = "") -> None:
        self._problem = problem

    def write(self, array: NDArray) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        if self._problem:
            raise SaveError("a", self._problem)


def opened(folder: Path, suffix: str = "", problem: str = "", *, is_whole: bool) -> OpenFile:
    part = part_of(folder / ".a", suffix, is_whole=is_whole)
    part.touch()
    return OpenFile(Nothing(problem), part, folder / ".a", Geometry(), NDFileSettings(), is_whole)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("suffix", ["", ".tmp"])
def test_it_gets_its_name(tmp_path: Path, suffix: str, *, is_whole: bool) -> None:
    file = opened(tmp_path, suffix, is_whole=is_whole)
    assert (names(tmp_path) == [".a"]) is (not suffix and not is_whole)
    file.close()
    assert names(tmp_path) == [".a"]


@pytest.mark.parametrize("suffix", ["", ".tmp"])
def test_half_an_image_vanishes_but_many_images_stay(tmp_path: Path, suffix: str) -> None:
    opened(tmp_path, suffix, is_whole=True).abandon()
    assert names(tmp_path) == []
    opened(tmp_path, suffix, is_whole=False).abandon()
    assert names(tmp_path) == [".a"]


def test_half_an_image_vanishes_though_it_cannot_be_closed(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="full"):
        opened(tmp_path, problem="full", is_whole=True).abandon()
    assert names(tmp_path) == []


def test_a_name_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = opened(tmp_path, ".tmp", is_whole=False)
    (tmp_path / ".a").write_text("precious")
    with pytest.raises(SaveError, match="File exists"):
        file.close()
    assert sorted(names(tmp_path)) == [".a", ".a.tmp"]
    assert (tmp_path / ".a").read_text() == "precious"
