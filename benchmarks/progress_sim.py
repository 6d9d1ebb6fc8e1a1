"""Our simulator at real speed, which knows when what happened. Argument: ACF. A line of input asks for the moments."""

import asyncio
import sys
import time

from turns import answer

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.replies import FrameStatus
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer

_PERIOD = 0.005


async def look(device: SimArchon, clock: Clock, moments: dict[str, float]) -> None:
    """Note, by the clock of all processes, when light was collected and when a frame was read."""
    was = dict.fromkeys(("light", "frame"), False)
    while True:
        async with clock.lock:
            device.advance(clock.now)
            reply = device.handle("FRAME", clock.now)
            assert isinstance(reply, str)
            now = {"light": device.timing.is_integrating, "frame": FrameStatus.parse(reply).writing is not None}
        for what, on in now.items():
            if on != was[what]:
                moments[f"{what} {'began' if on else 'ended'}"] = time.monotonic()
        was = now
        await asyncio.sleep(_PERIOD)


async def main() -> None:
    device = SimArchon(Acf.read(sys.argv[1]), applied=True)
    device.handle("POWERON", 0.0)
    clock, moments = Clock(1.0), dict[str, float]()
    async with SimServer(device, clock=clock, scene=TestPattern()) as server:
        looking = asyncio.create_task(look(device, clock, moments))
        answer({"port": server.port})
        while await asyncio.to_thread(sys.stdin.readline):
            answer(moments)
        looking.cancel()
        await asyncio.wait([looking])


if __name__ == "__main__":
    asyncio.run(main())
