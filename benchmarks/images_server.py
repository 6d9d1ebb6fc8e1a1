"""A Channel Access server with an image and numbers. Arguments: ours, softioc or stock; prefix; pixels; numbers.

Each line begins something, ``images RATE`` or ``numbers RATE`` (0: as fast as it goes), or is ``stop``, which ends it
and tells what was shown. A number that is shown is the time at which it was.
"""

import asyncio
import contextlib
import gc
import os
import sys
import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from fetch_ours import measure_lag
from turns import answer


class Server(ABC):
    """One of the servers to compare."""

    def __init__(self, prefix: str, pixels: int, numbers: int) -> None:
        self.prefix, self.pixels, self.count = prefix, pixels, numbers

    @abstractmethod
    async def start(self) -> int:
        """Serve; return the port."""

    @abstractmethod
    async def show_image(self, image: np.ndarray) -> None: ...

    @abstractmethod
    async def show_numbers(self, value: float) -> None: ...


class Ours(Server):
    """This program's."""

    async def start(self) -> int:
        from archon_ioc.live import Live
        from archon_ioc.pvs.render import Table
        from archon_ioc.pvs.row import Float, Pixels, Pv
        from archon_ioc.serve.ca import CaServer

        def show(value: float) -> float:
            return value

        rows: list[Any] = [
            Pv(name=f"N{number}", kind=Float(), doc="A number", group="Benchmark", read=show, rbv=False)
            for number in range(self.count)
        ]
        rows.append(Pv(name="IMAGE", kind=Pixels(self.pixels), doc="An image", group="Benchmark", read=show, rbv=False))
        self._live = Live(0.0)
        self._server = CaServer(self.prefix, [Table("", rows, self._live, None)])
        self._serving = asyncio.create_task(self._server.run())
        await self._server.started()
        gc.collect()
        gc.freeze()  # as the program does
        return self._server.port

    async def show_image(self, image: np.ndarray) -> None:
        await self._server.publish_image("IMAGE", image, time.time())

    async def show_numbers(self, value: float) -> None:
        self._live.set(value)


class Stock(Server):
    """Caproto's own, as it comes."""

    async def start(self) -> int:
        import caproto
        from caproto.asyncio.server import Context

        self._image = caproto.ChannelShort(value=np.zeros(1, np.int16), max_length=self.pixels)
        self._numbers = [caproto.ChannelDouble(value=0.0) for _ in range(self.count)]
        names = {f"{self.prefix}N{number}": channel for number, channel in enumerate(self._numbers)}
        context = Context({**names, f"{self.prefix}IMAGE": self._image})
        self._serving = asyncio.create_task(context.run())
        return int(os.environ["EPICS_CA_SERVER_PORT"])

    async def show_image(self, image: np.ndarray) -> None:
        await self._image.write(image.view(np.int16))
        await asyncio.sleep(0)

    async def show_numbers(self, value: float) -> None:
        for channel in self._numbers:
            await channel.write(value)


class SoftIoc(Server):
    """pythonSoftIOC: the server of EPICS base, with records made in Python."""

    async def start(self) -> int:
        from softioc import asyncio_dispatcher, builder, softioc

        builder.SetDeviceName(self.prefix.rstrip(":"))
        self._image = builder.WaveformIn("IMAGE", length=self.pixels, FTVL="SHORT")
        self._numbers = [builder.aIn(f"N{number}") for number in range(self.count)]
        with _output_to_errors():
            builder.LoadDatabase()
            softioc.iocInit(asyncio_dispatcher.AsyncioDispatcher(asyncio.get_running_loop()), enable_pva=False)
        return int(os.environ["EPICS_CA_SERVER_PORT"])

    async def show_image(self, image: np.ndarray) -> None:
        await asyncio.to_thread(self._image.set, image.view(np.int16))

    async def show_numbers(self, value: float) -> None:
        for record in self._numbers:
            record.set(value)


@contextlib.contextmanager
def _output_to_errors() -> Any:
    """EPICS base prints a banner where our answers go."""
    kept = os.dup(1)
    os.dup2(2, 1)
    yield
    os.dup2(kept, 1)
    os.close(kept)


class Show:
    """Shows images or numbers until it is stopped."""

    def __init__(self, server: Server) -> None:
        noise = np.random.default_rng(1).integers(0, 1 << 16, server.pixels, np.uint16)
        self._images = [noise, np.roll(noise, 1)]
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._lags: list[float] = []
        self.shown = 0
        self.last = 0.0

    def begin(self, what: str, rate: float) -> None:
        self.shown, self._lags = 0, []
        self._measuring = asyncio.create_task(measure_lag(self._lags))
        self._task = asyncio.create_task(self._run(what, rate))

    async def end(self) -> dict[str, object]:
        assert self._task
        for task in (self._task, self._measuring):
            task.cancel()
        await asyncio.wait([self._task, self._measuring])
        if not self._task.cancelled():
            self._task.result()
        return {"shown": self.shown, "last": self.last, "lags": self._lags}

    async def _run(self, what: str, rate: float) -> None:
        due = time.monotonic()
        while True:
            if what == "images":
                await self._server.show_image(self._images[self.shown % 2])
            else:
                self.last = time.time()
                await self._server.show_numbers(self.last)
            self.shown += 1
            due += 1 / rate if rate else 0.0
            await asyncio.sleep(max(due - time.monotonic(), 0.0))


async def main() -> None:
    kind, prefix, pixels, numbers = sys.argv[1:]
    server = {"ours": Ours, "softioc": SoftIoc, "stock": Stock}[kind](prefix, int(pixels), int(numbers))
    show = Show(server)
    answer({"port": await server.start()})
    while line := (await asyncio.to_thread(sys.stdin.readline)).split():
        if line[0] == "stop":
            answer(await show.end())
        else:
            show.begin(line[0], float(line[1]))
            answer({})
    os._exit(0)  # the server of EPICS base has threads that do not end


if __name__ == "__main__":
    asyncio.run(main())
