"""What one client is still to be sent, and when its reads may go on."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from archon_ioc.serve.wire import Payload

BATCH = 100
"""Updates that are prepared and written together; more would hold up other clients."""
READ_PATIENCE = 0.05
"""Seconds for which a read waits for a put that the same client sent before it."""


class Update:
    """A value on its way to one client."""

    __slots__ = ("__weakref__", "buffers", "subscriptionid")

    def __init__(self, payload: Payload, subscriptionid: int) -> None:
        self.subscriptionid = subscriptionid
        self.buffers = payload.buffers(subscriptionid)


class UpdateQueue:
    """What one client still has to be sent, oldest first; ``put`` never waits.

    An entry is called for its command, and gives None if a newer update took its place.
    """

    def __init__(self) -> None:
        self._entries: deque[Callable[[], Any]] = deque()
        self._is_filled = asyncio.Event()
        self._tidy_at = 1000

    def __len__(self) -> int:
        return len(self._entries)

    async def put(self, entry: Callable[[], Any]) -> None:
        """Append an entry; this is how caproto does it."""
        self.add(entry)

    def add(self, entry: Callable[[], Any]) -> None:
        """Append an entry."""
        self._entries.append(entry)
        self._is_filled.set()
        if len(self._entries) >= self._tidy_at:
            self._entries = deque(entry for entry in self._entries if entry() is not None)
            self._tidy_at = 2 * len(self._entries) + 1000

    async def take(self) -> list[Any]:
        """Wait for commands and return the ``BATCH`` oldest."""
        while True:
            await self._is_filled.wait()
            commands: list[Any] = []
            while self._entries and len(commands) < BATCH:
                command = self._entries.popleft()()
                if command is not None:
                    commands.append(command)
            if not self._entries:
                self._is_filled.clear()
            if commands:
                return commands

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._is_filled.clear()


class PutGate:
    """Closed while a put of this client is young, so that a put followed by a get reads the new value.

    The methods are those that caproto calls on the event it has here.
    """

    def __init__(self) -> None:
        self._is_done = asyncio.Event()
        self._is_done.set()
        self._opens_at = 0.0

    def set(self) -> None:
        """A put was done."""
        self._is_done.set()

    def clear(self) -> None:
        """A put begins."""
        self._is_done.clear()
        self._opens_at = time.monotonic() + READ_PATIENCE

    def is_set(self) -> bool:
        """Tell whether a read may go on."""
        return self._is_done.is_set() or time.monotonic() >= self._opens_at

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until a read may go on; the limit is our own, a long put is waited for once."""
        del timeout
        if not self.is_set():
            try:
                async with asyncio.timeout(self._opens_at - time.monotonic()):
                    await self._is_done.wait()
            except TimeoutError:
                pass
        return True
