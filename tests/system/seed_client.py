"""What a user of sdss-archon does, in its own environment. Arguments: port, ACF, and IntMS or IntCS.

Prints a line per step.
"""

import asyncio
import json
import sys
import time
import warnings
import zlib
from typing import Any

from archon import config
from archon.controller import ArchonController
from archon.controller.maskbits import ControllerStatus


def tell(step: str, **facts: Any) -> None:
    print(json.dumps({"step": step, **facts}), flush=True)


def names(archon: ArchonController) -> list[str]:
    return [bit.name for bit in ControllerStatus if bit.name and bit in archon.status]


async def start(archon: ArchonController) -> None:
    started = time.monotonic()
    await archon.start(reset=True)
    keys = dict(archon.acf_config["CONFIG"]) if archon.acf_config else {}
    tell("start", seconds=time.monotonic() - started, keys=keys, window=archon.current_window, status=names(archon))


async def configure(archon: ArchonController, path: str) -> None:
    said: list[str] = []
    started = time.monotonic()
    await archon.write_config(path, applyall=True, poweron=True, notifier=said.append)
    tell("write_config", seconds=time.monotonic() - started, said=said, status=names(archon))
    system, status = await archon.get_system(), await archon.get_device_status()
    tell("status", system=system, status=status, power=(await archon.power()).name)


async def shown(archon: ArchonController, step: str) -> None:
    """Fetch the newest frame and tell what it is like."""
    array, buffer = await archon.fetch(return_buffer=True)
    frame = await archon.get_frame()
    tell(
        step, shape=array.shape, crc=zlib.crc32(array.data), buffer=buffer, number=frame[f"buf{buffer}frame"],
        locked=frame["rbuf"], status=names(archon),
    )  # fmt: skip


async def expose(archon: ArchonController) -> None:
    """Integrate and read out on separate demands, then in one go."""
    task = await archon.expose(0.4, readout=False)
    tell("exposing", status=names(archon))
    await task
    tell("exposed", status=names(archon))
    await archon.readout(wait_for=0.2)
    await shown(archon, "image")
    await (await archon.expose(0.2, readout=True))
    tell("reading", status=names(archon))
    frame = await archon.get_frame()
    while not frame[f"buf{frame['wbuf']}complete"]:
        frame = await archon.get_frame()
    await shown(archon, "second image")


async def window(archon: ArchonController) -> None:
    await archon.set_window(lines=100, pixels=60, overscanlines=0, overscanpixels=0)
    await archon.reset()
    await (await archon.expose(0.1, readout=False))
    await archon.readout(wait_for=0.2)
    await shown(archon, "window")
    await archon.reset_window()
    tell("window reset", window=archon.current_window)


async def abort(archon: ArchonController) -> None:
    await archon.reset()
    await archon.expose(100, readout=False)
    await archon.abort()
    tell("aborted", status=names(archon))
    await archon.flush(count=2)
    tell("flushed", status=names(archon))


async def main() -> None:
    warnings.simplefilter("ignore")  # about parameters that its own scripts have and ours has not
    config["archon"]["int_param"] = sys.argv[3]
    config["timeouts"] |= {"readout_max": 20, "flushing": 0.1}
    archon = ArchonController("seed", "127.0.0.1", int(sys.argv[1]))
    await start(archon)
    await configure(archon, sys.argv[2])
    await expose(archon)
    await window(archon)
    await abort(archon)
    await archon.power(False)
    tell("power off", status=names(archon))
    await archon.stop()


if __name__ == "__main__":
    asyncio.run(main())
