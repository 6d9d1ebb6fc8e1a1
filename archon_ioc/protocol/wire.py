r"""Framing: one command out, replies in. Bytes are cut by position, never by searching for a pattern.

A reply is one of four things (manual, network protocol)::

    <xxTEXT\n             success; TEXT may be empty
    ?xx\n                 the command failed; no reason is given
    <xx: + 1024 bytes     one block of a FETCH, without a newline
    <QF… <XF… <SF…        unsolicited frames of the undocumented auto-fetch modes; never asked for here

Only the asker knows which reply is binary and how long, so it says so with `Deframer.expect_blocks`: a text
that begins with ``:`` can then never be taken for pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

from archon_ioc.errors import InputError, ProtocolError

BLOCK_SIZE = 1024
"""Payload bytes of one block."""
RECORD_SIZE = 4 + BLOCK_SIZE
"""A block on the wire: ``<xx:`` and the payload."""
REFERENCES = 256
"""The reference number has two hex digits."""

_BUFFER_SIZE = 512 * RECORD_SIZE  # half a megabyte: stays in the processor's cache while it is cut
_LONGEST_TEXT = 65536  # the longest known reply, STATUS of a full chassis, has 8 kB
_LONGEST_COMMAND = 4 + 2048 + 16  # WCONFIGxxxx and a text of 2048 characters
_HEX = frozenset(b"0123456789abcdefABCDEF")
_LESS, _QUESTION, _COLON, _NEWLINE = b"<?:\n"

Cut = Callable[[memoryview, bytes, memoryview], int]
"""Copy payloads out of whole records until a header differs; return how many records were copied.

Arguments: the records, the header that each must begin with, the place for the payloads.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """The controller did what command ``ref`` asked; ``text`` is its answer, often empty."""

    ref: int
    text: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Command ``ref`` failed."""

    ref: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of fetch ``ref`` have arrived: ``received`` in all, of ``expected``."""

    ref: int
    received: int
    expected: int

    @property
    def is_complete(self) -> bool:
        """Whether this was the last of them."""
        return self.received == self.expected


Message = Reply | Rejected | Blocks


def encode(ref: int, text: str) -> bytes:
    r"""Return the bytes of one command.

    >>> encode(31, "SYSTEM")
    b'>1FSYSTEM\n'

    Raises:
        InputError: if the text cannot stand on one line of the wire.
    """
    if not text or any(ord(c) < 32 or ord(c) > 255 for c in text):
        raise InputError(f"{text!r} is not one line of Latin-1 text")
    if len(text) > _LONGEST_COMMAND:
        raise InputError(f"a command has at most {_LONGEST_COMMAND} characters, this one {len(text)}")
    return b">%02X%s\n" % (ref, text.encode("latin-1"))


def encode_reply(ref: bytes, text: str) -> bytes:
    """Return a success reply to the two reference characters ``ref`` (the controller's side)."""
    return b"<%s%s\n" % (ref, text.encode("latin-1"))


def encode_rejection(ref: bytes) -> bytes:
    """Return a failure reply to the two reference characters ``ref`` (the controller's side)."""
    return b"?%s\n" % ref


def cut_records(records: memoryview, header: bytes, payload: memoryview) -> int:
    """Cut whole records one by one: the plain `Cut`, right at any speed."""
    count = len(records) // RECORD_SIZE
    for index in range(count):
        start = index * RECORD_SIZE
        if bytes(records[start : start + 4]) != header:
            return index
        payload[index * BLOCK_SIZE : (index + 1) * BLOCK_SIZE] = records[start + 4 : start + RECORD_SIZE]
    return count


@dataclass(slots=True)
class _Fetch:
    ref: int
    blocks: int
    into: memoryview
    received: int = 0


class Deframer:
    """Turns the controller's bytes into messages.

    Use it either with `feed`, or without a copy: let the socket write into `get_buffer` and tell how much
    arrived with `received`. After a `ProtocolError` the stream cannot be trusted: close the connection.
    """

    def __init__(self, cut: Cut = cut_records) -> None:
        self._cut = cut
        self._bytes = bytearray(_BUFFER_SIZE)
        self._buffer = memoryview(self._bytes)
        self._start = 0  # bytes from here on are not understood yet …
        self._end = 0  # … up to here
        self._fetch: _Fetch | None = None

    def expect_blocks(self, ref: int, blocks: int, into: memoryview) -> None:
        """Announce that the reply to ``ref`` is binary: ``blocks`` blocks, to be written into ``into``."""
        if len(into) < blocks * BLOCK_SIZE:
            raise ValueError(f"{blocks} blocks do not fit into {len(into)} bytes")
        self._fetch = _Fetch(ref, blocks, into)

    def get_buffer(self) -> memoryview:
        """Return the free space for the next bytes of the stream."""
        if self._start == self._end:
            self._start = self._end = 0
        elif len(self._buffer) - self._end < RECORD_SIZE:
            left = self._end - self._start
            self._buffer[:left] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, left
        return self._buffer[self._end :]

    def received(self, count: int) -> list[Message]:
        """Understand ``count`` bytes that were written into `get_buffer`.

        Raises:
            ProtocolError: if the protocol does not allow them.
        """
        self._end += count
        messages: list[Message] = []
        while self._start < self._end:
            message = self._next()
            if message is None:
                break
            messages.append(message)
        return messages

    def feed(self, data: bytes) -> list[Message]:
        """Understand ``data``, which may hold any part of the stream.

        Raises:
            ProtocolError: if the protocol does not allow it.
        """
        messages: list[Message] = []
        rest = memoryview(data)
        while rest:
            space = self.get_buffer()
            count = min(len(space), len(rest))
            space[:count] = rest[:count]
            messages += self.received(count)
            rest = rest[count:]
        return messages

    def _next(self) -> Message | None:
        """Return the message at the start of the buffer, None if it has not arrived whole."""
        head = bytes(self._buffer[self._start : min(self._start + 4, self._end)])
        if head[0] not in (_LESS, _QUESTION):
            raise ProtocolError(f"a reply begins with '<' or '?', not with {self._peek()!r}")
        if len(head) < 4:
            return None
        if head[0] == _LESS and head[1] in b"QXS" and head[2] == ord("F"):
            raise ProtocolError(f"an unsolicited frame, auto-fetch must be off: {self._peek()!r}")
        if not (head[1] in _HEX and head[2] in _HEX):
            raise ProtocolError(f"no reference number in {self._peek()!r}")
        ref = int(head[1:3], 16)
        if self._fetch and self._fetch.ref == ref and head[0] == _LESS and head[3] == _COLON:
            return self._blocks(self._fetch, head)
        return self._text(ref, rejected=head[0] == _QUESTION)

    def _blocks(self, fetch: _Fetch, header: bytes) -> Message | None:
        whole = min((self._end - self._start) // RECORD_SIZE, fetch.blocks - fetch.received)
        if whole == 0:
            return None
        records = self._buffer[self._start : self._start + whole * RECORD_SIZE]
        cut = self._cut(records, header, fetch.into[fetch.received * BLOCK_SIZE :])
        self._start += cut * RECORD_SIZE
        fetch.received += cut
        if fetch.received == fetch.blocks:
            self._fetch = None
        return Blocks(fetch.ref, fetch.received, fetch.blocks)

    def _text(self, ref: int, *, rejected: bool) -> Message | None:
        newline = self._bytes.find(b"\n", self._start, self._end)
        length = (self._end if newline < 0 else newline) - self._start
        if length > _LONGEST_TEXT:
            raise ProtocolError(f"a text reply of more than {_LONGEST_TEXT} bytes: {self._peek()!r}")
        if newline < 0:
            return None
        line = bytes(self._buffer[self._start : newline])
        self._start = newline + 1
        text = line[3:].decode("latin-1")
        if not rejected:
            return Reply(ref, text)
        if text.strip():
            raise ProtocolError(f"a rejection carries no text, this one does: {line[:40]!r}")
        if self._fetch and self._fetch.ref == ref:
            self._fetch = None
        return Rejected(ref)

    def _peek(self) -> bytes:
        return bytes(self._buffer[self._start : min(self._start + 24, self._end)])
