"""When hooks are called, and that no mistake of theirs costs an image."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from archon_ioc.errors import ArchonError, SaveError, StateError
from archon_ioc.exposure.hooks import HookCall
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode

NAMES = ("pre_expose", "during_exposure", "during_readout", "post_process")
ALONG = ("during_exposure", "during_readout")


class Witness:
    """Hooks that note in which phase they are called, and what they are told."""

    def __init__(self, bench) -> None:
        self._bench = bench
        self.calls: list[tuple[str, Phase]] = []
        self.told: dict[str, HookCall] = {}
        for name in NAMES:
            setattr(bench.camera.hooks, name, partial(self.note, name))

    async def note(self, name: str, exposure: HookCall) -> None:
        self.calls.append((name, self._bench.camera.state.phase))
        self.told[name] = exposure


async def until_called(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 10)


async def test_each_has_its_moment(bench) -> None:
    witness = Witness(bench)
    bench.camera.change(seconds=0.05)
    await bench.camera.acquire()
    assert witness.calls == [
        ("pre_expose", Phase.PREPARING),
        ("during_exposure", Phase.INTEGRATING),
        ("during_readout", Phase.READING),
        ("post_process", Phase.SAVING),
    ]
    before, after = witness.told["pre_expose"], witness.told["post_process"]
    assert (before.settings.seconds, before.controllers, before.files) == (0.05, (bench.controller.name,), ())
    assert before.number == after.number
    assert after.files == (bench.folder / bench.files[0],)
    assert after.folder == bench.folder
    assert bench.camera.state.message == "Done"


async def test_nothing_is_started_before_the_first_one_is_done(bench) -> None:
    called, released = asyncio.Event(), asyncio.Event()
    sent: list[str] = []

    async def wait_for_dome(_: HookCall) -> None:
        sent.extend(bench.device.commands)
        called.set()
        await released.wait()

    bench.camera.hooks.pre_expose = wait_for_dome
    client = bench.start()
    await until_called(called)
    assert not [command for command in sent if "TIMING" in command or "LOADPARAM" in command]
    assert (bench.camera.state.acquiring, bench.camera.state.phase) == (True, Phase.PREPARING)
    released.set()
    await client
    assert len(bench.files) == 1


@pytest.mark.parametrize("is_async", [True, False])
async def test_it_may_refuse_the_exposure(bench, is_async: bool) -> None:
    def refuse(_: HookCall) -> None:
        raise ValueError("the dome is closed")

    async def refuse_too(exposure: HookCall) -> None:
        refuse(exposure)

    bench.camera.hooks.pre_expose = refuse_too if is_async else refuse
    with pytest.raises(StateError, match="pre_expose: the dome is closed"):
        await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.message, bench.files) == (Outcome.FAILED, "pre_expose: the dome is closed", [])
    assert not [command for command in bench.device.commands if "HOLDTIMING" in command], "nothing was started"
    assert state.settings.files.number == 1, "no number was taken"
    bench.camera.hooks.pre_expose = None
    await bench.good()


async def test_images_before_the_refused_one_are_kept(bench) -> None:
    calls: list[HookCall] = []

    def refuse_the_third(exposure: HookCall) -> None:
        calls.append(exposure)
        if len(calls) == 3:
            raise RuntimeError("clouds")

    bench.camera.hooks.pre_expose = refuse_the_third
    bench.camera.change(seconds=0.0, image_mode=ImageMode.MULTIPLE, num_images=5)
    with pytest.raises(StateError, match="clouds"):
        await bench.camera.acquire()
    assert len(bench.files) == 2
    assert bench.camera.state.phase is Phase.IDLE
    bench.assert_resting()


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_mistake_of_another_one_costs_no_image_and_is_told(bench, caplog, name: str, is_async: bool) -> None:
    def fail(_: HookCall) -> None:
        raise KeyError("oh dear")

    async def fail_too(exposure: HookCall) -> None:
        fail(exposure)

    setattr(bench.camera.hooks, name, fail_too if is_async else fail)
    bench.camera.change(seconds=0.1)
    await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, len(bench.files)) == (Outcome.DONE, 1)
    assert state.message == f"Done, but {name}: 'oh dear'"
    assert state.hook_problem == f"{name}: 'oh dear'"
    assert any(record.levelname == "ERROR" and name in record.message and record.exc_info for record in caplog.records)
    setattr(bench.camera.hooks, name, None)
    await bench.good()
    assert bench.camera.state.hook_problem == ""


@pytest.mark.parametrize("name", ALONG)
async def test_one_that_goes_along_is_cancelled_at_the_end(bench, name: str) -> None:
    ends: list[Phase] = []

    async def guide(_: HookCall) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(bench.camera.state.phase)

    setattr(bench.camera.hooks, name, guide)
    bench.camera.change(seconds=0.1)
    await bench.camera.acquire()
    assert (len(ends), bench.camera.state.message) == (1, "Done")
    assert ends[0] is (Phase.READING if name == "during_exposure" else Phase.SAVING)


@pytest.mark.parametrize("name", ALONG)
async def test_a_plain_one_is_told_when_it_is_over(bench, name: str) -> None:
    ended: list[bool] = []

    def guide(exposure: HookCall) -> None:
        ended.append(exposure.over.wait(10))

    setattr(bench.camera.hooks, name, guide)
    bench.camera.change(seconds=0.1)
    await bench.camera.acquire()
    assert ended == [True]
    assert bench.camera.state.message == "Done"


@pytest.mark.parametrize("name", NAMES)
async def test_one_that_hangs_is_waited_for_so_long_and_no_longer(bench, name: str) -> None:
    released = threading.Event()
    bench.camera.hooks.timeout = 0.1
    setattr(bench.camera.hooks, name, lambda _: released.wait(10) and None)
    bench.camera.change(seconds=0.05)
    if name == "pre_expose":
        with pytest.raises(StateError, match=r"pre_expose did not end within 0\.1 s"):
            await bench.camera.acquire()
    else:
        await bench.camera.acquire()
        assert bench.camera.state.message == f"Done, but {name} did not end within 0.1 s"
        assert len(bench.files) == 1
    released.set()


@pytest.mark.parametrize("name", NAMES[:3])
async def test_an_abort_cancels_it(bench, name: str) -> None:
    called, cancelled = asyncio.Event(), asyncio.Event()

    async def hang(_: HookCall) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    setattr(bench.camera.hooks, name, hang)
    bench.sim_line(0.05)
    bench.camera.change(seconds=10.0 if name == "during_exposure" else 0.0)
    client = bench.start()
    await until_called(called)
    await bench.camera.abort()
    await client
    await until_called(cancelled)
    assert (bench.camera.state.outcome, bench.files) == (Outcome.ABORTED, [])
    bench.assert_resting()


async def test_acquire_need_not_wait_for_the_last_one(bench) -> None:
    called, released, processed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    files: list[Path] = []

    async def process(exposure: HookCall) -> None:
        called.set()
        await released.wait()
        files.extend(exposure.files)
        processed.set()

    bench.camera.hooks.post_process, bench.camera.hooks.wait = process, False
    await bench.camera.acquire()
    await until_called(called)
    assert (files, bench.camera.state.message) == ([], "Done")
    released.set()
    await until_called(processed)
    assert [file.name for file in files] == bench.files


async def test_it_waits_for_it_by_default_and_images_come_in_their_order(bench) -> None:
    numbers: list[int] = []

    async def process(exposure: HookCall) -> None:
        await asyncio.sleep(0)
        assert all(file.exists() for file in exposure.files)
        numbers.append(exposure.number)

    bench.camera.hooks.post_process = process
    bench.camera.change(seconds=0.0, image_mode=ImageMode.MULTIPLE, num_images=4)
    await bench.camera.acquire()
    assert numbers == [1, 2, 3, 4]


async def test_without_files_there_is_nothing_to_process_until_they_are_written(bench) -> None:
    witness = Witness(bench)
    await bench.camera.filing.change(auto_save=False)
    await bench.camera.acquire()
    assert "post_process" not in witness.told
    await bench.camera.filing.write()
    await asyncio.sleep(0)
    await bench.camera.acquire()  # which waits for what the hooks still do
    assert [file.name for file in witness.told["post_process"].files] == bench.files


async def test_a_readout_of_its_own_has_its_hook(bench) -> None:
    witness = Witness(bench)
    bench.camera.change(seconds=0.05, readout=False)
    await bench.camera.acquire()
    assert [name for name, _ in witness.calls] == ["pre_expose", "during_exposure"]
    await bench.camera.read()
    assert [name for name, _ in witness.calls][2:] == ["during_readout", "post_process"]


async def test_each_exposure_of_a_sum_is_gone_along_with(bench) -> None:
    witness = Witness(bench)
    bench.camera.change(seconds=0.02, num_exposures=2)
    await bench.camera.acquire()
    names = [name for name, _ in witness.calls]
    assert names == ["pre_expose", *ALONG, *ALONG, "post_process"]


async def test_what_is_left_of_an_image_is_processed(groups) -> None:
    told: list[HookCall] = []
    async with groups(2) as group:
        group.camera.hooks.post_process = told.append
        await group.camera.acquire()
        assert [len(call.files) for call in told] == [2], "once, with the files of both"
        assert told[0].controllers == ("b1", "r1")


async def test_what_is_recovered_is_processed_too(bench) -> None:
    witness = Witness(bench)
    bench.sim.faults.reject = "FETCHA"
    bench.camera.change(seconds=0.05)
    with pytest.raises(ArchonError, match="rejected"):
        await bench.camera.acquire()
    await bench.until(lambda state: state.journal.pending == 0)
    async with asyncio.timeout(10):
        while "post_process" not in witness.told:  # noqa: ASYNC110
            await asyncio.sleep(0)
    told = witness.told["post_process"]
    assert told.files == (bench.folder / "archon_0001.fits",)
    assert (told.number, told.settings.seconds, told.folder) == (1, 0.05, bench.folder)


async def test_what_several_controllers_had_left_is_processed_as_one_image(groups) -> None:
    calls: list[HookCall] = []
    async with groups(2) as group:
        client = group.start(seconds=0.1)
        await group.until_phase(Phase.INTEGRATING)
        await group.end_without_a_word()
        await asyncio.wait([client])
        client.exception()
        async with group.next_life() as camera:
            camera.hooks.post_process = calls.append
            await camera.live.until(lambda state: state.is_up)
            await camera.live.until(lambda state: state.journal.pending == 0)
            async with asyncio.timeout(10):
                while sum(len(call.files) for call in calls) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0)
    assert sorted(file.name for call in calls for file in call.files) == ["archon_0001_b1.fits", "archon_0001_r1.fits"]


async def test_a_recovery_that_was_asked_for_waits_for_it(bench, tmp_path: Path) -> None:
    witness = Witness(bench)
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    moved = bench.folder.rename(tmp_path / "moved")
    bench.folder.write_text("in the way")
    with pytest.raises(SaveError):
        await client
    bench.folder.unlink()
    moved.rename(bench.folder)
    assert "post_process" not in witness.told
    await bench.camera.recovery.recover()
    assert [name for name, _ in witness.calls].count("post_process") == 1
    assert witness.told["post_process"].files == (bench.folder / "archon_0001.fits",)


async def test_also_a_bias_is_gone_along_with(bench) -> None:
    witness = Witness(bench)
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    assert [name for name, _ in witness.calls] == list(NAMES)


async def test_a_stop_of_the_program_waits_for_no_hook(bench) -> None:
    called, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hang(_: HookCall) -> None:
        loop.call_soon_threadsafe(called.set)
        released.wait(10)

    bench.camera.hooks.during_exposure = hang
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await until_called(called)
    bench.running.cancel()
    await asyncio.wait([bench.running], timeout=3)
    assert bench.running.done()
    await asyncio.wait([client])
    bench.assert_resting()
    released.set()
