"""Settings in a small file."""

import json
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import pytest

from archon_ioc.errors import InputError, SaveError
from archon_ioc.exposure.kept import KeptFile, differences, restored


class Colour(IntEnum):
    RED = 0
    BLUE = 1


@dataclass(frozen=True)
class Some:
    number: int = 1
    ratio: float = 0.5
    flag: bool = False
    text: str = ""
    colour: Colour = Colour.RED
    sizes: tuple[int, int] = (1, 2)
    flags: tuple[bool, bool] = (True, False)

    def changed(self, **changes: Any) -> Self:
        if changes.get("number", 0) < 0:
            raise InputError("a number is not negative")
        return replace(self, **changes)


OTHER = Some(2, 3.0, True, "x", Colour.BLUE, (3, 4), (False, True))


def test_everything_is_found_again(tmp_path: Path) -> None:
    file = KeptFile(tmp_path, "word")
    file.save({"some": differences(Some(), OTHER)})
    found = restored(Some(), file.part(file.load(), "some"))
    assert found == OTHER
    assert isinstance(found.colour, Colour)
    assert isinstance(found.ratio, float)


def test_only_differences_are_kept() -> None:
    assert differences(Some(), Some(ratio=0.25)) == {"ratio": 0.25}


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": -1}, {"number": "1"}, {"number": True}, {"ratio": "x"}, {"flag": 1}, {"text": 5}, {"colour": 2},
        {"sizes": [1]}, {"sizes": [1, 2, 3]}, {"sizes": [1, "x"]}, {"sizes": 1}, {"sizes": [1, True]},
        {"flags": [1, 0]}, {"other": 1},
    ],
)  # fmt: skip
def test_what_makes_no_sense_costs_only_itself(wrong: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    assert restored(Some(), {**wrong, "ratio": wrong.get("ratio", 0.75), "text": wrong.get("text", "right")}) == Some(
        ratio=0.5 if "ratio" in wrong else 0.75, text="" if "text" in wrong else "right"
    )
    assert "is left out" in caplog.text


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("b", "c")])
def test_a_part_that_is_no_object(names: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = KeptFile(tmp_path, "word")
    assert file.part({"a": 7, "b": {"c": [1]}}, *names) == {}
    assert "cannot be read" in caplog.text
    assert file.part({"b": {"c": {}}}, "x", "y") == {}


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "7"])
def test_a_broken_file_is_told(content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "word-A.json").write_text(content)
    assert KeptFile(tmp_path, "word", "A:").load() == {}
    assert "cannot be read" in caplog.text


def test_programs_are_told_apart_by_their_prefix(tmp_path: Path) -> None:
    KeptFile(tmp_path, "word", "A:").save({"a": 1})
    assert KeptFile(tmp_path, "word", "B:").load() == {}
    assert json.loads((tmp_path / "word-A.json").read_text()) == {"a": 1}


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(SaveError, match="File exists"):
        KeptFile(tmp_path / "state", "word").save({})
