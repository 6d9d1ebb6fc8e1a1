"""A program dies while Trigger In is waited for: a frame that is taken without it is recovered, a script disarmed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.driver.controller import ArchonController
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import TriggerMode


@pytest.fixture
async def armed(benches, make_acf, triggered_script: dict[str, int]) -> AsyncIterator[Any]:
    """A controller that waits for a trigger, and a program that has died."""
    acf = make_acf(parameters=triggered_script, TRIGINENABLE=1)
    async with benches(acf=acf, speed=1, line_seconds=0.002, script={"readout_start": 0.5}) as bench:
        bench.camera.change(seconds=0.3, trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        await bench.until(lambda _: bench.device.commands.count("FASTLOADPARAM Exposures 1") == 1)
        for task in (bench.controlling, bench.running):  # so that it can stop nothing
            task.cancel()
            await asyncio.wait([task])
        await asyncio.wait([client])
        client.exception()
        yield bench


@asynccontextmanager
async def next_life(bench: Any) -> AsyncIterator[Camera]:
    site = bench.camera._site
    controller = ArchonController(site.controller.host, bench.sim.port, config=site.controller, script=site.script)
    camera = Camera((controller,), site)
    tasks = [asyncio.create_task(camera.run()), asyncio.create_task(controller.run())]
    try:
        yield camera
    finally:
        for task in tasks:
            task.cancel()
            await asyncio.wait([task])


@pytest.mark.parametrize("is_early", [True, False])
async def test_a_trigger_that_came_without_the_program(armed, is_early: bool) -> None:
    if is_early:
        armed.sim.trigger_in()
    async with next_life(armed) as camera:
        if not is_early:
            await camera.live.until(lambda state: bool(state.journal.waiting), 10)
            armed.sim.trigger_in()
        await camera.live.until(lambda state: state.controller.is_up and state.journal.pending == 0, 20)
        assert "Recovered exposure 1" in camera.state.message
        armed.assert_resting()
    header = fits.getheader(armed.folder / "archon_0001.fits")
    assert header["EXPTIME"] == 0.3


async def test_a_trigger_that_never_comes(armed) -> None:
    async with next_life(armed) as camera:
        await camera.live.until(lambda state: state.controller.is_up and state.journal.pending == 0, 20)
        assert "nothing was read out" in camera.state.message or "no frame started" in camera.state.message
        armed.assert_resting()
        armed.sim.trigger_in()
        await camera.live.until(lambda state: state.is_up)
        camera.change(seconds=0.01, trigger_mode=TriggerMode.INTERNAL)
        await camera.acquire()
    assert armed.files == ["archon_0002.fits"]
    assert fits.getval(armed.folder / "archon_0002.fits", "ARCHFRAM") == 1, "a pulse that came too late took no frame"
