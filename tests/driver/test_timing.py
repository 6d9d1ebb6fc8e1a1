"""Exposures as far as timing cores and frame buffers are concerned, and fetching."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import InputError, LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.protocol.replies import Frame
from archon_ioc.sim.answers import REJECTED
from archon_ioc.sim.device import SimArchon

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Scripted = Callable[..., AbstractAsyncContextManager[int]]
Check = Callable[[Frame], None]
IMPATIENT = ScriptConfig(readout_start=0.15, readout_stall=0.15)
POLLS = ("STATUS", "FRAME", "FETCHLOG")


# Exposures


async def test_an_exposure_gives_the_next_frame(powered: Any, assert_pattern: Check) -> None:
    for number in (1, 2, 3, 4, 5):
        info = await powered.shoot()
        assert (info.frame, info.complete) == (number, True)
        assert_pattern(await powered.archon.timing.fetch(info))


async def test_parameters_are_set_while_the_cores_are_held(powered: Any) -> None:
    start = powered.mark()
    await powered.exposed(0.123)
    heard = powered.device.since(start, "STATUS", "FRAME")
    assert heard[0] == "HOLDTIMING"
    assert heard[-1] == "RELEASETIMING"
    settings = dict(command.split()[1:] for command in heard[1:-1])
    assert settings == {
        "ContinuousExposures": "0", "Exposures": "1", "ReadOut": "1", "AbortExposure": "0", "DoFlush": "0",
        "AutoFlush": "0", "ExternalTrigger": "0", "IntMS": "123",
    }  # fmt: skip
    assert powered.archon.status.parameters["IntMS"] == 123


async def test_a_parameter_that_is_refused_keeps_no_other_from_being_set(powered: Any) -> None:
    powered.faults.reject = "FASTLOADPARAM Exposures"
    with pytest.raises(RejectedError, match="Exposures"):
        await powered.archon.timing.set_parameters({"IntMS": 5, "Exposures": 1, "NoIntMS": 7})
    shown = powered.archon.status.parameters
    assert (shown["IntMS"], shown["Exposures"], shown["NoIntMS"]) == (5, 0, 7)


@pytest.mark.parametrize("seconds", [-0.001, 1000.001, float("nan"), float("inf")])
async def test_times_that_cannot_be(powered: Any, seconds: float) -> None:
    start = powered.mark()
    with pytest.raises(InputError):
        await powered.archon.timing.prepare(Integration(seconds))
    assert powered.device.since(start, *POLLS) == []


async def test_what_a_script_cannot_do_is_refused_before_anything_is_sent(make_lab: MakeLab, at_once: Acf) -> None:
    async with make_lab(at_once) as lab:
        timing = lab.archon.timing
        start = lab.mark()
        for attempt in (
            timing.prepare(Integration(1.0, readout=False)),
            timing.prepare(Integration(1.0, triggered=True)),  # TRIGINENABLE is not set
            timing.read_early(),
            timing.flush(1),
        ):
            with pytest.raises(StateError):
                await attempt
        assert lab.device.since(start, *POLLS) == []


async def test_without_a_configuration_nothing_can_be_prepared(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        with pytest.raises(StateError, match="no configuration"):
            await lab.archon.timing.prepare(Integration(1.0))


async def test_a_configuration_whose_script_cannot_expose(make_lab: MakeLab) -> None:
    async with make_lab(Acf.parse("[CONFIG]\nPIXELCOUNT=5\nLINECOUNT=5\nTAPLINES=1\nTAPLINE0=AD1L, 1, 1\n")) as lab:
        assert lab.archon.status.acf is not None
        with pytest.raises(StateError, match="Exposures"):
            await lab.archon.timing.prepare(Integration(1.0))


async def test_status_is_polled_during_an_integration(make_lab: MakeLab) -> None:
    async with make_lab(speed=1.0, status_period=0.01) as lab:
        before = await lab.exposed(600.0)
        count = lab.archon.status.status.count
        await lab.archon.live.until(lambda s: s.status.count > count + 1, 5)
        assert lab.archon.status.frames.newest == before.newest


async def test_the_end_of_an_integration_can_be_had_early(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        before = await lab.exposed(600.0)
        await lab.archon.timing.read_early()
        info = await lab.archon.timing.new_frame(before)
        assert info.complete


async def test_trigger_in_starts_a_triggered_integration(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(acf.with_value("TRIGINENABLE", "1")) as lab:
        timing = lab.archon.timing
        before = await timing.prepare(Integration(0.0, triggered=True))
        await timing.begin(triggered=True)
        starting = asyncio.create_task(timing.frame_start(before))
        await lab.device.told("FRAME")
        assert not starting.done()
        lab.server.trigger_in()
        await starting
        assert (await timing.new_frame(before)).complete


async def test_a_script_without_a_trigger(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(script=ScriptConfig(external_trigger="TriggerMe")) as lab:
        with pytest.raises(StateError, match="TriggerMe"):
            await lab.archon.timing.prepare(Integration(0.0, triggered=True))


async def test_a_flush_is_counted_before_it_begins(powered: Any) -> None:
    start = powered.mark()
    await powered.archon.timing.flush(7)
    heard = powered.device.since(start, *POLLS)
    assert heard[-2:] == ["FASTLOADPARAM FlushCount 7", "FASTLOADPARAM DoFlush 1"]


@pytest.mark.parametrize("count", [-1, 1_000_001])
async def test_a_flush_that_cannot_be_is_refused_before_anything_is_sent(powered: Any, count: int) -> None:
    start = powered.mark()
    with pytest.raises(InputError):
        await powered.archon.timing.flush(count)
    assert powered.device.since(start, *POLLS) == []


# Safe


async def test_parameters_are_quiet_before_the_cores_are_reset(make_lab: MakeLab) -> None:
    async with make_lab(speed=1.0) as lab:
        await lab.exposed(600.0)
        start = lab.mark()
        await lab.archon.timing.make_safe()
        heard = lab.device.since(start, *POLLS)
        assert heard[-2:] == ["RESETTIMING", "RELEASETIMING"]
        names = ("ContinuousExposures", "Exposures", "ReadOut", "AbortExposure", "DoFlush")
        assert set(heard[:-2]) >= {f"FASTLOADPARAM {name} 0" for name in names}
        assert "FASTLOADPARAM AutoFlush 1" in heard
        assert lab.device.parameters["EXPOSURES"] == 0


async def test_cores_that_are_held_run_again_when_safe(powered: Any) -> None:
    await powered.archon.timing.prepare(Integration(1.0))
    await powered.archon.timing.make_safe()
    assert (await powered.shoot()).complete


async def test_the_cores_are_reset_although_a_parameter_is_rejected(powered: Any) -> None:
    await powered.exposed()
    start = powered.mark()
    powered.faults.reject = "FASTLOADPARAM ContinuousExposures"
    with pytest.raises(RejectedError, match="ContinuousExposures"):
        await powered.archon.timing.make_safe()
    heard = powered.device.since(start, *POLLS)
    assert heard[-2:] == ["RESETTIMING", "RELEASETIMING"]
    assert "FASTLOADPARAM Exposures 0" in heard


async def test_a_reset_that_is_rejected_once_is_tried_again(powered: Any) -> None:
    await powered.exposed()
    start = powered.mark()
    powered.faults.reject = "RESETTIMING"
    await powered.archon.timing.make_safe()
    assert powered.device.since(start, *POLLS)[-2:] == ["RESETTIMING", "RELEASETIMING"]


async def test_the_cores_are_released_although_no_reset_is_accepted(make_lab: MakeLab, witness: Any) -> None:
    class Stubborn(witness):
        def handle(self, command: str, now: float) -> Any:
            answer = super().handle(command, now)
            return REJECTED if command == "RESETTIMING" else answer

    async with make_lab(kind=Stubborn) as lab:
        start = lab.mark()
        with pytest.raises(RejectedError, match="RESETTIMING"):
            await lab.archon.timing.make_safe()
        assert lab.device.since(start, *POLLS)[-3:] == ["RESETTIMING", "RESETTIMING", "RELEASETIMING"]


async def test_the_cores_are_reset_also_without_a_configuration(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        start = lab.mark()
        await lab.archon.timing.make_safe()
        assert lab.device.since(start, *POLLS) == ["RESETTIMING", "RELEASETIMING"]


async def test_after_a_restart_there_are_no_parameters_to_be_quiet(powered: Any) -> None:
    before = await powered.exposed()
    await powered.archon.send_command("REBOOT")
    await powered.down()
    await powered.up()
    start = powered.mark()
    await powered.archon.timing.make_safe()
    assert powered.device.since(start, *POLLS) == ["RESETTIMING", "RELEASETIMING"]
    with pytest.raises(ReadoutError, match="restarted"):
        await powered.archon.timing.frame_start(before)


async def test_after_an_exposure_the_script_idles_as_configured(powered: Any) -> None:
    await powered.shoot()
    assert powered.device.parameters["AUTOFLUSH"] == 0
    await powered.archon.timing.rest()
    assert powered.device.parameters["AUTOFLUSH"] == 1


# Waiting for a frame


async def test_a_frame_that_was_aborted_is_not_taken_for_the_next(
    make_lab: MakeLab, acf: Acf, assert_pattern: Check
) -> None:
    async with make_lab(acf.with_parameter("WaitCount", 6), speed=1.0) as lab:
        before = await lab.exposed()
        await lab.archon.timing.frame_start(before)
        await lab.archon.timing.make_safe()
        aborted = (await lab.archon.get_frame()).buffer(1)
        assert (aborted.frame, aborted.complete) == (1, False)
        info = await lab.shoot()
        assert (info.frame, info.complete) == (2, True)
        assert_pattern(await lab.archon.timing.fetch(info))


async def test_no_frame_begins(make_lab: MakeLab) -> None:
    async with make_lab(script=IMPATIENT) as lab:
        with pytest.raises(ReadoutError, match=r"no frame started within 0.15 s"):
            await lab.archon.timing.new_frame(await lab.archon.get_frame())


async def test_the_time_to_the_first_line_does_not_count_what_is_left_of_the_integration(make_lab: MakeLab) -> None:
    async with make_lab(speed=20, script=ScriptConfig(readout_start=0.15, readout_stall=2.0)) as lab:
        before = await lab.exposed(10.0)  # half a second here
        assert (await lab.archon.timing.new_frame(before, after=0.5)).complete


async def test_a_pause_that_the_script_is_known_to_make_is_waited_for(make_lab: MakeLab) -> None:
    async with make_lab(speed=1, script=IMPATIENT) as lab:
        await lab.archon.set_param("NoIntMS", 400)
        await lab.archon.live.until(lambda state: state.readout and state.readout.start.seconds > 0.4, 5)
        assert (await lab.shoot()).complete


async def test_what_is_left_of_a_readout_is_told(make_lab: MakeLab) -> None:
    async with make_lab(speed=1) as lab:
        await lab.archon.set_param("NoIntMS", 200)
        await lab.archon.set_param("WaitCount", 20)  # each of the 33 lines waits 10 ms
        state = await lab.archon.live.until(lambda state: state.readout and state.readout.whole.seconds > 0.5, 5)
        before = await lab.exposed()
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        left: list[float] = []
        async for state in lab.archon.live.watch():
            left.append(state.readout_left)
            if reading.done():
                break
    whole = state.readout.whole.seconds
    assert left[0] == left[-1] == 0.0
    told = [a for a, b in zip([*left, -1.0], [0.0, *left], strict=True) if a != b and a > 0]
    assert told == sorted(told, reverse=True)
    assert told[0] == pytest.approx(whole, abs=0.1)
    assert len(told) >= 4


async def test_a_frame_is_looked_for_when_it_ought_to_be_there(make_lab: MakeLab) -> None:
    async with make_lab(speed=1, frame_period=3) as lab:
        await lab.archon.set_param("NoIntMS", 800)
        await lab.archon.live.until(lambda state: state.readout and state.readout.whole.seconds > 0.8, 5)
        async with asyncio.timeout(2.5):
            assert (await lab.shoot()).complete


async def test_a_frame_that_never_completes(make_lab: MakeLab) -> None:
    async with make_lab(script=IMPATIENT) as lab:
        lab.faults.frame_never_completes = True
        before = await lab.exposed()
        with pytest.raises(ReadoutError, match=r"frame 1 stopped at line 32 for 0.15 s"):
            await lab.archon.timing.new_frame(before)
        lab.faults.clear()
        assert (await lab.shoot()).frame == 2


async def test_a_link_lost_during_a_readout_is_waited_for(make_lab: MakeLab, assert_pattern: Check) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.power(True)
        before = await lab.exposed(4.0)
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        await lab.device.told("FRAME")
        lab.server.link_drop()
        info = await reading
        assert lab.archon.status.link_errors == 1
        assert_pattern(await lab.archon.timing.fetch(info))


async def test_a_link_that_broke_a_moment_ago_is_waited_for(powered: Any) -> None:
    """The state may still say UP: the wait must neither return at once nor turn in a circle."""
    before = await powered.exposed()
    powered.archon.reconnect()
    assert (await powered.archon.timing.new_frame(before)).complete


async def test_a_link_that_does_not_come_back(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.driver.timing._RELINK_SECONDS", 0.1)
    async with make_lab() as lab:
        before = await lab.exposed()
        await lab.server.__aexit__(None, None, None)
        await lab.down()
        with pytest.raises(ReadoutError, match=r"did not come back within 0.1"):
            await lab.archon.timing.new_frame(before)


async def test_a_stop_ends_the_waiting(make_lab: MakeLab) -> None:
    async with make_lab(speed=1.0) as lab:
        before = await lab.exposed(600.0)
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        await lab.device.told("FRAME")
        await lab.archon.stop()
        async with asyncio.timeout(3):
            with pytest.raises(LinkError, match="stopped"):
                await reading


async def test_a_controller_that_was_restarted_has_lost_the_image(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.live.until(lambda s: s.frames.timer > 20e8, 5)
        before = await lab.exposed(600.0)
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        await lab.archon.send_command("REBOOT")
        with pytest.raises(ReadoutError, match="restarted"):
            await reading


async def test_frame_replies_that_make_no_sense_break_the_link_and_are_asked_for_again(scripted: Scripted) -> None:
    device = SimArchon(Acf.parse("[CONFIG]\nPIXELCOUNT=5\nLINECOUNT=5\n"))
    twisted = [0]

    def act(peer: Any, ref: bytes, command: str) -> None:
        answer = device.handle(command, 0.0)
        assert isinstance(answer, str)
        if command == "FRAME" and twisted[0]:
            twisted[0] -= 1
            answer = answer.replace("BUF2WIDTH=0", "BUF2WIDTH=wide")
        peer.reply(ref, answer.encode())

    config = ControllerConfig(status_period=5.0, longest_retry=0.05)
    async with scripted(act) as port:
        archon = ArchonController("127.0.0.1", port, config=config, script=IMPATIENT)
        async with archon:
            await archon.send_command("APPLYALL")
            before = await archon.get_frame()
            twisted[0] = 2
            with pytest.raises(ReadoutError, match="no frame started"):
                await archon.timing.new_frame(before)
            assert archon.status.link_errors >= 1
