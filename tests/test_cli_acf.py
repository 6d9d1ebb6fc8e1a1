"""``archon-ioc acf``, called as a user does."""

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.cli import main
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

GOLDEN = Path(__file__).parent / "golden" / "acf"
SMALL = GOLDEN / "small.acf"  # its script has a mistake


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ("acf", *(str(argument) for argument in arguments)))


@pytest.fixture
def ccd(tmp_path: Path) -> Path:
    """A copy of the demonstration that may be changed."""
    path = tmp_path / "ccd.acf"
    path.write_bytes(demo_acf().read_bytes())
    return path


def test_help_names_every_command() -> None:
    output = call("--help").output
    assert all(name in output for name in ("info", "check", "diff", "set"))


@pytest.mark.parametrize("command", [("info",), ("check",), ("set", "A=1")])
def test_a_file_that_is_not_there_is_told_in_one_line(command: tuple[str, ...]) -> None:
    result = call(command[0], "/nowhere.acf", *command[1:])
    assert result.exit_code == 1
    assert result.output == "Error: /nowhere.acf: No such file or directory\n"


def test_a_file_that_is_no_acf_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.acf"
    path.write_text("[CONFIG]\nLINES=many\nnonsense\n")
    result = call("info", path)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "line 3: 'nonsense' is not KEY=VALUE; LINES='many': not a whole number" in result.output


# info


def test_info_shows_what_is_in_a_file() -> None:
    output = call("info", demo_acf()).output
    assert "Rev F" in output
    assert "slot 9   HVXBias" in output
    assert "1120 x 1056 pixels of 16 bits, 2.3 MiB" in output
    assert "560 pixels x 528 lines, frame mode split" in output
    assert "AD1L AD2R AD5L AD6R" in output
    assert "IntMS = 0" in output
    assert "AD_CLAMP = 0.5" in output


def test_info_of_a_file_without_a_system_section(tmp_path: Path) -> None:
    path = tmp_path / "x.acf"
    path.write_text("[CONFIG]\nPIXELCOUNT=10\nLINECOUNT=20\nTAPLINES=1\nTAPLINE0=AD1L\n")
    output = call("info", path).output
    assert "no [SYSTEM]" in output
    assert "Modules" not in output
    assert "10 x 20 pixels" in output


def test_info_reads_the_nice_form() -> None:
    output = call("info", GOLDEN / "small.ncf").output
    assert "AD2L AD1R" in output
    assert "IntMS = 1000" in output


# check


def test_check_of_a_right_file_passes() -> None:
    result = call("check", demo_acf())
    assert result.exit_code == 0
    assert "error" not in result.output


def test_check_names_file_line_key_and_what_to_do() -> None:
    result = call("check", SMALL)
    assert result.exit_code == 1
    line = next(line for line in result.output.splitlines() if "LINE1" in line)
    assert line.startswith(f"{SMALL}:{Acf.read(SMALL).source_line('LINE1')}: error: LINE1: ")
    assert "'Expose'" in line
    assert "\n    Correct the name" in result.output
    assert result.output.splitlines()[-1].startswith(f"{SMALL}: 1 error")


def test_check_can_be_read_by_programs() -> None:
    result = call("check", SMALL, "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert found["file"] == str(SMALL)
    (error,) = [finding for finding in found["findings"] if finding["severity"] == "error"]
    assert (error["key"], error["line"]) == ("LINE1", 21)
    assert error["kind"]
    assert error["why"]
    assert error["remedy"]


async def test_check_asks_a_controller_for_its_modules() -> None:
    async with SimServer(SimArchon(Acf.read(demo_acf())), speed=0) as server:
        where = ("--host", "127.0.0.1", "--port", str(server.port))
        own = await asyncio.to_thread(call, "check", demo_acf(), *where)
        other = await asyncio.to_thread(call, "check", SMALL, *where)
    assert own.exit_code == 0
    assert "slot 6" not in own.output
    assert "slot 6" in other.output  # the file is for a controller with nothing there
    assert "slot 6" not in call("check", SMALL).output


def test_check_says_that_no_controller_answers() -> None:
    result = call("check", demo_acf(), "--host", "127.0.0.1", "--port", "1")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


# diff


def test_diff_of_equal_files(ccd: Path) -> None:
    ccd.write_bytes(ccd.read_bytes().replace(b"\n", b"\r\n") + b"; a comment\r\n")
    result = call("diff", demo_acf(), ccd)
    assert result.exit_code == 0
    assert result.output == "no difference in meaning\n"


def test_diff_shows_names_values_and_what_applies_them(ccd: Path) -> None:
    acf = Acf.read(ccd)
    line = next(key for key, text in acf.entries("LINE") if text == "HOLD; CALL IntegrateMS(IntMS)")
    acf.with_parameter("IntMS", 5).with_value("MOD9/HVLC_V1", "3").with_value(line, "HOLD; CALL IntegrateMS(5)").write(
        ccd
    )
    result = call("diff", demo_acf(), ccd)
    assert result.exit_code == 1
    lines = [line.split() for line in result.output.splitlines()]
    assert ["IntMS", "0", "->", "5"] in lines
    assert ["MOD9/HVLC_V1", acf.keys["MOD9/HVLC_V1"], "->", "3"] in lines
    assert ["-", "HOLD;", "CALL", "IntegrateMS(IntMS)"] in lines
    assert ["+", "HOLD;", "CALL", "IntegrateMS(5)"] in lines
    assert result.output.endswith("to apply: APPLYMOD08, LOADTIMING\n")


def test_diff_with_a_file_that_cannot_be_read_is_trouble(ccd: Path) -> None:
    result = call("diff", ccd, "/nowhere.acf")
    assert result.exit_code == 2
    assert result.output == "Error: /nowhere.acf: No such file or directory\n"


# set


def test_set_changes_keys_parameters_and_constants_and_nothing_else(ccd: Path) -> None:
    result = call("set", ccd, "IntMS=100", "S_LOW=-6", "mod9\\hvlc_v1=4", "TRIGINENABLE=1", "Lines=500")
    assert result.exit_code == 0
    assert "IntMS" in result.output
    assert result.output.endswith(f"wrote {ccd}\n")
    old, new = (path.read_bytes().decode("latin-1").splitlines() for path in (demo_acf(), ccd))
    acf = Acf.read(ccd)
    assert sorted(line for line in new if line not in old) == sorted(
        [
            f'{acf.constant_key("S_LOW")}="S_LOW=-6"',
            "MOD9\\HVLC_V1=4",
            f'{acf.parameter_key("IntMS")}="IntMS=100"',
            f'{acf.parameter_key("Lines")}="Lines=500"',
            "TRIGINENABLE=1",
        ]
    )
    assert len(new) == len(old)
    assert acf.keys["LINES"] == Acf.read(demo_acf()).keys["LINES"]


def test_set_may_write_another_file(ccd: Path, tmp_path: Path) -> None:
    before = ccd.read_bytes()
    result = call("set", ccd, "IntMS=100", "--output", tmp_path / "new.acf")
    assert result.exit_code == 0
    assert ccd.read_bytes() == before
    assert Acf.read(tmp_path / "new.acf").parameters["IntMS"] == 100


def test_set_to_the_value_that_is_there_writes_nothing(ccd: Path) -> None:
    before = ccd.stat()
    result = call("set", ccd, "IntMS=0")
    assert result.output == "no difference in meaning\n"
    assert ccd.stat() == before


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("MOD9/HVLC_V1=99", "MOD9/HVLC_V1=99: not from 0 to 31 V"),
        ("NOTHING=1", "'NOTHING' is neither a key"),
        ("IntMS", "'IntMS' is not KEY=VALUE"),
        ("=1", "'=1' is not KEY=VALUE"),
        ("IntMS=long", "not Name=number"),
        ("LINE5=HOLD; GOTO Nowhere", "there is no label 'Nowhere'"),
        ("FRAMEMODE=3", "not one of 0 (top), 1 (bottom), 2 (split)"),
    ],
)
def test_set_refuses_what_cannot_be_right_and_writes_nothing(ccd: Path, setting: str, why: str) -> None:
    before = ccd.read_bytes()
    result = call("set", ccd, "NoIntMS=3", setting)
    assert result.exit_code == 1
    assert why in result.output
    assert result.output.count("\n") == 1
    assert ccd.read_bytes() == before


def test_set_can_be_forced(ccd: Path) -> None:
    result = call("set", ccd, "MOD9/HVLC_V1=99", "New=1", "LINE5=HOLD; GOTO Nowhere", "--force")
    assert result.exit_code == 0
    assert Acf.read(ccd).keys["LINE5"] == "HOLD; GOTO Nowhere"
    assert Acf.read(ccd).keys["MOD9/HVLC_V1"] == "99"
    assert Acf.read(ccd).keys["New"] == "1"


def test_set_says_when_it_cannot_write(ccd: Path, tmp_path: Path) -> None:
    result = call("set", ccd, "IntMS=5", "--output", tmp_path / "nowhere" / "x.acf")
    assert result.exit_code == 1
    assert "Error: cannot write" in result.output


# The documents


def test_the_examples_are_what_the_program_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ccd, colder = Path("ccd.acf"), Path("colder.acf")
    ccd.write_bytes(demo_acf().read_bytes())
    page = Path(__file__).parents[1] / "docs" / "how-to" / "edit-an-acf.md"
    examples = re.findall(
        r"```console\n\$ archon-ioc acf ([^\n]*)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(examples) == 3
    for command, output in examples:
        if colder.exists():  # with the mistake that the example is about
            colder.write_bytes(colder.read_bytes().replace(b"CALL Pixel(Pixels)", b"CALL Pixl(Pixels)"))
        assert call(*shlex.split(command)).output == output
