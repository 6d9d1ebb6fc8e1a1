"""Names that are free."""

from pathlib import Path

import pytest

from archon_ioc.errors import SaveError
from archon_ioc.exposure.files import Naming, Target, targets
from archon_ioc.exposure.names import check_names, free_number


def names(naming: Naming) -> list[Target]:
    return list(targets(("",), naming))


def naming(folder: Path, template: str = "%s%s_%d.fits", name: str = "a") -> Naming:
    return Naming(template, f"{folder}/", name, 1)


def test_numbers_of_files_that_exist_are_left_out(tmp_path: Path) -> None:
    assert free_number(naming(tmp_path), names) == 1
    for number in (1, 2, 4):
        (tmp_path / f"a_{number}.fits").touch()
    assert free_number(naming(tmp_path), names) == 3


def test_a_template_without_a_number_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "a.fits").touch()
    with pytest.raises(SaveError, match="it exists, and the template has no number"):
        free_number(naming(tmp_path, "%s%s.fits"), names)


def test_names_that_cannot_be_are_refused(tmp_path: Path) -> None:
    check_names(naming(tmp_path), names, auto_increment=False)
    with pytest.raises(SaveError, match="there is no folder"):
        check_names(naming(tmp_path / "none"), names, auto_increment=False)
    with pytest.raises(SaveError, match="longer than 235 bytes"):
        check_names(naming(tmp_path, name="x" * 240), names, auto_increment=False)
    (tmp_path / "a_1.fits").touch()
    check_names(naming(tmp_path), names, auto_increment=True)
    with pytest.raises(SaveError, match="it exists already"):
        check_names(naming(tmp_path), names, auto_increment=False)
