"""Uploads with sdss-archon's ArchonController, in its own virtual environment. Arguments: port, ACF."""

import asyncio
import sys
import time
import warnings

from archon.controller import ArchonController
from turns import answer


async def upload(archon: ArchonController, path: str) -> dict[str, object]:
    """Upload once; apply nothing. It does not read back what it wrote."""
    started, cpu = time.perf_counter(), time.process_time()
    await archon.write_config(path, applyall=False)
    return {"written": time.perf_counter() - started, "cpu": time.process_time() - cpu}


async def main() -> None:
    warnings.simplefilter("ignore")  # about parameters that its own scripts have and ours has not
    archon = ArchonController("peer", "127.0.0.1", int(sys.argv[1]))
    await archon.start(reset=False, read_acf=False)
    answer("ready")
    while await asyncio.to_thread(sys.stdin.readline):
        answer(await upload(archon, sys.argv[2]))
    await archon.stop()


if __name__ == "__main__":
    asyncio.run(main())
