"""Ten images of 4096 x 4096 a second through the plugins of a site. Arguments: a folder; per line: seconds."""

import asyncio
import gc
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from figures import percentile
from turns import answer

from archon_ioc.config import SiteConfig
from archon_ioc.exposure.settings import FileWriteMode
from archon_ioc.plugins.chain import Chain
from archon_ioc.plugins.hdf5 import Hdf5Plugin
from archon_ioc.plugins.ndarray import Dimension, NDArray
from archon_ioc.plugins.pva import PvaPlugin
from archon_ioc.pvs.detector import build_plugins
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Pixels
from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.pva import PvaServer

_SIDE = 4096
_RATE = 10.0
_WANTED = {"Image2", "ROI1", "STATS1", "PVA1", "FileHDF1"}
_LOOK = 0.002


class Detector:
    """The plugins of a site without the camera, served over both protocols."""

    def __init__(self, folder: Path) -> None:
        site = SiteConfig(prefix="BENCH:")
        self.parts = build_plugins(site, Pixels(_SIDE * _SIDE, 16))
        self.chain = Chain("CAM", [part.plugin for part in self.parts])
        tables = [Table(part.prefix, part.rows, part.plugin.live, part.plugin) for part in self.parts]
        self.server = CaServer(site.prefix, tables)
        image = f"{site.names.pva}Image"
        self.pva = PvaServer(site.prefix, tables, self.server.publisher, [image])
        for part in self.parts:
            part.plugin.change(enabled=part.plugin.name in _WANTED)
            if isinstance(part.plugin, PvaPlugin):
                part.plugin.post = lambda array, codec: self.pva.post_image(image, array, codec)
        self.file = next(part.plugin for part in self.parts if isinstance(part.plugin, Hdf5Plugin))
        self._folder = folder

    async def flow(self, seconds: float) -> dict[str, float]:
        """Send images for so long and return what became of them."""
        await self.file.set_files(
            path=str(self._folder), name=f"bench_{time.time_ns()}", write_mode=FileWriteMode.STREAM, num_capture=0
        )
        images, dropped = _images(), self._dropped()
        self.chain.prime(images[0].geometry)
        capture = asyncio.create_task(self.file.capture(1))
        await self.file.live.until(lambda state: state.capturing)
        lags: list[float] = []
        watch = asyncio.create_task(_watch(lags))
        process, started, cpu = psutil.Process(), time.perf_counter(), time.process_time()
        sent, queued, peak = 0, 0, 0
        while sent < seconds * _RATE:
            await self.chain.send(images[sent % len(images)])
            sent += 1
            queued, peak = max(queued, self.chain.queued), max(peak, process.memory_info().rss)
            await asyncio.sleep(max(started + sent / _RATE - time.perf_counter(), 0))
        await self.chain.settled()
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        watch.cancel()
        written = self.file.state.captured
        await self.file.capture(0)
        await capture
        await asyncio.to_thread(Path(self.file.state.full_name).unlink)
        return {
            "sent": sent, "written": written, "rate": sent / elapsed, "cores": cpu / elapsed, "queued": queued,
            "dropped": self._dropped() - dropped, "lag": percentile(lags, 99), "worst": max(lags), "memory": peak,
        }  # fmt: skip

    def _dropped(self) -> int:
        return sum(part.plugin.state.dropped for part in self.parts if not part.plugin.keeps_newest)


def _images() -> list[NDArray]:
    random = np.random.default_rng(1)
    pixels = [random.integers(900, 1100, (_SIDE, _SIDE), np.uint16) for _ in range(3)]
    axes = Dimension(_SIDE), Dimension(_SIDE)
    return [NDArray(one, number, time.time(), time.time(), axes) for number, one in enumerate(pixels, 1)]


async def _watch(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_LOOK)
        lags.append(time.perf_counter() - began - _LOOK)


async def main() -> None:
    detector = Detector(Path(sys.argv[1]))
    async with asyncio.TaskGroup() as tasks:
        works = (detector.chain.run(), detector.server.run(), detector.pva.run())
        running = [tasks.create_task(work) for work in works]
        await detector.server.started()
        gc.collect()
        gc.freeze()  # as the program does
        answer("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            answer(await detector.flow(float(line)))
        for task in running:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
