"""The whole IOC on one controller, without clients. Arguments: port, ACF, folder for images. One exposure per line."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fetch_ours import measure_lag
from turns import answer

from archon_ioc import app
from archon_ioc.config import SiteConfig
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Phase


async def expose(camera: Camera) -> dict[str, object]:
    """Take one image; return the seconds from its last pixel to the end of the fetch, and to that of Acquire."""
    moments: dict[Phase, float] = {}

    async def watch() -> None:
        async for state in camera.live.watch():
            moments.setdefault(state.phase, time.perf_counter())

    lags: list[float] = []
    watchers = [asyncio.create_task(watch()), asyncio.create_task(measure_lag(lags))]
    await camera.acquire()
    done = time.perf_counter()
    for task in watchers:
        task.cancel()
    return {
        "fetch": moments[Phase.SAVING] - moments[Phase.FETCHING],
        "whole": done - moments[Phase.FETCHING],
        "lags": lags,
    }


@asynccontextmanager
async def running_ioc(port: int, acf: str, folder: str) -> AsyncGenerator[Camera]:
    """Run an IOC and yield its camera when it can take images."""
    site = SiteConfig.model_validate(
        {
            "prefix": "BENCH:",
            "controller": {"host": "127.0.0.1", "port": port, "acf": acf},
            "files": {"path": folder, "state": folder},
        }
    )
    ioc = app.join(site)
    running = asyncio.create_task(ioc.run())
    await ioc.camera.live.until(lambda state: state.controller.is_powered and state.controller.acf is not None)
    try:
        yield ioc.camera
    finally:
        running.cancel()
        await asyncio.wait([running])


async def main() -> None:
    port, acf, folder = sys.argv[1:]
    async with running_ioc(int(port), acf, folder) as camera:
        camera.change(seconds=0.2)  # longer than an acquisition is at least
        answer("ready")
        while await asyncio.to_thread(sys.stdin.readline):
            answer(await expose(camera))


if __name__ == "__main__":
    asyncio.run(main())
