"""Files that are whole or absent; what can go wrong with images is in test_fits."""

from pathlib import Path

import pytest

from archon_ioc.image.durable import give_name, new_file, sync_folder


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_the_name_comes_when_the_file_is_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as file:
        file.write(b"half")
        assert [name.startswith(".a.") for name in names(tmp_path)] == [True]
        file.write(b" and half")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"half and half"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(tmp_path / "a") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == []


def test_a_name_that_was_taken_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def lose() -> None:
        with new_file(tmp_path / "a"):
            (tmp_path / "a").write_text("precious")

    with pytest.raises(FileExistsError):
        lose()
    assert (tmp_path / "a").read_text() == "precious"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_none_cannot_be_synced(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
    assert names(tmp_path) == []


def test_a_file_is_renamed_unless_the_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_text("new")
    give_name(tmp_path / "a.part", tmp_path / "a")
    assert names(tmp_path) == ["a"]
    (tmp_path / "b").write_text("newer")
    with pytest.raises(FileExistsError):
        give_name(tmp_path / "b", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "b").read_text() == "newer"
