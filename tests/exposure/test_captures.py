"""Captures of the camera's own files: Stream, and Capture, which is the same."""

import asyncio
from pathlib import Path

import pytest

from archon_ioc.errors import ArchonError, SaveError, StateError
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import FileWriteMode

from .several import Groups

SINGLE, CAPTURE, STREAM = FileWriteMode


async def begun(bench) -> asyncio.Task[None]:
    task = asyncio.create_task(bench.camera.filing.capture(1))
    await bench.until(lambda state: state.file.capturing)
    return task


async def expose(bench, images: int = 1) -> None:
    bench.camera.change(seconds=0.01, num_images=images, image_mode=1)
    await bench.camera.acquire()


@pytest.mark.parametrize("mode", [CAPTURE, STREAM])
async def test_so_many_images_are_filed(bench, mode: FileWriteMode) -> None:
    await bench.camera.filing.change(auto_save=False, write_mode=mode, num_capture=2, number=0)
    await expose(bench)
    assert bench.files == []
    task = await begun(bench)
    states = bench.note_states()
    await expose(bench, 3)
    await asyncio.wait_for(task, 5)
    assert bench.files == ["archon_0000.fits", "archon_0001.fits"]
    assert [state.file.captured for state in states if state.file.capturing][-1] == 2
    file = bench.camera.state.file
    assert (file.captured, file.capturing, file.filed) == (2, False, 2)
    await expose(bench)
    assert len(bench.files) == 2


async def test_with_auto_save_all_others_are_filed_too(bench) -> None:
    await bench.camera.filing.change(write_mode=STREAM, num_capture=1)
    await expose(bench)
    task = await begun(bench)
    await expose(bench, 2)
    await asyncio.wait_for(task, 5)
    assert len(bench.files) == 3
    assert (bench.camera.state.file.captured, bench.camera.state.file.filed) == (1, 3)


async def test_what_is_counted_can_be_read(bench) -> None:
    seen: list[tuple[int, int]] = []
    await bench.camera.filing.change(auto_save=False, write_mode=STREAM, num_capture=0)
    task = await begun(bench)
    bench.camera.live.follow(lambda state: seen.append((state.file.captured, len(bench.files))))
    await expose(bench, 2)
    assert not task.done()
    await bench.camera.filing.capture(0)
    await asyncio.wait_for(task, 5)
    assert max(seen) == (2, 2)
    assert [pair for pair in seen if pair[1] < pair[0]] == []


async def test_a_capture_that_cannot_begin(bench, tmp_path: Path) -> None:
    filing = bench.camera.filing
    with pytest.raises(StateError, match="no Capture in FileWriteMode Single"):
        await filing.capture(1)
    await filing.change(write_mode=STREAM, number=5)
    (bench.folder / "archon_0005.fits").touch()
    with pytest.raises(SaveError, match="exists already"):
        await filing.capture(1)
    await filing.change(number=6)
    filing.is_enabled = lambda: False
    with pytest.raises(StateError, match="EnableCallbacks is Disable"):
        await filing.capture(1)
    assert not bench.camera.state.file.capturing


async def test_nothing_is_filed_where_it_is_disabled(bench) -> None:
    bench.camera.filing.is_enabled = lambda: False
    await expose(bench)
    assert bench.files == []
    await bench.camera.filing.write()
    assert bench.files == ["archon_0001.fits"]


async def test_the_mode_stays_during_a_capture(bench) -> None:
    await bench.camera.filing.change(write_mode=STREAM)
    task = await begun(bench)
    with pytest.raises(StateError, match="during a capture"):
        await bench.camera.filing.change(write_mode=SINGLE)
    await bench.camera.filing.capture(0)
    await task


async def test_an_error_ends_a_capture_and_the_next_works(bench) -> None:
    filing = bench.camera.filing
    await filing.change(auto_save=False, write_mode=STREAM, num_capture=0, auto_increment=False)
    task = await begun(bench)
    bench.camera.change(seconds=0.2)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    (bench.folder / "archon_0001.fits").touch()
    with pytest.raises(ArchonError, match="exists already"):
        await client
    await asyncio.wait_for(task, 5)
    file = bench.camera.state.file
    assert (file.capturing, file.error, file.captured) == (False, True, 0)
    await filing.change(auto_increment=True, number=7)
    task = await begun(bench)
    assert not bench.camera.state.file.error
    await expose(bench)
    await filing.capture(0)
    await task
    assert bench.files == ["archon_0001.fits", "archon_0007.fits"]


async def test_an_image_that_is_written_twice_counts_once(bench) -> None:
    await bench.camera.filing.change(write_mode=STREAM, num_capture=0)
    await begun(bench)
    await expose(bench)
    await bench.camera.filing.write()
    assert (len(bench.files), bench.camera.state.file.captured) == (2, 1)


async def test_images_of_a_capture_are_not_written_once_more(bench) -> None:
    await bench.camera.filing.change(auto_save=False, write_mode=CAPTURE, num_capture=2)
    task = await begun(bench)
    await expose(bench, 2)
    await asyncio.wait_for(task, 5)
    await bench.camera.filing.write()
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]
    await expose(bench)
    await bench.camera.filing.write()
    assert len(bench.files) == 3, "an image beyond the capture is written by hand"


async def test_a_capture_that_is_broken_off(bench) -> None:
    captures = bench.camera.filing.captures
    assert not captures.break_off("why")
    assert not bench.camera.state.file.error
    await bench.camera.filing.change(write_mode=STREAM)
    task = await begun(bench)
    assert captures.break_off("why")
    await asyncio.wait_for(task, 5)
    file = bench.camera.state.file
    assert (file.capturing, file.error, file.message) == (False, True, "why")


async def test_files_of_several_controllers_are_one_image(groups: Groups) -> None:
    async with groups() as group:
        await group.camera.filing.change(auto_save=False, write_mode=STREAM, num_capture=1)
        task = asyncio.create_task(group.camera.filing.capture(1))
        await group.camera.live.until(lambda state: state.file.capturing, 5)
        await group.start(seconds=0.0)
        await asyncio.wait_for(task, 5)
        assert group.files == ["archon_0001_b1.fits", "archon_0001_r1.fits"]
        assert group.camera.state.file.captured == 1
