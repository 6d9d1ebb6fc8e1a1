"""One of several controllers dies: it costs only its own image, and the next exposure works."""

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from archon_ioc.errors import ControllersError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode

from .several import Group, Groups


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a lost link little time to come back."""
    monkeypatch.setattr("archon_ioc.driver.timing._RELINK_SECONDS", 0.5)


# One that dies


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("sync", "dead"), [("host", "b1"), ("host", "g1"), ("hardware", "b1"), ("hardware", "r1")])
async def test_one_dies_while_integrating(groups: Groups, sync: str, dead: str) -> None:
    async with groups(4, sync=sync) as group:
        client = group.start(seconds=0.3)
        await group.until_phase(Phase.INTEGRATING)
        await group.boxes[dead].die()
        await assert_lost(group, client, dead)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("dead", ["b1", "r1"])
async def test_one_dies_while_reading(groups: Groups, dead: str) -> None:
    async with groups(4, line_seconds=0.5) as group:
        client = group.start(seconds=0.0)
        await group.until(
            lambda state: state.phase is Phase.READING and all(s.frames.writing for s in state.controllers)
        )
        await group.boxes[dead].die()
        await assert_lost(group, client, dead)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("dead", ["b1", "r1"])
async def test_one_dies_while_it_is_fetched(groups: Groups, dead: str) -> None:
    async with groups(4, fetch_rate=20_000) as group:
        client = group.start(seconds=0.0)
        await group.until(lambda state: all(unit.last_command.startswith("LOCK") for unit in state.controllers))
        await group.boxes[dead].die()
        await assert_lost(group, client, dead)


async def assert_lost(group: Group, client: asyncio.Task[None], dead: str) -> None:
    """The others' files are on disk, the exposure failed and names the dead one, and the next one works."""
    with pytest.raises(ControllersError, match=f"^{dead}.*did not come back") as caught:
        await client
    assert list(caught.value.errors) == [dead]
    assert group.files == sorted(f"archon_0001_{name}.fits" for name in group.boxes if name != dead)
    state = group.state
    assert (state.outcome, state.phase, state.acquiring) == (Outcome.FAILED, Phase.IDLE, False)
    assert dead in state.message
    await group.boxes[dead].live()
    await group.until(lambda state: state.is_up)
    await group.until(lambda state: "could not be stopped" not in state.message)
    await group.good(2)


async def test_the_others_are_saved_without_waiting_for_the_lost_one(groups: Groups) -> None:
    async with groups(3) as group:
        client = group.start(seconds=0.1)
        await group.until_phase(Phase.INTEGRATING)
        await group.boxes["r1"].die()
        await group.until(lambda state: state.file.full_name.endswith("_b1.fits") and not state.file.writing)
        assert group.state.phase is Phase.READING
        assert not client.done()
        await group.boxes["r1"].live()
        await client  # … whose frame was waiting in the controller
        assert len(group.files) == 3
        assert group.state.outcome is Outcome.DONE


async def test_one_restarts_while_integrating(groups: Groups) -> None:
    async with groups(3) as group:
        client = group.start(seconds=0.3)
        await group.until_phase(Phase.INTEGRATING)
        group.boxes["z1"].device.handle("REBOOT", group.boxes["z1"].sim.now)
        with pytest.raises(ControllersError, match="z1"):
            await client
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"]


async def test_the_clock_of_the_first_one_dies(groups: Groups) -> None:
    script = {"readout_start": 0.5, "readout_stall": 0.5}
    async with groups(3, sync="hardware", site={"script": script}) as group:
        client = group.start(seconds=0.3)
        await group.until_phase(Phase.INTEGRATING)
        group.boxes["b1"].sim.faults.sync_dead = True
        with pytest.raises(ControllersError) as caught:
            await client
        assert list(caught.value.errors) == list(group.boxes)
        assert (group.state.outcome, group.state.phase, group.files) == (Outcome.FAILED, Phase.IDLE, [])


async def test_a_frame_that_never_completes(groups: Groups) -> None:
    async with groups() as group:
        group.boxes["r1"].sim.faults.frame_never_completes = True
        with pytest.raises(ControllersError, match=r"^r1: frame 1 stopped at line"):
            await group.start(seconds=0.0)
        assert group.files == ["archon_0001_b1.fits"]
        group.boxes["r1"].sim.faults.clear()
        await group.good(2)


async def test_the_sums_of_the_others_are_kept(groups: Groups) -> None:
    async with groups() as group:
        client = group.start(seconds=0.1, num_exposures=3)
        await group.until(lambda state: state.exposures_done == 1 and state.phase is Phase.INTEGRATING)
        group.boxes["r1"].sim.faults.frame_never_completes = True
        with pytest.raises(ControllersError, match="r1"):
            await client
        assert group.files == ["archon_0001_b1.fits"]
        assert group.header("archon_0001_b1.fits")["COADDS"] == 2


async def test_power_that_fails_on_one(groups: Groups) -> None:
    async with groups() as group:
        client = group.start(seconds=0.3)
        await group.until_phase(Phase.INTEGRATING)
        red = group.boxes["r1"]
        red.device.handle("POWEROFF", red.sim.now)
        with pytest.raises(ControllersError, match=r"^r1: the CCD power failed during the exposure$"):
            await client
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"], "also the doubtful one"


# Abort and stop


async def test_abort_stops_all(groups: Groups) -> None:
    async with groups(4) as group:
        client = group.start(seconds=100.0)
        await group.until_phase(Phase.INTEGRATING)
        await group.camera.abort()
        await client
        assert (group.state.outcome, group.files) == (Outcome.ABORTED, [])
        assert not any(box.device.timing.is_integrating for box in group.boxes.values())
        await group.good(1)


async def test_an_abort_stops_the_others_without_waiting_for_the_disk_of_one(
    groups: Groups, held_disk: threading.Event
) -> None:
    async with groups() as group:
        blue, red = group.boxes.values()
        client = group.start(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=2)
        await group.until(lambda _: red.device.commands.count("RELEASETIMING") == 2)
        red.device.handle("FASTLOADPARAM LinePause 500000", red.clock.now)
        await group.until(lambda _: blue.device.commands.count("LOCK0") == 2)
        assert group.state.phase is Phase.READING, "red is still read out"
        aborting = asyncio.create_task(group.camera.abort())
        await group.until(lambda _: "RESETTIMING" in red.device.commands, 5)
        assert not any(name.startswith("archon") for name in group.files), "all still wait for the disk"
        held_disk.set()
        await asyncio.gather(aborting, client)
        assert group.state.outcome is Outcome.ABORTED


async def test_an_abort_stops_the_others_without_waiting_for_the_journal_of_one(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, stuck, real = threading.Event(), threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if "-b1." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            stuck.set()
            released.wait(10)
        real(descriptor)

    async with groups() as group:
        red = group.boxes["r1"]
        client = group.start(seconds=0.1)
        await group.until_phase(Phase.INTEGRATING)
        monkeypatch.setattr(os, "fsync", fsync)
        red.device.handle("FASTLOADPARAM LinePause 500000", red.clock.now)
        await group.until(lambda _: stuck.is_set())
        aborting = asyncio.create_task(group.camera.abort())
        await group.until(lambda _: "RESETTIMING" in red.device.commands, 5)
        assert not aborting.done()
        released.set()
        await asyncio.gather(aborting, client)
        assert (group.state.outcome, group.files) == (Outcome.ABORTED, [])


async def test_abort_with_one_dead(groups: Groups) -> None:
    async with groups(3) as group:
        client = group.start(seconds=100.0)
        await group.until_phase(Phase.INTEGRATING)
        red = group.boxes["r1"]
        await red.die()
        await group.until(lambda state: not state.is_up)
        began = time.monotonic()
        await group.camera.abort()
        await client
        assert time.monotonic() - began < 3
        assert not any(box.device.timing.is_integrating for name, box in group.boxes.items() if name != "r1")
        assert group.state.outcome is Outcome.FAILED
        assert "r1: the timing script could not be stopped" in group.state.message
        await red.live()
        await group.until(lambda state: state.outcome is Outcome.ABORTED)
        assert not red.device.timing.is_integrating
        await group.good(1)


@pytest.mark.parametrize("dead", [None, "b1", "r1"])
async def test_a_stop_of_the_program(groups: Groups, dead: str | None) -> None:
    async with groups(3) as group:
        client = group.start(seconds=100.0)
        await group.until_phase(Phase.INTEGRATING)
        if dead:
            await group.boxes[dead].die()
        began = time.monotonic()
        group.running.cancel()
        await asyncio.wait([group.running])
        assert time.monotonic() - began < 3
        await client
        assert not any(box.device.timing.is_integrating for name, box in group.boxes.items() if name != dead)
        if dead:
            await group.boxes[dead].live()
