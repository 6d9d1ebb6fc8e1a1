"""Opening: the controllers of a site connected and their camera running, for the length of a block. Without EPICS.

>>> from archon_ioc.config import load
>>> async def take(site_file: str) -> None:
...     async with open_camera(load(site_file)) as camera:
...         await camera.acquire(camera.state.settings.changed(seconds=10.0))
...         print(camera.filing.written)
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.loading import hooks_of, shutter_of
from archon_ioc.exposure.shutter import PvShutter
from archon_ioc.exposure.together import together


def make_controllers(site: SiteConfig) -> tuple[ArchonController, ...]:
    """Return the site's controllers, not connected yet; the first one leads."""
    return tuple(ArchonController(unit.host, unit.port, config=unit, script=site.script) for unit in site.units)


@asynccontextmanager
async def open_camera(site: SiteConfig, shutter: PvShutter | None = None) -> AsyncGenerator[Camera]:
    """Connect to a site's controllers and run their camera; at the end of the block what is exposed then is stopped.

    ``shutter`` is that of ShutterMode "EPICS PV", by default the site's Python.

    Raises:
        LinkError: if a controller cannot be reached.
    """
    controllers = make_controllers(site)
    async with AsyncExitStack() as stack:
        await together({one.name: stack.enter_async_context(one) for one in controllers})
        camera = Camera(controllers, site, shutter or shutter_of(site), hooks_of(site.hooks))
        async with _running(camera):
            await camera.live.until(lambda state: state.is_up)
            yield camera


@asynccontextmanager
async def _running(camera: Camera) -> AsyncGenerator[None]:
    """Run the camera for the length of the block. However often it is told to stop, the hardware is stopped first."""
    running = asyncio.create_task(camera.run(), name="camera")
    try:
        yield
    finally:
        running.cancel()
        while not running.done():
            with suppress(asyncio.CancelledError):  # the first one is on its way already
                await asyncio.wait([running])
    if not running.cancelled():
        running.result()
