"""Publisher: gives finished images to those who show or process them."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from archon_ioc.exposure.picture import Exposure

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Something that takes each finished image: the chain of plugins."""

    async def take(self, exposure: Exposure) -> None:
        """Take an image; returns when the next one can be taken, the camera waits for that."""

    async def settled(self) -> None:
        """Wait until all is done with the images that were taken."""


class Publisher:
    """Gives images to every sink, one image at a time. ``show`` is called with the number on their way."""

    def __init__(self, show: Callable[[int], None]) -> None:
        self.sinks: list[Sink] = []
        self.problem = ""
        """What went wrong last; whoever shows it empties it."""
        self._show = show
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def publish(self, exposure: Exposure) -> None:
        """Begin to give an image to the sinks."""
        task = asyncio.create_task(self._give(exposure), name="publish image")
        self._tasks.add(task)
        task.add_done_callback(self._gone)
        self._show(len(self._tasks))

    async def until_at_most(self, images: int) -> None:
        """Wait until no more than so many images are on their way."""
        while len(self._tasks) > images:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def settled(self) -> None:
        """Wait until every sink is done with every image."""
        await self.until_at_most(0)
        for sink in self.sinks:
            await sink.settled()

    async def stop(self) -> None:
        """Drop what is on its way."""
        for task in self._tasks:
            task.cancel()
        await self.until_at_most(0)

    async def _give(self, exposure: Exposure) -> None:
        async with self._turn:
            for sink in self.sinks:
                try:
                    await sink.take(exposure)
                except Exception as error:
                    # The trouble of one client must cost neither the file nor the other clients.
                    log.exception("image %d is not published", exposure.facts.number)
                    self.problem = f"the image was not published: {error!r}"

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._show(len(self._tasks))
