"""The whole IOC on one controller, without clients. Arguments: port, ACF, folder for images, number of frames."""

import asyncio
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from astropy.io import fits
from image_ours import running_ioc
from turns import answer

from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import FrameType, ImageMode
from archon_ioc.exposure.state import CameraState


class Watch:
    """Adds up how long the camera is in each phase; `Live.watch` would leave out short ones."""

    def __init__(self, camera: Camera) -> None:
        self.seconds = dict.fromkeys(Phase, 0.0)
        self._since, self._phase = time.perf_counter(), camera.state.phase
        self._set, camera.live.set = camera.live.set, self._noting

    def _noting(self, state: CameraState) -> None:
        if state.phase is not self._phase:
            now = time.perf_counter()
            self.seconds[self._phase] += now - self._since
            self._since, self._phase = now, state.phase
        self._set(state)


def frame_starts(folder: Path) -> list[float]:
    """Return when the controller began each frame that is on disk, in seconds of its clock."""
    return [float(fits.getheader(path)["ARCHTIME"]) for path in sorted(folder.glob("*.fits"))]


async def expose(camera: Camera, folder: Path, count: int) -> dict[str, object]:
    """Take one bias frame to warm up, then many."""
    camera.change(seconds=0.0, frame_type=FrameType.BACKGROUND, image_mode=ImageMode.SINGLE)
    await camera.acquire()
    readout = camera.state.controller.readout
    assert readout is not None
    camera.change(num_images=count, image_mode=ImageMode.MULTIPLE)
    watch = Watch(camera)
    await camera.acquire()
    starts = (await asyncio.to_thread(frame_starts, folder))[1:]
    periods = [second - first for first, second in pairwise(starts)]
    parts = [(phase.value, seconds / count) for phase, seconds in watch.seconds.items() if seconds]
    return {
        "readout": readout.whole.seconds,
        "period": fmean(periods),
        "longest": max(periods),
        "files": len(starts),
        "parts": parts,
    }


async def main() -> None:
    port, acf, folder, count = sys.argv[1:]
    async with running_ioc(int(port), acf, folder) as camera:
        answer("ready")
        while await asyncio.to_thread(sys.stdin.readline):
            answer(await expose(camera, Path(folder), int(count)))


if __name__ == "__main__":
    asyncio.run(main())
