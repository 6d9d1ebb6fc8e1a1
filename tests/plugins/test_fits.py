"""FITS1 shows the camera's own files as a file plugin."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.config import FilesConfig, SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import InputError, StateError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.state import update
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.fits import FitsPlugin
from archon_ioc.plugins.plugin import Plugin, PluginState
from tests.plugins.arrays import array


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    files = FilesConfig(path=tmp_path / "images", state=tmp_path / "state")
    return Camera([ArchonController("127.0.0.1")], SiteConfig(files=files))


@pytest.fixture
async def plugin(camera: Camera, running: Any) -> AsyncGenerator[FitsPlugin]:
    made = FitsPlugin("FITS")
    made.attach(camera.filing, camera.live)
    async with running(made):
        yield made


async def test_what_is_put_is_the_cameras(plugin: FitsPlugin, camera: Camera, tmp_path: Path) -> None:
    await plugin.set_files(path=f"{tmp_path}/x", name="m31", write_mode=2)
    assert camera.filing.settings.name == "m31"
    assert plugin.state.files == camera.filing.settings
    assert (plugin.state.path_exists, plugin.state.files.path) == (True, f"{tmp_path}/x/")
    with pytest.raises(StateError, match="no image to write"):
        await plugin.write_file(1)
    await plugin.write_file(0)
    await plugin.free_capture(1)


async def test_files_are_counted_when_they_are_there(plugin: FitsPlugin, camera: Camera) -> None:
    await plugin.take(array(7))
    await plugin.idle()
    assert (plugin.state.array.unique_id, plugin.state.array.counter) == (7, 0)
    update(camera.live, file=replace(camera.state.file, filed=2, captured=1, full_name="x"))
    assert (plugin.state.array.counter, plugin.state.captured, plugin.state.full_name) == (2, 1, "x")


async def test_a_capture_is_that_of_the_camera(plugin: FitsPlugin, camera: Camera) -> None:
    with pytest.raises(StateError, match="Single"):
        await plugin.capture(1)
    await plugin.capture(0)
    assert not camera.state.file.capturing


async def test_nothing_is_filed_while_it_is_disabled(plugin: FitsPlugin, camera: Camera) -> None:
    assert camera.filing.is_filing
    plugin.change(enabled=False)
    assert not camera.filing.is_filing


async def test_a_capture_ends_when_it_is_disabled(plugin: FitsPlugin, tmp_path: Path) -> None:
    told: list[str] = []
    plugin.tell = told.append
    await plugin.set_files(path=str(tmp_path), write_mode=2, num_capture=0)
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    plugin.change(enabled=False)
    await asyncio.wait_for(task, 5)
    assert (plugin.state.capturing, plugin.state.error) == (False, True)
    assert plugin.state.message == "the plugin was disabled during the capture"
    assert told == [f"FITS: {plugin.state.message}"]
    plugin.change(enabled=True)
    plugin.change(enabled=False)
    assert len(told) == 1


async def test_a_capture_that_cannot_begin_is_told_where_file_plugins_tell_it(plugin: FitsPlugin) -> None:
    with pytest.raises(StateError):
        await plugin.capture(1)
    assert (plugin.state.error, "Single" in plugin.state.message) == (True, True)


async def test_a_capture_ends_when_it_has_as_many_images_as_are_wanted_now(
    plugin: FitsPlugin, camera: Camera, tmp_path: Path
) -> None:
    await plugin.set_files(path=str(tmp_path), write_mode=2, num_capture=0)
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    update(camera.live, file=replace(camera.state.file, captured=2))
    await plugin.set_files(num_capture=3)
    assert plugin.state.capturing
    await plugin.set_files(num_capture=2)
    await asyncio.wait_for(task, 5)
    assert (plugin.state.capturing, plugin.state.error) == (False, False)


async def test_a_folder_that_vanishes_while_nothing_is_written_is_noticed(plugin: FitsPlugin, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    await plugin.set_files(path=str(folder), create_directory=0)
    assert plugin.state.path_exists
    folder.rmdir()
    await plugin.live.until(lambda state: not state.path_exists, 10)
    folder.mkdir()
    await plugin.live.until(lambda state: state.path_exists, 10)


async def test_a_folder_that_vanishes_is_made_again_only_when_a_file_needs_it(
    plugin: FitsPlugin, tmp_path: Path
) -> None:
    await plugin.set_files(path=str(tmp_path / "here"), create_directory=-1)
    assert plugin.state.path_exists
    (tmp_path / "here").rmdir()
    await plugin.live.until(lambda state: not state.path_exists, 10)
    assert not (tmp_path / "here").exists()


async def test_no_image_is_left_out(plugin: FitsPlugin) -> None:
    with pytest.raises(InputError, match="left out"):
        plugin.change(min_callback_seconds=1.0)
    plugin.change(queue_size=3)


def test_images_come_from_the_camera_only() -> None:
    fits, roi = FitsPlugin("FITS"), Plugin("ROI", PluginState())
    chain = Chain("CAM", (fits, roi))
    with pytest.raises(InputError, match="FITS takes the images of CAM only"):
        chain.connect(fits, "ROI")
    chain.connect(fits, "CAM")
    assert fits in chain.camera.behind


async def test_without_a_camera_nothing_can_be_put() -> None:
    with pytest.raises(InputError, match="no camera"):
        await FitsPlugin("FITS").set_files(name="x")
