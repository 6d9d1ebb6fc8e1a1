"""Acquisitions as a client sees them: how they begin, how they end, and that the next one is always good."""

import asyncio
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from archon_ioc.errors import ArchonError, InputError, ReadoutError, SaveError, StateError
from archon_ioc.exposure.phase import STEPS, Outcome, Phase
from archon_ioc.exposure.settings import ImageMode
from archon_ioc.exposure.state import set_array_counter
from archon_ioc.protocol.enums import Power

# A good acquisition


async def test_the_course_of_an_exposure(bench) -> None:
    states = bench.note_states()
    bench.camera.change(seconds=0.35)
    await bench.camera.acquire()
    phases = [state.phase for state in states]
    steps = [new for old, new in pairwise([Phase.IDLE, *phases]) if new is not old]
    assert steps == [
        Phase.PREPARING, Phase.INTEGRATING, Phase.READING, Phase.FETCHING, Phase.SAVING, Phase.IDLE,
    ]  # fmt: skip
    assert all(new is old or new in STEPS[old] for old, new in pairwise(phases))
    assert all(state.acquiring for state in states if state.phase is not Phase.IDLE)
    left = [state.remaining for state in states if state.phase is Phase.INTEGRATING and state.remaining]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) >= 3
    assert 0 < left[-1] < left[0] <= 0.35
    last = states[-1]
    assert (last.outcome, last.acquiring, last.remaining, last.message) == (Outcome.DONE, False, 0.0, "Done")


async def test_the_state_changes_first_and_acquire_last(bench) -> None:
    states = bench.note_states()
    await bench.good()
    ended = next(n for n, state in enumerate(states) if state.outcome is Outcome.DONE)
    assert states[ended].phase is Phase.IDLE
    assert states[ended].acquiring
    acquiring = [state.acquiring for state in states[ended:]]
    assert acquiring == sorted(acquiring, reverse=True), "never again, once it has ended"
    assert not acquiring[-1]


async def test_acquire_lasts_long_enough_to_be_seen(benches) -> None:
    async with benches(speed=0) as bench:
        loop = asyncio.get_running_loop()
        bench.camera.change(seconds=0.0)
        for _ in range(3):
            began = loop.time()
            await bench.camera.acquire()
            assert loop.time() - began >= 0.1


async def test_numbers_count_up(bench) -> None:
    for n in (1, 2, 3):
        await bench.good()
        image = bench.camera.state.image
        assert (image.unique_id, image.counter, image.width, image.height) == (n, n, 48, 40)
    set_array_counter(bench.camera.live, 0)
    await bench.good()
    assert (bench.camera.state.image.unique_id, bench.camera.state.image.counter) == (4, 1)


async def test_continuous_ends_with_an_abort(bench) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.CONTINUOUS)
    client = bench.start()
    await bench.until(lambda state: state.images_done >= 3)
    await bench.camera.abort()
    await client
    state = bench.camera.state
    assert (state.outcome, state.phase, state.acquiring) == (Outcome.DONE, Phase.IDLE, False)
    assert len(bench.files) == state.images_done
    bench.assert_resting()
    await bench.good()


async def test_the_mode_is_that_of_the_begin(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.camera.change(image_mode=ImageMode.CONTINUOUS)
    await bench.camera.abort()
    await client
    assert bench.camera.state.outcome is Outcome.ABORTED


# Refusals


async def test_a_second_acquire_is_refused_without_touching_the_first(bench) -> None:
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    before = bench.camera.state.message
    with pytest.raises(StateError, match="the camera is integrating; abort first"):
        await bench.camera.acquire()
    assert bench.camera.state.message == before
    await client
    assert bench.camera.state.outcome is Outcome.DONE
    assert len(bench.files) == 1


async def test_two_acquires_at_once(bench) -> None:
    bench.camera.change(seconds=0.05)
    results = await asyncio.gather(bench.camera.acquire(), bench.camera.acquire(), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StateError]
    assert len(bench.files) == 1


def switched_off(bench) -> Any:
    return bench.controller.power(False)


async def unlisted(bench) -> None:
    await bench.controller.send_command("CLEARCONFIG")
    bench.controller.reconnect()
    await bench.until(lambda state: not state.controller.is_up)
    await bench.until(lambda state: state.controller.is_up)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(switched_off, "the CCD power is OFF, it must be ON"), (unlisted, "no configuration is loaded: the controller")],
)
async def test_what_cannot_begin_says_why(bench, spoil: Callable[..., Any], message: str) -> None:
    await spoil(bench)
    with pytest.raises(StateError, match=message):
        await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.acquiring, state.phase) == (Outcome.NONE, False, Phase.IDLE)
    assert message in state.message
    assert bench.files == []


async def test_what_cannot_begin_is_not_seen_as_an_acquisition(bench) -> None:
    await bench.good()
    await bench.operations.power(0)
    states = bench.note_states()
    with pytest.raises(StateError, match="the CCD power is OFF"):
        await bench.camera.acquire()
    assert not any(state.acquiring or state.phase is not Phase.IDLE for state in states)
    assert {state.outcome for state in states} == {Outcome.DONE}, "how the last one ended"


async def test_not_powered_and_powered_again(bench) -> None:
    await bench.operations.power(0)
    with pytest.raises(StateError):
        await bench.camera.acquire()
    await bench.operations.power(1)
    await bench.good()


async def test_without_a_link(bench) -> None:
    bench.sim.faults.drop_reply = "SYSTEM"
    bench.sim.link_drop()
    await bench.until(lambda state: not state.controller.is_up)
    with pytest.raises(StateError, match="the controller is disconnected: "):
        await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.acquiring) == (Outcome.NONE, False)
    bench.controller.reconnect()
    await bench.until(lambda state: state.controller.is_up)
    await bench.good()


async def test_a_script_that_cannot_expose(benches, make_acf, renamed_acf) -> None:
    async with benches(acf=renamed_acf(make_acf(), Exposures="Shots")) as bench:
        with pytest.raises(StateError, match="no parameter 'Exposures'"):
            await bench.camera.acquire()
        told = len(bench.device.commands)
        await bench.until(lambda state: len(bench.device.commands) > told + 6)
        assert set(bench.device.commands[told:]) <= {"STATUS", "FRAME"}, "it keeps trying to stop what never ran"


async def test_longer_than_the_script_can_count(bench) -> None:
    bench.camera.change(seconds=1001.0)
    with pytest.raises(InputError, match="IntMS allows 0 to 1000 s"):
        await bench.camera.acquire()
    assert bench.camera.state.outcome is Outcome.FAILED
    bench.assert_resting()
    await bench.good()


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e6])
async def test_impossible_times_are_refused_at_once(bench, seconds: float) -> None:
    with pytest.raises(InputError):
        bench.camera.change(seconds=seconds)
    assert bench.camera.state.settings.seconds == 1.0


async def test_acquire_waits_for_what_must_not_come_between(bench) -> None:
    async with bench.camera.undisturbed():
        bench.camera.change(seconds=0.0)
        client = bench.start()
        await asyncio.sleep(0)
        with pytest.raises(StateError, match="abort first"):
            async with bench.camera.undisturbed():
                pass
        assert not bench.camera.state.acquiring
        assert "HOLDTIMING" not in bench.device.commands
    await client
    assert len(bench.files) == 1


async def test_the_configuration_is_being_loaded(bench, make_acf, tmp_path) -> None:
    path = tmp_path / "again.acf"
    path.write_text("[CONFIG]\n" + "\n".join(make_acf().lines))
    bench.controller.choose_config(str(path))
    loading = asyncio.create_task(bench.operations.load_config(1))
    await bench.until(lambda state: state.controller.upload is not None)
    with pytest.raises(StateError, match="the CCD power is OFF"):
        await bench.camera.acquire()
    await loading
    assert await bench.controller.power() is Power.OFF
    await bench.operations.power(1)
    await bench.good()


# Failures


async def test_a_frame_that_never_completes(benches) -> None:
    async with benches(script={"readout_stall": 0.3}) as bench:
        bench.sim.faults.frame_never_completes = True
        bench.camera.change(seconds=0.0)
        with pytest.raises(ReadoutError, match="frame 1 stopped at line 19"):
            await bench.camera.acquire()
        state = bench.camera.state
        assert (state.outcome, state.phase, state.acquiring) == (Outcome.FAILED, Phase.IDLE, False)
        assert "frame 1 stopped at line 19" in state.message
        bench.assert_resting()
        bench.sim.faults.clear()
        await bench.good()


async def test_no_frame_begins(benches, make_acf) -> None:
    async with benches(acf=make_acf(), script={"readout_start": 0.3}) as bench:
        another_program = "FASTLOADPARAM NoIntMS 1000000"
        bench.device.handle(another_program, bench.sim.now)
        bench.camera.change(seconds=0.0)
        with pytest.raises(ReadoutError, match=r"no frame started within 0\.32 s"):
            await bench.camera.acquire()
        assert bench.camera.state.outcome is Outcome.FAILED
        await bench.controller.set_param("NoIntMS", 0)
        await bench.good()


@pytest.mark.parametrize("command", ["HOLDTIMING", "FASTLOADPARAM IntMS", "RELEASETIMING", "LOCK1", "FETCHA"])
async def test_a_command_that_is_rejected(bench, command: str) -> None:
    bench.sim.faults.reject = command
    bench.camera.change(seconds=0.0)
    with pytest.raises(ArchonError, match=f"rejected '{command}"):
        await bench.camera.acquire()
    assert bench.camera.state.outcome is Outcome.FAILED
    assert f"rejected '{command}" in bench.camera.state.message
    bench.assert_resting()
    was_whole = command in ("LOCK1", "FETCHA")
    await bench.camera.acquire()
    assert bench.camera.state.message == "Done"
    assert len(bench.files) == 1 + was_whole, "a frame that is still in its buffer is saved before the next exposure"


async def test_the_image_survives_when_idle_clearing_is_rejected(bench) -> None:
    bench.sim.faults.reject = "FASTLOADPARAM AutoFlush 1"
    await bench.good()
    await bench.good()
    bench.assert_resting()


async def test_a_file_that_cannot_be_named_is_refused_before_the_exposure(bench) -> None:
    bench.camera.change(seconds=0.0)
    await bench.camera.filing.change(template="%s%s.fits")
    await bench.camera.acquire()
    with pytest.raises(StateError, match="it exists, and the template has no number"):
        await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.image.unique_id) == (Outcome.DONE, 1)
    assert "it exists" in state.message


async def test_a_file_that_cannot_be_written(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    bench.camera.change(seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SaveError, match="No space left on device"):
            await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.file.error, state.file.writing) == (Outcome.FAILED, True, False)
    assert "No space left on device" in state.message
    assert state.image.unique_id == 1, "clients have seen it"
    assert bench.files == []
    await bench.camera.filing.write()
    assert len(bench.files) == 1


async def test_a_bug_is_shown_logged_and_does_not_wedge_the_camera(
    bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    bench.camera.change(seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", broken)
        client = bench.start()
        await bench.until(lambda state: state.acquiring)
        client.cancel()  # nobody is there to hear of it
        await bench.until(lambda state: not state.acquiring)
    state = bench.camera.state
    assert (state.outcome, state.phase, state.file.writing) == (Outcome.FAILED, Phase.IDLE, False)
    assert state.message == "internal error: ZeroDivisionError('a bug')"
    assert "ZeroDivisionError: a bug" in caplog.text
    await bench.good()
