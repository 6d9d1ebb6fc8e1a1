"""Live[T]: the latest value of something, and ways to wait for the next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Live(Generic[T]):
    """A value that can be watched.

    Each watcher gets the newest value; a slow one skips values but never the last, and cannot hold up
    the writer.
    """

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._followers: list[Callable[[T], None]] = []

    @property
    def value(self) -> T:
        """The latest value."""
        return self._value

    def set(self, value: T) -> None:
        """Replace the value and wake every watcher; setting the same object again wakes nobody."""
        if value is self._value:
            return
        self._value = value
        self._version += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        for follower in self._followers:
            follower(value)

    def follow(self, follower: Callable[[T], None]) -> None:
        """Call ``follower`` with the value now and at each change, before anybody else can act on it.

        For what must never be seen to lag behind; it must not set this value.
        """
        self._followers.append(follower)
        follower(self._value)

    async def watch(self) -> AsyncIterator[T]:
        """Yield the current value, then the newest one after each change."""
        while True:
            seen = self._version
            yield self._value
            while self._version == seen:
                await self._changed()

    async def until(self, predicate: Callable[[T], bool], timeout: float | None = None) -> T:
        """Return the first value for which ``predicate`` is true.

        Raises:
            TimeoutError: if no such value was seen within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            while not predicate(self._value):
                await self._changed()
        return self._value

    async def _changed(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
