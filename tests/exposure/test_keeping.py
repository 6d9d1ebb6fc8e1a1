"""The settings are on the disk when they have changed."""

import asyncio
import json
from pathlib import Path


async def test_a_change_is_stored(bench, tmp_path: Path) -> None:
    bench.camera.change(seconds=7.5)
    file = tmp_path / "state" / "settings-ARCHON.json"
    async with asyncio.timeout(10):
        while not file.exists() or json.loads(file.read_text()).get("seconds") != 7.5:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_cannot_be_stored_is_told_once_and_stops_nothing(bench, tmp_path: Path, caplog) -> None:
    in_the_way = tmp_path / "state" / "settings-ARCHON.part"
    in_the_way.mkdir(parents=True)
    bench.camera.change(seconds=7.5)
    async with asyncio.timeout(10):
        while "settings are not kept" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0)
    in_the_way.rmdir()
    assert caplog.text.count("settings are not kept") == 1
    bench.camera.change(seconds=8.5)
    await bench.good()
