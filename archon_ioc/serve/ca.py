# pyright: standard
"""The Channel Access server: tables of rows in, records out; puts of clients go to the rows' targets."""

import asyncio
import inspect
import logging
import time
from collections.abc import Sequence
from typing import Any

import caproto as ca
import numpy as np

from archon_ioc.errors import ArchonError, InputError, StateError
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Pv, Severity
from archon_ioc.serve.caproto_server import Context
from archon_ioc.serve.channels import ImageChannel, RecordChannel, make_channel
from archon_ioc.serve.wire import pixels_sent

log = logging.getLogger(__name__)

NAME_LENGTH = 60
"""Characters of a record's name in EPICS base."""
PACE = 0.03
"""Seconds between two looks at a state that changes all the time; the end of a put is shown at once."""
TURN = 0.002
"""Seconds of posting after which other work gets its turn."""


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
        self._shown = [self._show(table) for table in tables]
        self._names = tuple(self._channels)
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
        await self._flush()
        async with asyncio.TaskGroup() as tasks:
            for tables in self._by_state():
                tasks.create_task(_follow(tables), name=f"CA publisher {tables[0].table.prefix}")
            tasks.create_task(self._context.serve(self._listening), name="CA server")

    @property
    def port(self) -> int:
        """The TCP port that is served; 0 before `started`."""
        return int(self._context.port or 0)

    async def started(self) -> None:
        """Wait until clients can find the records."""
        await self._listening.wait()

    async def publish_image(self, name: str, pixels: np.ndarray, timestamp: float) -> None:
        """Show an image in a record; ``name`` lacks the prefix of the IOC only.

        Args:
            name: such as ``image1:ArrayData``.
            pixels: uint16 or uint32, any shape; in a record of 16 bits what is above 65535 is clipped, with an alarm.
            timestamp: seconds of Unix time at which the image was taken.
        """
        channel = self._channels[self._prefix + name]
        if not isinstance(channel, ImageChannel):
            raise TypeError(f"{name} does not show images")
        wire, is_clipped = await asyncio.to_thread(pixels_sent, pixels, channel.kind.bits)
        is_cut = len(wire) > channel.kind.length
        if is_cut:
            log.warning("%s shows only %d of %d pixels", name, channel.kind.length, len(wire))
        alarm = ("HIGH", Severity.MINOR) if is_clipped or is_cut else ("NO_ALARM", Severity.NO_ALARM)
        await channel.post(Reading(wire, *alarm), timestamp)

    def _show(self, table: Table[Any, Any]) -> "_ShownTable":
        async def put(channel: RecordChannel, value: object) -> ca.CAStatus | None:
            return await self._put(shown, channel, value)

        channels = {id(row): [make_channel(record, put) for record in row.records()] for row in table.rows}
        shown = _ShownTable(table, channels)
        for row in table.rows:
            for channel in channels[id(row)]:
                self._add(f"{self._prefix}{table.prefix}{channel.record.suffix}", channel)
        return shown

    def _add(self, name: str, channel: RecordChannel) -> None:
        if name in self._channels:
            raise ValueError(f"two records are called {name}")
        if len(name) > NAME_LENGTH:
            raise ValueError(f"the name {name} has more than {NAME_LENGTH} characters")
        channel.name = name
        self._channels[name] = channel

    async def _put(self, shown: "_ShownTable", channel: RecordChannel, value: object) -> ca.CAStatus | None:
        """Do what a client wants and show it, before the client is told that it was done."""
        message, note = None, ""
        try:
            note = await _apply(shown.table, channel, value)
        except ArchonError as error:
            log.info("%s = %r refused: %s", channel.name, value, error)
            message = str(error)
        except Exception as error:
            log.exception("%s = %r failed", channel.name, value)
            message = f"internal error: {error!r}"
        if message is not None:
            shown.table.target.refused(message)
        elif note:
            log.info(note)
            shown.table.target.refused(note)
        else:
            shown.table.target.accepted()
        shown.mark(channel, is_refused=message is not None)
        await self._flush()
        return None if message is None else ca.CAStatus.ECA_PUTFAIL

    def _by_state(self) -> list[list["_ShownTable"]]:
        """The tables that show one and the same state, together."""
        groups: dict[int, list[_ShownTable]] = {}
        for shown in self._shown:
            groups.setdefault(id(shown.table.live), []).append(shown)
        return list(groups.values())

    async def _flush(self) -> None:
        for shown in self._shown:
            await shown.post_changes()


async def _follow(tables: Sequence["_ShownTable"]) -> None:
    """Show every change of a state, one table after the other; of many in a short time the last."""
    async for _ in tables[0].table.live.watch():
        for shown in tables:
            await shown.post_changes()
        await asyncio.sleep(PACE)


class _ShownTable:
    """A table, its channels, and what they show, by the identity of the row: names are not unique."""

    def __init__(self, table: Table[Any, Any], channels: dict[int, list[RecordChannel]]) -> None:
        self.table = table
        self._channels = channels
        self._shown: dict[int, Reading] = {}
        self._lock = asyncio.Lock()
        self._unfit: set[str] = set()

    async def post_changes(self) -> None:
        """Post what differs from what is shown, in the order of the rows, each readback before its setpoint."""
        async with self._lock:  # an older state must not be posted after a newer one
            timestamp = time.time()
            turn_ends = time.monotonic() + TURN
            for row, reading in self.table.render():
                shown = self._shown.get(id(row))
                if not _is_same(reading, shown):
                    await self._show(row, reading, timestamp, is_news=shown is not None)
                if time.monotonic() > turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.monotonic() + TURN

    def mark(self, channel: RecordChannel, *, is_refused: bool) -> None:
        """Let the next posting show or end the alarm of a setpoint whose last put was refused."""
        channel.is_refused = is_refused
        self._shown.pop(id(channel.record.row), None)

    async def _show(self, row: Pv[Any, Any], reading: Reading, timestamp: float, *, is_news: bool) -> None:
        self._shown[id(row)] = reading
        for channel in self._channels[id(row)]:
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


def _is_same(reading: Reading, shown: Reading | None) -> bool:
    if shown is None or (reading.status, reading.severity) != (shown.status, shown.severity):
        return False
    if isinstance(reading.value, np.ndarray) or isinstance(shown.value, np.ndarray):
        return np.array_equal(reading.value, shown.value)  # type: ignore[arg-type]
    return bool(reading.value == shown.value)


async def _apply(table: Table[Any, Any], channel: RecordChannel, value: object) -> str:
    """Hand a client's value to the row; return what is to be told of it, though it was accepted."""
    row = channel.record.row
    if row.put is None:
        raise StateError(f"{channel.name} is read-only")
    wanted = channel.kind.accept(value)
    if row.linked and table.is_linked is not None and not table.is_linked(table.live.value):
        raise StateError(f"{channel.name} cannot be set: the controller is not connected")
    result = row.put(table.target, wanted)
    if inspect.isawaitable(result):
        await result
    return _clamped(channel, value, wanted)


def _clamped(channel: RecordChannel, value: object, wanted: object) -> str:
    """Return what to tell of a number that was beyond a limit; records clamp it, and say nothing."""
    if not isinstance(value, float | int) or not isinstance(wanted, float | int):
        return ""
    meant = int(value) if isinstance(wanted, int) else value
    return "" if meant == wanted else f"{channel.name}: {value:g} is out of range, {wanted:g} is taken"
