"""PluginKeeping: what clients have set in plugins is kept over restarts."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from archon_ioc.errors import SaveError
from archon_ioc.exposure.kept import KeptFile, differences, restored
from archon_ioc.exposure.together import finished
from archon_ioc.plugins.plugin import Plugin

log = logging.getLogger(__name__)

_PACE = 1.0
"""Seconds between two times of storing: file numbers change with each image."""


class PluginKeeping:
    """Gives plugins what was kept for them, and keeps what differs from how they were made.

    It is made before the chain, which then connects each plugin to the port that was kept. What a plugin keeps is in
    the fields of its state that its ``kept`` names.
    """

    def __init__(self, folder: Path, prefix: str, plugins: Sequence[Plugin[Any]]) -> None:
        self._file = KeptFile(folder, "plugins", prefix)
        self._plugins = plugins
        self._defaults = {plugin.name: _kept(plugin) for plugin in plugins}
        self._restore()
        self._seen = {plugin.name: _kept(plugin) for plugin in plugins}
        self._changed = asyncio.Event()
        for plugin in plugins:
            plugin.live.follow(partial(self._look, plugin))

    async def run(self) -> None:
        """Store what changes, until cancelled; what cannot be stored is told in the log."""
        try:
            while True:
                await self._changed.wait()
                await finished(self._store())
                await asyncio.sleep(_PACE)
        finally:
            if self._changed.is_set():
                await self._store()

    def _restore(self) -> None:
        kept = self._file.load()
        for plugin in self._plugins:
            for field in plugin.kept:
                settings = getattr(plugin.state, field)
                plugin.update(**{field: restored(settings, self._file.part(kept, plugin.name, field))})

    def _look(self, plugin: Plugin[Any], _: object) -> None:
        before, now = self._seen[plugin.name], _kept(plugin)
        if any(now[field] is not before[field] and now[field] != before[field] for field in now):
            self._seen[plugin.name] = now
            self._changed.set()

    async def _store(self) -> None:
        self._changed.clear()
        pairs = {
            plugin.name: found
            for plugin in self._plugins
            if (found := _differences(self._defaults[plugin.name], self._seen[plugin.name]))
        }
        try:
            await asyncio.to_thread(self._file.save, pairs)
        except SaveError as error:
            log.error("settings of plugins are not kept: %s", error)


def _kept(plugin: Plugin[Any]) -> dict[str, Any]:
    return {field: getattr(plugin.state, field) for field in plugin.kept}


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {field: found for field in new if (found := differences(old[field], new[field]))}
