"""Backlog: images that are saved while the next one is exposed."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from archon_ioc.exposure.together import finished, together

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]


class Backlog:
    """Does the work of each controller in the order in which it comes, one piece at a time, and forgets no error."""

    def __init__(self) -> None:
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}  # those to be done, and those that failed

    @property
    def has_failed(self) -> bool:
        """Whether a piece of work failed; `empty` then tells why."""
        return any(_failed(task) for tasks in self._tasks.values() for task in tasks)

    async def put(self, controller: str, work: Work) -> None:
        """Begin a piece of work when those before are done; if the wait for these is cancelled, it begins too."""
        tasks = self._tasks.setdefault(controller, [])
        before = [task for task in tasks if not task.done()]
        new = asyncio.create_task(_after(before, work), name=f"{controller} saves")
        tasks[:] = [*before, *filter(_failed, tasks), new]
        if before:
            await asyncio.wait(before)

    async def empty(self) -> None:
        """Wait until all is done; a cancellation is delivered then.

        Raises:
            ArchonError: the error of what failed.
        """
        tasks, self._tasks = self._tasks, {}
        await finished(_all(tasks))


async def _after(before: list[asyncio.Task[None]], work: Work) -> None:
    if before:
        await asyncio.wait(before)
    await work


async def _all(tasks: dict[str, list[asyncio.Task[None]]]) -> None:
    if tasks:
        await together({controller: _outcome(own) for controller, own in tasks.items()})


async def _outcome(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
    errors = [error for task in tasks if (error := task.exception())]
    for error in errors[1:]:
        log.error("another image could not be saved: %s", error)
    if errors:
        raise errors[0]


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
