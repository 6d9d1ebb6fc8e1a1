"""Our simulator. Arguments: ACF, latency (1: as measured on real controllers, 0: none), speed (0: takes no time)."""

import asyncio
import sys

from turns import answer

from archon_ioc.acf.file import Acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer


async def main() -> None:
    speed = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    device = SimArchon(Acf.read(sys.argv[1]), applied=True, instant=not speed)
    device.handle("POWERON", 0.0)
    async with SimServer(device, latency=float(sys.argv[2]), speed=speed, scene=TestPattern()) as server:
        answer({"port": server.port})
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
