"""Fetches with this project's ArchonController. Argument: the port."""

import asyncio
import sys
import time
import zlib

from turns import answer

from archon_ioc.driver.controller import ArchonController

_TICK = 0.002
_FETCHES = 5


async def measure_lag(lags: list[float]) -> None:
    """Append to ``lags``, every 2 ms, by how many seconds the event loop was late."""
    while True:
        asked = time.perf_counter()
        await asyncio.sleep(_TICK)
        lags.append(time.perf_counter() - asked - _TICK)


async def fetch(archon: ArchonController) -> dict[str, object]:
    """Fetch the newest frame once."""
    info = (await archon.get_frame()).newest
    assert info is not None
    started, cpu = time.perf_counter(), time.process_time()
    frame = await archon.timing.fetch(info)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "crc": zlib.crc32(frame.data)}


async def fetch_with_ticker(archon: ArchonController) -> dict[str, object]:
    """Fetch five times and return how late the event loop was meanwhile."""
    lags: list[float] = []
    ticker = asyncio.create_task(measure_lag(lags))
    await asyncio.sleep(0)
    for _ in range(_FETCHES):
        await archon.fetch()
    await asyncio.sleep(_TICK)  # the last tick may have been held up too
    ticker.cancel()
    return {"lags": lags}


async def main() -> None:
    async with ArchonController("127.0.0.1", int(sys.argv[1])) as archon:
        answer("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            answer(await (fetch_with_ticker if "ticker" in line else fetch)(archon))


if __name__ == "__main__":
    asyncio.run(main())
