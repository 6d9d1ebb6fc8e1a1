"""Fetches every frame of continuous exposures. Argument: the port. A line of input says for how many seconds."""

import asyncio
import sys
import time

from turns import answer

from archon_ioc.driver.controller import ArchonController

_POLL = 0.002


async def follow(archon: ArchonController, seconds: float) -> dict[str, object]:
    """Fetch frames and return how many came, how many were missed, and how even their timestamps are."""
    newest = (await archon.get_frame()).newest
    before = newest.frame if newest else 0
    numbers: list[int] = []
    stamps: list[int] = []
    await archon.set_param("ContinuousExposures", 1)
    started, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        newest = (await archon.get_frame()).newest
        if newest and newest.frame > (numbers[-1] if numbers else before):
            await archon.timing.fetch(newest)
            numbers.append(newest.frame)
            stamps.append(newest.timestamp)
        else:
            await asyncio.sleep(_POLL)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    await archon.set_param("ContinuousExposures", 0)
    periods = [(b - a) / (m - n) for a, b, n, m in zip(stamps, stamps[1:], numbers, numbers[1:], strict=False)]
    return {
        "frames": len(numbers),
        "missed": numbers[-1] - numbers[0] + 1 - len(numbers),
        "deviation": (max(periods) - min(periods)) * 1e-8,
        "seconds": elapsed,
        "cpu": cpu,
    }


async def main() -> None:
    async with ArchonController("127.0.0.1", int(sys.argv[1])) as archon:
        answer("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            answer(await follow(archon, float(line)))


if __name__ == "__main__":
    asyncio.run(main())
