"""The state machine of all file plugins, on one that writes text: Single, Capture, Stream, and what can go wrong."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.errors import InputError, SaveError, StateError
from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.ndarray import Attribute, NDArray
from archon_ioc.plugins.ndfile import FilePlugin
from archon_ioc.plugins.ndfile_state import NDFileSettings, NDFileState
from archon_ioc.plugins.open_file import Opening
from tests.plugins.arrays import array

SINGLE, CAPTURE, STREAM = FileWriteMode


class Numbers:
    """A file with the number of each image; 13 cannot be written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x", encoding="ascii")
        self.closed = False

    def write(self, array: NDArray) -> None:
        if array.unique_id == 13:
            raise SaveError(self._file.name, "no space left on device")
        if array.unique_id == 14:
            raise ZeroDivisionError
        self._file.write(f"{array.unique_id}\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Many(FilePlugin[NDFileState]):
    """Writes many images into one file."""

    holds_many = True

    def create(self, opening: Opening) -> Numbers:
        return Numbers(opening.path)


class One(Many):
    """Writes each image into a file of its own."""

    holds_many = False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    return path


def settings(folder: Path, **changes: Any) -> NDFileState:
    files = NDFileSettings(path=f"{folder}/", name="a", template="%s%s_%2.2d.txt")
    return NDFileState(files=files.changed(**changes))


@pytest.fixture
async def many(folder: Path, running: Any) -> AsyncGenerator[Many]:
    plugin = Many("FILE", settings(folder, write_mode=STREAM, num_capture=0))
    async with running(plugin):
        await plugin.live.until(lambda state: state.path_exists, 5)
        yield plugin


@pytest.fixture
async def one(folder: Path, running: Any) -> AsyncGenerator[One]:
    plugin = One("FILE", settings(folder))
    async with running(plugin):
        await plugin.live.until(lambda state: state.path_exists, 5)
        yield plugin


async def begun(plugin: FilePlugin[NDFileState]) -> asyncio.Task[None]:
    """Begin a capture; the task ends with it."""
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    return task


async def give(plugin: FilePlugin[NDFileState], *numbers: int) -> None:
    for number in numbers:
        await plugin.take(array(number))
    await plugin.idle()


def found(folder: Path) -> dict[str, list[int]]:
    """Return the numbers in each file."""
    return {path.name: [int(line) for line in path.read_text().split()] for path in sorted(folder.iterdir())}


def named(number: int, **attributes: float | int | str) -> NDArray:
    return replace(array(number), attributes={name: Attribute(value) for name, value in attributes.items()})


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


# Names and folders


async def test_puts_may_come_in_any_order_and_at_once(many: Many, tmp_path: Path) -> None:
    await asyncio.gather(
        many.set_files(path=f"{tmp_path}/x/y"),
        many.set_files(name="b"),
        many.set_files(template="%s%s.txt"),
        many.set_files(number=0),
        many.set_files(create_directory=-2),
        many.set_files(write_mode=2),
    )
    assert many.state.path_exists
    assert many.state.files.path == f"{tmp_path}/x/y/"
    task = await begun(many)
    await give(many, 1)
    await many.capture(0)
    await task
    assert found(tmp_path / "x" / "y") == {"b.txt": [1]}


async def test_a_folder_that_is_none(many: Many, tmp_path: Path) -> None:
    await many.set_files(create_directory=0)
    await many.set_files(path=f"{tmp_path}/none")
    assert (many.state.path_exists, "none" in many.state.message) == (False, True)
    with pytest.raises(SaveError, match="there is no folder"):
        await many.capture(1)
    await many.set_files(create_directory=-1)
    assert (many.state.path_exists, many.state.capturing) == (True, False)


async def test_fields_of_a_path_are_resolved_when_a_file_is_made(folder: Path, running: Any) -> None:
    def resolve(path: str) -> str:
        if "{wrong}" in path:
            raise InputError("{wrong} is no field")
        return path.replace("%Y", "2026")

    plugin = Many("FILE", settings(folder, write_mode=STREAM), resolve)
    async with running(plugin):
        await plugin.set_files(path=f"{folder}/%Y")
        await begun(plugin)
        await give(plugin, 1)
        assert plugin.state.full_name == f"{folder}/2026/a_01.txt"
        await plugin.set_files(path=f"{folder}/{{wrong}}")
        assert (plugin.state.path_exists, plugin.state.message) == (False, "{wrong} is no field")


async def test_files_are_never_written_over(many: Many, folder: Path) -> None:
    for name in ("a_01.txt", "a_02.txt"):
        (folder / name).write_text("7")
    with pytest.raises(SaveError, match=r"a_01.txt: it exists already; the next free FileNumber is 3"):
        await many.capture(1)
    assert (many.state.error, many.state.files.number) == (True, 1)
    await many.set_files(template="%s%s_01.txt")
    with pytest.raises(SaveError, match=r"exists already$"):
        await many.capture(1)
    assert found(folder)["a_01.txt"] == [7]


async def test_numbers_of_files_from_before_are_not_used_again(folder: Path, running: Any) -> None:
    for name in ("a_01.txt", "a_02.txt", "a_04.txt"):
        (folder / name).touch()
    for template, number in (("%s%s_%2.2d.txt", 3), ("%s%s_01.txt", 1), ("", 1)):
        plugin = Many("FILE", replace(settings(folder), files=replace(settings(folder).files, template=template)))
        async with running(plugin):
            await plugin.live.until(lambda state: state.path_exists, 5)
            await plugin.flush()
            await plugin.live.until(lambda state, number=number: state.files.number == number, 5)


async def test_a_name_that_is_taken_in_a_stream_ends_it(one: One, folder: Path) -> None:
    (folder / "a_02.txt").write_text("7")
    await one.set_files(write_mode=STREAM, num_capture=0)
    task = await begun(one)
    await give(one, 1, 2, 3)
    await asyncio.wait_for(task, 5)
    assert found(folder) == {"a_01.txt": [1], "a_02.txt": [7]}
    assert (one.state.captured, one.state.error, one.state.capturing) == (1, True, False)


async def test_numbers_can_stay(one: One, folder: Path) -> None:
    await one.set_files(auto_increment=False)
    await give(one, 1)
    await one.write_file()
    assert one.state.files.number == 1


# What goes wrong


@pytest.mark.parametrize(("number", "words"), [(13, "no space left"), (14, "ZeroDivisionError")])
async def test_an_error_ends_a_stream_and_keeps_what_is_there(
    many: Many, folder: Path, number: int, words: str
) -> None:
    told: list[str] = []
    many.tell = told.append
    task = await begun(many)
    await give(many, 1, 2, number, 3)
    await asyncio.wait_for(task, 5)
    state = many.state
    assert (state.capturing, state.writing, state.error, state.captured) == (False, False, True, 2)
    assert words in state.message
    assert found(folder) == {"a_01.txt": [1, 2]}
    assert len(told) == 1
    await begun(many)  # … and the next one works
    await give(many, 4)
    await many.capture(0)
    assert (found(folder)["a_02.txt"], many.state.error) == ([4], False)


async def test_half_a_file_of_one_image_is_not_kept(one: One, folder: Path) -> None:
    await one.set_files(auto_save=True)
    await give(one, 13)
    assert (found(folder), one.state.error) == ({}, True)
    await give(one, 1)
    assert (found(folder), one.state.error) == ({"a_02.txt": [1]}, False)


async def test_an_image_of_another_size_ends_the_capture(many: Many, folder: Path) -> None:
    task = await begun(many)
    await give(many, 1)
    await many.take(array(2, (3, 3)))
    await many.idle()
    await asyncio.wait_for(task, 5)
    assert "image 2 is 3 x 3 UInt16, its file has 6 x 4 UInt16" in many.state.message
    assert (many.state.error, found(folder)) == (True, {"a_01.txt": [1]})


async def test_a_plugin_that_is_disabled_ends_its_capture(many: Many, folder: Path) -> None:
    task = await begun(many)
    await give(many, 1)
    many.change(enabled=False)
    await asyncio.wait_for(task, 5)
    assert (many.state.error, "disabled" in many.state.message) == (True, True)
    assert found(folder) == {"a_01.txt": [1]}
    with pytest.raises(StateError, match="EnableCallbacks is Disable"):
        await many.capture(1)


async def test_the_mode_stays_during_a_capture(many: Many) -> None:
    task = await begun(many)
    with pytest.raises(StateError, match="during a capture"):
        await many.set_files(write_mode=SINGLE)
    with pytest.raises(StateError, match="written by itself"):
        await many.write_file()
    assert many.state.capturing
    assert not task.done()


async def test_a_refusal_is_told_where_file_plugins_tell_it(many: Many) -> None:
    told: list[str] = []
    many.tell = told.append
    many.refused("no")
    assert (many.state.message, many.state.error, told) == ("no", False, ["FILE: no"])


async def test_the_file_is_closed_when_the_program_ends(folder: Path, running: Any) -> None:
    plugin = Many("FILE", settings(folder, write_mode=STREAM, temp_suffix=".tmp"))
    await plugin.set_files(num_capture=0)
    async with running(plugin):
        await begun(plugin)
        await give(plugin, 1)
    assert found(folder) == {"a_01.txt": [1]}
    assert not plugin.state.capturing


# Attributes that steer


async def test_images_for_others_are_left_alone(many: Many, folder: Path) -> None:
    await begun(many)
    for number, destination in enumerate(("FILE", "file", "ALL", "OTHER"), 1):
        await many.take(named(number, FilePluginDestination=destination))
    await many.idle()
    await many.capture(0)
    assert found(folder) == {"a_01.txt": [1, 2, 3]}


async def test_an_image_may_name_its_file(many: Many, folder: Path) -> None:
    await many.set_files(lazy_open=False)
    await many.take(named(0, FilePluginFileName="x"))
    await many.idle()
    await begun(many)
    for number, name in ((1, "x"), (2, "x"), (3, "y")):
        await many.take(named(number, FilePluginFileName=name, FilePluginFileNumber=4))
    await many.idle()
    await many.capture(0)
    assert found(folder) == {"x_04.txt": [1, 2], "y_04.txt": [3]}
    files = many.state.files
    assert (files.name, files.number, files.auto_increment) == ("y", 4, False)
    assert many.state.captured == 1


async def test_an_image_may_be_the_last(many: Many, folder: Path) -> None:
    task = await begun(many)
    await many.take(named(1, FilePluginClose=0))
    await many.take(named(2, FilePluginClose=1))
    await asyncio.wait_for(task, 5)
    assert found(folder) == {"a_01.txt": [1, 2]}


async def test_the_file_of_the_driver_is_deleted_if_wanted(one: One, folder: Path, tmp_path: Path) -> None:
    driver = tmp_path / "driver.raw"
    driver.write_text("x")
    await one.set_files(auto_save=True)
    await one.take(named(1, DriverFileName=str(driver)))
    await one.idle()
    assert driver.exists()
    await one.set_files(delete_driver_file=True)
    for number in (2, 3):
        await one.take(named(number, DriverFileName=str(driver)))
    await one.idle()
    assert not driver.exists()
    assert (len(found(folder)), "cannot delete" in one.state.message, one.state.error) == (3, True, False)


async def test_a_chain_waits_for_files(folder: Path) -> None:
    plugin = Many("FILE", settings(folder, write_mode=STREAM))
    chain = Chain("CAM", [plugin])
    task = asyncio.create_task(chain.run())
    await begun(plugin)
    await chain.send(array(1))
    await chain.settled()
    assert plugin.state.captured == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
