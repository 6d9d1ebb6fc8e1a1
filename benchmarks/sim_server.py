"""Our simulator without simulated time. Arguments: ACF, latency (1: as measured on real controllers, 0: none)."""

import asyncio
import sys

from turns import answer

from archon_ioc.acf.file import Acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer


async def main() -> None:
    device = SimArchon(Acf.read(sys.argv[1]), applied=True, instant=True)
    device.handle("POWERON", 0.0)
    async with SimServer(device, latency=float(sys.argv[2]), speed=0, scene=TestPattern()) as server:
        answer({"port": server.port})
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
