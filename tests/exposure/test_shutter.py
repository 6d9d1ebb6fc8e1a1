"""Who moves the shutter, that it is closed whatever happens, and that a dark is dark."""

import asyncio
import time

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.config import ShutterConfig
from archon_ioc.errors import LinkError, StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import FrameType, ImageMode, ShutterMode, TriggerMode
from archon_ioc.sim.scene import Pixels, empty_image
from archon_ioc.sim.shot import Shot


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
    assert not bench.device.timing.is_integrating, "INT is high"


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


@pytest.mark.parametrize("mode", [ShutterMode.NONE, ShutterMode.EPICS_PV])
async def test_an_output_left_open_is_closed_before_a_dark(benches, mode: ShutterMode) -> None:
    async with benches(scene=LightMeter()) as bench:
        await bench.camera.set_shutter(True)
        bench.camera.change(shutter_mode=mode, frame_type=FrameType.BACKGROUND, seconds=0.1)
        assert bench.camera.state.shutter_open
        await bench.camera.acquire()
        assert light_ms(bench) == 0
        assert not bench.camera.state.shutter_open


async def test_an_output_that_was_left_open_by_an_earlier_life(benches, make_acf) -> None:
    async with benches(acf=make_acf(TRIGOUTFORCE=1, TRIGOUTLEVEL=1)) as bench:
        await bench.until(lambda state: state.shutter_open)
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert bench.device.applied.keys["TRIGOUTLEVEL"] == "0"
        assert not bench.camera.state.shutter_open


async def test_an_output_that_is_no_shutter_is_left_alone(benches, make_acf) -> None:
    async with benches(acf=make_acf(TRIGOUTFORCE=1, TRIGOUTLEVEL=1)) as bench:
        bench.camera.change(shutter_mode=ShutterMode.NONE)
        assert not bench.camera.state.shutter_open
        await bench.good()
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert bench.device.applied.keys["TRIGOUTLEVEL"] == "1"


async def test_a_new_configuration_tells_how_it_is(bench, make_acf, tmp_path) -> None:
    await bench.camera.set_shutter(True)
    path = tmp_path / "closed.acf"
    path.write_text("[CONFIG]\n" + "\n".join(make_acf().lines))
    bench.controller.choose_config(str(path))
    await bench.operations.load_config(1)
    await bench.until(lambda state: not state.shutter_open)


async def test_an_output_in_doubt_is_set_again(benches) -> None:
    async with benches(scene=LightMeter()) as bench:
        bench.camera.change(seconds=0.1, frame_type=FrameType.BACKGROUND)
        await bench.camera.acquire()
        bench.sim.faults.drop_reply = "APPLYSYSTEM"
        bench.camera.change(frame_type=FrameType.NORMAL)
        with pytest.raises(LinkError):
            await bench.camera.acquire()
        await bench.until(lambda state: state.controller.is_up)
        assert bench.controller.status.doubtful, "the test is too weak"
        applied = len(told(bench, "APPLYSYSTEM"))
        for frame_type, light in ((FrameType.NORMAL, 100), (FrameType.BACKGROUND, 0), (FrameType.NORMAL, 100)):
            bench.camera.change(frame_type=frame_type)
            await bench.camera.acquire()
            assert light_ms(bench) == pytest.approx(light, abs=2)
        assert len(told(bench, "APPLYSYSTEM")) == applied + 3


async def test_an_abort_while_the_output_is_moved(benches) -> None:
    async with benches(scene=LightMeter(), latency=1.0) as bench:
        bench.camera.change(seconds=0.1, frame_type=FrameType.BACKGROUND)
        client = bench.start()
        await bench.until(lambda state: state.controller.last_command == "APPLYSYSTEM")
        await bench.camera.abort()
        await client
        bench.camera.change(frame_type=FrameType.NORMAL)
        await bench.camera.acquire()
        assert light_ms(bench) == pytest.approx(100, abs=2)


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


async def test_a_script_that_reads_by_itself_cannot_wait_for_it(
    benches, make_acf, triggered_script, fake_shutter
) -> None:
    acf = make_acf(parameters={**triggered_script, "ExternalTrigger": 0})
    async with benches(acf=acf, shutter=fake_shutter) as bench:
        bench.camera.change(seconds=0.0, shutter_mode=ShutterMode.EPICS_PV)
        with pytest.raises(StateError, match="it cannot wait for the shutter of another IOC"):
            await bench.camera.acquire()
        assert fake_shutter.calls == []
        bench.camera.change(frame_type=FrameType.BACKGROUND)
        await bench.good()


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
        bench.camera.change(seconds=0.0, shutter_mode=ShutterMode.EPICS_PV, num_exposures=3)
        with pytest.raises(StateError, match="the shutter does not close"):
            await bench.camera.acquire()
        assert (bench.camera.state.outcome, len(bench.files)) == (Outcome.FAILED, 1), "what was collected is kept"
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


async def test_an_abort_waits_for_a_slow_shutter(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.hangs = "close"
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        asyncio.get_running_loop().call_later(1.0, fake_shutter.released.set)
        await bench.camera.abort()
        await client
        state = bench.camera.state
        assert (state.outcome, state.shutter_open) == (Outcome.ABORTED, False)
        bench.assert_resting()


@pytest.mark.parametrize("hangs", ["open close", "close"])
async def test_a_shutter_that_hangs_does_not_hold_up_a_stop_of_the_program(benches, fake_shutter, hangs: str) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.hangs = hangs
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: fake_shutter.calls and state.phase is Phase.INTEGRATING)
        began = time.monotonic()
        bench.running.cancel()
        await asyncio.wait([bench.running])
        assert time.monotonic() - began < 3
        with pytest.raises(StateError, match=r"the shutter was told to close but is not closed after 0\.8 s"):
            await client
        state = bench.camera.state
        assert (state.outcome, state.acquiring, state.shutter_open) == (Outcome.FAILED, False, True)
        assert fake_shutter.calls == ["open", "close", "close"], "once more at the end"
        bench.assert_resting()


async def test_one_that_did_not_close_is_closed_later(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        fake_shutter.fails = "close"
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        await bench.camera.abort()
        with pytest.raises(StateError, match="the shutter does not close"):
            await client
        assert bench.camera.state.shutter_open
        fake_shutter.fails = ""
        await bench.until(lambda state: not state.shutter_open)
        assert set(fake_shutter.calls[1:]) == {"close"}


@pytest.mark.parametrize("mode", [ShutterMode.NONE, ShutterMode.DETECTOR])
async def test_one_that_was_left_open_is_closed_before_a_dark(benches, fake_shutter, mode: ShutterMode) -> None:
    async with benches(shutter=fake_shutter) as bench:
        bench.camera.change(shutter_mode=ShutterMode.EPICS_PV)
        await bench.camera.set_shutter(True)
        bench.camera.change(shutter_mode=mode, frame_type=FrameType.BACKGROUND, seconds=0.0)
        fake_shutter.fails = "close"
        with pytest.raises(StateError, match="the shutter does not close"):
            await bench.camera.acquire()
        assert (bench.files, bench.camera.state.shutter_open) == ([], True)
        fake_shutter.fails = ""
        await bench.good()
        assert not bench.camera.state.shutter_open
        assert fake_shutter.calls == ["open", "close", "close"]


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
