"""Fetches with sdss-archon's ArchonController, in its own virtual environment. Argument: the port."""

import asyncio
import sys
import time
import zlib

from archon.controller import ArchonController
from turns import answer


async def fetch(archon: ArchonController) -> dict[str, object]:
    """Fetch the newest frame once."""
    started, cpu = time.perf_counter(), time.process_time()
    array = await archon.fetch()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "crc": zlib.crc32(array.data)}


async def main() -> None:
    archon = ArchonController("peer", "127.0.0.1", int(sys.argv[1]))
    await archon.start(reset=False, read_acf=False)
    answer("ready")
    while await asyncio.to_thread(sys.stdin.readline):
        answer(await fetch(archon))
    await archon.stop()


if __name__ == "__main__":
    asyncio.run(main())
