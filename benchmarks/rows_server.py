"""A Channel Access server with many rows. Arguments: prefix, rows.

The rows are those of the IOC, over and over under other names.
"""

import asyncio
import sys
from itertools import count, islice

from turns import answer

from archon_ioc import app
from archon_ioc.config import ControllerConfig, SiteConfig
from archon_ioc.exposure.operations import Operations
from archon_ioc.pvs.camera_rows import CAMERA_ROWS
from archon_ioc.pvs.controller_rows import CONTROLLER_ROWS
from archon_ioc.pvs.file_rows import FITS_ROWS
from archon_ioc.pvs.render import Table
from archon_ioc.serve.ca import CaServer


def tables(rows: int) -> list[Table]:
    """Return tables of ``rows`` rows in all; their prefixes are ``0:``, ``1:`` and so on."""
    ioc = app.join(SiteConfig(controller=ControllerConfig(host="127.0.0.1")))
    operations = Operations(ioc.camera)
    kinds = [
        (CAMERA_ROWS, ioc.camera.live),
        (CONTROLLER_ROWS, ioc.camera.controller.live),
        (FITS_ROWS, ioc.camera.live),
    ]
    made: list[Table] = []
    for number in count():
        own, live = kinds[number % len(kinds)]
        part = list(islice(own, rows))
        made.append(Table(f"{number}:", part, live, operations, lambda _: True))
        rows -= len(part)
        if not rows:
            return made
    raise AssertionError


async def main() -> None:
    server = CaServer(sys.argv[1], tables(int(sys.argv[2])))
    serving = asyncio.create_task(server.run())
    await server.started()
    answer({"names": list(server.names)})
    await asyncio.to_thread(sys.stdin.read)
    serving.cancel()
    await asyncio.wait([serving])


if __name__ == "__main__":
    asyncio.run(main())
