"""Fetching frames, and the progress of a readout."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.prediction import readout_progress
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.errors import LinkError, ReadoutError, RejectedError
from archon_ioc.protocol.replies import Frame
from archon_ioc.sim.answers import Answer

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Check = Callable[[Frame], None]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


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


async def test_the_progress_of_a_readout(make_lab: MakeLab, acf: Acf) -> None:
    assert readout_progress(ControllerState()) is None
    async with make_lab(acf.with_parameter("WaitCount", 6), speed=1.0) as lab:
        assert readout_progress(lab.archon.status) is None
        before = await lab.exposed()
        await lab.archon.timing.frame_start(before)
        progress = readout_progress(lab.archon.status)
        assert progress is not None
        assert (progress.total, progress.step) == (33, Step.READING_OUT)
        assert 0 <= progress.done <= 33
        await lab.archon.timing.new_frame(before)
        assert readout_progress(lab.archon.status) is None
