"""Pauses that come too late, or end when the program does."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.errors import StateError
from archon_ioc.exposure.phase import Outcome, Phase

from .pausing import WAYS, collected, image, paused
from .test_resumption import next_program

TOO_LATE = "not paused: the integration was over|only an integration can be paused"


async def test_a_pause_that_has_to_wait_for_a_slow_command_is_not_made_too_late(paused_bench) -> None:
    async with paused_bench(latency=1.0) as bench:
        bench.camera.change(seconds=1.5)
        client = bench.start()
        await collected(bench, 0.2)
        heating = asyncio.create_task(bench.operations.set_temperature(-101.0))  # APPLYMOD takes longer than is left
        await bench.until(lambda state: state.controller.last_command == "APPLYMOD01")
        with pytest.raises(StateError, match=TOO_LATE):
            await bench.camera.light.pause()
        await client
        await heating
        assert "HOLDTIMING" not in bench.device.commands[bench.device.commands.index("APPLYMOD01") :]
        assert bench.camera.state.outcome is Outcome.DONE
        assert image(bench)[0] == 1500


@pytest.mark.parametrize("way", WAYS)
async def test_a_pause_whose_reply_comes_after_the_end_costs_no_image(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=0.8)
        client = bench.start()
        await collected(bench, 0.1)
        bench.sim.faults.delay_reply = "HOLDTIMING" if way == "by hold" else "FASTLOADPARAM"
        bench.sim.faults.delay_seconds = 2.0
        with pytest.raises(StateError, match=TOO_LATE):
            await bench.camera.light.pause()
        await client
        assert (bench.camera.state.outcome, len(bench.files)) == (Outcome.DONE, 1)
        assert not bench.device.timing.is_held


async def test_a_program_that_ends_while_a_pause_ends_leaves_it_to_the_next(
    paused_bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, released, real = threading.Event(), threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if "/journal/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            reached.set()
            released.wait(10)
        real(descriptor)

    async with paused_bench() as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench)
        monkeypatch.setattr(os, "fsync", fsync)
        resuming = asyncio.create_task(bench.camera.light.resume())
        await asyncio.to_thread(reached.wait, 10)
        bench.running.cancel()
        async with asyncio.timeout(10):
            while not bench.camera._current.cancelling():  # noqa: ASYNC110
                await asyncio.sleep(0)
        released.set()
        await asyncio.wait([bench.running, client, resuming])
        bench.controlling.cancel()
        await asyncio.wait([bench.controlling])
        assert bench.device.timing.is_held
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
            await camera.read()
        assert 0.2 <= fits.getval(bench.folder / "archon_0001.fits", "EXPTIME") < 1.0
