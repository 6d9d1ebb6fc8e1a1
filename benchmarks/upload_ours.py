"""Uploads with this project's ArchonController. Arguments: port, ACF."""

import asyncio
import sys
import time

from turns import answer

from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState, Step


def is_written(state: ControllerState) -> bool:
    """Whether every line was sent and acknowledged."""
    return bool(state.upload and state.upload.step is Step.WRITING and state.upload.done == state.upload.total)


async def upload(archon: ArchonController, path: str) -> dict[str, object]:
    """Upload and verify once; apply nothing."""
    started, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(archon.write_config(path))
        await archon.live.until(is_written)
        written = time.perf_counter() - started
    return {
        "written": written,
        "verified": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "lines": len(archon.status.acf.keys) if archon.status.acf else 0,
    }


async def main() -> None:
    async with ArchonController("127.0.0.1", int(sys.argv[1])) as archon:
        answer("ready")
        while await asyncio.to_thread(sys.stdin.readline):
            answer(await upload(archon, sys.argv[2]))


if __name__ == "__main__":
    asyncio.run(main())
