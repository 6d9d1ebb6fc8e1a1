"""What a program leaves behind is recovered by the next one, or by the same one when the disk has room again."""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError, SaveError, StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ShutterMode
from archon_ioc.exposure.shutter import PvShutter


@asynccontextmanager
async def next_life(bench, shutter: PvShutter | None = None) -> AsyncIterator[Camera]:
    """Run a second program with the same controller and folders, when the first one has been killed."""
    old: Camera = bench.camera
    site: SiteConfig = old._site
    controller = ArchonController(site.controller.host, bench.sim.port, config=site.controller, script=site.script)
    camera = Camera((controller,), site, shutter)
    tasks = [asyncio.create_task(controller.run()), asyncio.create_task(camera.run())]
    try:
        yield camera
    finally:
        for task in reversed(tasks):
            task.cancel()
            await asyncio.wait([task])
    for task in tasks:
        if not task.cancelled():
            task.result()


async def test_a_frame_whose_fetch_failed_is_recovered_as_it_would_have_been(
    bench, make_acf: Callable[..., Acf], pattern: Callable[[Acf, int], Any]
) -> None:
    bench.sim.faults.reject = "FETCHA"
    bench.camera.change(seconds=0.05)
    with pytest.raises(ArchonError, match="rejected"):
        await bench.camera.acquire()
    await bench.until(lambda state: state.journal.pending == 0)
    assert bench.files == ["archon_0001.fits"]
    with fits.open(bench.folder / "archon_0001.fits", checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert np.array_equal(hdus[0].data, pattern(make_acf(), 1))
    assert (header["EXPOSURE"], header["EXPTIME"], header["ARCHFRAM"]) == (1, 0.05, 1)
    await bench.good()
    with fits.open(bench.folder / "archon_0002.fits") as hdus:
        assert list(hdus[0].header) == list(header)


async def test_a_full_disk_keeps_the_exposure_until_there_is_room(bench, tmp_path: Path) -> None:
    folder = bench.folder
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    moved = folder.rename(tmp_path / "moved")
    folder.write_text("in the way")
    with pytest.raises(SaveError):
        await client
    state = await bench.until(lambda state: state.journal.pending == 1)
    assert state.outcome is Outcome.FAILED
    recovered, problems = await bench.camera.recovery.recover()
    assert recovered == []
    assert "cannot write" in problems[0]
    folder.unlink()
    moved.rename(folder)
    await bench.camera.recovery.recover()
    assert bench.files == ["archon_0001.fits"]
    assert bench.camera.state.journal.pending == 0
    await bench.good()


async def test_a_controller_that_restarts_loses_the_frame_and_the_reason_is_told(bench, tmp_path: Path) -> None:
    bench.camera.change(seconds=0.05)
    bench.sim.faults.reboot = "FETCHA"
    with pytest.raises(ArchonError):
        await bench.camera.acquire()
    await bench.until(lambda state: state.journal.pending == 0, 20)
    reasons = (tmp_path / "state" / "journal" / "lost" / "reasons.txt").read_text()
    assert "restarted" in reasons or "holds frame 0" in reasons
    assert bench.files == []


async def test_a_program_that_stops_while_it_fetches_leaves_the_frame_to_the_next(benches) -> None:
    async with benches(fetch_rate=4e3) as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until_phase(Phase.FETCHING)
        bench.running.cancel()
        await asyncio.wait([bench.running, client])
        bench.controlling.cancel()
        await asyncio.wait([bench.controlling])
        assert bench.files == []
        async with next_life(bench) as camera:
            await camera.live.until(lambda state: state.controller.is_up and state.journal.pending == 0, 20)
            assert bench.files == ["archon_0001.fits"]
            assert "Recovered exposure 1 of archon" in camera.state.message


async def end_without_a_word(bench) -> None:
    """End the first program so that it can stop nothing: its link is gone."""
    bench.controlling.cancel()
    await asyncio.wait([bench.controlling])
    bench.running.cancel()
    await asyncio.wait([bench.running])


async def test_an_integration_goes_on_without_its_program_and_is_waited_for(bench) -> None:
    bench.camera.change(seconds=60.0)  # 3 s of the wall clock
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await end_without_a_word(bench)
    await asyncio.wait([client])
    async with next_life(bench) as camera:
        await camera.live.until(lambda state: bool(state.journal.waiting), 10)
        with pytest.raises(StateError, match="still integrated; abort throws it away"):
            await camera.acquire()
        await camera.live.until(lambda state: state.journal.pending == 0, 20)
        assert bench.files == ["archon_0001.fits"]
        bench.assert_resting()
    assert fits.getval(bench.folder / "archon_0001.fits", "EXPTIME") == 60.0


async def test_a_shutter_of_another_ioc_is_closed_by_the_next_program(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=600.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        fake_shutter.fails = "close"  # the program dies before
        await end_without_a_word(bench)
        await asyncio.wait([client])
        client.exception()
        fake_shutter.fails = ""
        fake_shutter.calls.clear()
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: bool(state.journal.waiting), 10)
            assert fake_shutter.calls == ["close"]
            assert not camera.state.shutter_open
            await camera.abort("not wanted")
            await camera.live.until(lambda state: state.journal.pending == 0, 10)
            bench.assert_resting()


async def test_an_integration_of_an_earlier_life_can_be_thrown_away(bench) -> None:
    bench.camera.change(seconds=900.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await end_without_a_word(bench)
    await asyncio.wait([client])
    async with next_life(bench) as camera:
        await camera.live.until(lambda state: bool(state.journal.waiting), 10)
        await camera.abort("not wanted")
        await camera.live.until(lambda state: state.journal.pending == 0, 10)
        bench.assert_resting()
        camera.change(seconds=0.01)
        await camera.acquire()
        assert len(bench.files) == 1


async def test_a_disk_that_fills_up_during_an_exposure_loses_nothing(bench) -> None:
    """Files cannot grow beyond a size: not the image, and not the journal, of which the entry from before stays."""
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        with pytest.raises(SaveError, match="File too large"):
            await client
        assert bench.camera.state.journal.pending == 1
        _, problems = await bench.camera.recovery.recover()
        assert "File too large" in problems[0]
        assert bench.files == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    recovered, problems = await bench.camera.recovery.recover()
    assert (recovered, problems) == ([str(bench.folder / "archon_0001.fits")], [])
    assert not list(bench.folder.glob(".*.part"))
    await bench.good()


# Without AutoSave


async def test_an_exposure_that_nobody_saves_is_ended_by_the_next_program(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        await bench.camera.filing.change(auto_save=False)
        bench.camera.change(seconds=600.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        fake_shutter.fails = "close"  # the program dies before
        await end_without_a_word(bench)
        await asyncio.wait([client])
        client.exception()
        fake_shutter.fails = ""
        fake_shutter.calls.clear()
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: "Ended exposure without AutoSave of archon" in state.message, 10)
            assert fake_shutter.calls == ["close"]
            bench.assert_resting()
            assert (camera.state.journal.pending, bench.files) == (0, [])


# Sums


async def cut_short(bench, count: int, of: int, seconds: float = 0.5) -> None:
    """Die while the last of ``count`` exposures of a sum is integrated."""
    bench.camera.change(seconds=seconds, num_exposures=of)
    client = bench.start()
    await bench.until(lambda state: state.exposures_done == count - 1 and state.phase is Phase.INTEGRATING)
    await end_without_a_word(bench)
    await asyncio.wait([client])
    client.exception()


@pytest.mark.parametrize(("count", "of", "frames"), [(2, 2, (1, 2)), (3, 5, (1, 2, 3)), (5, 5, (3, 4, 5))])
async def test_of_a_sum_all_that_the_controller_has_is_recovered(
    benches, make_acf: Callable[..., Acf], pattern: Callable[[Acf, int], Any], count: int, of: int, frames: tuple[int]
) -> None:
    lost = count - len(frames)
    async with benches(speed=1, line_seconds=0.002) as bench:
        await cut_short(bench, count, of)
        async with next_life(bench) as camera:
            await camera.live.until(lambda state: state.journal.pending == 0, 20)
            assert bench.files == ["archon_0001.fits"]
            assert camera.state.message.endswith(f"{len(frames)} of {count} frames of its sum" if lost else "UTC")
        with fits.open(bench.folder / "archon_0001.fits") as hdus:
            header, pixels = hdus[0].header, hdus[0].data
            assert np.array_equal(pixels, sum(pattern(make_acf(), frame).astype(np.uint32) for frame in frames))
    assert (header["COADDS"], header["EXPTIME"]) == (len(frames), 0.5 * len(frames))
    assert header.get("COADLOST", 0) == lost


async def test_what_was_read_out_of_a_sum_is_kept_when_the_rest_is_lost(benches) -> None:
    async with benches(speed=1, line_seconds=0.002, script={"readout_start": 0.5}) as bench:
        await cut_short(bench, 2, 5, seconds=2.0)
        async with next_life(bench) as camera:
            await camera.live.until(lambda state: bool(state.journal.waiting), 10)
            for command in (
                "FASTLOADPARAM Exposures 0",
                "FASTLOADPARAM ReadOut 0",
                "RESETTIMING",
            ):  # by another program
                bench.device.handle(command, bench.sim.now)
            await camera.live.until(lambda state: state.journal.pending == 0, 20)
            assert camera.state.message.endswith("1 of 2 frames of its sum")
        assert fits.getval(bench.folder / "archon_0001.fits", "COADDS") == 1


async def test_a_sum_that_is_partly_in_memory_is_completed(
    bench, make_acf: Callable[..., Acf], pattern: Callable[[Acf, int], Any]
) -> None:
    bench.camera.change(seconds=0.2, num_exposures=5)
    client = bench.start()
    await bench.until(lambda state: state.exposures_done == 4 and state.phase is Phase.INTEGRATING)
    bench.sim.faults.reject = "FETCH"
    with pytest.raises(ArchonError, match="rejected"):
        await client
    await bench.until(lambda state: state.journal.pending == 0)
    with fits.open(bench.folder / "archon_0001.fits") as hdus:
        assert hdus[0].header["COADDS"] == 5
        wanted = sum(pattern(make_acf(), frame).astype(np.uint32) for frame in range(1, 6))
        assert np.array_equal(hdus[0].data, wanted)
    await bench.good()


async def test_a_sum_of_an_earlier_life_is_thrown_away_as_a_whole(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        await cut_short(bench, 2, 2, seconds=3.0)
        async with next_life(bench) as camera:
            await camera.live.until(lambda state: bool(state.journal.waiting), 10)
            await camera.abort("not wanted")
            await camera.live.until(lambda state: state.journal.pending == 0, 10)
        assert bench.files == []


# Ended early


async def test_the_time_of_a_stop_is_known_to_the_next_program(benches, fake_shutter) -> None:
    """The program dies when the shutter is closed, and the script was not told to read out."""
    async with benches(shutter=fake_shutter, script={"readout_start": 0.5}) as bench:
        bench.camera.change(seconds=600.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open and 0 < state.remaining < 599.7)
        fake_shutter.hangs = "close"
        stopping = asyncio.create_task(bench.camera.stop())
        await bench.until(lambda _: "close" in fake_shutter.calls)
        bench.controlling.cancel()
        await asyncio.wait([bench.controlling])
        fake_shutter.released.set()
        await asyncio.wait([stopping, client])
        client.exception()
        await end_without_a_word(bench)
        async with next_life(bench, fake_shutter) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 20)
            await camera.read()
        assert 0.2 < fits.getval(bench.folder / "archon_0001.fits", "EXPTIME") < 5


# Several programs


async def test_what_another_program_exposes_is_left_alone(bench, tmp_path: Path, fake_shutter) -> None:
    """The entry of a third one that died must not lead to a reset of the script."""
    bench.camera.change(seconds=600.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    (path,) = (path for path in (tmp_path / "state" / "journal").glob("2*.json") if ".acf" not in path.name)
    text = path.read_text().replace('"shutter_mode": 2', '"shutter_mode": 1').replace(path.stem, "20260101T0-archon")
    (path.parent / "20260101T0-archon.json").write_text(text)
    told = len(bench.device.commands)
    other = Camera((bench.controller,), bench.camera._site, fake_shutter)
    _, problems = await other.recovery.recover()
    assert "another program exposes with this controller now" in problems[0]
    assert fake_shutter.calls == []
    assert not {"RESETTIMING", "HOLDTIMING"} & set(bench.device.commands[told:])
    await bench.camera.abort()
    await client
    await other.recovery.discard()


async def test_an_exposure_is_left_to_the_controller_that_took_it(benches, make_acf: Callable[..., Acf]) -> None:
    """Two programs share a folder, and their controllers have the same name."""
    acf = make_acf()
    own = replace(acf, system={**acf.system, "BACKPLANE_ID": "0000000000000099"})
    async with benches(speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=0.5)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        await end_without_a_word(bench)
        await asyncio.wait([client])
        async with benches(acf=own) as stranger:
            await stranger.until(lambda state: state.journal.pending == 0)
            assert stranger.files == []
            await stranger.good()
            async with next_life(bench) as camera:
                await camera.live.until(lambda state: "Recovered exposure 1" in state.message, 20)
        assert bench.files == ["archon_0001.fits", "archon_0002.fits"]
        assert fits.getval(bench.folder / "archon_0002.fits", "ARCHBACK") != fits.getval(
            bench.folder / "archon_0001.fits", "ARCHBACK"
        )


async def test_an_exposure_whose_names_are_taken_gets_another_number(bench) -> None:
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    (bench.folder / "archon_0001.fits").write_text("of a program with another number file")
    with pytest.raises(SaveError, match="exists already"):
        await client
    recovered, problems = await bench.camera.recovery.recover()
    assert (recovered, problems) == ([str(bench.folder / "archon_0002.fits")], [])
    assert fits.getval(bench.folder / "archon_0002.fits", "EXPOSURE") == 2
    await bench.good()


# Disks


async def test_a_slow_disk_holds_nobody_up_but_the_exposure(bench, held_disk: threading.Event) -> None:
    client = bench.start()
    await bench.until(lambda state: state.file.writing)
    loop = asyncio.get_running_loop()
    for _ in range(5):  # STATUS and FRAME are still asked for, and puts are done
        count = bench.controller.status.frames.timer
        began = loop.time()
        bench.camera.change(seconds=0.01 + began % 1)
        await bench.until(lambda state, count=count: state.controller.frames.timer > count)
        assert loop.time() - began < 5
    assert not client.done()
    held_disk.set()
    await client
    assert bench.files == ["archon_0001.fits"]
