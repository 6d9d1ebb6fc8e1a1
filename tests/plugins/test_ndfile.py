"""The state machine of all file plugins, on one that writes text: Single, Capture, Stream."""

import asyncio
from pathlib import Path

import pytest

from archon_ioc.errors import InputError, SaveError, StateError
from archon_ioc.exposure.settings import FileWriteMode
from tests.plugins.arrays import array
from tests.plugins.files import Many, One, begun, found, give

SINGLE, CAPTURE, STREAM = FileWriteMode


# Single


async def test_a_single_image_is_written_on_demand(one: One, folder: Path) -> None:
    await give(one, 1, 2)
    assert found(folder) == {}
    assert one.state.array.counter == 0
    await one.write_file()
    assert found(folder) == {"a_01.txt": [2]}
    state = one.state
    assert (state.captured, state.files.number, state.full_name) == (1, 2, f"{folder}/a_01.txt")


async def test_auto_save_writes_every_image(one: One, folder: Path) -> None:
    await one.set_files(auto_save=True)
    await give(one, 1, 2)
    assert found(folder) == {"a_01.txt": [1], "a_02.txt": [2]}
    assert one.state.array.counter == 2


async def test_auto_save_loses_no_image(one: One, folder: Path) -> None:
    await one.set_files(auto_save=True)
    one.change(queue_size=2)
    await give(one, *range(20, 40))
    assert len(found(folder)) == 20
    assert one.state.dropped == 0


async def test_there_is_nothing_to_write_yet(one: One) -> None:
    with pytest.raises(StateError, match="no image to write"):
        await one.write_file()
    assert one.state.error


async def test_no_capture_in_single_mode(one: One) -> None:
    with pytest.raises(StateError, match="no Capture in FileWriteMode Single"):
        await one.capture(1)
    state = one.state
    assert (state.capturing, state.error, "Single" in state.message) == (False, True, True)


# Stream


async def test_a_stream_ends_with_its_last_image(many: Many, folder: Path) -> None:
    await many.set_files(num_capture=3)
    task = await begun(many)
    assert (many.state.captured, many.state.full_name) == (0, "")
    await give(many, 1, 2)
    assert (many.state.captured, task.done()) == (2, False)
    await give(many, 3, 4)
    await asyncio.wait_for(task, 5)
    assert found(folder) == {"a_01.txt": [1, 2, 3]}
    state = many.state
    assert (state.captured, state.capturing, state.writing, state.array.counter) == (3, False, False, 3)


async def test_a_stream_ends_when_it_is_stopped(many: Many, folder: Path) -> None:
    task = await begun(many)
    await give(many, 1, 2)
    await many.capture(0)
    await asyncio.wait_for(task, 5)
    await give(many, 3)
    assert found(folder) == {"a_01.txt": [1, 2]}
    assert many.state.captured == 2


async def test_one_image_a_file_in_a_stream(one: One, folder: Path) -> None:
    await one.set_files(write_mode=STREAM, num_capture=2)
    task = await begun(one)
    await give(one, 5, 6, 7)
    await asyncio.wait_for(task, 5)
    assert found(folder) == {"a_01.txt": [5], "a_02.txt": [6]}


async def test_what_is_counted_can_be_read(one: One, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    one.live.follow(lambda state: seen.append((state.captured, len(found(folder)))))
    await one.set_files(write_mode=STREAM, num_capture=3)
    task = await begun(one)
    await give(one, 1, 2, 3)
    await asyncio.wait_for(task, 5)
    assert {captured for captured, _ in seen} == {0, 1, 2, 3}
    assert [pair for pair in seen if pair[1] < pair[0]] == []


async def test_a_file_is_opened_at_once_without_lazy_open(many: Many, folder: Path) -> None:
    await many.set_files(lazy_open=False)
    with pytest.raises(StateError, match="size of images is not known"):
        await many.capture(1)
    many.prime(array().geometry)
    await begun(many)
    assert found(folder) == {"a_01.txt": []}
    assert (many.state.full_name, many.state.files.number) == (f"{folder}/a_01.txt", 2)


@pytest.mark.parametrize("lazy", [False, True])
async def test_the_file_of_a_capture_is_that_before_the_next_number(many: Many, folder: Path, *, lazy: bool) -> None:
    many.prime(array().geometry)
    await many.set_files(lazy_open=lazy, number=0)
    await begun(many)
    assert many.state.files.number == 1
    await many.set_files(name="next")  # which holds for the next file
    await give(many, 1)
    await many.capture(0)
    assert (found(folder), many.state.files.number) == ({"a_00.txt": [1]}, 1)


async def test_a_second_begin_joins_the_first(many: Many) -> None:
    await many.set_files(num_capture=1)
    first, second = await begun(many), asyncio.create_task(many.capture(1))
    await asyncio.sleep(0)
    await give(many, 1)
    await asyncio.wait_for(asyncio.gather(first, second), 5)
    assert many.state.captured == 1


async def test_files_have_another_name_until_they_are_whole(many: Many, folder: Path) -> None:
    await many.set_files(temp_suffix=".tmp")
    await begun(many)
    await give(many, 1)
    assert list(found(folder)) == ["a_01.txt.tmp"]
    assert many.state.full_name == f"{folder}/a_01.txt"
    await many.capture(0)
    assert found(folder) == {"a_01.txt": [1]}


async def test_while_it_captures_it_rather_waits(many: Many, folder: Path) -> None:
    many.change(queue_size=2)
    assert not many.is_patient
    await begun(many)
    assert many.is_patient
    await give(many, *range(20, 60))
    await many.capture(0)
    assert found(folder)["a_01.txt"] == list(range(20, 60))
    assert many.state.dropped == 0


async def test_readers_see_what_is_flushed(many: Many, folder: Path) -> None:
    await many.flush()
    await begun(many)
    await give(many, 1)
    await many.flush()
    assert found(folder) == {"a_01.txt": [1]}


# Capture


async def test_a_buffer_is_written_on_demand(many: Many, folder: Path) -> None:
    await many.set_files(write_mode=CAPTURE, num_capture=2)
    task = await begun(many)
    await give(many, 1, 2, 3)
    await asyncio.wait_for(task, 5)
    assert (many.state.captured, found(folder)) == (2, {})
    await many.write_file()
    assert (many.state.captured, found(folder)) == (0, {"a_01.txt": [1, 2]})
    with pytest.raises(StateError, match="no image"):
        await many.write_file()


async def test_a_full_buffer_is_written_with_auto_save(one: One, folder: Path) -> None:
    await one.set_files(write_mode=CAPTURE, num_capture=2, auto_save=True)
    task = await begun(one)
    await give(one, 1, 2)
    await asyncio.wait_for(task, 5)
    assert found(folder) == {"a_01.txt": [1], "a_02.txt": [2]}
    assert (one.state.captured, one.state.capturing) == (0, False)


@pytest.mark.parametrize("auto_save", [True, False])
async def test_a_buffer_for_one_file_takes_images_of_one_size(many: Many, folder: Path, *, auto_save: bool) -> None:
    await many.set_files(write_mode=CAPTURE, num_capture=5, auto_save=auto_save)
    task = await begun(many)
    await give(many, 1, 2)
    await many.take(array(3, (8, 6)))
    await asyncio.wait_for(task, 5)
    assert (many.state.capturing, many.state.error) == (False, True)
    assert "image 3 is 6 x 8 UInt16, its file has 6 x 4 UInt16" in many.state.message
    if not auto_save:
        await many.write_file()
    assert found(folder) == {"a_01.txt": [1, 2]}


async def test_a_buffer_whose_end_is_put_off_ends_where_memory_does(many: Many, folder: Path) -> None:
    await many.set_files(write_mode=CAPTURE, num_capture=3)
    task = await begun(many)
    await many.set_files(num_capture=1000)
    many.memory_limit = 3 * array().pixels.nbytes
    await give(many, 1, 2, 3, 4)
    await asyncio.wait_for(task, 5)
    assert "there is memory for 3 images" in many.state.message
    await many.write_file()
    assert found(folder) == {"a_01.txt": [1, 2, 3]}


async def test_a_buffer_can_be_dropped(many: Many, folder: Path) -> None:
    await many.set_files(write_mode=CAPTURE, num_capture=2)
    task = await begun(many)
    with pytest.raises(StateError, match="must be ended first"):
        await many.free_capture()
    await give(many, 1)
    await many.capture(0)
    await task
    assert many.state.captured == 1
    await many.free_capture()
    assert many.state.captured == 0
    with pytest.raises(StateError):
        await many.write_file()


async def test_a_buffer_that_could_not_be_written_stays(many: Many, folder: Path) -> None:
    await many.set_files(write_mode=CAPTURE, num_capture=2)
    task = await begun(many)
    await give(many, 1, 2)
    await task
    (folder / "a_01.txt").write_text("99")
    with pytest.raises(SaveError, match="exists already"):
        await many.write_file()
    await many.set_files(number=5)
    await many.write_file()
    assert found(folder) == {"a_01.txt": [99], "a_05.txt": [1, 2]}


@pytest.mark.parametrize(("count", "words"), [(0, "NumCapture is 0"), (1000, "there is memory for 20 images")])
async def test_a_buffer_has_an_end(many: Many, count: int, words: str) -> None:
    many.memory_limit = 1000
    many.prime(array().geometry)
    await many.set_files(write_mode=CAPTURE, num_capture=count)
    with pytest.raises(InputError, match=words):
        await many.capture(1)
