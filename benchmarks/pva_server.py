"""A PVAccess server with an image. Arguments: ours or bare (p4p alone); prefix; pixels a side. Lines: seconds to show.

The answer is how many were shown, and how late the event loop of the server was meanwhile.
"""

import asyncio
import sys
import time
from abc import ABC, abstractmethod

import numpy as np
from fetch_ours import measure_lag
from figures import percentile
from turns import answer

_NAME = "IMAGE"


class Server(ABC):
    """One of the servers to compare."""

    @abstractmethod
    async def start(self, prefix: str) -> int:
        """Serve; return the port."""

    @abstractmethod
    async def show(self, image: np.ndarray, number: int) -> None: ...


class Ours(Server):
    """This program's."""

    async def start(self, prefix: str) -> int:
        from archon_ioc.serve.publisher import Publisher
        from archon_ioc.serve.pva import PvaServer

        async def nowhere(*_: object, is_news: bool) -> None: ...

        self._server = PvaServer(prefix, [], Publisher([], nowhere), [_NAME])
        self._serving = asyncio.create_task(self._server.run())
        await self._server.started()
        return self._server.port

    async def show(self, image: np.ndarray, number: int) -> None:
        from archon_ioc.plugins.ndarray import Dimension, NDArray

        rows, columns = image.shape
        array = NDArray(image, number, time.time(), time.time(), (Dimension(columns), Dimension(rows)))
        await self._server.post_image(_NAME, array)


class Bare(Server):
    """p4p alone, in the thread that its users would take."""

    async def start(self, prefix: str) -> int:
        from p4p import Value
        from p4p.nt import NTNDArray
        from p4p.server import Server as PvaServer
        from p4p.server import StaticProvider
        from p4p.server.raw import SharedPV

        self._type, self._value = NTNDArray.buildType(), Value
        self._image = SharedPV(initial=Value(self._type, {}))
        provider = StaticProvider("bare")
        provider.add(prefix + _NAME, self._image)
        self._server = PvaServer(providers=[provider])
        return int(self._server.conf()["EPICS_PVAS_SERVER_PORT"])

    async def show(self, image: np.ndarray, number: int) -> None:
        await asyncio.to_thread(self._post, image, number)

    def _post(self, image: np.ndarray, number: int) -> None:
        rows, columns = image.shape
        seconds = int(time.time())
        value = self._value(
            self._type,
            {
                "value": ("ushortValue", image.reshape(-1)),
                "uniqueId": number,
                "dimension": [{"size": columns}, {"size": rows}],
                "timeStamp": {"secondsPastEpoch": seconds},
            },
        )
        self._image.post(value)


async def flow(server: Server, images: list[np.ndarray], seconds: float) -> dict[str, float]:
    """Show images as fast as it goes."""
    lags: list[float] = []
    watch = asyncio.create_task(measure_lag(lags))
    end, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        number += 1
        await server.show(images[number % len(images)], number)
    watch.cancel()
    return {"shown": number, "lag": percentile(lags, 99)}


async def main() -> None:
    kind, prefix, side = sys.argv[1:]
    random = np.random.default_rng(1)
    images = [random.integers(0, 1 << 16, (int(side), int(side)), np.uint16) for _ in range(2)]
    server = {"ours": Ours, "bare": Bare}[kind]()
    answer({"port": await server.start(prefix)})
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer(await flow(server, images, float(line)))


if __name__ == "__main__":
    asyncio.run(main())
