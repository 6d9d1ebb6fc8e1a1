"""A pause keeps the light away and nothing else: the planned light is collected, and the times are true."""

import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.errors import StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import FrameType, ShutterMode, TriggerMode

from .pausing import BY_HOLD, LIGHT_SECONDS, PAUSE_SECONDS, WAYS, LightMeter, collected, image, paused

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
        bench.camera.change(seconds=LIGHT_SECONDS + 0.2)
        client = await paused(bench)
        first = bench.camera.state.paused_seconds
        await bench.camera.light.resume()
        await collected(bench, 0.4)
        await bench.camera.light.pause()
        await bench.until(lambda state: state.paused_seconds > first + 0.2)
        await bench.camera.light.resume()
        await client
        light, header = image(bench)
        assert light == pytest.approx(1000 * header["EXPTIME"], abs=1 if way == "by parameter" else 40)
        assert header["EXPTIME"] == pytest.approx(LIGHT_SECONDS + 0.2, abs=0.002)


@pytest.mark.parametrize("way", WAYS)
async def test_stop_during_a_pause_keeps_the_light(paused_bench, way: str) -> None:
    async with paused_bench(way) as bench:
        bench.camera.change(seconds=30.0)
        client = await paused(bench)
        await bench.camera.stop()
        await client
        light, header = image(bench)
        assert 0.2 <= header["EXPTIME"] <= 0.7
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


async def test_one_that_does_not_close_ends_the_exposure_and_keeps_its_light(benches, fake_shutter) -> None:
    async with benches(speed=1, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=30.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await collected(bench, 0.3)
        fake_shutter.fails = "close"
        with pytest.raises(StateError, match="not paused: the shutter does not close"):
            await bench.camera.light.pause()
        with pytest.raises(StateError, match="does not close"):
            await client
        assert len(bench.files) == 1
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
        with pytest.raises(StateError, match="not paused: the integration was over"):
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
