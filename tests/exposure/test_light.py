"""A pause keeps the light away and nothing else: the planned light is collected, and the times are true."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.errors import ArchonError, StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import FrameType, ShutterMode, TriggerMode
from archon_ioc.sim.scene import Pixels, empty_image
from archon_ioc.sim.shot import Shot

BY_HOLD = {"pause_by_hold": True}
LIGHT_SECONDS = 1.2
PAUSE_SECONDS = 0.6
WAYS = ["by hold", "by parameter"]


class LightMeter:
    """A scene whose pixels are the milliseconds of light."""

    def render(self, shot: Shot) -> Pixels:
        image = empty_image(shot)
        image[...] = round(shot.light_seconds * 1000)
        return image


def pausable(acf: Acf) -> Acf:
    """Return a configuration whose script looks at PauseExposure once in a millisecond of the integration."""
    lines = [acf.keys[f"LINE{n}"] for n in range(acf.number("LINES", 0))]
    at = lines.index("X; X(99997)")
    lines[at : at + 1] = ["X; IF PauseExposure CALL Paused", "X; X(99996)"]
    lines += ["Paused:", "NOINT; IF PauseExposure GOTO Paused", "X; RETURN Paused"]
    keys = dict(acf.keys) | {f"LINE{n}": line for n, line in enumerate(lines)}
    count = acf.number("PARAMETERS", 0)
    keys |= {f"PARAMETER{count}": "PauseExposure=0", "PARAMETERS": str(count + 1), "LINES": str(len(lines))}
    return Acf(keys, acf.system)


@pytest.fixture
def paused_bench(benches, make_acf) -> Callable:
    """Make a bench at the speed of real hardware whose script can pause."""

    def make(way: str = "by hold", **wishes):
        setup = {"script": BY_HOLD} if way == "by hold" else {"acf": pausable(make_acf())}
        return benches(**{"speed": 1, "line_seconds": 0.002, "scene": LightMeter(), **setup, **wishes})

    return make


async def collected(bench, seconds: float) -> None:
    """Wait until so much light was collected."""
    await bench.until_phase(Phase.INTEGRATING)
    planned = bench.camera.state.settings.seconds
    await bench.until(lambda state: 0 < state.remaining < planned - seconds)


async def paused(bench, seconds: float = 0.0) -> asyncio.Task[None]:
    """Begin an exposure, pause it after 0.3 s and let it be paused for some time."""
    client = bench.start()
    await collected(bench, 0.3)
    await bench.camera.light.pause()
    assert bench.camera.state.phase is Phase.PAUSED
    await bench.until(lambda state: state.paused_seconds >= seconds)
    return client


def image(bench) -> tuple[int, fits.Header]:
    """Return the milliseconds of light in the pixels, and the header."""
    with fits.open(bench.camera.state.file.full_name) as hdus:
        assert np.ptp(hdus[0].data) == 0
        return int(hdus[0].data[0, 0]), hdus[0].header


# The proof: what the simulated CCD has seen


@pytest.mark.parametrize("way", WAYS)
async def test_the_time_of_a_pause_is_no_light_and_all_light_is_collected(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench, PAUSE_SECONDS)
        assert not bench.camera.state.shutter_open
        assert not bench.device.timing.is_integrating
        await bench.camera.light.resume()
        assert (bench.camera.state.phase, bench.camera.state.shutter_open) == (Phase.INTEGRATING, True)
        await client
        light, header = image(bench)
        assert light == pytest.approx(1000 * LIGHT_SECONDS, abs=1 if way == "by parameter" else 20)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS, abs=0.001)
        pause = bench.camera.state.paused_seconds
        assert PAUSE_SECONDS <= pause < PAUSE_SECONDS + 1
        assert header["TELAPSE"] == pytest.approx(LIGHT_SECONDS + pause, abs=0.002)
        assert header["DARKTIME"] == pytest.approx(LIGHT_SECONDS + pause, abs=0.2)
        assert (bench.camera.state.outcome, bench.camera.state.message) == (Outcome.DONE, "Done")
        bench.assert_resting()
        await bench.good()


@pytest.mark.parametrize("way", WAYS)
async def test_several_pauses(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS + 0.3)
        client = await paused(bench)
        first = bench.camera.state.paused_seconds
        await bench.camera.light.resume()
        await collected(bench, 0.7)
        await bench.camera.light.pause()
        await bench.until(lambda state: state.paused_seconds > first + 0.2)
        await bench.camera.light.resume()
        await client
        light, header = image(bench)
        assert light == pytest.approx(1000 * header["EXPTIME"], abs=30)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS + 0.3, abs=0.002)


@pytest.mark.parametrize("way", WAYS)
async def test_stop_during_a_pause_keeps_the_light(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench)
        await bench.camera.stop()
        await client
        light, header = image(bench)
        assert 0.3 <= header["EXPTIME"] <= 0.8
        assert light == pytest.approx(1000 * header["EXPTIME"], abs=20)
        assert bench.camera.state.message == "Stopped, what was collected is kept"
        bench.assert_resting()
        await bench.good()


@pytest.mark.parametrize("way", WAYS)
async def test_abort_during_a_pause_throws_it_away(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench)
        await bench.camera.abort()
        await client
        assert (bench.camera.state.outcome, bench.files) == (Outcome.ABORTED, [])
        assert not bench.camera.state.shutter_open
        bench.assert_resting()
        await bench.good()


async def test_a_readout_on_demand_after_a_pause(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=LIGHT_SECONDS, readout=False)
        client = await paused(bench)
        await bench.camera.light.resume()
        await client
        assert bench.camera.state.phase is Phase.PENDING
        await bench.camera.read()
        light, header = image(bench)
        assert light == pytest.approx(1000 * LIGHT_SECONDS, abs=20)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS, abs=0.001)


async def test_a_script_that_reads_out_by_itself(benches, make_acf, triggered_script) -> None:
    acf = make_acf(parameters={**triggered_script, "ExternalTrigger": 0})
    async with benches(acf=acf, script=BY_HOLD, scene=LightMeter(), speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench, 0.2)
        await bench.camera.light.resume()
        await client
        light, _ = image(bench)
        assert light == pytest.approx(1000 * LIGHT_SECONDS, abs=20)


async def test_a_dark_can_be_paused(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=LIGHT_SECONDS, frame_type=FrameType.BACKGROUND)
        client = await paused(bench)
        await bench.camera.light.resume()
        await client
        light, header = image(bench)
        assert (light, header["EXPTIME"]) == (0, pytest.approx(LIGHT_SECONDS, abs=0.001))


# A shutter that is moved by the host


async def test_that_of_another_ioc_is_closed_and_opened_and_its_delays_are_no_light(
    benches, fake_shutter, script
) -> None:
    async with benches(speed=1, line_seconds=0.002, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=LIGHT_SECONDS, shutter_mode=ShutterMode.EPICS_PV, shutter_open_delay=0.1)
        client = await paused(bench, PAUSE_SECONDS)
        assert fake_shutter.calls == ["open", "close"]
        await bench.camera.light.resume()
        assert fake_shutter.calls == ["open", "close", "open"]
        await client
        assert fake_shutter.calls == ["open", "close", "open", "close"]
        header = fits.getheader(bench.camera.state.file.full_name)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS, abs=0.001)
        assert header["DARKTIME"] >= LIGHT_SECONDS + PAUSE_SECONDS + 0.2


async def test_one_that_does_not_open_again_leaves_the_exposure_paused(benches, fake_shutter) -> None:
    async with benches(speed=1, line_seconds=0.002, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=30.0, shutter_mode=ShutterMode.EPICS_PV)
        client = await paused(bench)
        fake_shutter.fails = "open"
        with pytest.raises(StateError, match="still paused: the shutter does not open"):
            await bench.camera.light.resume()
        assert (bench.camera.state.phase, bench.camera.state.shutter_open) == (Phase.PAUSED, False)
        fake_shutter.fails = ""
        await bench.camera.light.resume()
        assert bench.camera.state.phase is Phase.INTEGRATING
        await bench.camera.stop()
        await client
        assert len(bench.files) == 1


async def test_one_that_does_not_close_ends_the_exposure_as_always(benches, fake_shutter) -> None:
    async with benches(speed=1, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=30.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await collected(bench, 0.3)
        fake_shutter.fails = "close"
        with pytest.raises(StateError, match="over before it could be paused"):
            await bench.camera.light.pause()
        with pytest.raises(StateError, match="does not close"):
            await client
        fake_shutter.fails = ""
        await bench.until(lambda state: not state.shutter_open)


# Refused


async def test_idle_there_is_nothing_to_pause(bench) -> None:
    with pytest.raises(StateError, match="only an integration can be paused, the camera is idle"):
        await bench.camera.light.pause()
    await bench.camera.light.resume()


async def test_a_readout_is_not_paused(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until_phase(Phase.READING)
        with pytest.raises(StateError, match="the camera is reading out"):
            await bench.camera.light.pause()
        await client


async def refusal(bench, **settings) -> str:
    """Return why an exposure of 10 s cannot be paused; it goes on."""
    bench.camera.change(seconds=10.0, **settings)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    with pytest.raises(StateError) as caught:
        await bench.camera.light.pause()
    assert bench.camera.state.phase is Phase.INTEGRATING
    await bench.camera.abort()
    await client
    return str(caught.value)


async def test_a_script_that_cannot(bench) -> None:
    reason = await refusal(bench)
    assert "no parameter 'PauseExposure'" in reason
    assert "script.pause_by_hold" in reason


async def test_without_a_shutter(paused_bench) -> None:
    async with paused_bench() as bench:
        assert "nothing would keep the light away" in await refusal(bench, shutter_mode=ShutterMode.NONE)


async def test_a_script_that_would_lose_the_light_when_held(paused_bench, make_acf) -> None:
    acf = make_acf()
    flushes_first = {"LINE14": "X; CALL ClearOnce", "LINE15": "X; CALL IntegrateMS(IntMS)", "LINE16": "X; Exposures--"}
    keys = {**acf.keys, **flushes_first, "LINE17": "X; GOTO Main"}
    async with paused_bench(acf=Acf(keys, acf.system)) as bench:
        assert "shifts the CCD before it integrates" in await refusal(bench)


async def test_before_the_trigger(benches, make_acf, triggered_script) -> None:
    acf = make_acf(parameters=triggered_script, TRIGINENABLE=1)
    async with benches(acf=acf, script=BY_HOLD) as bench:
        reason = await refusal(bench, trigger_mode=TriggerMode.EXTERNAL)
        assert "an exposure that a trigger begins cannot be paused" in reason


async def test_in_the_last_moment_it_is_too_late(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=0.4)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        with pytest.raises(StateError, match="over before it could be paused"):
            await bench.camera.light.pause()
        await client
        assert image(bench)[0] == pytest.approx(400, abs=2)


async def test_twice_is_once(paused_bench) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=LIGHT_SECONDS)
        client = await paused(bench)
        await bench.camera.light.pause()
        await bench.camera.light.resume()
        await bench.camera.light.resume()
        await client
        assert bench.camera.state.outcome is Outcome.DONE


# Links, and lives


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


@pytest.mark.parametrize("command", ["HOLDTIMING", "RELEASETIMING"])
async def test_a_link_that_is_lost_at_that_moment(paused_bench, command: str) -> None:
    async with paused_bench() as bench:
        bench.camera.change(seconds=5.0)
        client = bench.start()
        await collected(bench, 0.3)
        if command == "HOLDTIMING":
            bench.sim.faults.reset_link = command
            await bench.camera.light.pause()
        else:
            await bench.camera.light.pause()
            bench.sim.faults.reset_link = command
            with pytest.raises(StateError, match="still paused"):
                await bench.camera.light.resume()
        assert bench.camera.state.phase is Phase.PAUSED
        await bench.camera.light.resume()
        await bench.camera.stop()
        await client
        assert (bench.camera.state.outcome, len(bench.files)) == (Outcome.DONE, 1)


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
        assert 0.3 <= entry.moments.seconds < LIGHT_SECONDS
        await bench.camera.light.resume()
        (entry,) = bench.camera._ledger._journal.entries
        assert (entry.held, entry.moments) == (False, None)
        assert entry.paused >= 0.2
        await client
        assert bench.camera._ledger._journal.entries == ()


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
