"""Kill the program in the middle of exposures, again and again: ``python benchmarks/kill.py [--runs 300] [--seed 1]``.

Two simulated controllers live on; the program that exposes with them, an IOC without servers and plugins, is killed
(SIGKILL) at a random moment of a random phase, and started again, which recovers what it has left. In the end every
frame that was read out must be in its files once, whole, with the pixels of its own controller. Exits with 1 if not.
"""

import argparse
import asyncio
import ctypes
import hashlib
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from archon_ioc import config
from archon_ioc.acf.file import Acf
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.opening import make_controllers
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ImageMode
from archon_ioc.protocol.replies import FrameStatus
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer
from archon_ioc.sim.sync import SyncSet

SCRIPT = Path(__file__).parents[1] / "tests" / "golden" / "acf" / "small_on_demand.acf"
SIZES = {"blue": (20, 24), "red": (16, 40)}
"""Lines and pixels of a tap, by controller: a frame of the other one does not fit."""
TAPS = ("AD1L", "AD2R", "AD3L", "AD4R")
CCDS = {"1": TAPS[:2], "2": TAPS[2:]}
"""Each controller reads two CCDs, so that it can be killed between two files of an exposure."""
SUM = "sha256"
EXPOSURE_SECONDS = 0.03
LINE_PAUSE = 200  # of 10 us: a readout takes as long as an exposure
FETCH_SECONDS = 0.03
PHASES = (Phase.PREPARING, Phase.INTEGRATING, Phase.READING, Phase.FETCHING, Phase.SAVING)
LONGEST_DELAY = 0.03  # seconds after the beginning of a phase
LONGEST_LIFE = 30.0
MOST_APART = 0.25  # seconds between the begins of one exposure on two controllers


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        problems = asyncio.run(_run(Path(folder), options))
    for problem in problems:
        print(problem)
    print("nothing was lost" if not problems else f"{len(problems)} problems")
    return bool(problems)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=1e9, help="end earlier, after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=("host", "hardware"), default="host", help="what starts both controllers")
    return parser.parse_args()


async def _run(folder: Path, options: argparse.Namespace) -> list[str]:
    rng = random.Random(options.seed)
    began = time.monotonic()
    killed: Counter[str] = Counter()
    async with _controllers(options.sync) as servers:
        site = {**_site(folder, servers), "sync": options.sync}
        for _ in range(options.runs):
            if time.monotonic() - began > options.seconds:
                break
            killed[await _live_and_die(site, rng)] += 1
        await _last_life(site)
        seconds = time.monotonic() - began
        runs = killed.total()
        print(f"{runs} runs in {seconds:.0f} s, {60 * runs / seconds:.0f} per minute, killed while: {dict(killed)}")
        return [*_check_files(folder / "images", servers), *_check_folders(folder)]


# the controllers


@asynccontextmanager
async def _controllers(sync: str) -> AsyncGenerator[dict[str, SimServer]]:
    servers: dict[str, SimServer] = {}
    clock = Clock(1.0)
    async with AsyncExitStack() as stack:
        for number, (name, (lines, pixels)) in enumerate(SIZES.items()):
            device = SimArchon(acf(lines, pixels, f"{number + 1:016X}"), applied=True, now=-10.0)
            device.handle("POWERON", -10.0)
            size = 2 * len(TAPS) * lines * pixels
            server = SimServer(
                device, clock=clock, latency=0.0, scene=TestPattern(), fetch_rate=size / FETCH_SECONDS, max_clients=2
            )
            servers[name] = await stack.enter_async_context(server)
        if sync == "hardware":
            SyncSet([server.device for server in servers.values()])
        yield servers


def acf(lines: int, pixels: int, backplane: str) -> Acf:
    """The configuration of a small CCD with four taps."""
    script = Acf.read(SCRIPT)
    keys = {
        **script.keys, "FRAMEMODE": "2", "LINECOUNT": str(lines), "PIXELCOUNT": str(pixels), "TAPLINES": str(len(TAPS)),
        "SAMPLEMODE": "0",
    }  # fmt: skip
    keys |= {f"TAPLINE{n}": f"{tap}, 1, 1000" for n, tap in enumerate(TAPS)}
    own = {"LinePause": LINE_PAUSE, "Lines": lines, "Pixels": pixels}
    keys |= {
        f"PARAMETER{n}": f"{name}={own.get(name, value)}" for n, (name, value) in enumerate(script.parameters.items())
    }
    system = {"BACKPLANE_TYPE": "1", "BACKPLANE_REV": "5", "BACKPLANE_VERSION": "1.0.1252", "BACKPLANE_ID": backplane}
    lines_of = [f"{key}={value}" for key, value in system.items()], [f"{key}={value}" for key, value in keys.items()]
    return Acf.parse("\n".join(["[SYSTEM]", *lines_of[0], "[CONFIG]", *lines_of[1]]) + "\n")


def _site(folder: Path, servers: dict[str, SimServer]) -> dict[str, Any]:
    (folder / "images").mkdir()
    return {
        "controllers": [
            {"name": name, "host": "127.0.0.1", "port": server.port, "frame_period": 0.002, "longest_retry": 0.1}
            for name, server in servers.items()
        ],
        "detectors": [
            {"name": f"{name}{ccd}", "controller": name, "taps": list(taps)}
            for name in servers
            for ccd, taps in CCDS.items()
        ],
        "files": {"path": str(folder / "images"), "state": str(folder / "state"), "checksum": SUM},
        "script": {"readout_start": 1.0, "readout_stall": 2.0},
    }


# the program

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__] if __name__ != "__main__" else ["kill"])  # what it imports takes a second


async def _live_and_die(site: dict[str, Any], rng: random.Random) -> str:
    """Let the program live until a random moment, and return in which phase it was."""
    wanted, passes = rng.choice(PHASES), rng.choice((0, 0, 0, 1, 2))
    phase: Synchronized[int] = _context.Value(ctypes.c_int, -1)
    images: Synchronized[int] = _context.Value(ctypes.c_int, 0)
    process = _context.Process(target=_live, args=(site, phase, images), daemon=True)
    process.start()
    end = time.monotonic() + LONGEST_LIFE
    while (images.value < passes or phase.value != PHASES.index(wanted)) and process.is_alive():
        if time.monotonic() > end:
            raise SystemExit(f"the program did not reach {wanted} within {LONGEST_LIFE:g} s")
        await asyncio.sleep(0.001)
    await asyncio.sleep(rng.random() * LONGEST_DELAY)
    died = PHASES[phase.value].value if phase.value >= 0 else "starting"
    await _kill(process)
    return died


async def _kill(process: ForkServerProcess) -> None:
    if not process.is_alive():
        raise SystemExit(f"the program ended by itself, exit code {process.exitcode}")
    process.kill()
    await asyncio.to_thread(process.join)


async def _last_life(site: dict[str, Any]) -> None:
    process = _context.Process(target=_recover, args=(site,), daemon=True)
    process.start()
    await asyncio.to_thread(process.join)
    if process.exitcode:
        raise SystemExit(f"the last recovery failed, exit code {process.exitcode}")


def _live(site: dict[str, Any], phase: "Synchronized[int]", images: "Synchronized[int]") -> None:
    asyncio.run(_expose(site, phase, images))


async def _expose(site: dict[str, Any], phase: "Synchronized[int]", images: "Synchronized[int]") -> None:
    camera = _camera(site)

    async def show() -> None:
        async for state in camera.live.watch():
            is_fetching = any(unit.fetch for unit in state.controllers)
            background = Phase.SAVING if state.file.writing else Phase.FETCHING if is_fetching else None
            now = background or state.phase  # while the next one is exposed
            phase.value = PHASES.index(now) if now in PHASES else -1
            images.value = state.images_done

    async with asyncio.TaskGroup() as tasks:
        for controller in camera.controllers:
            tasks.create_task(controller.run())
        tasks.create_task(camera.run())
        tasks.create_task(show())
        await camera.live.until(lambda state: state.is_up and state.journal.pending == 0)
        camera.change(seconds=EXPOSURE_SECONDS, image_mode=ImageMode.CONTINUOUS)
        await camera.acquire()


def _camera(site: dict[str, Any]) -> Camera:
    valid = config.validated(site)
    return Camera(make_controllers(valid), valid)


def _recover(site: dict[str, Any]) -> None:
    asyncio.run(_recover_all(site))


async def _recover_all(site: dict[str, Any]) -> None:
    camera = _camera(site)
    tasks = [asyncio.create_task(controller.run()) for controller in camera.controllers]
    tasks.append(asyncio.create_task(camera.run()))
    await camera.live.until(lambda state: state.is_up and state.journal.pending == 0)
    for task in reversed(tasks):
        task.cancel()
        await asyncio.wait([task])


# what must be true in the end


def _check_files(images: Path, servers: dict[str, SimServer]) -> list[str]:
    problems: list[str] = []
    found: dict[str, Counter[int]] = {f"{name}{ccd}": Counter() for name in servers for ccd in CCDS}
    begins: dict[int, list[datetime]] = {}
    for path in sorted(images.glob("*.fits")):
        try:
            header = _checked(path, servers)
        except (OSError, ValueError, Warning) as error:
            problems.append(f"{path.name}: {error!r}")
            continue
        found[header["CCD"]][header["ARCHFRAM"]] += 1
        begins.setdefault(header["EXPOSURE"], []).append(datetime.fromisoformat(header["DATE-BEG"]))
    for name, server in servers.items():
        status = FrameStatus.parse(str(server.device.handle("FRAME", server.now)))
        frames = range(1, max(buffer.frame for buffer in status.buffers) + 1)
        for ccd in (f"{name}{ccd}" for ccd in CCDS):
            print(f"{ccd}: {len(frames)} frames, {found[ccd].total()} files")
            problems += [f"{ccd}: frame {n} is in {found[ccd][n]} files" for n in frames if found[ccd][n] != 1]
            problems += [f"{ccd}: there is no frame {n}" for n in found[ccd] if n not in frames]
    for number, times in begins.items():
        if (max(times) - min(times)).total_seconds() > MOST_APART:
            problems.append(f"number {number} was used for two exposures: {times}")
    return problems


def _checked(path: Path, servers: dict[str, SimServer]) -> Any:
    """Return the header of a file that is whole and has the pixels of its controller."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # astropy's words for a wrong checksum
        with fits.open(path, checksum=True, memmap=False) as hdus:
            hdus.verify("exception")
            header, pixels = hdus[0].header, np.asarray(hdus[0].data)
    if header["SPEC"] not in servers or f"_{header['CCD']}." not in path.name:
        raise ValueError(f"it says that it is of {header['SPEC']}, {header['CCD']}")
    halves = pattern(*SIZES[header["SPEC"]], header["ARCHFRAM"])
    if not np.array_equal(pixels, halves[list(CCDS).index(header["CCD"].removeprefix(header["SPEC"]))]):
        raise ValueError(f"these are not the pixels of frame {header['ARCHFRAM']} of {header['SPEC']}")
    wanted = f"{hashlib.file_digest(path.open('rb'), SUM).hexdigest()}  {path.name}\n"
    if Path(f"{path}.{SUM}").read_text() != wanted:
        raise ValueError("its sum is wrong")
    return header


def pattern(lines: int, pixels: int, frame: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The test pattern of a frame: the first taps read the upper half down, the others the lower half up."""
    line, pixel = np.arange(lines)[:, None], np.arange(pixels)[None, :]
    blocks = [
        (tap * 5003 + (line if tap < 2 else line[::-1]) * 257 + (pixel[:, ::-1] if tap % 2 else pixel) + frame * 17)
        % 65536
        for tap in range(len(TAPS))
    ]
    return np.hstack(blocks[:2]), np.hstack(blocks[2:])


def _check_folders(folder: Path) -> list[str]:
    journal = folder / "state" / "journal"
    # The other ones in state/ have names of their own, and are written over by the next life.
    problems = [f"left: {path}" for place in (folder / "images", journal) for path in place.rglob("*.part")]
    problems += [f"pending: {path.name}" for path in journal.glob("*.json") if ".acf" not in path.name]
    reasons = journal / "lost" / "reasons.txt"
    lost = reasons.read_text().splitlines() if reasons.exists() else []
    # Whether nothing was read out, or a frame was given up that should not have been, the count of frames tells.
    print(f"{len(lost)} exposures were killed before they began")
    return problems


if __name__ == "__main__":
    sys.exit(main())
