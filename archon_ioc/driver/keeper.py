"""Keeper: keeps one controller connected and its state fresh. The only code that opens or drops the link."""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from archon_ioc.config import ControllerConfig
from archon_ioc.driver.clock import TimerClock
from archon_ioc.driver.connection import Connection, connect
from archon_ioc.driver.state import ControllerState, Link
from archon_ioc.errors import LinkError, ProtocolError, RejectedError
from archon_ioc.live import Live
from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, SystemInfo

log = logging.getLogger(__name__)

_EMPTY_LOG = "(null)"
_KEPT_LOG_LINES = 20
_MOST_LOG_LINES = 64  # read at one go: a controller that logs without end must not keep us from STATUS

_HURRY = 0.1  # seconds between two STATUS requests while a change is awaited
_FIRST_PAUSE = 0.1  # seconds from a lost link to the first attempt to connect again

T = TypeVar("T")
Synchronise = Callable[[Connection], Awaitable[None]]

STOPPED = "stopped"
"""The reason why there is no link after the end of `Keeper.run`."""


class Keeper:
    """The link of one controller and the only ``Live[ControllerState]`` of it."""

    def __init__(self, config: ControllerConfig, synchronise: Synchronise | None = None) -> None:
        self.config = config
        self.synchronise = synchronise
        """Called on each new connection, after SYSTEM, STATUS and FRAME were read and before the link is UP."""
        self.live = Live(ControllerState(name=config.name, reason="not started", config_file=str(config.acf or "")))
        self.clock = TimerClock()
        """The controller's TIMER in the time of this host."""
        self.companion: Callable[[], Coroutine[Any, Any, None]] | None = None
        """Runs as long as the keeper does."""
        self._connection: Connection | None = None
        self._housekeeping = asyncio.Lock()  # polling, or an upload: never both
        self._reconnect_now = asyncio.Event()
        self._log_turn = asyncio.Lock()
        self._log_entries = 0  # taken from the controller so far
        self._is_running = False

    @property
    def state(self) -> ControllerState:
        """The latest state."""
        return self.live.value

    def update(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.live.set(replace(self.live.value, **changes))

    async def run(self) -> None:
        """Keep connected and poll, until cancelled."""
        self._is_running = True
        self.update(reason="connecting")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_connected(), name=f"{self.config.name} link")
                tasks.create_task(self._keep_polling(), name=f"{self.config.name} poll")
                if self.companion:
                    tasks.create_task(self.companion(), name=f"{self.config.name} companion")
        finally:
            self._is_running = False
            self.update(link=Link.DOWN, reason=STOPPED, upload=None, fetch=None)

    @property
    def connection(self) -> Connection:
        """The link, when it is UP.

        Raises:
            LinkError: if it is not.
        """
        if self._connection is None or not self.state.is_up or self._connection.is_broken:
            raise LinkError(f"{self.config.name} is not connected: {self.state.reason or 'the link has just broken'}")
        return self._connection

    async def until_up(self, timeout: float) -> None:
        """Wait until the link is UP, also when one has just broken and the state does not say so yet.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds, which may be infinite.
            LinkError: if nobody keeps the link any more.
        """

        def is_decided(state: ControllerState) -> bool:
            is_usable = state.is_up and self._connection is not None and not self._connection.is_broken
            return is_usable or not self._is_running

        await self.live.until(is_decided, None if timeout == math.inf else timeout)
        if not self._is_running:
            raise LinkError(f"{self.config.name} is not connected: {STOPPED}")

    async def request(self, command: Command) -> str:
        """Send a command and return the text of its reply; after a rejection the log says why.

        Raises:
            RejectedError: if the controller answers ``?``.
            LinkError: if the link is not UP or breaks.
        """
        self.update(last_command=command.text[:255], last_reply="")
        async with self.explaining():
            reply = await self.connection.request(command)
        self.update(last_reply=reply[:255])
        return reply

    @contextlib.asynccontextmanager
    async def explaining(self) -> AsyncGenerator[None]:
        """Give a rejection in the block what the controller has logged meanwhile as its reason."""
        entries = self._log_entries
        try:
            yield
        except RejectedError as error:
            self.update(last_reply="?")
            await self.read_log()
            count = min(self._log_entries - entries, len(self.state.log))
            reason = "; ".join(self.state.log[len(self.state.log) - count :])
            raise RejectedError(error.command, reason) from None

    async def refresh(self) -> DeviceStatus:
        """Read STATUS and FRAME now, but not in the middle of an upload.

        Raises:
            LinkError: if the link is not UP or breaks.
        """
        async with self._housekeeping:
            return await self._poll(self.connection)

    async def refresh_until(self, accept: Callable[[DeviceStatus], bool], timeout: float) -> DeviceStatus:
        """Read STATUS and FRAME until ``accept`` is true of the status, and return that.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
            LinkError: if the link is not UP or breaks.
        """
        async with asyncio.timeout(timeout):
            while True:
                status = await self.refresh()
                if accept(status):
                    return status
                await asyncio.sleep(min(_HURRY, self.config.status_period))

    async def refresh_system(self) -> SystemInfo:
        """Read SYSTEM now.

        Raises:
            LinkError: if the link is not UP or breaks.
        """
        return await self._read_system(self.connection)

    async def refresh_frames(self) -> FrameStatus:
        """Read FRAME now.

        Raises:
            LinkError: if the link is not UP or breaks.
        """
        return await self._read_frames(self.connection)

    async def read_log(self) -> list[str]:
        """Take what the controller has logged, show and return it.

        Raises:
            LinkError: if the link is not UP or breaks.
        """
        entries: list[str] = []
        async with self._log_turn:  # an entry is taken by one asker and looked for by another
            while len(entries) < _MOST_LOG_LINES:
                entry = (await self.connection.request(commands.fetch_log())).strip()
                if entry in ("", _EMPTY_LOG):
                    break
                entries.append(entry)
                self._log_entries += 1
                self.update(log=(*self.state.log, entry)[-_KEPT_LOG_LINES:])
                log.warning("%s: controller log: %s", self.config.name, entry)
        return entries

    def reconnect(self, reason: str = "reconnect was asked for") -> None:
        """Drop the link, if there is one, and connect again at once."""
        self._reconnect_now.set()
        if self._connection:
            self._connection.close(reason)

    def undisturbed(self) -> asyncio.Lock:
        """Return the lock to hold while polling must not come between two commands."""
        return self._housekeeping

    async def _keep_connected(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            reason: Exception
            try:
                async with connect(self.config.host, self.config.port, self.config.connect_timeout) as connection:
                    self.update(link=Link.SYNCING, reason="synchronising")
                    self._connection = connection
                    await self._catch_up(connection)
                    pause = _FIRST_PAUSE
                    reason = await connection.lost()
            except (LinkError, RejectedError) as error:
                reason = error
            except Exception as error:
                # An unknown fault is a lost link too: the detector must not be left without its program.
                log.exception("%s: unexpected error on the link", self.config.name)
                reason = error
            finally:
                self._connection = None
            self._lost(str(reason) or type(reason).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):
                    await self._reconnect_now.wait()
            self._reconnect_now.clear()
            pause = min(2 * pause, self.config.longest_retry)

    def _lost(self, reason: str) -> None:
        if reason != self.state.reason:
            log.warning("%s: disconnected: %s", self.config.name, reason)
        self.update(link=Link.DOWN, reason=reason, link_errors=self.state.link_errors + 1, upload=None, fetch=None)

    async def _catch_up(self, connection: Connection) -> None:
        """Learn everything anew: while nobody listened, anything may have happened."""
        await connection.request(commands.poll_on())  # an upload of an earlier life may have left it off
        system = await self._read_system(connection)
        await self._read_status(connection)
        if (await self._read_frames(connection)).read_buffer:
            await connection.request(commands.unlock())  # the lock of an earlier life, its fetch is gone
        if self.synchronise:
            await self.synchronise(connection)
        self.update(link=Link.UP, reason="")
        log.info(
            "%s: connected to %s:%d, %s rev %s, firmware %s",
            self.config.name, self.config.host, self.config.port,
            system.backplane_type.name, system.revision_letter, system.backplane_version,
        )  # fmt: skip

    async def _keep_polling(self) -> None:
        while True:
            await self.live.until(lambda state: state.is_up)
            try:
                await self.refresh()
            except (LinkError, RejectedError) as error:
                log.debug("%s: poll: %s", self.config.name, error)
            await asyncio.sleep(self.config.status_period)

    async def _poll(self, connection: Connection) -> DeviceStatus:
        status = await self._read_status(connection)
        await self._read_frames(connection)
        if status.log_entries:
            await self.read_log()
        return status

    async def _read_system(self, connection: Connection) -> SystemInfo:
        system = await self._ask(connection, commands.system(), SystemInfo.parse)
        self.update(system=system)
        return system

    async def _read_status(self, connection: Connection) -> DeviceStatus:
        status = await self._ask(connection, commands.status(), DeviceStatus.parse)
        self.update(status=status)
        return status

    async def _read_frames(self, connection: Connection) -> FrameStatus:
        sent = time.time()
        frames = await self._ask(connection, commands.frame(), FrameStatus.parse)
        self.clock.note(frames.timer, sent, time.time())
        self.update(frames=frames)
        return frames

    async def _ask(self, connection: Connection, command: Command, parse: Callable[[str], T]) -> T:
        text = await connection.request(command)
        try:
            return parse(text)
        except ProtocolError as error:
            connection.close(f"{command.text}: {error}")  # what comes next cannot be trusted either
            raise
