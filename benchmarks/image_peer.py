"""Exposures with sdss-archon's ExposureDelegate, in its own virtual environment. Arguments: port, ACF, folder, taps.

One exposure per line. Its actor and its command are stood in for, so that no message broker is needed; what it does
between the last pixel and the end of the command is its own code.
"""

import asyncio
import os
import sys
import time
import warnings
from typing import Any

from archon import config
from archon.actor.delegate import ExposureDelegate
from archon.actor.recovery import ExposureRecovery
from archon.controller import ArchonController
from sdsstools.configuration import Configuration
from turns import answer


class Actor:
    """What the delegate asks of its actor."""

    observatory = "APO"

    def __init__(self, archon: ArchonController, folder: str, taps: int) -> None:
        self.config = Configuration(
            {
                "files": {
                    "data_dir": folder, "template": "sdR-{ccd}-{exposure_no:08d}.fits", "write_async": True,
                    "write_engine": "astropy", "use_sjd": True,
                },
                "checksum": {"write": False},
                "controllers": {archon.name: {"detectors": {"ccd": {"taps": taps, "gain": 1.0, "readnoise": 3.0}}}},
                "archon": {"acf_file": "benchmark.acf"},
                "header": {},
            }
        )  # fmt: skip
        self.exposure_recovery = ExposureRecovery({archon.name: archon})


class Command:
    """What the delegate asks of the command that it works for."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def done(self) -> bool:
        return False

    def fail(self, *reasons: object, **more: object) -> None:
        raise RuntimeError(f"the exposure failed: {reasons} {more}")

    def error(self, *reasons: object, **more: object) -> None:
        raise RuntimeError(f"the exposure failed: {reasons} {more}")

    def debug(self, *_: object, **__: object) -> None: ...

    info = warning = debug


class Delegate(ExposureDelegate[Any]):
    """Tells when it begins to fetch, and when it has."""

    asked = fetched = 0.0

    async def fetch_data(self, controller: ArchonController) -> Any:
        self.asked = time.perf_counter()
        found = await super().fetch_data(controller)
        self.fetched = time.perf_counter()
        return found


async def expose(delegate: Delegate, archon: ArchonController) -> dict[str, object]:
    """Take one bias; its wait for the readout, 3 s at least, is not counted."""
    if not await delegate.expose(Command(delegate.actor), [archon], flavour="bias"):
        raise RuntimeError("the exposure failed")
    return {"fetch": delegate.fetched - delegate.asked, "whole": time.perf_counter() - delegate.asked}


async def main() -> None:
    warnings.simplefilter("ignore")  # about parameters that its own scripts have and ours has not
    os.environ["OBSERVATORY"] = Actor.observatory  # it counts the days as its observatory does
    port, acf, folder, taps = sys.argv[1:]
    config["archon"]["int_param"] = "IntMS"
    archon = ArchonController("peer", "127.0.0.1", int(port))
    await archon.start(reset=True)
    await archon.write_config(acf, applyall=True, poweron=True)
    delegate = Delegate(Actor(archon, folder, int(taps)))
    answer("ready")
    while await asyncio.to_thread(sys.stdin.readline):
        answer(await expose(delegate, archon))
    await archon.stop()


if __name__ == "__main__":
    asyncio.run(main())
