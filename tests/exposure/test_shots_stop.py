"""The timing script is stopped whatever happens, if not at once then later, and in time when the program stops."""

import asyncio
import threading
import time

import pytest

from archon_ioc.errors import StateError
from archon_ioc.exposure.phase import Outcome, Phase

# Scripts that cannot be stopped at once


async def test_an_abort_waits_for_a_controller_that_is_busy(benches) -> None:
    async with benches(latency=1.0, speed=1.0) as bench:
        bench.camera.change(seconds=100.0)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        heating = [asyncio.create_task(bench.operations.set_temperature(celsius)) for celsius in (-101.0, -102.0)]
        await bench.until(lambda state: state.controller.last_command == "APPLYMOD01")
        await bench.camera.abort()
        await client
        assert bench.camera.state.outcome is Outcome.ABORTED
        bench.assert_resting()
        await asyncio.gather(*heating)


async def test_an_abort_that_fails_is_tried_again_with_the_link_up(
    bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("archon_ioc.exposure.unit._STOP_SECONDS", 0.05)
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "FASTLOADPARAM", 0.5
    await bench.camera.abort()
    await client
    state = bench.camera.state
    assert (state.outcome, state.phase, state.shutter_open) == (Outcome.FAILED, Phase.IDLE, True)
    assert bench.device.timing.is_integrating
    assert "the timing script could not be stopped: it does not answer in time" in caplog.text
    await bench.until(lambda state: state.outcome is Outcome.ABORTED)
    assert not bench.camera.state.shutter_open
    assert bench.controller.status.link_errors == 0
    bench.assert_resting()
    await bench.good()


async def test_an_exposure_does_not_begin_before_the_last_one_is_stopped(
    bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archon_ioc.exposure.unit._STOP_SECONDS", 0.05)
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "FASTLOADPARAM", 0.5
    await bench.camera.abort()
    await client
    with pytest.raises(StateError, match="the timing script could not be stopped"):
        await bench.camera.acquire()
    await bench.until(lambda state: state.outcome is Outcome.ABORTED)
    await bench.good()


# Stops of the program


@pytest.mark.parametrize("phase", [Phase.INTEGRATING, Phase.READING])
async def test_a_stop_leaves_the_detector_safe(benches, phase: Phase) -> None:
    async with benches(line_seconds=10.0) as bench:
        bench.camera.change(seconds=100.0 if phase is Phase.INTEGRATING else 0.0)
        client = bench.start()
        await bench.until_phase(phase)
        began = time.monotonic()
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert time.monotonic() - began < 3
        assert "RESETTIMING" in bench.device.commands
        bench.assert_resting()
        assert not bench.device.timing.is_integrating, "INT is high"
        await client
        state = bench.camera.state
        assert (state.outcome, state.message) == (Outcome.ABORTED, "Acquisition aborted: the program stops")


async def test_a_stop_does_not_wait_for_a_long_fetch(benches, make_acf, script) -> None:
    acf = make_acf(lines=512, pixels=512, parameters={**script, "Lines": 512, "Pixels": 512})
    async with benches(acf=acf, line_seconds=0.001, fetch_rate=1e5) as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until(lambda state: state.phase is Phase.FETCHING and state.controller.last_command == "LOCK1")
        began = time.monotonic()
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert time.monotonic() - began < 3
        await client
        assert bench.camera.state.outcome is Outcome.ABORTED


async def test_a_stop_while_saving_keeps_the_file(bench, held_disk: threading.Event) -> None:
    bench.camera.change(seconds=0.0)
    client = bench.start()
    await bench.until(lambda state: state.phase is Phase.SAVING and state.file.writing)
    bench.running.cancel()
    asyncio.get_running_loop().call_later(0.2, held_disk.set)
    await asyncio.wait([bench.running])
    await client
    assert bench.files == ["archon_0001.fits"]


async def test_a_stop_with_a_controller_that_is_silent(bench) -> None:
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "", 100.0
    bench.sim.faults.drop_reply = "FASTLOADPARAM"
    began = time.monotonic()
    bench.running.cancel()
    await asyncio.wait([bench.running])
    assert time.monotonic() - began < 3
    await client
    assert bench.camera.state.outcome is Outcome.FAILED
    assert "the timing script could not be stopped: it does not answer in time" in bench.camera.state.message


async def test_a_stop_tries_once_more(bench) -> None:
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.reject = "RELEASETIMING"
    bench.running.cancel()
    await asyncio.wait([bench.running])
    await client
    assert bench.device.commands.count("RESETTIMING") >= 2
    bench.assert_resting()


async def test_a_stop_during_a_slow_abort(bench) -> None:
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "RESETTIMING", 20.0
    aborting = asyncio.create_task(bench.camera.abort())
    await bench.until_phase(Phase.ABORTING)
    began = time.monotonic()
    bench.running.cancel()
    await asyncio.wait([bench.running])
    assert time.monotonic() - began < 3
    await asyncio.gather(aborting, client)


async def test_a_stop_while_idle_sends_nothing(bench) -> None:
    told = len(bench.device.commands)
    bench.running.cancel()
    await asyncio.wait([bench.running])
    assert set(bench.device.commands[told:]) <= {"STATUS", "FRAME"}
