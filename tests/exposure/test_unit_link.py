"""What was collected stays on the CCD, and is kept, however long the link is away."""

import asyncio
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.errors import ReadoutError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ShutterMode, TriggerMode
from archon_ioc.exposure.state import CameraState

from .pausing import LIGHT_SECONDS, collected, image, paused
from .test_resumption import end, next_program

AWAY = 0.8
SLOW_LINE = 10_000  # 0.1 s
EPICS_PV = {"shutter_mode": ShutterMode.EPICS_PV}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a lost link hardly any time to come back, where there is a limit."""
    monkeypatch.setattr("archon_ioc.driver.timing._RELINK_SECONDS", 0.05)


def pull(sim: Any, seconds: float = AWAY) -> None:
    """Pull the network cable of a controller, which goes on by itself."""
    sim._listener.refuse_for(seconds)


def waits_on_ccd(state: CameraState) -> bool:
    """Whether the user is told where the exposure is, and what can be done."""
    return "the exposure waits for it on the CCD, abort throws it away: " in state.message


async def waiting(bench, **settings: Any) -> asyncio.Task[None]:
    """Begin an exposure for whose readout the link is missing."""
    bench.camera.change(**{"seconds": 0.3, **settings})
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    pull(bench.sim)
    await bench.until(waits_on_ccd)
    return client


@pytest.mark.parametrize("settings", [EPICS_PV, {"readout_delay": 0.1}])
async def test_an_exposure_that_waits_for_us_waits_for_the_link(benches, fake_shutter, settings: dict) -> None:
    async with benches(speed=1, line_seconds=0.002, shutter=fake_shutter) as bench:
        client = await waiting(bench, **settings)
        await client
        assert bench.camera.state.message == "Done"
        header = fits.getheader(bench.camera.state.file.full_name)
        assert header["EXPTIME"] == 0.3
        assert header["DARKTIME"] > 0.3 + AWAY / 2
        await bench.good()


async def test_a_readout_that_was_held_waits_for_the_link(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=0.1, readout=False)
        await bench.camera.acquire()
        pull(bench.sim)
        await bench.until(lambda state: not state.is_up)
        reading = asyncio.create_task(bench.camera.read())
        await bench.until(waits_on_ccd)
        await reading
        assert bench.files == ["archon_0001.fits"]


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_a_pause_that_ends_waits_for_the_link(paused_bench, is_stopped: bool) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench)
        pull(bench.sim)
        await bench.until(lambda state: not state.is_up)
        ending = asyncio.create_task(bench.camera.stop() if is_stopped else bench.camera.light.resume())
        await bench.until(waits_on_ccd)
        await ending
        await client
        assert bench.camera.state.outcome is Outcome.DONE
        light, header = image(bench)
        assert light == pytest.approx(1000 * header["EXPTIME"], abs=30)
        assert is_stopped is (header["EXPTIME"] < LIGHT_SECONDS / 2)


async def test_a_pause_that_cannot_begin_costs_nothing(paused_bench, make_acf, script) -> None:
    slow = make_acf(parameters={**script, "LinePause": SLOW_LINE})
    async with paused_bench(acf=slow, line_seconds=None) as bench:
        bench.camera.change(seconds=1.2)
        client = bench.start()
        await collected(bench, 0.1)
        pull(bench.sim)
        with pytest.raises(Exception, match="not paused: the integration was over"):
            await bench.camera.light.pause()
        await client
        assert image(bench)[0] == 1200


async def test_an_abort_throws_it_away(benches, fake_shutter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.exposure.unit._STOP_SECONDS", 0.1)
    async with benches(shutter=fake_shutter) as bench:
        client = await waiting(bench, **EPICS_PV)
        await bench.camera.abort()
        await client
        await bench.until(lambda state: state.is_up and not state.acquiring)
        await bench.until(lambda state: state.outcome is Outcome.ABORTED)
        assert bench.files == []
        await bench.good()
        assert bench.files == ["archon_0001.fits"]


@pytest.mark.parametrize("settings", [EPICS_PV, {"readout_delay": 0.1}])
async def test_a_program_that_ends_meanwhile_leaves_it_to_the_next(benches, fake_shutter, settings: dict) -> None:
    wishes = {"speed": 1, "line_seconds": 0.002, "script": {"readout_start": 0.3}}
    async with benches(shutter=fake_shutter, **wishes) as bench:
        client = await waiting(bench, **settings)
        await end(bench)
        await asyncio.wait([client])
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 20)
            await camera.read()
        assert fits.getheader(bench.folder / "archon_0001.fits")["EXPTIME"] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("how", ["end", "killed"])
async def test_a_program_that_ends_in_a_delay_leaves_it_to_the_next(benches, how: str) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=0.1, readout_delay=30.0)
        client = bench.start()
        await bench.until_phase(Phase.PENDING)
        await (end(bench) if how == "end" else killed(bench))
        await asyncio.wait([client])
        assert "RESETTIMING" not in bench.device.commands
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.phase is Phase.PENDING, 10)
            await camera.read()
        assert fits.getheader(bench.folder / "archon_0001.fits")["EXPTIME"] == 0.1


async def killed(bench) -> None:
    """Let the program end without a word: nobody can be told anything."""
    bench.controlling.cancel()
    await asyncio.wait([bench.controlling])
    bench.running.cancel()
    await asyncio.wait([bench.running])


async def test_a_controller_that_was_restarted_meanwhile_has_lost_it(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.3, **EPICS_PV)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        bench.device.handle("REBOOT", bench.sim.now)
        with pytest.raises(ReadoutError, match="restarted, the image is lost"):
            await client


async def test_a_trigger_is_waited_for(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script, TRIGINENABLE=1)) as bench:
        bench.camera.change(seconds=0.1, trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        pull(bench.sim)
        await bench.until(lambda state: not state.is_up)
        bench.sim.trigger_in()
        await client
        assert len(bench.files) == 1


async def test_a_long_readout_is_not_stopped_when_the_link_is_back(benches, make_acf, script) -> None:
    slow = make_acf(parameters={**script, "LinePause": SLOW_LINE})
    async with benches(speed=1, acf=slow) as bench:
        bench.camera.change(seconds=0.1)
        client = bench.start()
        await bench.until(lambda state: bool(state.controller.frames and state.controller.frames.writing))
        pull(bench.sim)
        await client
        assert bench.camera.state.message == "Done"
        assert "RESETTIMING" not in bench.device.commands


async def test_one_of_several_waits_and_the_others_are_saved(groups, fake_shutter) -> None:
    async with groups(2, shutter=fake_shutter) as group:
        client = group.start(seconds=0.3, **EPICS_PV)
        await group.until_phase(Phase.INTEGRATING)
        await group.boxes["r1"].die()
        await group.until(lambda state: waits_on_ccd(state) and state.message.startswith("r1: "))
        await group.until(lambda state: len(group.files) == 1)
        await group.boxes["r1"].live()
        await client
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"]
