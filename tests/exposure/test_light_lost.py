"""Pauses in which a link or a controller is lost, and what the journal knows of them."""

import asyncio

import pytest

from archon_ioc.errors import ArchonError, StateError
from archon_ioc.exposure.phase import Outcome, Phase

from .pausing import BY_HOLD, LIGHT_SECONDS, WAYS, collected, image, paused


@pytest.mark.parametrize("way", WAYS)
async def test_a_link_that_is_lost_meanwhile(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench)
        bench.controller.reconnect()
        await bench.until(lambda state: not state.is_up)
        await bench.until(lambda state: state.is_up)
        assert bench.camera.state.phase is Phase.PAUSED
        await bench.camera.light.resume()
        await client
        assert image(bench)[0] == pytest.approx(1000 * LIGHT_SECONDS, abs=20)


async def test_a_link_that_is_lost_when_it_begins(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=5.0)
        client = bench.start()
        await collected(bench, 0.3)
        bench.sim.faults.reset_link = "HOLDTIMING"
        await bench.camera.light.pause()
        assert bench.camera.state.phase is Phase.PAUSED
        await bench.camera.light.resume()
        await bench.camera.stop()
        await client
        assert (bench.camera.state.outcome, len(bench.files)) == (Outcome.DONE, 1)


@pytest.mark.parametrize("way", WAYS)
async def test_a_link_that_is_lost_when_it_ends_costs_no_light_and_adds_none(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench, 2 * LIGHT_SECONDS)
        bench.sim.faults.reset_link = "RELEASETIMING" if way == "by hold" else "FASTLOADPARAM"
        await bench.camera.light.resume()
        assert bench.camera.state.phase is Phase.INTEGRATING, "the script integrates, whether the reply came or not"
        await client
        light, header = image(bench)
        assert light == pytest.approx(1000 * LIGHT_SECONDS, abs=20)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS, abs=0.02)


async def test_one_of_several_whose_link_is_lost_when_it_ends(groups) -> None:
    async with groups(2, site={"script": BY_HOLD}) as group:
        group.camera.change(seconds=20.0)
        client = asyncio.create_task(group.camera.acquire())
        await group.until_phase(Phase.INTEGRATING)
        await group.camera.light.pause()
        group.boxes["r1"].sim.faults.reset_link = "RELEASETIMING"
        await group.camera.light.resume()
        assert not any(box.device.timing.is_held for box in group.boxes.values())
        await group.camera.stop()
        await client
        assert (group.state.outcome, len(group.files)) == (Outcome.DONE, 2)


@pytest.mark.parametrize("way", WAYS)
async def test_a_controller_that_refuses_to_pause_goes_on(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = bench.start()
        await collected(bench, 0.2)
        bench.sim.faults.reject = "HOLDTIMING" if way == "by hold" else "FASTLOADPARAM"
        with pytest.raises(StateError, match="not paused: the controller rejected"):
            await bench.camera.light.pause()
        assert bench.camera.state.phase is Phase.INTEGRATING
        await client
        assert image(bench)[0] == pytest.approx(1000 * LIGHT_SECONDS, abs=20)


async def test_one_of_several_that_refuses_to_pause_lets_all_go_on(groups) -> None:
    async with groups(2, site={"script": BY_HOLD}) as group:
        group.camera.change(seconds=20.0)
        client = asyncio.create_task(group.camera.acquire())
        await group.until_phase(Phase.INTEGRATING)
        group.boxes["r1"].sim.faults.reject = "HOLDTIMING"
        with pytest.raises(StateError, match="not paused: the controller rejected"):
            await group.camera.light.pause()
        assert not any(box.device.timing.is_held for box in group.boxes.values())
        await group.camera.stop()
        await client
        assert (group.state.outcome, len(group.files)) == (Outcome.DONE, 2)


async def test_a_controller_that_was_restarted_has_lost_it(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench)
        bench.device.handle("REBOOT", bench.sim.now)
        resuming = asyncio.create_task(bench.camera.light.resume())
        with pytest.raises(ArchonError):
            await client
        await asyncio.wait([resuming])
        assert bench.camera.state.outcome is Outcome.FAILED
        assert resuming.exception() is None or isinstance(resuming.exception(), StateError)


async def test_the_journal_knows(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench, 0.2)
        (entry,) = bench.camera._ledger._journal.entries
        assert entry.held
        assert 0.2 <= entry.moments.seconds < LIGHT_SECONDS
        await bench.camera.light.resume()
        (entry,) = bench.camera._ledger._journal.entries
        assert (entry.held, entry.moments) == (False, None)
        assert entry.paused >= 0.2
        await client
        assert bench.camera._ledger._journal.entries == ()


async def test_the_journal_knows_of_a_stop_during_a_pause(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench, 0.2)
        stopping = asyncio.create_task(bench.camera.stop())
        await bench.until_phase(Phase.READING)
        (entry,) = bench.camera._ledger._journal.entries
        assert not entry.held, "the frame that comes is this one's"
        length = (entry.moments.ended - entry.moments.started).total_seconds()
        assert length == pytest.approx(entry.moments.seconds + bench.camera.state.paused_seconds, abs=0.1)
        await stopping
        await client


async def test_one_of_several_that_is_lost_does_not_keep_the_others_from_going_on(groups) -> None:
    async with groups(2, site={"script": BY_HOLD}) as group:
        group.camera.change(seconds=20.0)
        client = asyncio.create_task(group.camera.acquire())
        await group.until_phase(Phase.INTEGRATING)
        await group.camera.light.pause()
        group.boxes["r1"].device.handle("REBOOT", group.boxes["r1"].sim.now)
        await group.camera.light.resume()
        await group.camera.stop()
        with pytest.raises(ArchonError, match="r1"):
            await client
        assert len(group.files) == 1
        assert "b1" in group.files[0]


@pytest.mark.parametrize("sync", ["host", "hardware"])
async def test_several_controllers_pause_together(groups, sync: str) -> None:
    async with groups(2, sync=sync, site={"script": BY_HOLD}) as group:
        group.camera.change(seconds=20.0)
        client = asyncio.create_task(group.camera.acquire())
        await group.until_phase(Phase.INTEGRATING)
        await group.camera.light.pause()
        assert group.state.phase is Phase.PAUSED
        assert all(box.device.timing.is_held for box in group.boxes.values())
        await group.camera.light.resume()
        assert not any(box.device.timing.is_held for box in group.boxes.values())
        await group.camera.stop()
        await client
        assert (group.state.outcome, len(group.files)) == (Outcome.DONE, 2)
