"""What the next file of a plugin is called."""

from pathlib import Path

import pytest

from archon_ioc.errors import InputError, SaveError
from archon_ioc.plugins.file_names import first_free_number, free_path
from archon_ioc.plugins.ndfile_state import NDFileSettings


def settings(folder: Path, template: str = "%s%s_%d.x", suffix: str = "") -> NDFileSettings:
    return NDFileSettings(path=f"{folder}/", name="a", template=template, temp_suffix=suffix)


def test_a_name_that_no_file_has(tmp_path: Path) -> None:
    assert free_path(settings(tmp_path), str) == tmp_path / "a_1.x"
    (tmp_path / "a_1.x").touch()
    with pytest.raises(SaveError, match="exists already; the next free FileNumber is 2"):
        free_path(settings(tmp_path), str)


def test_a_name_that_a_file_will_have(tmp_path: Path) -> None:
    (tmp_path / "a_1.x.tmp").touch()
    assert free_path(settings(tmp_path), str).name == "a_1.x"
    with pytest.raises(SaveError, match="exists already"):
        free_path(settings(tmp_path, suffix=".tmp"), str)


@pytest.mark.parametrize(("template", "number"), [("%s%s_%d.x", 3), ("%s%s_2.x", 1), ("%s%s.x", 1), ("", 1)])
def test_the_first_free_number(tmp_path: Path, template: str, number: int) -> None:
    for name in ("a_1.x", "a_2.x", "a.x"):
        (tmp_path / name).touch()
    assert first_free_number(settings(tmp_path, template), str) == number


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match="there is no folder"):
        free_path(settings(tmp_path / "none"), str)


def test_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the name of a file"):
        free_path(settings(tmp_path, template=""), str)
