# pyright: standard
"""Values as Channel Access sends them; importing this makes caproto convert without copies and without errors.

caproto lets a program register conversions of its own. Its own copy every array twice per client, and fail if a
client asks for words as a number: such a request, when it was a subscription, would stop every later update.
"""

import struct
from dataclasses import dataclass
from typing import Any

import caproto as ca
import numpy as np
from caproto._utils import ConversionDirection  # pyright: ignore[reportPrivateUsage]

from archon_ioc.driver.memory import FrameMemory
from archon_ioc.serve.sending import LARGE

ENCODING = "latin-1"
"""CA has bytes, not characters; this is what areaDetector clients expect."""
LONGEST_TEXT_ARRAY = 1000
"""Elements that are sent to a client that wants an array of numbers as 40-byte strings."""

_EVENT, _NORMAL = 1, 1
_EMPTY = bytes(8)  # an event without any payload means that the subscription was cancelled

_stock_convert = ca.backend.convert_values
_stock_to_wire = ca.backend.python_to_epics
_types = ca.backend.type_map


def _convert(values: Any, from_dtype: Any, to_dtype: Any, **kwargs: Any) -> Any:
    """Return values of one CA type as another; what cannot be a number is NaN, or 0 as a whole number."""
    if kwargs["direction"] == ConversionDirection.FROM_WIRE:
        return _stock_convert(values, from_dtype, to_dtype, **kwargs)
    if to_dtype == ca.ChannelType.STRING and isinstance(values, np.ndarray):
        values = values[:LONGEST_TEXT_ARRAY]
    try:
        converted = _stock_convert(values, from_dtype, to_dtype, **kwargs)
    except ca.CaprotoConversionError:
        dtype = _types[to_dtype]
        return np.full(1, np.nan if dtype.kind == "f" else 0, dtype)
    if len(converted) == 0 and to_dtype == ca.ChannelType.CHAR:
        return np.zeros(1, np.uint8)  # the empty text still has its closing zero
    return converted


def _to_wire(dtype: Any, values: Any, **kwargs: Any) -> Any:
    if dtype in (ca.ChannelType.STRING, ca.ChannelType.CHAR):
        return _stock_to_wire(dtype, values, **kwargs)
    array = np.asarray(values)
    if array.dtype != _types[dtype]:
        with np.errstate(invalid="ignore"):  # a limit that is NaN, asked for as a whole number
            array = array.astype(_types[dtype])
    return np.ascontiguousarray(array)


ca.register_backend(
    ca.Backend(
        name="archon_ioc",
        convert_values=_convert,
        epics_to_python=ca.backend.epics_to_python,
        python_to_epics=_to_wire,
        type_map=_types,
        array_types=ca.backend.array_types,
    )
)
ca.select_backend("archon_ioc")


def numbers(values: Any, data_type: ca.ChannelType) -> np.ndarray:
    """Return a new array of numbers as it goes over the wire."""
    return np.array(values, dtype=_types[data_type])


@dataclass(frozen=True, slots=True)
class Payload:
    """A value as it goes over the wire, made once for all clients."""

    data_type: int
    count: int
    size: int
    parts: tuple[bytes | memoryview, ...]

    def buffers(self, subscriptionid: int) -> tuple[bytes | memoryview, ...]:
        """Return the event that tells it to a subscription."""
        if self.size > 0xFFFF or self.count > 0xFFFF:
            facts = (_EVENT, 0xFFFF, self.data_type, 0, _NORMAL, subscriptionid, self.size, self.count)
            return (struct.pack(">HHHHIIII", *facts), *self.parts)
        facts = (_EVENT, self.size, self.data_type, self.count, _NORMAL, subscriptionid)
        return (struct.pack(">HHHHII", *facts), *self.parts)


class WireReading:
    """A value and its metadata, of one type, for all clients that want this type.

    Args:
        values: as caproto has them after the conversion to the type.
        metadata: likewise.
    """

    def __init__(self, values: Any, metadata: Any) -> None:
        self.values = values
        self.metadata = metadata
        self._payloads: dict[int, Payload] = {}

    def payload(self, data_type: int, count: int) -> Payload:
        """Return the wire form; ``count`` elements, filled up with zeros, or as many as there are if it is 0."""
        made = self._payloads.get(count)
        if made is None:
            made = self._payloads[count] = _payload(self.values, self.metadata, int(data_type), count)
        return made


def _payload(values: Any, metadata: Any, data_type: int, count: int) -> Payload:
    count = count or len(values)
    values = _cut(values, count)
    array = values if isinstance(values, bytes) else _to_wire(ca.native_type(ca.ChannelType(data_type)), values)
    head, body = bytes(metadata), np.frombuffer(array, np.uint8).data
    size = len(head) + len(body)
    if size == 0:
        return Payload(data_type, 0, len(_EMPTY), (_EMPTY,))
    padding = bytes(-size % 8)
    parts = (head, body, padding) if size > LARGE else (b"".join((head, body, padding)),)
    return Payload(data_type, count, size + len(padding), parts)


def _cut(values: Any, count: int) -> Any:
    missing = count - len(values)
    if missing <= 0:
        return values[:count]
    if isinstance(values, np.ndarray):
        return np.concatenate([values, np.zeros(missing, values.dtype)])
    return [*values, *[b""] * missing]


def pixels_sent(pixels: np.ndarray, bits: int, memory: FrameMemory) -> tuple[np.ndarray, bool]:
    """Return pixels as they go over the wire, and whether some had to be clipped. Slow: for a thread.

    Args:
        pixels: uint16 or uint32, any shape.
        bits: 16 or 32; what does not fit into 16 bits is clipped to 65535.
        memory: where they may stay as long as anybody looks at them.

    Returns:
        One read-only row of big-endian signed numbers with the bits of the unsigned pixels.
    """
    flat = np.ravel(pixels)
    is_clipped = bits == 16 and flat.dtype.itemsize > 2 and bool(flat.size and flat.max() > 0xFFFF)
    wire = np.frombuffer(memory.lend(flat.size * bits // 8), f">u{bits // 8}")
    if is_clipped:
        np.minimum(flat, 0xFFFF, out=wire, casting="unsafe")
    else:
        np.copyto(wire, flat)
    wire = wire.view(f">i{bits // 8}")
    wire.flags.writeable = False
    return wire, is_clipped


def latin(text: object, size: int) -> bytes:
    """Return text as bytes that with a closing zero fit into ``size``.

    Raises:
        TypeError: if it is not text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is not text")
    return text.encode(ENCODING, "replace")[: size - 1]


def text_sent(values: Any, native: ca.ChannelType) -> str:
    """Return the text that a client sent as a string, as characters or as a number."""
    if native == ca.ChannelType.CHAR:
        return bytes(values).split(b"\0", 1)[0].decode(ENCODING)
    if len(values) == 0:
        return ""
    return values[0].decode(ENCODING) if native == ca.ChannelType.STRING else f"{values[0].item():g}"


def value_sent(values: Any, native: ca.ChannelType) -> object:
    """Return what a client sent as text or a number; None for an empty array."""
    if len(values) == 0:
        return None
    return values[0].decode(ENCODING) if native == ca.ChannelType.STRING else values[0].item()
