"""Stop keeps the light: the integration ends now, and what was collected is read out and saved."""

import asyncio

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.errors import StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode, ShutterMode, TriggerMode


def header(bench, number: int = -1) -> fits.Header:
    return fits.getheader(bench.folder / bench.files[number])


async def integrated(bench, seconds: float) -> None:
    """Wait until so much light was collected."""
    await bench.until_phase(Phase.INTEGRATING)
    planned = bench.camera.state.settings.seconds
    await bench.until(lambda state: 0 < state.remaining < planned - seconds)


@pytest.fixture
async def slow(benches):
    async with benches(speed=1, line_seconds=0.002) as bench:
        yield bench


async def test_the_light_is_kept_and_its_time_is_true(slow) -> None:
    slow.camera.change(seconds=60.0)
    client = slow.start()
    await integrated(slow, 0.3)
    await slow.camera.stop()
    await client
    state = slow.camera.state
    assert (state.outcome, state.phase, state.message) == (
        Outcome.DONE, Phase.IDLE, "Stopped, what was collected is kept",
    )  # fmt: skip
    assert 0.3 <= header(slow)["EXPTIME"] <= 0.8
    assert header(slow)["EXPREQ"] == 60.0
    assert header(slow)["EXPTIME"] <= header(slow)["DARKTIME"] <= header(slow)["EXPTIME"] + 0.5
    assert fits.getdata(slow.folder / slow.files[0]).shape == (40, 48)
    assert not state.shutter_open
    slow.assert_resting()
    await slow.good()


async def test_a_script_that_reads_out_by_itself_is_not_ended_early(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script), speed=1) as bench:
        bench.camera.change(seconds=30.0)
        client = bench.start()
        await integrated(bench, 0.1)
        with pytest.raises(StateError, match="cannot end an integration early"):
            await bench.camera.stop()
        assert bench.camera.state.phase is Phase.INTEGRATING
        await bench.camera.abort()
        await client


async def test_in_the_last_moment_the_integration_ends_as_planned(slow) -> None:
    slow.camera.change(seconds=0.4)
    client = slow.start()
    await slow.until_phase(Phase.INTEGRATING)
    await slow.camera.stop()
    await client
    assert slow.camera.state.outcome is Outcome.DONE
    assert header(slow)["EXPTIME"] == 0.4


async def test_no_more_images_follow(bench) -> None:
    bench.camera.change(seconds=0.0, image_mode=ImageMode.CONTINUOUS)
    client = bench.start()
    await bench.until(lambda state: state.images_done == 2)
    await bench.camera.stop()
    await client
    state = bench.camera.state
    assert (state.outcome, state.phase) == (Outcome.DONE, Phase.IDLE)
    assert len(bench.files) == state.images_done
    await bench.good()


async def test_waiting_for_the_next_image_ends(bench) -> None:
    bench.camera.change(seconds=0.0, image_mode=ImageMode.MULTIPLE, num_images=2, period=100.0)
    client = bench.start()
    await bench.until_phase(Phase.WAITING)
    await bench.camera.stop()
    await client
    assert (bench.camera.state.outcome, len(bench.files)) == (Outcome.DONE, 1)


async def test_a_sum_has_what_was_collected(slow) -> None:
    slow.camera.change(seconds=0.6, num_exposures=50)
    client = slow.start()
    await slow.until(lambda state: state.exposures_done == 1 and state.phase is Phase.INTEGRATING)
    await slow.camera.stop()
    await client
    assert len(slow.files) == 1
    assert 0.6 < header(slow)["EXPTIME"] <= 1.2
    await slow.good()


async def test_before_there_is_light_it_is_an_abort(bench) -> None:
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "HOLDTIMING", 0.2
    client = bench.start()
    await bench.until_phase(Phase.PREPARING)
    await bench.camera.stop()
    await client
    assert (bench.camera.state.outcome, bench.files) == (Outcome.ABORTED, [])
    await bench.good()


async def test_idle_it_does_nothing(bench) -> None:
    await bench.camera.stop()
    assert bench.camera.state.outcome is Outcome.NONE


async def test_a_trigger_that_did_not_come(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script, TRIGINENABLE=1)) as bench:
        bench.camera.change(seconds=0.004, trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        with pytest.raises(StateError, match="before the trigger"):
            await bench.camera.stop()
        await bench.camera.abort()
        await client


async def test_the_shutter_of_another_ioc_is_closed_first(benches, fake_shutter) -> None:
    async with benches(speed=1, line_seconds=0.002, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=60.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await integrated(bench, 0.3)
        await bench.camera.stop()
        await client
        assert fake_shutter.calls == ["open", "close"]
        assert 0.3 <= header(bench)["EXPTIME"] <= 0.8


async def test_a_link_that_is_lost_at_that_moment_is_waited_for(slow) -> None:
    slow.camera.change(seconds=60.0)
    client = slow.start()
    await integrated(slow, 0.2)
    slow.sim.faults.reset_link = "HOLDTIMING"
    await asyncio.wait_for(slow.camera.stop(), 20)
    await client
    assert slow.camera.state.outcome is Outcome.DONE
    assert np.any(fits.getdata(slow.folder / slow.files[0]))
