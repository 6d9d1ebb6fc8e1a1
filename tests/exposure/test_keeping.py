"""The settings are on the disk when they have changed."""

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest


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


async def test_the_program_can_stop_while_storing_fails(
    bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storing, stopped, real = threading.Event(), threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if "settings" not in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            return real(descriptor)
        storing.set()
        stopped.wait(10)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    bench.camera.change(seconds=7.5)
    await asyncio.to_thread(storing.wait, 10)
    bench.running.cancel()
    await asyncio.sleep(0)
    stopped.set()
    async with asyncio.timeout(10):
        await asyncio.wait([bench.running])
    assert "settings are not kept" in caplog.text
