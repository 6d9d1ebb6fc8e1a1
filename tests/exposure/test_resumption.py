"""An exposure that waits on the CCD outlives its program: the next one reads it out, or throws it away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Outcome, Phase


@asynccontextmanager
async def next_program(site: SiteConfig) -> AsyncIterator[Camera]:
    """Run another program with the same controllers and folders."""
    controllers = [ArchonController(unit.host, unit.port, config=unit, script=site.script) for unit in site.units]
    camera = Camera(controllers, site)
    tasks = [asyncio.create_task(work.run()) for work in (camera, *controllers)]
    try:
        yield camera
    finally:
        for task in tasks:
            task.cancel()
            await asyncio.wait([task])
    for task in tasks:
        if not task.cancelled():
            task.result()


async def leave(bench, *, files: bool = True) -> None:
    """Take an exposure that stays on the CCD, and end the program."""
    await bench.camera.filing.change(auto_save=files)
    bench.camera.change(seconds=0.1, readout=False)
    await bench.camera.acquire()
    await end(bench)


async def end(bench) -> None:
    for task in (bench.running, bench.controlling):
        task.cancel()
        await asyncio.wait([task])


async def test_the_next_program_reads_it_out(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        await leave(bench)
        assert not bench.device.timing.is_held
        assert "RESETTIMING" not in bench.device.commands
        async with next_program(bench.camera._site) as camera:
            state = await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
            assert "Exposure 1 is on the CCD" in state.message
            assert bench.device.parameters["AUTOFLUSH"] == 0
            with pytest.raises(StateError, match="holds an exposure"):
                await camera.acquire()
            await camera.read()
            assert (camera.state.phase, camera.state.message) == (Phase.IDLE, "Done")
            assert camera.state.journal.pending == 0
        header = fits.getheader(bench.folder / "archon_0001.fits")
        assert (header["EXPOSURE"], header["EXPTIME"], header["EXPREQ"]) == (1, 0.1, 0.1)
        assert header["DARKTIME"] > 0.1
        bench.assert_resting()


async def test_what_was_paused_can_be_read_out_by_the_next_program(benches) -> None:
    async with benches(speed=1, line_seconds=0.002, script={"pause_by_hold": True}) as bench:
        bench.camera.change(seconds=30.0)
        client = bench.start()
        await bench.until(lambda state: 0 < state.remaining < 29.7)
        await bench.camera.light.pause()
        await end(bench)
        await asyncio.wait([client])
        assert bench.device.timing.is_held
        assert bench.files == []
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
            await camera.read()
        header = fits.getheader(bench.folder / "archon_0001.fits")
        assert 0.3 <= header["EXPTIME"] <= 0.8
        assert header["DARKTIME"] > header["EXPTIME"]
        assert header["EXPREQ"] == 30.0
        bench.assert_resting()


async def test_without_autosave_a_pause_ends_with_the_program(benches) -> None:
    async with benches(speed=1, script={"pause_by_hold": True}) as bench:
        await bench.camera.filing.change(auto_save=False)
        bench.camera.change(seconds=30.0)
        client = bench.start()
        await bench.until(lambda state: 0 < state.remaining < 29.9)
        await bench.camera.light.pause()
        await end(bench)
        await asyncio.wait([client])
        bench.assert_resting()
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.is_up and state.journal.pending == 0, 10)
            assert camera.state.phase is Phase.IDLE


async def test_an_acquire_before_it_is_taken_up_is_refused_too(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        await leave(bench)
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.is_up, 10)
            with pytest.raises(StateError, match="holds an exposure"):
                await camera.acquire()
            await camera.read()
        assert bench.files == ["archon_0001.fits"]


async def test_it_can_be_left_to_one_program_after_the_other_and_thrown_away(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        await leave(bench)
        for _ in range(2):
            async with next_program(bench.camera._site) as camera:
                await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
            await camera.abort()
            assert (camera.state.phase, camera.state.outcome) == (Phase.IDLE, Outcome.ABORTED)
            bench.assert_resting()
            await camera.acquire(camera.state.settings.changed(readout=True))
        assert bench.files == ["archon_0001.fits"], "a number that nobody used is given back"


async def test_without_autosave_the_end_of_the_program_throws_it_away(benches) -> None:
    async with benches(speed=1) as bench:
        await leave(bench, files=False)
        bench.assert_resting()


def expose_with_another_program(bench) -> None:
    bench.device.handle("FASTLOADPARAM ReadOut 1", bench.sim.now)


def restart(bench) -> None:
    bench.device.handle("REBOOT", bench.sim.now)


def switch_off(bench) -> None:
    bench.device.handle("POWEROFF", bench.sim.now)


def load_another(bench) -> None:
    line = next(n for n, key in enumerate(bench.device.applied.keys) if key == "MOD2/HEATERATARGET")
    bench.device.handle(f"WCONFIG{line:04X}MOD2/HEATERATARGET=-90.0", bench.sim.now)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (expose_with_another_program, "another program has read the CCD out"),
        (switch_off, "the CCD power is"),
        (load_another, "another configuration is loaded"),
    ],
)
async def test_what_the_ccd_cannot_hold_any_more_is_lost(benches, event: Callable, reason: str, tmp_path: Path) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        await leave(bench)
        event(bench)
        await wait_for_frame(bench, event)
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.journal.pending == 0 and state.is_up, 10)
            lost = tmp_path / "state" / "journal" / "lost" / "reasons.txt"
            async with asyncio.timeout(10):
                while not lost.exists():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            assert reason in lost.read_text()
            assert camera.state.phase is Phase.IDLE
        assert bench.files == []


async def wait_for_frame(bench, event: Callable) -> None:
    if event is expose_with_another_program:
        async with ArchonController("127.0.0.1", bench.sim.port) as archon, asyncio.timeout(10):
            while (await archon.get_frame()).newest is None:
                pass


async def killed(bench) -> None:
    """Let the program end without a word: nobody can be told anything."""
    bench.controlling.cancel()
    await asyncio.wait([bench.controlling])
    bench.running.cancel()
    await asyncio.wait([bench.running])


async def test_a_program_killed_while_it_reads_out_leaves_it_to_recovery(benches) -> None:
    async with benches(speed=1, line_seconds=0.05) as bench:
        bench.camera.change(seconds=0.1, readout=False)
        await bench.camera.acquire()
        reading = asyncio.create_task(bench.camera.read())
        await bench.until(lambda state: bool(state.controller.frames and state.controller.frames.writing))
        await killed(bench)
        await asyncio.wait([reading])
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.is_up and state.journal.pending == 0, 20)
        header = fits.getheader(bench.folder / "archon_0001.fits")
        assert header["EXPTIME"] == 0.1
        assert header["DARKTIME"] > 0.1


async def test_a_program_killed_just_before_it_reads_out_leaves_it_on_the_ccd(benches) -> None:
    async with benches(speed=1, line_seconds=0.002, script={"readout_start": 0.5}) as bench:
        bench.camera.change(seconds=0.1, readout=False)
        await bench.camera.acquire()
        reading = asyncio.create_task(bench.camera.read())
        await bench.until_phase(Phase.READING)
        assert not bench.device.parameters["READOUT"], "it was only going to be told"
        await killed(bench)
        await asyncio.wait([reading])
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 20)
            await camera.read()
        assert fits.getheader(bench.folder / "archon_0001.fits")["EXPTIME"] == 0.1


async def test_a_program_that_lives_has_its_controller_for_itself(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=0.1, readout=False)
        await bench.camera.acquire()
        other = Camera((bench.controller,), bench.camera._site)
        told = len(bench.device.commands)
        with pytest.raises(StateError, match="archon: another program exposes with it, or has an exposure that is not"):
            await other.acquire(other.state.settings.changed(seconds=0.0, readout=True))
        assert "HOLDTIMING" not in bench.device.commands[told:]
        await bench.camera.read()
        await other.acquire(other.state.settings.changed(seconds=0.0, readout=True))
        assert bench.files == ["archon_0001.fits", "archon_0002.fits"]


async def test_several_controllers_of_which_one_was_restarted(groups) -> None:
    async with groups(2, site={}) as group:
        camera = group.camera
        camera.change(seconds=0.1, readout=False)
        await camera.acquire()
        for task in (group.running, *group.links):
            task.cancel()
            await asyncio.wait([task])
        group.boxes["r1"].device.handle("POWEROFF", group.boxes["r1"].clock.now)
        async with next_program(camera._site) as following:
            await following.live.until(lambda state: state.phase is Phase.PENDING, 10)
            with pytest.raises(Exception, match="r1: the CCD power is"):
                await following.read()
        assert group.files == ["archon_0001_b1.fits"]
