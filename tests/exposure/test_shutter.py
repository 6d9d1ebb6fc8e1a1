"""Who moves the shutter, that it is closed whatever happens, and that a dark is dark."""

import asyncio
import time

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.config import ShutterConfig
from archon_ioc.errors import StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import FrameType, ImageMode, ShutterMode, TriggerMode
from archon_ioc.sim.frames import Shot
from archon_ioc.sim.scene import Pixels, empty_image


class LightMeter:
    """A scene whose pixels are the milliseconds of light."""

    def render(self, shot: Shot) -> Pixels:
        image = empty_image(shot)
        image[...] = round(shot.light_seconds * 1000)
        return image


def light_ms(bench) -> int:
    with fits.open(bench.camera.state.file.full_name) as hdus:
        assert np.ptp(hdus[0].data) == 0
        return int(hdus[0].data[0, 0])


def told(bench, word: str) -> list[str]:
    return [command for command in bench.device.commands if word in command]


# Detector output: the Archon's trigger output


@pytest.mark.parametrize("frame_type", [FrameType.NORMAL, FrameType.FLAT_FIELD])
async def test_light_follows_the_integration(benches, frame_type: FrameType) -> None:
    async with benches(scene=LightMeter()) as bench:
        states = bench.note_states()
        bench.camera.change(seconds=0.3, frame_type=frame_type)
        await bench.camera.acquire()
        assert light_ms(bench) == pytest.approx(300, abs=2)
        assert {state.shutter_open for state in states if state.phase is Phase.INTEGRATING} == {True, False}
        assert not any(state.shutter_open for state in states if state.phase is Phase.READING)
        assert told(bench, "APPLYSYSTEM") == [], "0.23 s that nobody needs"


async def test_a_dark_keeps_it_closed_and_the_next_image_does_not(benches) -> None:
    async with benches(scene=LightMeter()) as bench:
        states = bench.note_states()
        bench.camera.change(seconds=0.2, frame_type=FrameType.BACKGROUND)
        for _ in range(2):
            await bench.camera.acquire()
            assert light_ms(bench) == 0
        assert not any(state.shutter_open for state in states)
        assert bench.device.applied.keys["TRIGOUTFORCE"] == "1"
        assert bench.device.applied.keys["TRIGOUTLEVEL"] == "0"
        assert len(told(bench, "APPLYSYSTEM")) == 1
        bench.camera.change(frame_type=FrameType.NORMAL)
        await bench.camera.acquire()
        assert light_ms(bench) == pytest.approx(200, abs=2)


async def test_a_dark_after_it_was_opened_by_hand(benches) -> None:
    async with benches(scene=LightMeter()) as bench:
        await bench.camera.set_shutter(True)
        assert bench.camera.state.shutter_open
        assert bench.device.applied.keys["TRIGOUTLEVEL"] == "1"
        bench.camera.change(seconds=0.1, frame_type=FrameType.BACKGROUND)
        await bench.camera.acquire()
        assert light_ms(bench) == 0
        assert not bench.camera.state.shutter_open


async def test_a_dark_that_cannot_be_dark_is_refused(benches, make_acf) -> None:
    acf = make_acf()
    lines = [line for line in acf.lines if not line.startswith("TRIGOUT")]
    async with benches(acf=type(acf).from_lines(lines)) as bench:
        bench.camera.change(seconds=0.0, frame_type=FrameType.BACKGROUND)
        with pytest.raises(StateError, match="no TRIGOUTFORCE and TRIGOUTLEVEL"):
            await bench.camera.acquire()
        bench.camera.change(frame_type=FrameType.NORMAL)
        await bench.good()


async def test_by_hand(bench) -> None:
    await bench.camera.set_shutter(True)
    assert (bench.camera.state.shutter_open, bench.device.applied.keys["TRIGOUTFORCE"]) == (True, "1")
    await bench.camera.set_shutter(False)
    assert (bench.camera.state.shutter_open, bench.device.applied.keys["TRIGOUTLEVEL"]) == (False, "0")


async def test_not_by_hand_during_an_exposure(bench) -> None:
    bench.camera.change(seconds=10.0)
    bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    with pytest.raises(StateError, match="the camera is integrating"):
        await bench.camera.set_shutter(False)
    await bench.camera.abort()


async def test_without_a_shutter(bench) -> None:
    bench.camera.change(shutter_mode=ShutterMode.NONE)
    with pytest.raises(StateError, match="there is no shutter to move"):
        await bench.camera.set_shutter(True)
    states = bench.note_states()
    await bench.good()
    assert not any(state.shutter_open for state in states)


async def test_abort_closes_it(bench) -> None:
    bench.camera.change(seconds=10.0)
    bench.start()
    await bench.until(lambda state: state.shutter_open)
    await bench.camera.abort()
    assert not bench.camera.state.shutter_open
    assert bench.device._sequencer._light._since is None, "INT is high"


async def test_a_stop_closes_what_was_opened_by_hand(bench) -> None:
    await bench.camera.set_shutter(True)
    bench.running.cancel()
    await asyncio.wait([bench.running])
    assert bench.device.applied.keys["TRIGOUTLEVEL"] == "0"
    assert not bench.camera.state.shutter_open


async def test_a_stop_that_cannot_close_it_says_so(bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.camera.set_shutter(True)
    bench.sim.faults.reject = "WCONFIG"
    bench.running.cancel()
    await asyncio.wait([bench.running])
    assert "the shutter may be open: the controller rejected 'WCONFIG" in caplog.text
    assert bench.camera.state.shutter_open


# EPICS PV: a shutter of another IOC


async def test_it_is_opened_and_closed_for_each_image(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        states = bench.note_states()
        bench.camera.change(
            seconds=0.1, shutter_mode=ShutterMode.EPICS_PV, shutter_open_delay=0.1, shutter_close_delay=0.15,
            image_mode=ImageMode.MULTIPLE, num_images=2,
        )  # fmt: skip
        began = time.monotonic()
        await bench.camera.acquire()
        assert time.monotonic() - began > 2 * 0.35
        assert fake_shutter.calls == ["open", "close"] * 2
        assert {state.shutter_told for state in states if state.remaining} == {True}
        assert not bench.camera.state.shutter_told
        assert told(bench, "FASTLOADPARAM IntMS 350") != []
        assert {state.shutter_open for state in states if state.remaining} == {True}
        assert not any(state.shutter_open for state in states if state.phase is Phase.READING)
        header = fits.getheader(bench.camera.state.file.full_name)
        assert header["EXPTIME"] == 0.1
        bench.assert_resting()


async def test_the_readout_waits_until_it_is_closed(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.3, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until_phase(Phase.INTEGRATING)
        assert bench.device.parameters["READOUT"] == 0, "the script would read out with the shutter open"
        await client
        assert len(bench.files) == 1


async def test_a_script_that_reads_by_itself_gets_time_to_close(
    benches, make_acf, triggered_script, fake_shutter, caplog: pytest.LogCaptureFixture
) -> None:
    acf = make_acf(parameters={**triggered_script, "ExternalTrigger": 0})
    async with benches(acf=acf, speed=1.0, line_seconds=0.005, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.1, shutter_mode=ShutterMode.EPICS_PV, shutter_close_delay=0.2)
        await bench.camera.acquire()
        assert told(bench, "FASTLOADPARAM IntMS 300") != []
        assert len(bench.files) == 1
        assert "after the readout had begun" not in caplog.text
        fake_shutter.hangs = "close"
        asyncio.get_running_loop().call_later(0.3, fake_shutter.released.set)
        await bench.camera.acquire()
        assert "after the readout had begun" in caplog.text


async def test_a_dark_does_not_move_it(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.0, shutter_mode=ShutterMode.EPICS_PV, frame_type=FrameType.BACKGROUND)
        await bench.camera.acquire()
        assert fake_shutter.calls == []


async def test_it_does_not_open(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.fails = "open"
        bench.camera.change(seconds=0.0, shutter_mode=ShutterMode.EPICS_PV)
        with pytest.raises(StateError, match="the shutter does not open"):
            await bench.camera.acquire()
        state = bench.camera.state
        assert (state.outcome, state.message) == (Outcome.FAILED, "the shutter does not open")
        assert fake_shutter.calls == ["open", "close"], "it may have moved all the same"
        assert not state.shutter_open
        bench.assert_resting()
        fake_shutter.fails = ""
        await bench.good()


async def test_it_does_not_close(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.fails = "close"
        bench.camera.change(seconds=0.0, shutter_mode=ShutterMode.EPICS_PV)
        with pytest.raises(StateError, match="the shutter does not close"):
            await bench.camera.acquire()
        assert bench.camera.state.outcome is Outcome.FAILED
        assert bench.camera.state.shutter_open, "as far as anybody knows"
        bench.assert_resting()
        fake_shutter.fails = ""
        await bench.good()
        assert not bench.camera.state.shutter_open


async def test_abort_closes_that_of_another_ioc(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        await bench.camera.abort()
        await client
        assert fake_shutter.calls == ["open", "close"]
        assert (bench.camera.state.outcome, bench.camera.state.shutter_open) == (Outcome.ABORTED, False)
        bench.assert_resting()


@pytest.mark.parametrize("hangs", ["open close", "close"])
async def test_a_shutter_that_hangs_does_not_hold_up_an_abort(benches, fake_shutter, hangs: str) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.hangs = hangs
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        bench.start().add_done_callback(asyncio.Task.exception)
        await bench.until(lambda state: fake_shutter.calls and state.phase is Phase.INTEGRATING)
        began = time.monotonic()
        await bench.camera.abort()
        assert time.monotonic() - began < 3
        state = bench.camera.state
        assert (state.outcome, state.acquiring) == (Outcome.FAILED, False)
        assert state.message == "the shutter was told to close but is not closed after 0.8 s"
        bench.assert_resting()


async def test_by_hand_that_of_another_ioc(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(shutter_mode=ShutterMode.EPICS_PV)
        await bench.camera.set_shutter(True)
        assert bench.camera.state.shutter_open
        fake_shutter.fails = "close"
        with pytest.raises(StateError, match="does not close"):
            await bench.camera.set_shutter(False)
        assert bench.camera.state.shutter_open
        fake_shutter.fails = ""
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert fake_shutter.calls == ["open", "close", "close"]


async def test_a_site_without_one(bench) -> None:
    assert ShutterConfig().open_pv == ""
    bench.camera.change(shutter_mode=ShutterMode.EPICS_PV)
    with pytest.raises(StateError, match="the site file names no PVs of a shutter"):
        await bench.camera.acquire()
    with pytest.raises(StateError, match="the site file names no PVs of a shutter"):
        await bench.camera.set_shutter(True)
    bench.camera.change(frame_type=FrameType.BACKGROUND, seconds=0.0)
    await bench.camera.acquire()


async def test_it_cannot_follow_trigger_in(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(shutter_mode=ShutterMode.EPICS_PV, trigger_mode=TriggerMode.EXTERNAL)
        with pytest.raises(StateError, match="cannot follow Trigger In"):
            await bench.camera.acquire()
        assert fake_shutter.calls == []
