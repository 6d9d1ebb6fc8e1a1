"""RawCommand: one command given as text by a person, awaitable, with the seed's face."""

import asyncio
from collections.abc import Generator
from enum import Enum
from typing import Any

from archon_ioc.errors import CommandTimeoutError, LinkError, RejectedError


class CommandStatus(Enum):
    """How a command ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMEDOUT = "timed out"


class RawCommand:
    """A command on its way; ``await`` it, then look at ``status`` and ``replies``.

    Awaiting it never raises: a person looks at the outcome. ``error`` holds what went wrong.
    """

    def __init__(self, text: str, task: asyncio.Task[str]) -> None:
        self.text = text
        self.status = CommandStatus.RUNNING
        self.replies: list[str] = []
        self.error: Exception | None = None
        self._task = task

    def succeeded(self) -> bool:
        """Whether the controller did what it was asked."""
        return self.status is CommandStatus.DONE

    def __await__(self) -> Generator[Any, None, "RawCommand"]:
        return self._finish().__await__()

    async def _finish(self) -> "RawCommand":
        try:
            reply = await self._task
        except CommandTimeoutError as error:
            self.status, self.error = CommandStatus.TIMEDOUT, error
        except (RejectedError, LinkError) as error:
            self.status, self.error = CommandStatus.FAILED, error
        else:
            self.status, self.replies = CommandStatus.DONE, [reply]
        return self

    def __repr__(self) -> str:
        return f"<RawCommand {self.text!r}: {self.status.value}>"
