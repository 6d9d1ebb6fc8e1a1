# pyright: standard, reportAttributeAccessIssue=false, reportIndexIssue=false
"""The HDF5 plugin: settings, results, layouts."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from archon_ioc.errors import InputError
from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.hdf5 import Hdf5Plugin
from archon_ioc.plugins.ndfile_state import NDFileSettings
from tests.plugins.arrays import array


@pytest.fixture
async def plugin(tmp_path: Path, running: Any) -> AsyncGenerator[Hdf5Plugin]:
    files = NDFileSettings(path=f"{tmp_path}/", template="%s%s.h5", write_mode=FileWriteMode.STREAM, num_capture=2)
    made = Hdf5Plugin("HDF", files)
    async with running(made):
        await made.live.until(lambda state: state.path_exists, 5)
        yield made


async def test_a_stream_in_one_file(plugin: Hdf5Plugin) -> None:
    await plugin.set_hdf5(swmr=True)
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    assert not plugin.state.results.swmr_active
    await plugin.take(array(1))
    await plugin.idle()
    assert plugin.state.results.swmr_active
    await plugin.flush()
    assert plugin.state.results.flushes == 2
    await plugin.take(array(2))
    await asyncio.wait_for(task, 5)
    results = plugin.state.results
    assert not results.swmr_active
    assert results.run_seconds > 0
    assert results.megabits == pytest.approx(8e-6 * 96 / results.run_seconds)
    with h5py.File(plugin.state.full_name) as file:
        np.testing.assert_array_equal(file["/entry/data/data"], [array(1).pixels, array(2).pixels])
    assert plugin.plugin_type.startswith("NDFileHDF5 ver")


async def test_a_layout_that_is_none_is_told_and_ends_the_capture(plugin: Hdf5Plugin, tmp_path: Path) -> None:
    await plugin.set_hdf5(layout="/none.xml")
    results = plugin.state.results
    assert (results.layout_valid, "cannot be read" in results.layout_message) == (False, True)
    task = asyncio.create_task(plugin.capture(1))
    await plugin.live.until(lambda state: state.capturing, 5)
    await plugin.take(array(1))
    await asyncio.wait_for(task, 5)
    assert (plugin.state.error, "cannot be read" in plugin.state.message) == (True, True)
    await plugin.set_hdf5(layout="<hdf5_layout/>")
    assert not plugin.state.results.layout_valid
    await plugin.set_hdf5(layout="")
    assert plugin.state.results.layout_message == "Default layout selected"


async def test_a_layout_file(plugin: Hdf5Plugin, tmp_path: Path) -> None:
    text = '<hdf5_layout><group name="g"><dataset name="d" source="detector"/></group></hdf5_layout>'
    await asyncio.to_thread((tmp_path / "layout.xml").write_text, text)
    await plugin.set_hdf5(layout=f"{tmp_path}/layout.xml")
    assert (plugin.state.results.layout_valid, plugin.state.results.layout_message) == (True, "")
    await plugin.set_files(write_mode=0, auto_save=True)
    await plugin.take(array(1))
    await plugin.idle()
    with h5py.File(plugin.state.full_name) as file:
        np.testing.assert_array_equal(file["/g/d"], array(1).pixels)


async def test_what_makes_no_sense_is_refused(plugin: Hdf5Plugin) -> None:
    with pytest.raises(InputError, match="lossless"):
        await plugin.set_hdf5(compression=7)
    assert plugin.state.hdf5.compression == 0
