"""Exposures from the command line, as a user takes them."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from astropy.io import fits
from click.testing import CliRunner, Result

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.cli import main
from archon_ioc.exposure.journal import Entry, Journal, Snapshot, new_name
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo, FrameStatus, SystemInfo
from archon_ioc.sim.answers import Answer
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


async def test_expose_writes_a_file_without_epics(sim: SimServer, tmp_path: Path) -> None:
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    result = await run("expose", "--seconds", "0.1", "--dark", *where)
    assert result.returncode == 1, "nothing is powered by itself"
    assert "CCD power is NOT_CONFIGURED" in result.stderr
    result = await run("expose", "--seconds", "0.1", "--dark", "--power-on", *where)
    assert result.returncode == 0, result.stderr
    header = fits.getheader(result.stdout.strip())
    assert (header["IMAGETYP"], header["EXPTIME"]) == ("dark", 0.1)


async def test_expose_takes_several_of_a_type_with_their_darks(sim: SimServer, tmp_path: Path) -> None:
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    wanted = ("--seconds", "0.1", "--type", "arc", "--count", "2", "--with-dark")
    result = await run("expose", *wanted, "--power-on", *where)
    assert result.returncode == 0, result.stderr
    headers = [fits.getheader(name) for name in result.stdout.split()]
    assert [(header["IMAGETYP"], header["EXPTIME"]) for header in headers] == [("arc", 0.1), ("dark", 0.1)] * 2
    result = await run("expose", "--type", "comet", *where)
    assert result.returncode == 1
    assert "no exposure type 'comet'" in result.stderr


async def test_expose_changes_nothing_that_is_kept(sim: SimServer, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "settings-ARCHON.json"
    kept.parent.mkdir()
    kept.write_text(
        json.dumps({"seconds": 7.0, "image_mode": 2, "readout": False, "files": {"number": 5, "auto_save": False}})
    )
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    result = await run("expose", "--seconds", "0.1", "--dark", "--power-on", *where)
    assert result.returncode == 0, result.stderr
    assert fits.getheader(result.stdout.strip())["IMAGETYP"] == "dark"
    assert json.loads(kept.read_text()) == {
        "seconds": 7.0, "image_mode": 2, "readout": False, "files": {"number": 6, "auto_save": False},
    }  # fmt: skip


async def test_expose_with_several_controllers_prints_all_files(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("controllers: [{name: b1}, {name: r1}]")
    options = ("--config", str(site), "--simulate", "--data-dir", str(tmp_path / "data"))
    result = await run("expose", "--seconds", "0.1", *options)
    assert result.returncode == 0, result.stderr
    assert [fits.getheader(name)["SPEC"] for name in result.stdout.split()] == ["b1", "r1"]


async def test_expose_without_a_controller_says_so(tmp_path: Path) -> None:
    result = await run("expose", "--host", "127.0.0.1", "--port", "9", "--data-dir", str(tmp_path))
    assert result.returncode == 1
    assert "cannot connect to 127.0.0.1:9" in result.stderr
    assert "Traceback" not in result.stderr


class Watched(SimArchon):
    """A simulated controller that says when it is told something."""

    def __init__(self, *awaited: str) -> None:
        self.told = {word: asyncio.Event() for word in awaited}
        super().__init__(Acf.read(demo_acf()), applied=True, now=-10.0)
        self.handle("POWERON", -10.0)

    def handle(self, command: str, now: float) -> Answer:
        for word, event in self.told.items():
            if command.startswith(word):
                event.set()
        return super().handle(command, now)


async def test_expose_leaves_the_detector_safe_however_often_it_is_stopped(tmp_path: Path) -> None:
    device = Watched("RELEASETIMING", "FASTLOADPARAM", "RESETTIMING")
    async with SimServer(device, speed=1.0) as sim, asyncio.timeout(30):
        where = ("--host", "127.0.0.1", "--port", str(sim.port), "--data-dir", str(tmp_path))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "archon_ioc", "expose", "--seconds", "100", *where, stderr=subprocess.DEVNULL
        )
        await device.told["RELEASETIMING"].wait()
        device.told["FASTLOADPARAM"].clear()
        sim.faults.delay_reply, sim.faults.delay_seconds = "FASTLOADPARAM", 0.5
        process.send_signal(signal.SIGINT)
        await device.told["FASTLOADPARAM"].wait()
        process.send_signal(signal.SIGINT)
        await process.wait()
    assert device.told["RESETTIMING"].is_set(), "it integrates on"


async def test_recover_writes_what_a_program_that_was_killed_has_left(sim: SimServer, tmp_path: Path) -> None:
    """Killed in its fetch, which takes long: the frame is still in the controller."""
    site = tmp_path / "site.yaml"
    site.write_text(f"controller: {{host: 127.0.0.1, port: {sim.port}, acf: {demo_acf()}}}\n")
    options = ("--config", str(site), "--log-level", "warning")
    sim.faults.drop_link_after_blocks = 1
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "archon_ioc", "expose", "--power-on", "--seconds", "0.1", *options, cwd=tmp_path
    )
    journal = tmp_path / "state" / "journal"
    async with asyncio.timeout(30):
        # Another process writes it.
        while not any('"complete": true' in path.read_text() for path in journal.glob("2*.json")):  # noqa: ASYNC110
            await asyncio.sleep(0)
    process.kill()
    await process.wait()
    assert list((tmp_path / "data").glob("*.fits")) == []
    result = await run("recover", *options, folder=tmp_path)
    assert (result.returncode, result.stdout.splitlines()) == (0, [f"{tmp_path}/data/archon_0001.fits"]), result.stderr
    assert fits.getval(tmp_path / "data" / "archon_0001.fits", "ARCHFRAM") == 1
    assert "nothing is pending" in (await run("recover", *options, folder=tmp_path)).stdout


def test_recover_wants_a_real_controller() -> None:
    result = call("recover", "--simulate")
    assert result.exit_code == 2
    assert "has no frames" in result.output


async def test_an_exposure_is_left_on_the_ccd_and_read_out_by_another_command(sim: SimServer, tmp_path: Path) -> None:
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    result = await run("expose", "--seconds", "0.1", "--type", "arc", "--no-readout", "--power-on", *where)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "archon-ioc read" in result.stderr
    result = await run("expose", *where)
    assert result.returncode == 1
    assert "holds an exposure that was not read out" in result.stderr
    result = await run("recover", *where)
    assert result.returncode == 1
    assert "still on the CCD; read it out" in result.stderr
    result = await run("read", *where)
    assert result.returncode == 0, result.stderr
    header = fits.getheader(result.stdout.strip())
    assert (header["IMAGETYP"], header["EXPTIME"]) == ("arc", 0.1)
    result = await run("read", *where)
    assert result.returncode == 1
    assert "no readout pending" in result.stderr


async def test_what_is_on_the_ccd_can_be_given_up(sim: SimServer, tmp_path: Path) -> None:
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    assert (await run("expose", "--seconds", "0.1", "--no-readout", "--power-on", *where)).returncode == 0
    assert (await run("recover", "--discard", *where)).stdout == "discarded 1\n"
    result = await run("expose", "--seconds", "0.1", *where)
    assert result.returncode == 0, result.stderr


async def test_without_autosave_nothing_is_left_on_the_ccd(sim: SimServer, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "settings-ARCHON.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps({"files": {"auto_save": False}}))
    where = ("--host", "127.0.0.1", "--port", str(sim.port), "--acf", str(demo_acf()), "--data-dir", str(tmp_path))
    result = await run("expose", "--no-readout", "--power-on", *where)
    assert result.returncode == 1
    assert "without AutoSave" in result.stderr


@pytest.mark.parametrize("options", [("--count", "2"), ("--with-dark",), ("--simulate",)])
def test_what_cannot_be_left_on_the_ccd_is_refused(options: tuple[str, ...]) -> None:
    result = call("expose", "--no-readout", *options)
    assert result.exit_code == 2


def test_read_wants_a_real_controller() -> None:
    result = call("read", "--simulate")
    assert result.exit_code == 2
    assert "nothing on its CCD" in result.output


@pytest.mark.usefixtures("ca_environment")
async def test_recover_closes_the_shutter_of_another_ioc_that_was_left_open(sim: SimServer, tmp_path: Path) -> None:
    """And ends the exposure, of which nobody wanted a file."""
    told = sim.device.handle("SYSTEM", sim.now)
    none = BufferInfo(1, SampleMode.BITS16, False, FrameMode.TOP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    journal = Journal(tmp_path / "state" / "journal")
    journal.write(
        Entry(
            name=new_name("archon", datetime.now(UTC)),
            noted=datetime.now(UTC),
            controller=Snapshot(name="archon", system=dict(SystemInfo.parse(str(told)).fields), status={}),
            before=FrameStatus(0, 0, 0, (none, none, none)),
            seconds=1.0,
            settings=ExposureSettings(shutter_mode=ShutterMode.EPICS_PV),
            naming=None,
        )
    )
    journal.close()
    site = tmp_path / "site.yaml"
    site.write_text(
        f"controller: {{host: 127.0.0.1, port: {sim.port}}}\nshutter: {{open_pv: NO:Open, close_pv: NO:Close}}\n"
    )
    result = await run("recover", "--config", str(site), folder=tmp_path)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "the shutter may be open: the shutter's PV NO:Close did not answer" in result.stderr
    assert "Ended exposure without AutoSave of archon" in result.stderr
    assert (await run("recover", "--config", str(site), folder=tmp_path)).stdout == "nothing is pending\n"
