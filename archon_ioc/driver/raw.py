"""RawCommand: one command given as text by a person, awaitable, with the seed's face."""

import asyncio
from collections.abc import Generator
from enum import Enum
from typing import Any

from archon_ioc.errors import ArchonError, CommandTimeoutError


class CommandStatus(Enum):
    """How a command ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEDOUT = "timed out"


class RawCommand:
    """A command on its way; ``await`` it, then look at ``status`` and ``replies``.

    Awaiting it does not raise what the controller or the link had against it: a person looks at ``error``.
    """

    def __init__(self, text: str, task: asyncio.Task[str]) -> None:
        self.text = text
        self._task = task
        task.add_done_callback(_look)

    @property
    def status(self) -> CommandStatus:
        """How it ended, or that it has not."""
        if not self._task.done():
            return CommandStatus.RUNNING
        if isinstance(self.error, CommandTimeoutError):
            return CommandStatus.TIMEDOUT
        return CommandStatus.FAILED if self._task.cancelled() or self.error else CommandStatus.DONE

    @property
    def replies(self) -> list[str]:
        """The texts of the controller's replies: one, and none before it came or if it never does."""
        return [self._task.result()] if self.succeeded() else []

    @property
    def error(self) -> BaseException | None:
        """What went wrong, None if nothing did so far."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def succeeded(self) -> bool:
        """Whether the controller did what it was asked."""
        return self.status is CommandStatus.DONE

    def __await__(self) -> Generator[Any, None, "RawCommand"]:
        return self._finish().__await__()

    async def _finish(self) -> "RawCommand":
        await asyncio.wait([self._task])
        if self.error is not None and not isinstance(self.error, ArchonError):
            raise self.error
        return self

    def __repr__(self) -> str:
        return f"<RawCommand {self.text!r}: {self.status.value}>"


def _look(task: asyncio.Task[str]) -> None:
    """Look at a task's error, so that asyncio does not report it: it is there to be asked for."""
    if not task.cancelled():
        task.exception()
