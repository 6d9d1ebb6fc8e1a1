"""Exposures as far as timing cores and frame buffers are concerned, and fetching."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.driver.timing import Integration, readout_progress
from archon_ioc.errors import InputError, LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.protocol.replies import Frame, FrameStatus
from archon_ioc.sim.device import Answer, SimArchon

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Scripted = Callable[..., AbstractAsyncContextManager[int]]
Check = Callable[[Frame], None]
IMPATIENT = ScriptConfig(readout_start=0.15, readout_stall=0.15)
POLLS = ("STATUS", "FRAME", "FETCHLOG")


async def exposed(lab: Any, seconds: float = 0.0) -> FrameStatus:
    """Begin an exposure and return the buffers as they were before it."""
    before = await lab.archon.timing.prepare(Integration(seconds))
    await lab.archon.timing.begin()
    return before


# Exposures


async def test_an_exposure_gives_the_next_frame(powered: Any, assert_pattern: Check) -> None:
    for number in (1, 2, 3, 4, 5):
        info = await powered.shoot()
        assert (info.frame, info.complete) == (number, True)
        assert_pattern(await powered.archon.timing.fetch(info))


async def test_parameters_are_set_while_the_cores_are_held(powered: Any) -> None:
    start = powered.mark()
    await exposed(powered, 0.123)
    heard = powered.device.since(start, "STATUS", "FRAME")
    assert heard[0] == "HOLDTIMING"
    assert heard[-1] == "RELEASETIMING"
    settings = dict(command.split()[1:] for command in heard[1:-1])
    assert settings == {
        "ContinuousExposures": "0", "Exposures": "1", "ReadOut": "1", "AbortExposure": "0", "DoFlush": "0",
        "AutoFlush": "0", "ExternalTrigger": "0", "IntMS": "123",
    }  # fmt: skip
    assert powered.archon.status.parameters["IntMS"] == 123


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
        before = await exposed(lab, 600.0)
        count = lab.archon.status.status.count
        await lab.archon.live.until(lambda s: s.status.count > count + 1, 5)
        assert lab.archon.status.frames.newest == before.newest


async def test_the_end_of_an_integration_can_be_had_early(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        before = await exposed(lab, 600.0)
        await lab.archon.timing.read_early()
        info = await lab.archon.timing.new_frame(before)
        assert info.complete


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
        await exposed(lab, 600.0)
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
    await exposed(powered)
    start = powered.mark()
    powered.faults.reject = "FASTLOADPARAM ContinuousExposures"
    with pytest.raises(RejectedError, match="ContinuousExposures"):
        await powered.archon.timing.make_safe()
    heard = powered.device.since(start, *POLLS)
    assert heard[-2:] == ["RESETTIMING", "RELEASETIMING"]
    assert "FASTLOADPARAM Exposures 0" in heard


async def test_the_cores_are_reset_also_without_a_configuration(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        start = lab.mark()
        await lab.archon.timing.make_safe()
        assert lab.device.since(start, *POLLS) == ["RESETTIMING", "RELEASETIMING"]


async def test_after_an_exposure_the_script_idles_as_configured(powered: Any) -> None:
    await powered.shoot()
    assert powered.device.parameters["AUTOFLUSH"] == 0
    await powered.archon.timing.rest()
    assert powered.device.parameters["AUTOFLUSH"] == 1


# Waiting for a frame


async def test_a_frame_that_was_aborted_is_not_taken_for_the_next(make_lab: MakeLab, assert_pattern: Check) -> None:
    async with make_lab(speed=1.0, line_seconds=0.003) as lab:
        before = await exposed(lab)
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
        before = await exposed(lab, 10.0)  # half a second here
        assert (await lab.archon.timing.new_frame(before, after=0.5)).complete


async def test_a_frame_that_never_completes(make_lab: MakeLab) -> None:
    async with make_lab(script=IMPATIENT) as lab:
        lab.faults.frame_never_completes = True
        before = await exposed(lab)
        with pytest.raises(ReadoutError, match=r"frame 1 stopped at line 32 for 0.15 s"):
            await lab.archon.timing.new_frame(before)
        lab.faults.clear()
        assert (await lab.shoot()).frame == 2


async def test_a_link_lost_during_a_readout_is_waited_for(make_lab: MakeLab, assert_pattern: Check) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.power(True)
        before = await exposed(lab, 4.0)
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        await lab.device.told("FRAME")
        lab.server.link_drop()
        info = await reading
        assert lab.archon.status.link_errors == 1
        assert_pattern(await lab.archon.timing.fetch(info))


async def test_a_link_that_broke_a_moment_ago_is_waited_for(powered: Any) -> None:
    """The state may still say UP: the wait must neither return at once nor turn in a circle."""
    before = await exposed(powered)
    powered.archon.reconnect()
    assert (await powered.archon.timing.new_frame(before)).complete


async def test_a_link_that_does_not_come_back(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.driver.timing._RELINK_SECONDS", 0.1)
    async with make_lab() as lab:
        before = await exposed(lab)
        await lab.server.__aexit__(None, None, None)
        await lab.down()
        with pytest.raises(ReadoutError, match=r"did not come back within 0.1 s"):
            await lab.archon.timing.new_frame(before)


async def test_a_stop_ends_the_waiting(make_lab: MakeLab) -> None:
    async with make_lab(speed=1.0) as lab:
        before = await exposed(lab, 600.0)
        reading = asyncio.create_task(lab.archon.timing.new_frame(before))
        await lab.device.told("FRAME")
        await lab.archon.stop()
        async with asyncio.timeout(3):
            with pytest.raises(LinkError, match="stopped"):
                await reading


async def test_a_controller_that_was_restarted_has_lost_the_image(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.live.until(lambda s: s.frames.timer > 20e8, 5)
        before = await exposed(lab, 600.0)
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
            before = await archon.get_frame()
            twisted[0] = 2
            with pytest.raises(ReadoutError, match="no frame started"):
                await archon.timing.new_frame(before)
            assert archon.status.link_errors >= 1


# Fetching


async def test_a_frame_is_locked_checked_fetched_checked_and_unlocked(powered: Any, assert_pattern: Check) -> None:
    info = await powered.shoot()
    powered.archon._keeper.undisturbed()
    async with powered.archon._keeper.undisturbed():  # no polling between
        start = powered.mark()
        assert_pattern(await powered.archon.timing.fetch(info))
    base = f"{info.base:08X}{info.image_blocks:08X}"
    assert powered.device.since(start) == ["LOCK1", "FRAME", f"FETCH{base}", "FRAME", "LOCK0"]
    assert powered.archon.status.fetch is None
    assert powered.archon.status.fetch_seconds > 0


async def test_the_frame_has_no_padding(powered: Any) -> None:
    frame = await powered.archon.timing.fetch(await powered.shoot())
    assert len(frame.data) == 120 * 66 * 2
    assert frame.info.image_blocks == 16


async def test_the_progress_of_a_fetch_is_seen(powered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.driver.timing._PROGRESS_PERIOD", 0.0)
    info = await powered.shoot()
    seen: list[Progress] = []

    async def watch() -> None:
        async for state in powered.archon.live.watch():
            seen.extend([state.fetch] if state.fetch else [])

    watching = asyncio.create_task(watch())
    await powered.archon.timing.fetch(info)
    watching.cancel()
    assert seen
    assert {(p.step, p.total) for p in seen} == {(Step.FETCHING, 16)}


async def test_a_frame_that_was_replaced_before_the_fetch(powered: Any) -> None:
    old = await powered.shoot()
    for _ in range(3):
        new = await powered.shoot()
    assert new.number == old.number
    with pytest.raises(ReadoutError, match="frame 1 in buffer 1 was replaced by frame 4"):
        await powered.archon.timing.fetch(old)
    assert powered.device.frames.locked == 0


async def test_a_frame_that_is_replaced_during_the_fetch(make_lab: MakeLab, witness: Any) -> None:
    class Careless(witness):
        def handle(self, command: str, now: float) -> Answer:
            answer = super().handle(command, now)
            if command.startswith("FETCH"):
                for n, buffer in enumerate(self.frames.buffers):
                    if buffer.shot:
                        self.frames.buffers[n] = replace(buffer, shot=replace(buffer.shot, frame=99))
            return answer

    async with make_lab(kind=Careless) as lab:
        await lab.archon.power(True)
        info = await lab.shoot()
        with pytest.raises(ReadoutError, match="replaced by frame 99"):
            await lab.archon.timing.fetch(info)
        assert lab.device.frames.locked == 0


@pytest.mark.parametrize("prefix", ["LOCK1", "FETCH0", "FETCHA"])
async def test_a_rejection_unlocks(powered: Any, assert_pattern: Check, prefix: str) -> None:
    info = await powered.shoot()
    if prefix == "FETCH0":
        wrong = replace(info, base=0)
        with pytest.raises(RejectedError, match="not inside a frame buffer"):
            await powered.archon.timing.fetch(wrong)
    else:
        powered.faults.reject = prefix
        with pytest.raises(RejectedError, match="rejected on purpose"):
            await powered.archon.timing.fetch(info)
    assert powered.device.frames.locked == 0
    assert powered.archon.status.fetch is None
    assert_pattern(await powered.archon.timing.fetch(info))


@pytest.mark.parametrize("changes", [{"width": 0}, {"width": -5}, {"width": 10**9}, {"height": 10**12}])
async def test_a_frame_of_no_possible_size(powered: Any, changes: dict[str, int]) -> None:
    info = replace(await powered.shoot(), **changes)
    start = powered.mark()
    with pytest.raises(ReadoutError, match="frame 1 has"):
        await powered.archon.timing.fetch(info)
    assert powered.device.since(start, *POLLS) == []


RECORD = 1028
LAST = 15 * RECORD


@pytest.mark.parametrize(
    "position", [0, 1, 3, 4, 5, RECORD - 1, RECORD, RECORD + 4, LAST - 1, LAST, LAST + 4, LAST + 480, LAST + RECORD - 1]
)
async def test_a_link_cut_in_a_fetch_loses_no_frame(powered: Any, assert_pattern: Check, position: int) -> None:
    info = await powered.shoot()
    powered.faults.cut_fetch_after_bytes = position
    with pytest.raises(LinkError):
        await powered.archon.timing.fetch(info)
    await powered.archon.timing.until_up()
    assert powered.device.frames.locked == 0
    assert_pattern(await powered.archon.timing.fetch(info))


async def test_everybody_who_waits_learns_of_a_link_cut_in_a_fetch(powered: Any) -> None:
    info = await powered.shoot()
    powered.faults.drop_link_after_blocks = 3
    fetching = asyncio.create_task(powered.archon.timing.fetch(info))
    await powered.device.told("FETCH")
    others = [powered.archon.get_system(), powered.archon.set_param("IntMS", 1), powered.archon.get_frame()]
    results = await asyncio.gather(fetching, *others, return_exceptions=True)
    assert all(isinstance(result, LinkError) for result in results)


async def test_garbage_in_a_fetch_breaks_the_link_not_the_frame(powered: Any, assert_pattern: Check) -> None:
    info = await powered.shoot()
    powered.faults.garbage = "FETCHA"
    with pytest.raises(LinkError):
        await powered.archon.timing.fetch(info)
    await powered.archon.timing.until_up()
    assert_pattern(await powered.archon.timing.fetch(info))


async def test_a_cancelled_fetch_unlocks_and_leaves_the_link_usable(powered: Any, assert_pattern: Check) -> None:
    info = await powered.shoot()
    fetching = asyncio.create_task(powered.archon.timing.fetch(info))
    await powered.device.told("FETCH")
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert powered.device.frames.locked == 0
    assert powered.archon.status.fetch is None
    assert powered.archon.status.link_errors == 0
    assert_pattern(await powered.archon.timing.fetch(info))


async def test_a_fetch_that_is_cancelled_while_it_locks_unlocks(powered: Any) -> None:
    info = await powered.shoot()
    powered.faults.delay_reply, powered.faults.delay_seconds = "LOCK1", 0.1
    fetching = asyncio.create_task(powered.archon.timing.fetch(info))
    await powered.device.told("LOCK1")
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert powered.device.frames.locked == 0


async def test_fetches_at_the_same_time_follow_each_other(powered: Any, assert_pattern: Check) -> None:
    """There is one lock: a second one would take the first one's away."""
    infos = [await powered.shoot() for _ in range(3)]
    start = powered.mark()
    for frame in await asyncio.gather(*(powered.archon.timing.fetch(info) for info in infos)):
        assert_pattern(frame)
    locks = [command for command in powered.device.since(start) if command.startswith("LOCK")]
    assert locks == ["LOCK1", "LOCK0", "LOCK2", "LOCK0", "LOCK3", "LOCK0"]


async def test_the_memory_of_a_frame_is_its_own(powered: Any) -> None:
    first = await powered.archon.timing.fetch(await powered.shoot())
    copy = bytes(first.data)
    second = await powered.archon.timing.fetch(await powered.shoot())
    assert bytes(first.data) == copy
    assert not np.shares_memory(np.asarray(first.data), np.asarray(second.data))


# Progress


async def test_the_progress_of_a_readout(make_lab: MakeLab) -> None:
    assert readout_progress(ControllerState()) is None
    async with make_lab(speed=1.0, line_seconds=0.003) as lab:
        assert readout_progress(lab.archon.status) is None
        before = await exposed(lab)
        await lab.archon.timing.frame_start(before)
        progress = readout_progress(lab.archon.status)
        assert progress is not None
        assert (progress.total, progress.step) == (33, Step.READING_OUT)
        assert 0 <= progress.done <= 33
        await lab.archon.timing.new_frame(before)
        assert readout_progress(lab.archon.status) is None
