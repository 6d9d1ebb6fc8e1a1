"""What the IOC and its PVAccess process tell each other, over a pair of sockets."""

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Kind

_SIZE = struct.Struct("!Q")
SIZE_BYTES = _SIZE.size


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """All that never changes of a record; ``name`` is whole."""

    name: str
    kind: Kind
    doc: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Serve:
    """To the process, first of all: serve these; from now on each has its place in these lists as its number."""

    records: tuple[RecordSpec, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Show:
    """To the process: what a record shows, its value as `encoded` returns it."""

    number: int
    reading: Reading
    timestamp: float


@dataclass(frozen=True, slots=True)
class ShowImage:
    """To the process: show ``array``, whose pixels of this type and shape are in the memory of that image."""

    number: int
    array: NDArray
    data_type: str
    shape: tuple[int, ...]
    codec: str


@dataclass(frozen=True, slots=True)
class Answer:
    """To the process: a put is over, and why it was refused if it was."""

    operation: int
    refusal: str


@dataclass(frozen=True, slots=True)
class Listening:
    """From the process: clients can find the records."""

    addresses: str
    port: int


@dataclass(frozen=True, slots=True)
class Put:
    """From the process: a client puts; ``value`` is None if there is none in it."""

    operation: int
    number: int
    value: object


@dataclass(frozen=True, slots=True)
class Shown:
    """From the process: an image is shown, in so many bytes, or why not; its memory can be used again."""

    number: int
    byte_count: int
    refusal: str = ""


Message = Serve | Show | ShowImage | Answer | Listening | Put | Shown


def packed(messages: Sequence[Message]) -> bytes:
    """Return messages as they are sent."""
    data = pickle.dumps(messages, pickle.HIGHEST_PROTOCOL)
    return _SIZE.pack(len(data)) + data


def size_of(head: bytes) -> int:
    """Return how many bytes come after the first `SIZE_BYTES`."""
    return int(_SIZE.unpack(head)[0])


def unpacked(data: bytes) -> Sequence[Message]:
    """Return the messages in what comes after the size."""
    return pickle.loads(data)
