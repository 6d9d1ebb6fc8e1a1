"""The table and the picture of ``archon-ioc acf timing``."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archon_ioc.acf.file import Acf
from archon_ioc.cli import main
from archon_ioc.cli_timing import times

DEMO = Path(__file__).parents[1] / "config" / "demo.acf"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["acf", "timing", *arguments])


def test_the_table() -> None:
    result = run(str(DEMO))
    assert result.exit_code == 0, result.output
    rows = [" ".join(line.split()) for line in result.output.splitlines()]
    for row in (
        "pixel 4.35 µs 435 229.89 kHz",
        "line 2.58052 ms 258052 561 pixels are clocked, 560 stored",
        "first to last pixel 1.362366 s 136236573 528 lines are clocked, 528 stored",
        "one count of IntMS 1 ms 100000",
        "readout follows when ReadOut is set",
    ):
        assert row in rows


def test_other_values() -> None:
    result = run(str(DEMO), "--set", "Lines=100", "--set", "FlushCount=4")
    assert "116 lines are clocked, 528 stored" in result.output
    assert "No frame ever completes: the script clocks 561 pixels x 116 lines" in result.output
    assert "197.3285 ms" in result.output


@pytest.mark.parametrize(
    "setting", ["Lines", "Lines=", "Lines=1.5", "Lines=-1", "NoSuch=1", "Lines=1048576", "Lines=\u0663"]
)
def test_settings_that_cannot_be(setting: str) -> None:
    result = run(str(DEMO), "--set", setting)
    assert result.exit_code == 1
    assert setting.partition("=")[0] in result.output


def test_what_was_not_waited_for_is_not_told_as_a_fact() -> None:
    result = run(str(DEMO), "--set", "Lines=1048575", "--set", "Pixels=1048575")
    assert re.search(r"  more than \d+ pixels are clocked, 560 stored\n", result.output)
    assert re.search(r"  more than \d+ lines are clocked, 528 stored\n", result.output)
    assert "A readout takes more than 11.6 days: what the script does later is not known.\n" in result.output


def test_a_frame_that_was_not_waited_for_may_complete_later(tmp_path: Path) -> None:
    path = tmp_path / "slow.acf"
    Acf.read(DEMO).with_value("LINECOUNT", "65535").write(path)
    result = run(str(path), "--set", "Lines=65535", "--set", "WaitCount=1048575")  # 9 minutes per line
    assert "No frame completes within 11.6 days: the script clocks " in result.output


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = run(str(DEMO), "--span", "pixel", "--output", str(tmp_path / "pixel.png"))
    assert result.output.endswith(f"wrote {tmp_path / 'pixel.png'}\n")
    assert (tmp_path / "pixel.png").stat().st_size > 1000


def test_a_script_that_reads_no_frame() -> None:
    acf = Acf.read(DEMO).with_value("LINE94", "HOLD; GOTO Main")
    assert list(times(acf))[-1] == "The script reads no frame."


def test_times_in_short() -> None:
    assert list(times(Acf.read(DEMO))) == [
        "readout      1.362366 s, first pixel 10.09108 ms after the start",
        "line, pixel  2.58052 ms, 4.35 µs (229.89 kHz)",
        "integration  in steps of 1 ms, 1000 s at most",
        "flush        98.66427 ms",
    ]


def test_times_of_a_wrong_script_are_unknown() -> None:
    (line,) = times(Acf.read(DEMO).with_value("LINE2", "HOLD; GOTO Nowhere"))
    assert line.startswith("unknown: ")
    assert "Nowhere" in line
