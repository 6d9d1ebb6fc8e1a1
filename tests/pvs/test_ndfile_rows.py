"""Rows of all file plugins."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.errors import ArchonError
from archon_ioc.plugins.ndfile_state import NDFileSettings
from archon_ioc.plugins.tiff import TiffPlugin
from archon_ioc.pvs.ndfile_rows import ndfile_rows
from archon_ioc.pvs.render import reading
from archon_ioc.pvs.row import Pv, Severity

ROWS = ndfile_rows("TIFF")
VALUES: dict[str, object] = {
    "FilePath": "/tmp/", "CreateDirectory": 0, "FileName": "", "FileNumber": 0, "AutoIncrement": "No",
    "FileTemplate": "%s%s.x", "TempSuffix": ".tmp", "FileFormat": 0, "FileWriteMode": "Stream", "AutoSave": 1,
    "LazyOpen": 0, "DeleteDriverFile": 1, "NumCapture": 0, "FreeCapture": 1, "Capture": 0, "WriteFile": 0,
    "ReadFile": 0,
}  # fmt: skip
"""Another value for each setpoint."""


@pytest.fixture
async def plugin(tmp_path: Path) -> TiffPlugin:
    made = TiffPlugin("TIFF", NDFileSettings(path=f"{tmp_path}/"))
    await made.look_at_path()
    return made


def row_of(name: str) -> Pv[Any, Any]:
    return next(row for row in ROWS if row.name == name and row.put)


async def put(plugin: TiffPlugin, name: str, value: object) -> None:
    row = row_of(name)
    assert row.put
    result = row.put(plugin, row.kind.accept(value))
    if result is not None:
        await result


def test_no_setpoint_is_forgotten() -> None:
    assert {row.name for row in ROWS if row.put} == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
async def test_the_readback_is_what_was_put(plugin: TiffPlugin, name: str) -> None:
    await put(plugin, name, VALUES[name])
    row = row_of(name)
    expected = 0 if name == "FreeCapture" else row.kind.accept(VALUES[name])
    assert reading(row, plugin.state, linked=True).value == expected


async def test_a_folder_ends_with_a_slash_and_is_known_when_the_put_ends(plugin: TiffPlugin) -> None:
    await put(plugin, "CreateDirectory", 0)
    await put(plugin, "FilePath", "/none")
    assert reading(row_of("FilePath"), plugin.state, linked=True).value == "/none/"
    exists = next(row for row in ROWS if row.name == "FilePathExists")
    assert reading(exists, plugin.state, linked=True).severity is Severity.MAJOR


@pytest.mark.parametrize(
    ("name", "value"), [("FileFormat", 1), ("ReadFile", 1), ("WriteFile", 1), ("Capture", 1), ("FileTemplate", "%f")]
)
async def test_what_is_not_possible_is_refused(plugin: TiffPlugin, name: str, value: object) -> None:
    with pytest.raises(ArchonError):
        await put(plugin, name, value)


def test_every_row_has_a_reading(plugin: TiffPlugin, faults: Callable[..., list[str]]) -> None:
    wrong = replace(plugin.state, error=True, message="x" * 255, full_name="y" * 500, capturing=True, writing=True)
    for state in (plugin.state, wrong):
        assert faults(ROWS, state, linked=True) == []


def test_the_end_of_a_capture_is_shown_last() -> None:
    names = [row.name for row in ROWS]
    order = ["FullFileName", "WriteMessage", "WriteStatus", "NumCaptured", "Capture"]
    assert sorted(order, key=names.index) == order
