"""A TCP port of the simulator, and the tasks of its clients."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

log = logging.getLogger(__name__)

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Listener:
    """Gives each client of a port a task of its own; ends them all with `close`."""

    def __init__(self, serve: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> None:
        self._serve_client = serve
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[socket.socket] = set()
        self._failures: list[BaseException] = []
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    def open(self, host: str, port: int) -> int:
        """Listen; return the port, a free one for 0.

        Raises:
            OSError: if it is in use; the text names it.
        """
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise OSError(error.errno, f"port {port} of {host}: {error.strerror}") from error
        self._socket.setblocking(False)
        port = self._socket.getsockname()[1]
        self._accepting = self.start(self._accept(self._socket, port), f"simulator on port {port}")
        return port

    def refuse_for(self, seconds: float) -> None:
        """Cut every connection now, and refuse new ones for so long."""
        self.cut()
        if seconds and self._accepting and self._socket:
            self._accepting.cancel()
            self._accepting = self.start(
                self._reopen(self._socket, self._accepting, seconds), self._accepting.get_name()
            )  # fmt: skip

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something until it ends by itself, or with the listener."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def cut(self) -> None:
        """Cut every connection now."""
        for client in self._clients:
            with suppress(OSError):  # the client may have gone by itself
                client.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """End every task and close every socket.

        Raises:
            BaseException: the first one that ended a task.
        """
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        for opened in (self._socket, *self._clients):  # tasks that never began closed nothing
            if opened:
                opened.close()
        if self._failures:
            raise self._failures[0]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("simulator: %s failed", task.get_name(), exc_info=error)
            self._failures.append(error)

    async def _reopen(self, before: socket.socket, accepting: asyncio.Task[None], seconds: float) -> None:
        await asyncio.wait([accepting])
        address = before.getsockname()
        before.close()
        self._socket = again = socket.socket(before.family)
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.setblocking(False)
        again.bind(address)  # nobody else gets the port, and who connects is refused
        await asyncio.sleep(seconds)
        again.listen()
        await self._accept(again, address[1])

    async def _accept(self, listening: socket.socket, port: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listening)
            self._clients.add(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.start(self._serve(client), f"client of port {port}")

    async def _serve(self, client: socket.socket) -> None:
        try:
            await self._serve_client(client)
        except ConnectionError as error:
            log.debug("simulator: a client left: %s", error)
        finally:
            self._clients.discard(client)
            client.close()


def reset_on_close(client: socket.socket) -> None:
    """Let the end of a connection be a reset (RST), not an ordinary end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
