"""The command line, called as a user does."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archon_ioc import __version__
from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.cli import main
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


async def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process, so that the test's own simulator can answer it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "archon_ioc", *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def sim() -> AsyncIterator[SimServer]:
    async with SimServer(SimArchon(Acf.read(demo_acf())), speed=20.0) as server:
        yield server


def test_version() -> None:
    assert __version__ in call("--version").output


def test_help_names_every_command() -> None:
    output = call("--help").output
    assert all(name in output for name in ("run", "sim", "expose", "talk", "check", "export"))


def test_run_is_the_default() -> None:
    assert "--prefix" in call("run", "--help").output
    assert "no such option" in call("--no-such-option").output.lower()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prefix", "a b"), "prefix"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml: No such file"),
        (("--acf", "/nowhere.acf"), "/nowhere.acf: No such file"),
    ],
)
def test_wrong_options_are_told_in_one_line(options: tuple[str, ...], words: str) -> None:
    result = call(*options)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_check_tells_what_is_wrong(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("prefix: 'BAD PREFIX'\ncontroler: {}\n")
    result = call("check", str(site))
    assert result.exit_code == 1
    assert "prefix" in result.output
    assert "controler" in result.output


def test_check_accepts_a_right_site(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"prefix: 'LAB:'\ncontroller: {{host: 10.0.0.2, acf: {demo_acf()}}}\n")
    result = call("check", str(site))
    assert (result.exit_code, result.output) == (0, f"{site} is right\n")


def test_export_writes_and_then_is_content(tmp_path: Path) -> None:
    assert call("export", "--check", "--folder", str(tmp_path)).exit_code == 1
    assert "wrote" in call("export", "--folder", str(tmp_path)).output
    assert call("export", "--check", "--folder", str(tmp_path)).exit_code == 0
    (tmp_path / "db" / "archonCamera.template").write_text("changed")
    assert "db/archonCamera.template" in call("export", "--check", "--folder", str(tmp_path)).output


async def test_talk(sim: SimServer) -> None:
    result = await run("talk", "127.0.0.1", "--port", str(sim.port), "SYSTEM")
    assert result.stdout.startswith("BACKPLANE_TYPE=1 ")


@pytest.mark.parametrize("command", ["FLASHACTIVECONFIG", "eraseall", "APPLYNET", "VERIFY00", "FETCH0000000000000001"])
def test_talk_refuses_what_can_do_harm(command: str) -> None:
    result = call("talk", "127.0.0.1", "--port", "9", command)
    assert result.exit_code == 1
    assert "is refused" in result.output


async def test_talk_tells_a_rejection(sim: SimServer) -> None:
    result = await run("talk", "127.0.0.1", "--port", str(sim.port), "POWERON")
    assert result.returncode == 1
    assert "rejected 'POWERON'" in result.stderr
