"""What clients have set in plugins is there again after a restart."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.config import SiteConfig
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.keeping import PluginKeeping
from archon_ioc.plugins.ndarray import Geometry
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.plugins.roi import RoiPlugin
from archon_ioc.pvs.detector import build_plugins
from archon_ioc.pvs.row import Pixels

Start = Callable[..., AbstractAsyncContextManager[Chain]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return what starts a program with plugins, by default ROI1 and STATS1, and ends it."""
    monkeypatch.setattr("archon_ioc.plugins.keeping._PACE", 0.01)

    @asynccontextmanager
    async def run(plugins: Sequence[Plugin[Any]] = ()) -> AsyncIterator[Chain]:
        made = plugins or (RoiPlugin("ROI1"), Plugin("STATS1", PluginState()))
        keeping = PluginKeeping(tmp_path, "SITE:", made)
        chain = Chain("ARCHON" if plugins else "CAM", made)
        task = asyncio.create_task(keeping.run())
        await asyncio.sleep(0)
        yield chain
        task.cancel()
        await asyncio.wait([task])

    return run


def kept(folder: Path) -> Any:
    return json.loads((folder / "plugins-SITE.json").read_text(encoding="utf-8"))


async def test_settings_and_wiring_are_found_again(start: Start, tmp_path: Path) -> None:
    async with start() as chain:
        roi, stats = chain.plugins
        roi.update(roi=roi.state.roi.changed(starts=(5, 6, 0), enables=(True, False, True), scale=2.0))
        stats.connect("ROI1")
        stats.change(queue_size=7, enabled=False)
    async with start() as chain:
        chain.prime(Geometry(100, 50))
        roi, stats = chain.plugins
        assert roi.state.roi == RoiPlugin("X").state.roi.changed(
            starts=(5, 6, 0), enables=(True, False, True), scale=2.0
        )
        assert roi.port.behind == [stats]
        assert (stats.state.settings.queue_size, stats.state.settings.enabled) == (7, False)
        assert stats.state.source == Geometry(95, 50), "what the region that was kept will give"


async def test_only_what_was_changed_is_kept(start: Start, tmp_path: Path) -> None:
    async with start() as chain:
        chain.plugins[1].change(queue_size=7)
    assert kept(tmp_path)["STATS1"] == {"settings": {"array_port": "CAM", "queue_size": 7}}


async def test_images_cost_no_storing(start: Start, tmp_path: Path) -> None:
    async with start() as chain:
        pass
    before = (tmp_path / "plugins-SITE.json").stat().st_mtime_ns
    async with start() as chain:
        chain.plugins[1].update(queued=3, dropped=4)
    assert (tmp_path / "plugins-SITE.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"STATS1": {"settings": {"array_port": "NOWHERE"}}},
        {"STATS1": {"settings": {"array_port": "STATS1"}}},
        {"STATS1": {"settings": {"queue_size": 0, "array_address": "x"}}},
        {"STATS1": {"settings": 7}},
        {"STATS1": 7},
        {"STATS1": {"captured": {"x": 1}}, "OTHER": {"settings": {"queue_size": 1}}},
        {"ROI1": {"roi": {"starts": [1, 2]}}},
        {"ROI1": {"roi": {"starts": [1, 2, "x"]}}},
        [],
    ],
)
async def test_what_makes_no_sense_is_left_out(start: Start, tmp_path: Path, wrong: Any) -> None:
    (tmp_path / "plugins-SITE.json").write_text(json.dumps(wrong), encoding="utf-8")
    async with start() as chain:
        roi, stats = chain.plugins
        assert chain.camera.behind == [roi, stats]
        assert stats.state.settings.queue_size == 20
        assert roi.state.roi.starts == (0, 0, 0)


async def test_a_folder_that_cannot_be_is_told(start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "plugins-SITE.part").mkdir()
    async with start() as chain:
        chain.plugins[1].change(queue_size=7)
    assert "settings of plugins are not kept" in caplog.text


async def test_no_plugin_captures_by_itself(start: Start) -> None:
    def plugins() -> list[Plugin[Any]]:
        return [part.plugin for part in build_plugins(SiteConfig(), Pixels(12)) if not part.plugin.is_fixed]

    assert not any("captur" in field for plugin in plugins() for field in plugin.kept)
    async with start(plugins()) as chain:
        for plugin in chain.plugins:
            if hasattr(plugin.state, "capturing"):
                plugin.update(capturing=True)
                plugin.change(queue_size=7)
    async with start(plugins()) as chain:
        files = [plugin for plugin in chain.plugins if hasattr(plugin.state, "capturing")]
        assert files
        assert [plugin.state.settings.queue_size for plugin in files] == [7] * len(files)
        assert not any(plugin.state.capturing for plugin in files)
