"""Patience: how long something may take that leaves the hardware safe."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Patience:
    """Time limits that become short when the program stops."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._end: float | None = None

    @asynccontextmanager
    async def limit(self, seconds: float | None) -> AsyncGenerator[None]:
        """Give the block so many seconds, None for no limit, and no more than `shorten` leaves.

        Raises:
            TimeoutError: if it takes longer.
        """
        async with asyncio.timeout(seconds) as limit:
            self._shorten(limit)
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def shorten(self, seconds: float) -> None:
        """Let every block, also one that runs already, be over in so many seconds from now."""
        self._end = asyncio.get_running_loop().time() + seconds
        for limit in self._limits:
            self._shorten(limit)

    def _shorten(self, limit: asyncio.Timeout) -> None:
        end = limit.when()
        if self._end is not None and not limit.expired() and (end is None or end > self._end):
            limit.reschedule(self._end)
