# pyright: standard
"""Channels: records as Channel Access sees them, one class per kind of value."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import caproto as ca
import numpy as np

from archon_ioc.driver.memory import FrameMemory
from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import (
    STRING_LENGTH,
    AlarmLimits,
    Array,
    Choice,
    Float,
    Int,
    Pixels,
    Record,
    Severity,
    Text,
)
from archon_ioc.serve.fields import LIVE_FIELDS, Field, Menu, field_values, make_field
from archon_ioc.serve.wire import ENCODING, latin, numbers, pixels_sent, text_sent, value_sent

BACKLOG = 10
"""Updates of one value that wait for a slow client; the oldest is dropped first."""
IMAGE_BACKLOG = 1
"""A newer image takes the place of one that is not yet on its way."""

READ_WRITE = ca.AccessRights.READ | ca.AccessRights.WRITE

Put = Callable[["RecordChannel", object], Awaitable[ca.CAStatus | None]]
"""Called for a put of a client with the value as it came; returns None if it was done."""

_NUMBERS = (ca.ChannelType.LONG, ca.ChannelType.FLOAT, ca.ChannelType.DOUBLE, ca.ChannelType.CHAR)
_AT_ONCE_BYTES = 1 << 20
"""Bytes of an image up to which it is converted at once, without a thread."""

_VALUE_EVENT = ca.SubscriptionType.DBE_VALUE | ca.SubscriptionType.DBE_LOG
_UNDEFINED = (ca.AlarmStatus.UDF, ca.AlarmSeverity.INVALID_ALARM)
_ALARM_EVENT = ca.SubscriptionType.DBE_ALARM


class RecordChannel(ca.ChannelData):
    """The value of one record, with its own alarm and with fields that are made when a client asks for them.

    A put stores nothing: it is handed on, and what is shown comes back as a reading.
    """

    empty: Any = 0

    def __init__(self, record: Record[Any, Any], put: Put, **kwargs: Any) -> None:
        super().__init__(
            value=kwargs.pop("value", self.empty),
            alarm=ca.ChannelAlarm(status=_UNDEFINED[0], severity=_UNDEFINED[1]),
            reported_record_type=record.record_type,
            **{"max_subscription_backlog": BACKLOG, **kwargs},
        )
        self.record = record
        self.kind: Any = record.row.kind
        self.name = record.suffix
        self.shown_alarm = _UNDEFINED
        self.is_refused = False
        self._put = put
        self._fields: dict[str, Field] = {}

    def encode(self, value: Any) -> Any:
        """Return a value of a reading as caproto keeps it.

        Raises:
            ValueError, TypeError, OverflowError: if the row promised another kind of value.
        """
        raise NotImplementedError

    def is_same(self, value: Any) -> bool:
        """Tell whether an encoded value is what is shown already."""
        return value == self.value

    async def post(self, reading: Reading, timestamp: float) -> bool:
        """Show a reading: one event if something changed, with the bits of what changed; return whether it did."""
        severity, status = reading.severity, reading.status
        if self.is_refused and severity == Severity.NO_ALARM:
            severity, status = Severity.MINOR, "WRITE"
        value = self.value if reading.value is None else self.encode(reading.value)
        alarm = (ca.AlarmStatus[status], ca.AlarmSeverity(int(severity)))
        events = 0
        if alarm != self.shown_alarm:
            events |= _ALARM_EVENT
        if not self.is_same(value) or (self.shown_alarm == _UNDEFINED != alarm):
            events |= _VALUE_EVENT
        if not events:
            return False
        self._data["value"] = value
        await self.write_metadata(publish=False, timestamp=timestamp)
        if alarm != self.shown_alarm:
            self.shown_alarm = alarm
            await self.write_metadata(publish=False, status=alarm[0], severity=alarm[1])
        await self.publish(events)
        if self._fields:
            await self._refresh_fields(timestamp)
        return True

    async def _refresh_fields(self, timestamp: float) -> None:
        values = field_values(self)
        for name in LIVE_FIELDS & self._fields.keys():
            field, value = self._fields[name], values[name]
            value = value.index if isinstance(value, Menu) else value
            if field.value != value:
                await field.write(value, flags=_VALUE_EVENT, verify_value=False, timestamp=timestamp)

    def get_field(self, name: str) -> ca.ChannelData:
        """Return the channel of a field of this record.

        Raises:
            KeyError: if this type of record has no such field.
        """
        if name == "VAL":
            return self
        if name not in self._fields:
            self._fields[name] = make_field(self, name)
        return self._fields[name]

    def check_access(self, hostname: str, username: str) -> ca.AccessRights:
        """Readbacks cannot be put."""
        del hostname, username
        return ca.AccessRights.READ | (ca.AccessRights.WRITE if self.record.writable else ca.AccessRights.NO_ACCESS)

    async def auth_write(
        self, hostname: str, username: str, data: Any, data_type: Any, metadata: Any, **kwargs: Any
    ) -> Any:
        """Hand a put on; the answer is the status that the client's put-callback gets."""
        if data_type in (ca.ChannelType.PUT_ACKS, ca.ChannelType.PUT_ACKT):
            return await super().auth_write(hostname, username, data, data_type, metadata, **kwargs)
        if not self.record.writable:
            return ca.CAStatus.ECA_NOWTACCESS
        return await self._put(self, self.decode(data, ca.native_type(data_type)))

    def decode(self, values: Any, native: Any) -> object:
        """Return what a client sent as the row's kind takes it."""
        return value_sent(values, native)


class FloatChannel(RecordChannel, ca.ChannelDouble):
    """A real number."""

    empty = 0.0

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        super().__init__(record, put, units=kind.unit, precision=kind.precision, **_limits(kind, math.nan))

    def encode(self, value: Any) -> float:
        return float(value)

    async def _read(self, data_type: Any) -> Any:
        metadata, values = await super()._read(data_type)
        if ca.native_type(data_type) == ca.ChannelType.STRING:
            values = ca.DbrStringArray([f"{self.value:.{self.precision}f}".encode(ENCODING)])
        return metadata, values


class IntChannel(RecordChannel, ca.ChannelInteger):
    """A whole number of 32 bits with sign."""

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        super().__init__(record, put, units=kind.unit, **_limits(kind, 0))

    def encode(self, value: Any) -> int:
        number = int(value)
        if not -(1 << 31) <= number < 1 << 31:
            raise OverflowError(f"{value} has more than 32 bits")
        return number

    def decode(self, values: Any, native: Any) -> object:
        number = super().decode(values, native)
        # Records cut the fraction off.
        return math.trunc(number) if isinstance(number, float) and math.isfinite(number) else number


class ChoiceChannel(RecordChannel, ca.ChannelEnum):
    """One of a few words; the value kept is the index."""

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        super().__init__(record, put, enum_strings=kind.labels)

    def encode(self, value: Any) -> int:
        return self.kind.accept(value)


class StringChannel(RecordChannel, ca.ChannelString):
    """Text of up to 39 bytes."""

    empty = ""

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        super().__init__(record, put, long_string_max_length=STRING_LENGTH)

    def encode(self, value: Any) -> str:
        return latin(value, STRING_LENGTH).decode(ENCODING)

    def decode(self, values: Any, native: Any) -> object:
        return text_sent(values, native)


class TextChannel(RecordChannel, ca.ChannelByte):
    """Longer text: an array of characters with a closing zero, so that it is never empty."""

    empty = b"\0"

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        super().__init__(record, put, max_length=kind.size, strip_null_terminator=False)
        self.string_encoding = ENCODING  # of the record's type; caproto has None here

    def preprocess_value(self, value: Any) -> Any:
        """Keep bytes as they are."""
        return value

    def encode(self, value: Any) -> bytes:
        return latin(value, self.kind.size) + b"\0"

    def decode(self, values: Any, native: Any) -> object:
        return text_sent(values, native)


class ArrayChannel(RecordChannel, ca.ChannelNumeric):
    """Up to a fixed number of numbers."""

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        self.data_type = ca.ChannelType[kind.ftvl]
        super().__init__(record, put, value=numbers([0], self.data_type), max_length=kind.length, units=kind.unit)

    def encode(self, value: Any) -> np.ndarray:
        array = numbers(value, self.data_type)
        if array.ndim != 1 or len(array) > self.kind.length:
            raise ValueError(f"shape {array.shape} does not fit {self.kind.length} elements")
        return array

    def is_same(self, value: Any) -> bool:
        return np.array_equal(value, self.value, equal_nan=True)


class ImageChannel(RecordChannel):
    """Unsigned pixels, which CA can only call signed: clients view them as unsigned.

    The value is kept as it goes over the wire and is shared by all clients, so it must never change. For clients that
    want numbers of another type a large image is converted in a thread, once for all.
    """

    def __init__(self, record: Record[Any, Any], put: Put) -> None:
        kind: Any = record.row.kind
        self._converted: dict[ca.ChannelType, tuple[np.ndarray, np.ndarray]] = {}
        self.memory = FrameMemory()  # to free a large one would hold up the event loop for a while
        super().__init__(
            record,
            put,
            value=pixels_sent(np.zeros(1, np.uint16), kind.bits, self.memory)[0],
            max_length=max(kind.length, 1),
            max_subscription_backlog=IMAGE_BACKLOG,
        )

    def encode(self, value: Any) -> np.ndarray:
        return value if len(value) <= self.kind.length else value[: self.kind.length]

    def is_same(self, value: Any) -> bool:
        return value is self.value

    async def post(self, reading: Reading, timestamp: float) -> bool:
        """Show an image, in every type that somebody has subscribed to."""
        if reading.value is not None:
            reading = replace(reading, value=self.encode(reading.value))
            for native in self._subscribed():
                await self._prepare(native, reading.value)
        try:
            return await super().post(reading, timestamp)
        finally:
            self._converted.clear()

    async def read(self, data_type: Any) -> Any:
        """Return the image and what is known of it, as a type."""
        native = ca.native_type(data_type)
        await self._prepare(native, self.value)
        try:
            return await super().read(data_type)
        finally:
            self._converted.pop(native, None)

    async def subscribe(self, queue: Any, sub_spec: Any, sub: Any) -> None:
        """Send the image, and each that comes."""
        native = ca.native_type(ca.ChannelType[sub_spec.data_type_name])
        await self._prepare(native, self.value)
        try:
            await super().subscribe(queue, sub_spec, sub)
        finally:
            self._converted.pop(native, None)

    def _subscribed(self) -> set[ca.ChannelType]:
        names = (name for syncs in self._queues.values() for types in syncs.values() for name in types if types[name])
        return {ca.native_type(ca.ChannelType[name]) for name in names}

    async def _prepare(self, native: ca.ChannelType, image: Any) -> None:
        """Convert a large image; for text there is a limit that makes it a small one."""
        if native in _NUMBERS and native != self.data_type and image.nbytes > _AT_ONCE_BYTES:
            self._converted[native] = image, await asyncio.to_thread(numbers, image, native)

    async def _read(self, data_type: Any) -> Any:
        image, converted = self._converted.get(ca.native_type(data_type), (None, None))
        if image is not self.value:
            return await super()._read(data_type)
        if data_type in ca.native_types:
            return b"", converted
        metadata = ca.DBR_TYPES[data_type]()
        self._read_metadata(metadata)
        metadata.status, metadata.severity = self.shown_alarm
        return metadata, converted


class ShortImageChannel(ImageChannel, ca.ChannelShort):
    """Pixels of 16 bits."""


class LongImageChannel(ImageChannel, ca.ChannelInteger):
    """Pixels of 32 bits."""


_CLASSES: dict[type, Callable[[Record[Any, Any], Put], RecordChannel]] = {
    Float: FloatChannel,
    Int: IntChannel,
    Choice: ChoiceChannel,
    Array: ArrayChannel,
}


def make_channel(record: Record[Any, Any], put: Put) -> RecordChannel:
    """Return the channel of a record; puts of clients go to ``put``."""
    kind = record.row.kind
    if isinstance(kind, Text):
        return (TextChannel if kind.size > STRING_LENGTH else StringChannel)(record, put)
    if isinstance(kind, Pixels):
        return (ShortImageChannel if kind.bits == 16 else LongImageChannel)(record, put)
    return _CLASSES[type(kind)](record, put)


def _limits(kind: Float | Int, absent: float) -> dict[str, Any]:
    alarms = kind.alarms or AlarmLimits()
    low, high = (0, 0) if kind.low is None or kind.high is None else (kind.low, kind.high)
    if (low, high) == (Int().low, Int().high):
        low, high = 0, 0
    limits = {"alarm": (alarms.lolo, alarms.hihi), "warning": (alarms.low, alarms.high)}
    result: dict[str, Any] = {}
    for name, (lower, upper) in limits.items():
        result[f"lower_{name}_limit"] = absent if lower is None else lower
        result[f"upper_{name}_limit"] = absent if upper is None else upper
    for name in ("disp", "ctrl"):
        result[f"lower_{name}_limit"], result[f"upper_{name}_limit"] = low, high
    return result
