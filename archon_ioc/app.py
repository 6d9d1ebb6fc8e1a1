"""The only place that joins the parts; owns the outermost tasks."""

import asyncio
import contextlib
import importlib.util
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from archon_ioc.acf.file import Acf
from archon_ioc.acf.taps import place
from archon_ioc.config import SiteConfig, with_units
from archon_ioc.config_names import OFF
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import ConfigError, LinkError
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.cards import check_site
from archon_ioc.exposure.hook_shutter import HookShutter
from archon_ioc.exposure.loading import check_hooks, hooks_of, shutter_of
from archon_ioc.exposure.opening import make_controllers
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState
from archon_ioc.image import geometry
from archon_ioc.live import Live
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.feed import Feed
from archon_ioc.plugins.fits import FitsPlugin
from archon_ioc.plugins.keeping import PluginKeeping
from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.plugins.plugin import Plugin
from archon_ioc.plugins.pva import PvaPlugin
from archon_ioc.plugins.standard_arrays import StandardArrays
from archon_ioc.pvs.camera_rows import CAMERA_PORT, CAMERA_ROWS
from archon_ioc.pvs.controller_rows import CONTROLLER_ROWS, IOC_ROWS, IocState
from archon_ioc.pvs.detector import Part, build_plugins
from archon_ioc.pvs.exposure_rows import EXPOSURE_ROWS
from archon_ioc.pvs.file_rows import FITS_ROWS
from archon_ioc.pvs.image_rows import ARRAY_DATA
from archon_ioc.pvs.pool_rows import POOL_ROWS
from archon_ioc.pvs.pva_rows import IMAGE
from archon_ioc.pvs.quicklook_rows import QUICK_LOOK_ROWS
from archon_ioc.pvs.recovery_rows import RECOVERY_ROWS
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Pixels
from archon_ioc.pvs.shared_rows import own_rows, shared_rows
from archon_ioc.pvs.source import PvValues
from archon_ioc.pvs.window_rows import WINDOW_MODE_ROWS, WINDOW_ROWS
from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.other_pvs import OtherPvs
from archon_ioc.serve.pva import PvaServer
from archon_ioc.serve.shutter_pv import PvShutter
from archon_ioc.serve.watchdog import Watchdog

log = logging.getLogger(__name__)

LOG_LEVELS = ("debug", "info", "warning", "error")
_UNIT_ROWS = (*CONTROLLER_ROWS, *WINDOW_ROWS)
"""What there is of each controller."""
_FRAME_PIXELS = 1 << 24
"""Pixels of image1:ArrayData where neither the site file nor an ACF tells: 4096 x 4096."""

_CAMERA_ROWS = (*QUICK_LOOK_ROWS, *CAMERA_ROWS, *EXPOSURE_ROWS, *RECOVERY_ROWS, *WINDOW_MODE_ROWS)


@dataclass(frozen=True)
class Ioc:
    """The parts of one IOC, joined."""

    site: SiteConfig
    camera: Camera
    feed: Feed
    keeping: PluginKeeping
    others: OtherPvs
    server: CaServer
    pva: PvaServer | None
    state: Live[IocState]

    async def run(self) -> None:
        """Run until cancelled, or until a part ends by itself, which ends all.

        Tasks are nested by lifetime: servers end first, then the camera, which stops the hardware while there still
        are links, then the links.
        """
        async with asyncio.TaskGroup() as hardware:
            for controller in self.camera.controllers:
                hardware.create_task(controller.run(), name=f"controller {controller.name}")
            async with asyncio.TaskGroup() as engine:
                engine.create_task(self.camera.run(), name="camera")
                engine.create_task(self.feed.run(), name="plugins")
                engine.create_task(self.keeping.run(), name="plugin settings")
                engine.create_task(self.others.run(), name="values of others")
                async with asyncio.TaskGroup() as servers:
                    servers.create_task(self.server.run(), name="CA server")
                    servers.create_task(self.serve_pvaccess(), name="PVA server")
                    servers.create_task(self.beat(), name="heartbeat")
                    servers.create_task(self._report(), name="watchdog")

    async def serve_pvaccess(self) -> None:
        """Serve PVAccess until cancelled, if it is wanted."""
        if self.pva:
            await self.pva.run()

    async def beat(self) -> None:
        """Count seconds, until cancelled."""
        started = time.monotonic()
        while True:
            seconds = int(time.monotonic() - started)
            self.state.set(
                replace(
                    self.state.value, heartbeat=self.state.value.heartbeat + 1, uptime=str(timedelta(seconds=seconds))
                )
            )
            await asyncio.sleep(1.0)

    async def _report(self) -> None:
        await Watchdog(f"{self.site.prefix}HEARTBEAT").run(await self.server.started())


def join(site: SiteConfig) -> Ioc:
    """Make the parts of an IOC and join them; nothing is connected or served yet.

    Raises:
        ConfigError: if the site file does not fit the ACF that it names.
    """
    pixels = check(site)
    if missing := [unit.name for unit in site.units if not unit.host]:
        where = "controller.host in the site file, --host, or --simulate"
        raise ConfigError(f"a controller has no address: {', '.join(missing)}; give {where}")
    camera = Camera(make_controllers(site), site, shutter(site), hooks_of(site.hooks))
    site = site if has_pvaccess(site) else without_pvaccess(site)
    state = Live(IocState(started=_now(), process_id=os.getpid(), host=platform.node()[:39]))
    parts = build_plugins(site, pixels)
    plugins = [part.plugin for part in parts]
    keeping = PluginKeeping(site.files.state, site.prefix, plugins)
    chain = Chain(CAMERA_PORT, plugins)
    feed = Feed(camera, chain, site.plugins.memory_mb * (1 << 20))
    tables = [*_plugin_tables(parts), *_tables(site, feed, camera, state)]
    others = OtherPvs()
    _let_attributes_read(PvValues(site.prefix, tables, _ports(site, parts), others), camera, plugins)
    server = CaServer(site.prefix, tables)
    for part in parts:
        if isinstance(part.plugin, StandardArrays):
            part.plugin.show = _show_in(server, f"{part.prefix}{ARRAY_DATA}")
        if isinstance(part.plugin, FitsPlugin):
            part.plugin.attach(camera.filing, camera.live)
    pva = _pva_server(site, tables, parts, server) if has_pvaccess(site) else None
    return Ioc(site, camera, feed, keeping, others, server, pva, state)


def _ports(site: SiteConfig, parts: Sequence[Part]) -> dict[str, str]:
    return {CAMERA_PORT: site.names.camera, **{part.plugin.name: part.prefix for part in parts}}


def _let_attributes_read(values: PvValues, camera: Camera, plugins: Sequence[Plugin[Any]]) -> None:
    camera.attributes.source, camera.attributes.port = values, CAMERA_PORT
    for plugin in plugins:
        plugin.attributes.source = values


def has_pvaccess(site: SiteConfig) -> bool:
    """Return whether PVAccess is wanted and possible."""
    return site.pvaccess and importlib.util.find_spec("p4p") is not None


def without_pvaccess(site: SiteConfig) -> SiteConfig:
    """Return the site without the plugin that needs PVAccess."""
    log.info("PVAccess is not served: %s", "p4p is not installed" if site.pvaccess else "the site does not want it")
    return site.model_copy(update={"names": site.names.model_copy(update={"pva": OFF})})


def _pva_server(
    site: SiteConfig, tables: Sequence[Table[Any, Any]], parts: Sequence[Part], server: CaServer
) -> PvaServer:
    plugins = {f"{part.prefix}{IMAGE}": part.plugin for part in parts if isinstance(part.plugin, PvaPlugin)}
    pva = PvaServer(site.prefix, tables, server.publisher, tuple(plugins))
    for name, plugin in plugins.items():
        plugin.post = partial(pva.post_image, name)
    return pva


def _show_in(server: CaServer, name: str) -> Callable[[NDArray], Awaitable[None]]:
    async def show(array: NDArray) -> None:
        await server.publish_image(name, array.pixels, array.timestamp)

    return show


def shutter(site: SiteConfig) -> HookShutter | PvShutter | None:
    """Return the shutter that the site's Python or another IOC moves, None if there is none. Runs the site's code.

    Raises:
        ConfigError: if the site's code cannot be used.
    """
    by_pvs = PvShutter(site.shutter) if site.shutter.open_pv and site.shutter.close_pv else None
    return shutter_of(site) or by_pvs


def check(site: SiteConfig) -> Pixels:
    """Check what the site file says against its ACFs, and return what an image record must hold.

    The site's own code is imported.

    Raises:
        ConfigError: if the ACF cannot be read, CCDs or header cards cannot be right, or a hook cannot be called.
    """
    check_site(site)
    check_hooks(site)
    found = {unit.name: Acf.read(unit.acf) for unit in site.units if unit.acf}
    for name, acf in found.items():
        if detectors := site.detectors_of(name):
            geometry.check_layout(place(acf.taps, acf.frame_mode, acf.pixel_count, acf.line_count), detectors)
    shown = found.get(site.units[0].name)
    if shown is None:
        return Pixels(_FRAME_PIXELS, site.image_bits or 16)
    rows, columns = shown.frame_shape
    return Pixels(max(rows * columns, 1), site.image_bits or 8 * shown.sample_mode.bytes_per_pixel)


def _plugin_tables(parts: Sequence[Part]) -> Iterator[Table[Any, Any]]:
    """Plugins come before the camera: their sizes and counters must be seen when Acquire ends."""
    for part in parts:
        yield Table(part.prefix, part.rows, part.plugin.live, part.plugin)


def _tables(site: SiteConfig, feed: Feed, camera: Camera, state: Live[IocState]) -> list[Table[Any, Any]]:
    operations = Operations(camera)
    live, names = camera.live, site.names
    return [
        Table(names.fits, FITS_ROWS, live, operations, _is_linked),
        *_unit_tables(names.camera, camera, operations),
        Table(names.camera, POOL_ROWS, feed.live, feed),
        # The quick look must be seen when Acquire ends, and therefore comes first.
        Table(names.camera, _CAMERA_ROWS, live, operations, _is_linked),
        Table("", IOC_ROWS, state, operations),
    ]


def _unit_tables(prefix: str, camera: Camera, operations: Operations) -> list[Table[Any, Any]]:
    """The only controller with the camera; each of several by its own name, where the puts are for that one only."""
    leader = camera.controller.live
    if len(camera.controllers) == 1:
        return [Table(prefix, _UNIT_ROWS, leader, operations, _is_up)]
    return [
        Table(prefix, own_rows(_UNIT_ROWS), leader, operations, _is_up),
        Table(prefix, shared_rows(_UNIT_ROWS), camera.live, operations, _is_any_up),
        *(Table(f"{one.name}:", _UNIT_ROWS, one.live, operations.of(one), _is_up) for one in camera.controllers),
    ]


def _is_up(state: ControllerState) -> bool:
    return state.is_up


def _is_any_up(state: CameraState) -> bool:
    return any(controller.is_up for controller in state.controllers)


def _is_linked(state: CameraState) -> bool:
    return state.controller.is_up


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@contextlib.asynccontextmanager
async def simulator(acfs: Sequence[Path], *options: str) -> AsyncGenerator[list[int]]:
    """Run simulated controllers, one for each ACF, in a process of their own and yield their ports.

    It ends with the block, and also when this process dies: its standard input is then closed.

    Raises:
        LinkError: if it does not start.
    """
    named = [argument for acf in acfs for argument in ("--acf", str(acf))]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "archon_ioc", "sim", "--port", "0", *named, "--until-eof", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process: it needs the controllers to the end
    )  # fmt: skip
    if process.stdin is None or process.stdout is None:
        raise LinkError("the simulator has no pipes")
    try:
        yield [await _introduced(process.stdout) for _ in acfs]
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(2.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _introduced(lines: asyncio.StreamReader) -> int:
    """Return the port of the next simulated controller."""
    while line := (await lines.readline()).decode().strip():
        if line.startswith("simulated Archon at ") and (port := line.rpartition(":")[2]).isdecimal():
            return int(port)
    raise LinkError("the simulator did not start, see above")


def with_simulators(site: SiteConfig, ports: Sequence[int], acf: Path) -> SiteConfig:
    """Return the site with simulated controllers instead of its own."""
    return with_units(
        site,
        [
            unit.model_copy(update={"host": "127.0.0.1", "port": port, "acf": unit.acf or acf})
            for unit, port in zip(site.units, ports, strict=True)
        ],
    )


def start_logging(level: str) -> None:
    """Write log entries from this level on to standard error."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    logging.getLogger("caproto").setLevel(logging.ERROR)


def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until done, or stopped by SIGINT or SIGTERM."""

    async def stoppable() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    asyncio.run(stoppable())


def demo_acf() -> Path:
    """Return the ACF that the simulator has when none is given.

    Raises:
        ConfigError: if it is not where this program was installed from.
    """
    for folder in (Path(__file__).parent / "config", Path(__file__).parents[1] / "config"):
        if (folder / "demo.acf").is_file():
            return folder / "demo.acf"
    raise ConfigError("the demonstration ACF is not installed; name one with --acf")
