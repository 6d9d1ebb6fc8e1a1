"""File numbers of several programs."""

import subprocess
import sys
from pathlib import Path

import pytest

from archon_ioc.errors import SaveError
from archon_ioc.exposure.numbers import NumberFile

TAKER = """
import sys
from pathlib import Path
from archon_ioc.exposure.numbers import NumberFile
numbers = NumberFile(Path(sys.argv[1]))
sys.stdin.readline()
print(*[numbers.take(1, lambda number: number) for _ in range(50)])
"""


def same(number: int) -> int:
    return number


def test_numbers_count_up_from_the_first_one(tmp_path: Path) -> None:
    numbers = NumberFile(tmp_path / "state")
    assert numbers.read() is None
    assert [numbers.take(7, same) for _ in range(3)] == [7, 8, 9]
    assert NumberFile(tmp_path / "state").take(1, same) == 10


def test_a_number_is_kept_before_it_is_given(tmp_path: Path) -> None:
    numbers = NumberFile(tmp_path)
    assert numbers.take(1, lambda number: number + 4) == 5
    assert (tmp_path / "number").read_text() == "6\n"


def test_no_number_is_taken_when_none_is_free(tmp_path: Path) -> None:
    numbers = NumberFile(tmp_path)
    numbers.set(3)

    def none(number: int) -> int:
        raise SaveError("a", "there is none")

    with pytest.raises(SaveError, match="there is none"):
        numbers.take(1, none)
    assert numbers.take(1, same) == 3


def test_a_number_can_be_given_back_by_the_last_who_took_one(tmp_path: Path) -> None:
    numbers = NumberFile(tmp_path)
    first, second = numbers.take(1, same), numbers.take(1, same)
    assert not numbers.give_back(first)
    assert numbers.give_back(second)
    assert numbers.take(1, same) == second


def test_two_programs_never_get_the_same_number(tmp_path: Path) -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for taker in takers:  # none begins before all are there
        assert taker.stdin
        taker.stdin.write("\n")
    taken = [number for taker in takers for number in taker.communicate(timeout=30)[0].split()]
    assert sorted(map(int, taken)) == list(range(1, 151))


def test_what_is_wrong_with_the_folder_is_a_save_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match=r"File exists|Not a directory"):
        NumberFile(tmp_path / "file").set(1)
    (tmp_path / "number").write_text("no number")
    with pytest.raises(SaveError, match="it holds no number"):
        NumberFile(tmp_path).take(1, same)
