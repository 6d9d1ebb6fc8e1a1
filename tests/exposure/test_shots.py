"""One integration and its frame: triggers, links that are lost on the way, and power that fails."""

import asyncio
from datetime import UTC, datetime

import pytest
from astropy.io import fits
from astropy.time import Time

from archon_ioc.errors import ArchonError, LinkError, ReadoutError, StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode, ShutterMode, TriggerMode

# Trigger In


async def until_armed(bench) -> None:
    await bench.until(
        lambda state: state.phase is Phase.INTEGRATING and state.controller.parameters.get("Exposures") == 1
    )
    assert bench.device.timing.routine in {"START", "IDLE"}


@pytest.mark.parametrize("separate", [False, True], ids=["reads by itself", "reads on demand"])
async def test_a_pulse_starts_the_exposure(
    benches, make_acf, pattern, triggered_script, script, separate: bool
) -> None:
    parameters = {"ExternalTrigger": 0, **script} if separate else triggered_script
    acf = make_acf(parameters=parameters, TRIGINENABLE=1, FRAMEMODE=0)
    async with benches(acf=acf) as bench:
        bench.camera.change(seconds=0.5, trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await until_armed(bench)
        assert bench.controller.status.frames.newest is None, "it began before the trigger"
        bench.sim.trigger_in()
        await client
        with fits.open(bench.camera.state.file.full_name) as hdus:
            assert (hdus[0].data == pattern(acf, 1)).all()
        bench.assert_resting()
        bench.camera.change(trigger_mode=TriggerMode.INTERNAL)
        await bench.good()
        bench.assert_resting()


async def test_one_image_per_pulse(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script, TRIGINENABLE=1)) as bench:
        bench.camera.change(
            seconds=0.02, trigger_mode=TriggerMode.EXTERNAL, image_mode=ImageMode.MULTIPLE, num_images=3
        )
        client = bench.start()
        for n in range(3):
            await bench.until(lambda state, n=n: state.images_done == n and state.phase is Phase.INTEGRATING)
            await until_armed(bench)
            bench.sim.trigger_in()
        await client
        assert len(bench.files) == 3


@pytest.mark.parametrize("pause", [0, 300])
async def test_times_of_a_triggered_exposure_come_from_the_frame(
    benches, make_acf, triggered_script, pause: int
) -> None:
    acf = make_acf(parameters={**triggered_script, "NoIntMS": pause}, TRIGINENABLE=1)
    async with benches(acf=acf, speed=1.0, line_seconds=0.02) as bench:
        bench.camera.change(seconds=0.2, trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await until_armed(bench)
        pulse = datetime.now(UTC).timestamp()
        bench.sim.trigger_in()
        await client
        header = fits.getheader(bench.camera.state.file.full_name)
        assert Time(header["DATE-BEG"], scale="utc").unix == pytest.approx(pulse, abs=0.05)
        assert header["EXPTIME"] == header["TELAPSE"] == 0.2
        assert header["DARKTIME"] == pytest.approx(0.2 + pause / 1000 + 0.02, abs=0.001)  # a line begins with its pause


async def test_abort_while_waiting_for_a_pulse(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script, TRIGINENABLE=1)) as bench:
        bench.camera.change(trigger_mode=TriggerMode.EXTERNAL)
        client = bench.start()
        await until_armed(bench)
        await bench.camera.abort()
        await client
        assert bench.camera.state.outcome is Outcome.ABORTED
        bench.sim.trigger_in()
        await bench.controller.get_frame()
        bench.assert_resting()
        assert bench.controller.status.frames.writing is None, "a late pulse started an exposure"
        bench.camera.change(trigger_mode=TriggerMode.INTERNAL)
        await bench.good()


async def test_a_configuration_that_does_not_listen(benches, make_acf, triggered_script) -> None:
    async with benches(acf=make_acf(parameters=triggered_script)) as bench:
        bench.camera.change(trigger_mode=TriggerMode.EXTERNAL)
        with pytest.raises(StateError, match="TRIGINENABLE is 0"):
            await bench.camera.acquire()


async def test_a_script_that_cannot_wait(bench) -> None:
    bench.camera.change(trigger_mode=TriggerMode.EXTERNAL)
    with pytest.raises(StateError, match="no parameter 'ExternalTrigger'"):
        await bench.camera.acquire()


# Lost links


async def relinked(bench) -> None:
    lost = bench.controller.status.link_errors
    bench.sim.link_drop()
    await bench.until(lambda state: state.controller.link_errors > lost and state.controller.is_up)


async def test_the_link_is_lost_while_integrating(bench) -> None:
    bench.camera.change(seconds=0.6)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await relinked(bench)
    assert bench.camera.state.phase is Phase.INTEGRATING
    await client
    assert len(bench.files) == 1


async def test_the_link_is_lost_and_away_until_after_the_integration(bench) -> None:
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "SYSTEM", 0.5
    bench.sim.link_drop()
    await bench.until_phase(Phase.READING)
    assert not bench.camera.state.controller.is_up
    await client
    assert len(bench.files) == 1


async def test_the_link_is_lost_while_reading(benches) -> None:
    async with benches(line_seconds=1.0) as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until_phase(Phase.READING)
        await relinked(bench)
        assert bench.camera.state.phase is Phase.READING
        await client
        assert len(bench.files) == 1


async def test_a_reply_never_comes_while_reading(benches) -> None:
    async with benches(line_seconds=1.0) as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until_phase(Phase.READING)
        bench.sim.faults.drop_reply = "FRAME"
        await client
        assert bench.controller.status.link_errors == 1
        assert len(bench.files) == 1


@pytest.mark.parametrize("fault", ["cut_fetch_after_bytes", "drop_link_after_blocks"])
@pytest.mark.parametrize("amount", [0, 2])
async def test_the_link_is_lost_while_fetching(bench, pattern, make_acf, fault: str, amount: int) -> None:
    setattr(bench.sim.faults, fault, amount)
    await bench.good()
    assert bench.controller.status.link_errors == 1
    with fits.open(bench.camera.state.file.full_name) as hdus:
        assert (hdus[0].data == pattern(make_acf(), 1)).all()
    assert (await bench.controller.get_frame()).read_buffer == 0, "nothing stays locked"


async def test_the_link_is_lost_in_every_fetch(bench) -> None:
    async def keep_cutting() -> None:
        async for state in bench.camera.live.watch():
            if state.phase is Phase.FETCHING:
                bench.sim.faults.drop_link_after_blocks = 1

    cutting = asyncio.create_task(keep_cutting())
    bench.camera.change(seconds=0.0)
    with pytest.raises(LinkError):
        await bench.camera.acquire()
    assert bench.controller.status.link_errors >= 3
    assert bench.camera.state.outcome is Outcome.FAILED
    cutting.cancel()
    bench.sim.faults.clear()
    await bench.until(lambda state: state.controller.is_up and state.journal.pending == 0)
    assert bench.files == ["archon_0001.fits"]  # recovered
    await bench.good()


async def test_the_link_is_lost_with_a_shutter_of_another_ioc_open(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.2, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "SYSTEM", 0.5
        bench.sim.link_drop()
        await client
        assert len(bench.files) == 1


async def test_the_controller_restarts_while_reading(benches) -> None:
    async with benches(line_seconds=1.0) as bench:
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await bench.until_phase(Phase.READING)
        bench.controller.send_command("REBOOT")
        with pytest.raises(ReadoutError, match="the controller was restarted, the image is lost"):
            await client
        state = bench.camera.state
        assert (state.outcome, state.acquiring, state.phase) == (Outcome.FAILED, False, Phase.IDLE)
        await bench.until(lambda state: state.controller.is_up)
        await bench.controller.apply_all()
        await bench.operations.power(1)
        await bench.good()


async def test_what_could_not_be_stopped_is_stopped_when_the_link_is_back(bench) -> None:
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "SYSTEM", 0.3
    bench.sim.link_drop()
    await bench.until(lambda state: not state.controller.is_up)
    await bench.camera.abort()
    await client
    state = bench.camera.state
    assert (state.outcome, state.shutter_open) == (Outcome.FAILED, True)
    assert state.message.startswith("Acquisition aborted, but the timing script could not be stopped: ")
    bench.device.advance(bench.sim.now)
    assert bench.device.timing.is_integrating
    await bench.until(lambda state: state.outcome is Outcome.ABORTED)
    assert bench.camera.state.message == "The timing script is stopped now"
    assert not bench.camera.state.shutter_open
    bench.assert_resting()
    await bench.good()


async def test_the_link_comes_back_while_the_abort_ends(bench) -> None:
    bench.camera.change(seconds=100.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.sim.link_drop()
    await bench.until(lambda state: not state.controller.is_up)
    aborting = asyncio.create_task(bench.camera.abort())
    await bench.until(lambda state: state.controller.is_up)
    await aborting
    await client
    await bench.until(lambda state: state.controller.last_command == "RELEASETIMING")
    bench.assert_resting()


async def test_the_link_is_lost_while_the_script_is_told(bench) -> None:
    bench.sim.faults.garbage = "RELEASETIMING"
    bench.camera.change(seconds=100.0)
    with pytest.raises(ArchonError):
        await bench.camera.acquire()
    assert bench.camera.state.outcome is Outcome.FAILED
    await bench.until(lambda state: state.controller.is_up)
    await bench.good()


async def test_an_integration_of_hours_takes_a_second_parameter(benches, make_acf) -> None:
    lines = {
        "LINES": 77, "LINE12": "Expose:", "LINE13": "X; CALL IntegrateCS(IntCS)", "LINE74": "IntegrateCS:",
        "LINE75": "X; CALL IntegrateMS(10)", "LINE76": "X; RETURN IntegrateCS", "PARAMETERS": 18,
        "PARAMETER17": "IntCS=0",
    }  # fmt: skip
    script = {"integration": {"parameter": "IntMS", "long": {"parameter": "IntCS"}}}
    async with benches(acf=make_acf(**lines), script=script) as bench:
        await bench.good()
        bench.camera.change(seconds=3600.007)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        parameters = bench.device.parameters
        assert (parameters["INTCS"], parameters["INTMS"]) == (360000, 7)
        await bench.camera.abort()
        await client
        await bench.good()


async def test_a_controller_that_restarts_is_told_nothing_any_more(bench) -> None:
    """It has forgotten the script, so that nothing is left to be stopped."""
    bench.camera.change(seconds=600.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    noted = bench.note_states()
    bench.device.handle("REBOOT", bench.sim.now)
    bench.sim.link_drop()
    with pytest.raises(ReadoutError, match="restarted"):
        await client
    assert [state.message for state in noted if "could not be stopped" in state.message] == []
    assert bench.camera.state.outcome is Outcome.FAILED
    assert not [command for command in bench.device.commands if command.startswith("FASTLOADPARAM Auto")][2:]
