"""Framing, against bytes of the manual's rules and captured replies; never against the simulator."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.driver import connection
from archon_ioc.errors import InputError, ProtocolError
from archon_ioc.protocol import wire
from archon_ioc.protocol.wire import BLOCK_SIZE, Blocks, Cut, Deframer, Message, Rejected, Reply

CAPTURED = sorted((Path(__file__).parents[1] / "golden" / "replies").glob("*.txt"))
CUTS = {"plain": wire.cut_records, "numpy": connection.cut_records}
FETCH = 0x1F
HEADER = b"<1F:"

Pieces = Callable[[bytes], Iterator[bytes]]


def whole(stream: bytes) -> Iterator[bytes]:
    yield stream


def byte_by_byte(stream: bytes) -> Iterator[bytes]:
    for n in range(len(stream)):
        yield stream[n : n + 1]


def random_pieces(stream: bytes) -> Iterator[bytes]:
    chance = random.Random(4242)
    while stream:
        size = chance.choice([1, 2, 3, 5, 100, 1027, 1028, 1029, 5000])
        yield stream[:size]
        stream = stream[size:]


@pytest.fixture(params=CUTS)
def cut(request: pytest.FixtureRequest) -> Cut:
    return CUTS[request.param]


@pytest.fixture(params=[whole, byte_by_byte, random_pieces])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    return request.param


def understood(deframer: Deframer, pieces: Iterator[bytes]) -> list[Message]:
    """Return what the pieces mean; of the progress of a fetch, which depends on the pieces, only the end."""
    messages: list[Message] = []
    received = 0
    for piece in pieces:
        for message in deframer.feed(piece):
            if isinstance(message, Blocks):
                assert received < message.received <= message.expected
                received = message.received
                if not message.is_complete:
                    continue
            messages.append(message)
    return messages


def fetched(stream: bytes, blocks: int, cut: Cut, pieces: Pieces) -> tuple[list[Message], bytes]:
    deframer = Deframer(cut)
    into = bytearray(blocks * BLOCK_SIZE)
    deframer.expect_blocks(FETCH, blocks, memoryview(into))
    return understood(deframer, pieces(stream)), bytes(into)


def hostile_payloads() -> dict[str, bytes]:
    fake_record = HEADER + bytes(range(256)) * 4
    return {
        "only less-than": b"<" * BLOCK_SIZE,
        "only question marks": b"?" * BLOCK_SIZE,
        "only colons": b":" * BLOCK_SIZE,
        "only newlines": b"\n" * BLOCK_SIZE,
        "own header all over": HEADER * (BLOCK_SIZE // 4),
        "own header, shifted": (b"\x00" + HEADER * 256)[:BLOCK_SIZE],
        "whole fake record": fake_record[:BLOCK_SIZE],
        "text replies": (b"<20POWER=4\n?1F\n" * 100)[:BLOCK_SIZE],
        "push frames": (b"<QF0<XF:<SF" * 100)[:BLOCK_SIZE],
        "ends in half a header": b"\xff" * (BLOCK_SIZE - 3) + b"<1F",
    }


# One line each of what the manual says a controller may answer.
MANUAL = [
    (b"<1F\n", Reply(0x1F, "")),
    (b"<00\n", Reply(0, "")),
    (b"<FFTIMER=000000024AFC6CA1\n", Reply(255, "TIMER=000000024AFC6CA1")),
    (b"?1F\n", Rejected(0x1F)),
    (b"?00\n", Rejected(0)),
    (b"?1F\r\n", Rejected(0x1F)),
    (b"<abOK\n", Reply(0xAB, "OK")),
    (b"<01(null)\n", Reply(1, "(null)")),
    (b"<02MOD3/LABEL1=\xb5V <?:>\n", Reply(2, "MOD3/LABEL1=µV <?:>")),
    (b"<03:text that begins with a colon\n", Reply(3, ":text that begins with a colon")),
    (b"<04VALID=1 COUNT=1 \n", Reply(4, "VALID=1 COUNT=1 ")),
    (b"<0A" + b"x" * 65_000 + b"\n", Reply(10, "x" * 65_000)),
]


@pytest.mark.parametrize(("stream", "expected"), MANUAL, ids=[repr(stream[:24]) for stream, _ in MANUAL])
def test_a_reply_is_understood_however_it_arrives(stream: bytes, expected: Message, pieces: Pieces) -> None:
    assert understood(Deframer(), pieces(stream)) == [expected]


def test_replies_come_out_in_their_order(pieces: Pieces) -> None:
    stream = b"".join(stream for stream, _ in MANUAL)
    assert understood(Deframer(), pieces(stream)) == [message for _, message in MANUAL]


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
def test_captured_replies(path: Path, pieces: Pieces) -> None:
    texts = path.read_bytes().splitlines()
    stream = b"".join(b"<%02X%s\n" % (ref, text) for ref, text in enumerate(texts))
    expected = [Reply(ref, text.decode("ascii")) for ref, text in enumerate(texts)]
    assert understood(Deframer(), pieces(stream)) == expected


def test_there_are_captured_replies() -> None:
    assert len(CAPTURED) == 4


@pytest.mark.parametrize("payload", hostile_payloads().values(), ids=hostile_payloads().keys())
def test_pixels_may_look_like_anything(payload: bytes, cut: Cut, pieces: Pieces) -> None:
    stream = HEADER + payload + HEADER + payload[::-1] + HEADER + payload + b"<20OK\n"
    messages, into = fetched(stream, 3, cut, pieces)
    assert messages == [Blocks(FETCH, 3, 3), Reply(0x20, "OK")]
    assert into == payload + payload[::-1] + payload


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_a_reply_between_two_blocks(position: int, cut: Cut, pieces: Pieces) -> None:
    blocks = [bytes([n]) * BLOCK_SIZE for n in (60, 63, 10)]
    parts = [HEADER + block for block in blocks]
    parts.insert(position, b"<20:VALID=1\n?21\n")
    messages, into = fetched(b"".join(parts), 3, cut, pieces)
    assert into == b"".join(blocks)
    assert [m for m in messages if not isinstance(m, Blocks)] == [Reply(0x20, ":VALID=1"), Rejected(0x21)]
    assert Blocks(FETCH, 3, 3) in messages


def test_lower_case_reference_of_blocks(cut: Cut, pieces: Pieces) -> None:
    block = bytes(range(256)) * 4
    messages, into = fetched(b"<1f:" + block + b"<1F:" + block, 2, cut, pieces)
    assert messages == [Blocks(FETCH, 2, 2)]
    assert into == block * 2


def test_a_fetch_may_be_rejected(cut: Cut, pieces: Pieces) -> None:
    # Afterwards the number is free for text again, also for one that begins with a colon.
    messages, into = fetched(b"?1F\n<1F:text\n", 2, cut, pieces)
    assert messages == [Rejected(FETCH), Reply(FETCH, ":text")]
    assert into == bytes(2 * BLOCK_SIZE)


def test_after_the_last_block_a_colon_is_text_again(cut: Cut, pieces: Pieces) -> None:
    messages, _ = fetched(HEADER + bytes(BLOCK_SIZE) + b"<1F:text\n", 1, cut, pieces)
    assert messages == [Blocks(FETCH, 1, 1), Reply(FETCH, ":text")]


def test_one_fetch_after_the_other(cut: Cut, pieces: Pieces) -> None:
    deframer = Deframer(cut)
    for ref, value in ((1, b"a"), (2, b"b"), (1, b"c")):
        into = bytearray(2 * BLOCK_SIZE)
        deframer.expect_blocks(ref, 2, memoryview(into))
        record = b"<%02X:" % ref + value * BLOCK_SIZE
        assert understood(deframer, pieces(record * 2)) == [Blocks(ref, 2, 2)]
        assert into == value * 2 * BLOCK_SIZE


def test_more_blocks_than_the_buffer_holds(cut: Cut) -> None:
    payload = random.Random(1).randbytes(3000 * BLOCK_SIZE)
    records = (HEADER + payload[n : n + BLOCK_SIZE] for n in range(0, len(payload), BLOCK_SIZE))
    messages, into = fetched(b"".join(records), 3000, cut, random_pieces)
    assert messages == [Blocks(FETCH, 3000, 3000)]
    assert into == payload


def test_bytes_behind_the_place_for_the_blocks_are_left_alone(cut: Cut) -> None:
    deframer = Deframer(cut)
    into = bytearray(b"\xaa" * (2 * BLOCK_SIZE + 10))
    deframer.expect_blocks(FETCH, 1, memoryview(into))
    deframer.feed(HEADER + bytes(BLOCK_SIZE))
    assert into == bytes(BLOCK_SIZE) + b"\xaa" * (BLOCK_SIZE + 10)


def test_a_place_that_is_too_small_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="2 blocks do not fit into 2047 bytes"):
        Deframer().expect_blocks(1, 2, memoryview(bytearray(2047)))


def test_the_socket_may_write_into_the_buffer(cut: Cut) -> None:
    payload = random.Random(2).randbytes(2000 * BLOCK_SIZE)
    stream = b"".join(HEADER + payload[n : n + BLOCK_SIZE] for n in range(0, len(payload), BLOCK_SIZE)) + b"<20\n"
    deframer = Deframer(cut)
    into = bytearray(len(payload))
    deframer.expect_blocks(FETCH, 2000, memoryview(into))
    messages: list[Message] = []
    while stream:
        space = deframer.get_buffer()
        assert len(space) > 0
        count = min(len(space), len(stream))
        space[:count] = stream[:count]
        messages += deframer.received(count)
        stream = stream[count:]
    assert messages[-2:] == [Blocks(FETCH, 2000, 2000), Reply(0x20, "")]
    assert into == payload


BAD = {
    "garbage": (b"hello\n", "begins with"),
    "zeros": (b"\x00\x00\x00\x00", "begins with"),
    "a command": (b">01SYSTEM\n", "begins with"),
    "an empty line": (b"\n", "begins with"),
    "no reference": (b"<zz\n", "no reference number"),
    "half a reference": (b"<1:\n", "no reference number"),
    "a rejection without reference": (b"?no\n", "no reference number"),
    "a rejection with a reason": (b"?1Fbecause\n", "carries no text"),
    "pushed frame of FASTAUTOFETCH": (b"<QF0000000010400040000000000000000", "unsolicited"),
    "pushed frame of AUTOFETCH": (b"<XF:" + bytes(BLOCK_SIZE), "unsolicited"),
    "announcement of AUTOFETCH": (b"<SFAUTOFETCH=1\n", "unsolicited"),
    "a text without end": (b"<01" + b"x" * 70_000, "more than 65536"),
    "a text that is too long": (b"<01" + b"x" * 70_000 + b"\n", "more than 65536"),
}


@pytest.mark.parametrize(("stream", "reason"), BAD.values(), ids=BAD.keys())
def test_bytes_that_the_protocol_does_not_allow(stream: bytes, reason: str, pieces: Pieces) -> None:
    with pytest.raises(ProtocolError, match=reason):
        understood(Deframer(), pieces(b"<01OK\n" + stream))


def test_garbage_between_blocks(cut: Cut, pieces: Pieces) -> None:
    with pytest.raises(ProtocolError, match="begins with"):
        fetched(HEADER + bytes(BLOCK_SIZE) + b"\x00" + HEADER + bytes(BLOCK_SIZE), 2, cut, pieces)


def test_a_record_that_is_one_byte_short_does_not_pass(cut: Cut, pieces: Pieces) -> None:
    with pytest.raises(ProtocolError):
        fetched(HEADER + bytes(BLOCK_SIZE - 1) + HEADER + bytes(BLOCK_SIZE) + b"<20\n", 2, cut, pieces)


def test_pushed_frame_between_blocks(cut: Cut) -> None:
    with pytest.raises(ProtocolError, match="unsolicited"):
        fetched(HEADER + bytes(BLOCK_SIZE) + b"<QF0" + bytes(BLOCK_SIZE), 2, cut, whole)


def wire_form(message: Message) -> bytes:
    if isinstance(message, Reply):
        return b"<%02X%s\n" % (message.ref, message.text.encode("latin-1"))
    return b"?%02X\n" % message.ref


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Message], bytes]:
    """A stream with one fetch and text replies before, between and after its blocks, and what it means."""
    others = st.integers(0, 255).filter(lambda ref: ref != FETCH)
    text = st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=30)
    reply = st.builds(Reply, others, text) | st.builds(Rejected, others)
    token = st.sampled_from([HEADER, b"<", b"?", b":", b"\n", b"<QF", b"\x00\xff", b"<20\n"]) | st.binary(max_size=9)
    stream, payload, messages = b"", b"", list[Message]()
    count = draw(st.integers(1, 4))
    for block in range(count + 1):
        for message in draw(st.lists(reply, max_size=3)):
            messages.append(message)
            stream += wire_form(message)
        if block < count:
            some = b"".join(draw(st.lists(token, max_size=20)))
            data = (some + bytes(BLOCK_SIZE))[:BLOCK_SIZE]
            payload += data
            stream += HEADER + data
        if block == count - 1:
            messages.append(Blocks(FETCH, count, count))
    return stream, messages, payload


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@given(case=streams(), sizes=st.lists(st.integers(1, 1500), max_size=30))
def test_any_stream_in_any_pieces(cut: Cut, case: tuple[bytes, list[Message], bytes], sizes: list[int]) -> None:
    stream, expected, payload = case

    def cut_up(rest: bytes) -> Iterator[bytes]:
        for size in sizes:
            yield rest[:size]
            rest = rest[size:]
        yield rest

    messages, into = fetched(stream, len(payload) // BLOCK_SIZE, cut, cut_up)
    assert messages == expected
    assert into == payload


@given(junk=st.binary(max_size=3000))
def test_junk_is_an_error_or_waits_for_more_but_never_crashes(junk: bytes) -> None:
    deframer = Deframer()
    deframer.expect_blocks(FETCH, 2, memoryview(bytearray(2 * BLOCK_SIZE)))
    try:
        messages = deframer.feed(junk)
    except ProtocolError:
        return
    assert all(0 <= message.ref <= 255 for message in messages)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_a_cut_stops_at_the_first_other_header(cut: Cut) -> None:
    records = HEADER + b"a" * BLOCK_SIZE + HEADER + b"b" * BLOCK_SIZE + b"<20:" + b"c" * BLOCK_SIZE
    payload = bytearray(3 * BLOCK_SIZE)
    assert cut(memoryview(records), HEADER, memoryview(payload)) == 2
    assert payload == b"a" * BLOCK_SIZE + b"b" * BLOCK_SIZE + bytes(BLOCK_SIZE)


@pytest.mark.parametrize(
    ("ref", "text", "expected"),
    [
        (0, "SYSTEM", b">00SYSTEM\n"),
        (255, "STATUS", b">FFSTATUS\n"),
        (10, "WCONFIG0003MOD3/LABEL1=µ <>?:", b">0AWCONFIG0003MOD3/LABEL1=\xb5 <>?:\n"),
        (1, "WCONFIG0000" + "x" * 2048, b">01WCONFIG0000" + b"x" * 2048 + b"\n"),
    ],
)
def test_encode(ref: int, text: str, expected: bytes) -> None:
    assert wire.encode(ref, text) == expected


@pytest.mark.parametrize("text", ["", "SYSTEM\n>01REBOOT", "SYS\rTEM", "\0", "a\tb", "10 €", "x" * 2069])
def test_encode_refuses_what_is_not_one_line(text: str) -> None:
    with pytest.raises(InputError):
        wire.encode(1, text)


def test_the_controllers_side() -> None:
    assert wire.encode_reply(b"1F", "POWER=4 µ") == b"<1FPOWER=4 \xb5\n"
    assert wire.encode_rejection(b"1F") == b"?1F\n"
