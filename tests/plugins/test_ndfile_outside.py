"""What file plugins meet: folders and names, errors, and images that want something."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.errors import InputError, SaveError, StateError
from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.chain import Chain
from tests.plugins.arrays import array
from tests.plugins.files import Many, One, begun, found, give, named, settings

SINGLE, CAPTURE, STREAM = FileWriteMode


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


async def test_the_folder_of_a_new_night_is_made_when_a_capture_begins(folder: Path, running: Any) -> None:
    night = "1"
    plugin = Many("FILE", settings(folder, write_mode=STREAM), lambda path: path.replace("%d", night))
    async with running(plugin):
        await plugin.live.until(lambda state: state.path_exists, 5)
        await plugin.set_files(path=f"{folder}/%d")
        night = "2"
        task = await begun(plugin)
        await give(plugin, 1)
        await plugin.capture(0)
        await task
        assert found(folder / "2") == {"a_01.txt": [1]}
        assert plugin.state.path_exists


@pytest.mark.parametrize("mode", [SINGLE, STREAM])
async def test_a_folder_that_vanished_is_shown_with_the_error(one: One, folder: Path, mode: FileWriteMode) -> None:
    await one.set_files(create_directory=0, write_mode=mode, auto_save=True)
    if mode is STREAM:
        await begun(one)
    await asyncio.to_thread(folder.rmdir)
    await give(one, 1)
    assert (one.state.path_exists, one.state.error, one.state.capturing) == (False, True, False)
    assert "there is no folder" in one.state.message


async def test_a_folder_that_vanishes_while_nothing_is_written_is_noticed(one: One, folder: Path) -> None:
    await asyncio.to_thread(folder.rmdir)
    await one.live.until(lambda state: not state.path_exists, 10)
    await asyncio.to_thread(folder.mkdir)  # it was not made before a file needs it
    await one.live.until(lambda state: state.path_exists, 10)
    assert not one.state.error


async def test_what_went_wrong_is_told_though_the_name_is_long(many: Many) -> None:
    await many.set_files(name="x" * 255)
    task = await begun(many)
    await give(many, 1)
    await task
    assert many.state.message.endswith("File name too long")
    assert len(many.state.message) == 255


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
            state = await plugin.live.until(lambda state: state.path_exists, 5)
            assert state.files.number == number


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
