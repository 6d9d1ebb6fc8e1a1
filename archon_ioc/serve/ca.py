# pyright: standard
"""The Channel Access server: tables of rows in, records out; puts of clients go to the rows' targets."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import caproto as ca
import numpy as np

from archon_ioc.errors import InputError
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Pv, Severity
from archon_ioc.serve.caproto_server import Context
from archon_ioc.serve.channels import ImageChannel, RecordChannel, make_channel
from archon_ioc.serve.publisher import Publisher
from archon_ioc.serve.puts import put
from archon_ioc.serve.wire import pixels_sent

log = logging.getLogger(__name__)

NAME_LENGTH = 60
"""Characters of a record's name in EPICS base."""


class CaServer:
    """Records made from tables, served over Channel Access.

    Interfaces and ports are those of the EPICS_CA and EPICS_CAS variables of the environment.

    Raises:
        ValueError: if two records have one name or a name is too long.
    """

    def __init__(
        self, prefix: str, tables: Sequence[Table[Any, Any]], *, interfaces: Sequence[str] | None = None
    ) -> None:
        self._prefix = prefix
        self._channels: dict[str, ca.ChannelData] = {}
        self._of_row: dict[tuple[int, int], list[RecordChannel]] = {}
        self._unfit: set[str] = set()
        for table in tables:
            self._make_channels(table)
        self._names = tuple(self._channels)
        self.publisher = Publisher(tables, self._show)
        """Shows the same to other servers too."""
        self._listening = asyncio.Event()
        self._context = Context(self._channels, interfaces)

    @property
    def names(self) -> tuple[str, ...]:
        """Full names of all records."""
        return self._names

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            CaprotoRuntimeError: if there is no free port.
            ExceptionGroup: if the server dies by itself.
        """
        await self.flush()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.publisher.run(), name="CA publisher")
            tasks.create_task(self._context.serve(self._listening), name="CA server")

    @property
    def port(self) -> int:
        """The TCP port that is served; 0 before `started`."""
        return int(self._context.port or 0)

    async def started(self) -> tuple[str, int]:
        """Wait until clients can find the records; return where this program itself can."""
        await self._listening.wait()
        host = self._context.interfaces[0]
        return ("127.0.0.1" if host == "0.0.0.0" else host), self.port

    async def flush(self) -> None:
        """Show all that the states say now; it is on its way to the clients when this returns."""
        await self.publisher.flush()

    async def publish_image(self, name: str, pixels: np.ndarray, timestamp: float) -> None:
        """Show an image in a record, after all that the states say now, such as its size and the counters.

        Args:
            name: such as ``image1:ArrayData``; it lacks the prefix of the IOC only.
            pixels: uint16 or uint32, any shape; in a record of 16 bits what is above 65535 is clipped, with an alarm.
            timestamp: seconds of Unix time at which the image was taken.
        """
        channel = self._channels[self._prefix + name]
        if not isinstance(channel, ImageChannel):
            raise TypeError(f"{name} does not show images")
        wire, is_clipped = await asyncio.to_thread(pixels_sent, pixels, channel.kind.bits, channel.memory)
        is_cut = len(wire) > channel.kind.length
        if is_cut:
            log.warning("%s shows only %d of %d pixels", name, channel.kind.length, len(wire))
        alarm = ("HIGH", Severity.MINOR) if is_clipped or is_cut else ("NO_ALARM", Severity.NO_ALARM)
        await self.flush()
        await channel.post(Reading(wire, *alarm), timestamp)

    def _make_channels(self, table: Table[Any, Any]) -> None:
        async def put_to(channel: RecordChannel, value: object) -> ca.CAStatus | None:
            return await self._put(table, channel, value)

        for row in table.rows:
            channels = [make_channel(record, put_to) for record in row.records()]
            self._of_row[id(table), id(row)] = channels
            for channel in channels:
                self._add(f"{self._prefix}{table.prefix}{channel.record.suffix}", channel)

    def _add(self, name: str, channel: RecordChannel) -> None:
        if name in self._channels:
            raise ValueError(f"two records are called {name}")
        if len(name) > NAME_LENGTH:
            raise ValueError(f"the name {name} has more than {NAME_LENGTH} characters")
        channel.name = name
        self._channels[name] = channel

    async def _put(self, table: Table[Any, Any], channel: RecordChannel, value: object) -> ca.CAStatus | None:
        """Do what a client wants and show it, before the client is told that it was done."""
        message = await put(table, channel.record.row, channel.name, value)
        channel.is_refused = bool(message)
        self.publisher.mark(table, channel.record.row)
        await self.flush()
        return ca.CAStatus.ECA_PUTFAIL if message else None

    async def _show(
        self, table: Table[Any, Any], row: Pv[Any, Any], reading: Reading, timestamp: float, *, is_news: bool
    ) -> None:
        """Post a reading, in the readback before the setpoint."""
        for channel in self._of_row[id(table), id(row)]:
            if is_news:
                channel.is_refused = False  # the refusal was about what was there before
            await self._post(channel, reading, timestamp)

    async def _post(self, channel: RecordChannel, reading: Reading, timestamp: float) -> None:
        try:
            await channel.post(reading, timestamp)
        except (TypeError, ValueError, OverflowError, InputError):
            # One wrong row must not take the other hundreds with it.
            if channel.name not in self._unfit:
                self._unfit.add(channel.name)
                log.exception("%s cannot show %r", channel.name, reading.value)
            await channel.post(Reading(None, "CALC", Severity.INVALID), timestamp)
