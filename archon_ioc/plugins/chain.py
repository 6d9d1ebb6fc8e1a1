"""Chain: the camera's port and the plugins behind it, wired by the names of their ports."""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.plugin import Plugin, Port

log = logging.getLogger(__name__)


class Chain:
    """Gives the camera's arrays to the plugins and knows when they are done."""

    def __init__(self, camera_port: str, plugins: Sequence[Plugin[Any]]) -> None:
        self.camera = Port(camera_port)
        self.plugins = tuple(plugins)
        self._ports = {camera_port: (self.camera,)} | {plugin.name: plugin.ports for plugin in plugins}
        for plugin in plugins:
            self._connect_first(plugin)
            plugin.connect = partial(self.connect, plugin)

    async def run(self) -> None:
        """Let all plugins work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for plugin in self.plugins:
                tasks.create_task(plugin.run(), name=f"plugin {plugin.name}")
            tasks.create_task(self._measure_rates(), name="plugin rates")

    def connect(self, plugin: Plugin[Any], name: str, address: int | None = None) -> None:
        """Let a plugin take its arrays from another port: NDArrayPort and NDArrayAddress.

        Without an address it stays as it was, if the port has such a one.

        Raises:
            InputError: if there is no such port, or the plugin would feed itself.
        """
        if name not in self._ports:
            raise InputError(f"there is no port {name}; there are {', '.join(self._ports)}")
        last = len(self._ports[name]) - 1
        wanted = min(plugin.state.settings.array_address, last) if address is None else address
        if not 0 <= wanted <= last:
            raise InputError(f"{name} has no address {wanted}, the last one is {last}")
        source = self._ports[name][wanted]
        if plugin.is_fixed and source is not self.camera:
            raise InputError(f"{plugin.name} takes the images of {self.camera.name} only")
        if self._is_fed_by(source, plugin):
            raise InputError(f"{plugin.name} would feed itself through {name}")
        for port in itertools.chain(*self._ports.values()):
            if plugin in port.behind:
                port.behind.remove(plugin)
        source.behind.append(plugin)
        plugin.change(array_port=name, array_address=wanted)
        plugin.prime(source.geometry)

    def _connect_first(self, plugin: Plugin[Any]) -> None:
        settings = plugin.state.settings
        try:
            self.connect(plugin, settings.array_port or self.camera.name, settings.array_address)
        except InputError as error:  # what was kept is of another time
            log.warning("%s takes the images of %s: %s", plugin.name, self.camera.name, error)
            self.connect(plugin, self.camera.name, 0)

    async def send(self, array: NDArray) -> None:
        """Give an array of the camera to the plugins; waits where a file plugin has no room."""
        await self.camera.send(array)

    def prime(self, geometry: Geometry) -> None:
        """Say what the camera's next array will be like; a plugin that is busy with other ones is told later."""
        behind = self.camera.behind
        if geometry != self.camera.geometry or any(
            plugin.state.source != geometry and not plugin.is_busy for plugin in behind
        ):
            self.camera.prime(geometry)

    async def settled(self) -> None:
        """Wait until every array is processed by every plugin that takes it."""
        while any(plugin.is_busy for plugin in self.plugins):
            for plugin in self.plugins:
                await plugin.idle()

    @property
    def queued(self) -> int:
        """Arrays that wait or are processed, by all plugins together: NumQueuedArrays."""
        return sum(plugin.state.queued for plugin in self.plugins)

    def _is_fed_by(self, port: Port, plugin: Plugin[Any]) -> bool:
        """Whether what comes out of the plugin reaches the port."""
        return port in plugin.ports or any(self._is_fed_by(port, one) for own in plugin.ports for one in own.behind)

    async def _measure_rates(self) -> None:
        seen = dict.fromkeys((plugin.name for plugin in self.plugins), 0)
        while True:
            await asyncio.sleep(1.0)
            for plugin in self.plugins:
                array = plugin.state.array
                rate = float(max(array.counter - seen[plugin.name], 0))
                seen[plugin.name] = array.counter
                if rate != array.rate:
                    plugin.update(array=replace(array, rate=rate))
