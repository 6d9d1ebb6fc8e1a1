"""HookShutter: a shutter that the site's own Python code moves."""

import asyncio

from archon_ioc.errors import StateError
from archon_ioc.exposure.calling import called, is_async
from archon_ioc.exposure.hooks import UserShutter


class HookShutter:
    """The shutter of ShutterMode ``EPICS PV`` where the site file names an object of its own instead of PVs.

    One movement at a time: it is never told to close while it still opens. A movement that is waited for no longer,
    after an abort for instance, goes on to its end.
    """

    def __init__(self, shutter: UserShutter, timeout: float = 30.0) -> None:
        self._shutter = shutter
        self._timeout = timeout
        self._moving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the shutter; return when it is open.

        Raises:
            StateError: if it says that it cannot, or takes longer than the time-out.
        """
        await self._move(is_open=True)

    async def close(self) -> None:
        """Close the shutter; returns and raises as `open` does."""
        await self._move(is_open=False)

    async def _move(self, *, is_open: bool) -> None:
        what = "open" if is_open else "close"
        if self._moving:
            await self._until_done(self._moving, "do what it was told before")
        move = self._shutter.open if is_open else self._shutter.close
        moving = self._moving = asyncio.create_task(called(move), name=f"shutter hook: {what}")
        await self._until_done(moving, what)
        if error := moving.exception():
            raise StateError(f"the shutter hook does not {what}: {str(error) or repr(error)}") from error

    async def _until_done(self, moving: asyncio.Task[None], what: str) -> None:
        done, _ = await asyncio.wait([moving], timeout=self._timeout)
        if not done:
            if is_async(self._shutter.open):
                moving.cancel()
            raise StateError(f"the shutter hook does not {what} within {self._timeout:g} s")
