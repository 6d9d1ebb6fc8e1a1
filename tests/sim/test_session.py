"""The conversation of a client with the simulator, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.replies import DeviceStatus
from archon_ioc.protocol.wire import BLOCK_SIZE, RECORD_SIZE
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer

Client = Any  # of conftest.py
Connect = Any
BASE = 0xA0000000


@pytest.fixture
async def sim(separate: Acf) -> AsyncIterator[SimServer]:
    async with SimServer(SimArchon(separate, applied=True), speed=0, scene=TestPattern()) as server:
        yield server


@pytest.fixture
async def client(sim: SimServer, connect: Connect) -> AsyncIterator[Client]:
    async with connect(sim.port) as client:
        yield client


@pytest.fixture
def rev_h(separate: Acf) -> Acf:
    return replace(separate, system={**separate.system, "BACKPLANE_REV": "7"})


async def expose(client: Client) -> None:
    for command in ("POWERON", "FASTLOADPARAM IntMS 100", "FASTLOADPARAM Exposures 1", "FASTLOADPARAM ReadOut 1"):
        await client.ask(command)


# Framing


@pytest.mark.parametrize(
    ("sent", "replies"),
    [
        (b">01LOCK0\n", [b"<01"]),
        (b">abLOCK0\n", [b"<AB"]),
        (b">01LOCK0\r\n", [b"<01"]),
        (b"noise>01LOCK0\n", [b"<01"]),
        (b"\n\n>01LOCK0\n", [b"<01"]),
        (b">0gLOCK0\n>0\nLOCK0\n>02LOCK0\n", [b"<02"]),
        (b">01PING\n>02lock0\n>03LOCK0\n", [b"<03"]),
        (b">01LOCK9\n>02FETCHLOG\n", [b"?01", b"<02LOCK9: there is no buffer '9'"]),
        (b">01FETCHLOG\n", [b"<01(null)"]),
        (b">01WCONFIG0000A=>01\n>02RCONFIG0000\n", [b"<01", b"<02A=>01"]),
        (b">01WCONFIG0000A=1 \n>02RCONFIG0000\r\n", [b"<01", b"<02A=1 "]),
        (b">01WCONFIG0000MOD1/LABEL1=\xb5m\n>02RCONFIG0000\n", [b"<01", b"<02MOD1/LABEL1=\xb5m"]),
    ],
)
async def test_bytes_in_and_out(client: Client, sent: bytes, replies: list[bytes]) -> None:
    client.writer.write(sent)
    async with asyncio.timeout(5):
        assert [await client.reader.readline() for _ in replies] == [reply + b"\n" for reply in replies]


async def test_a_rev_h_echoes_references_as_they_are(rev_h: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(rev_h)) as sim, connect(sim.port) as client:
        client.writer.write(b">aBLOCK0\n")
        assert await client.line() == "<aB"


async def test_commands_may_come_byte_by_byte(client: Client) -> None:
    for byte in b">01LOCK0\n>02LOCK0\n":
        client.writer.write(bytes([byte]))
        await client.writer.drain()
    assert [await client.line(), await client.line()] == ["<01", "<02"]


async def test_replies_come_in_the_order_of_the_commands(client: Client) -> None:
    lines = [f"WCONFIG{n:04X}KEY{n}=VALUE" for n in range(2000)]
    client.send(*lines, *(f"RCONFIG{n:04X}" for n in range(2000)))
    assert [await client.line() for _ in lines] == [f"<{n % 256:02X}" for n in range(2000)]
    assert [await client.line() for _ in lines] == [f"<{(2000 + n) % 256:02X}KEY{n}=VALUE" for n in range(2000)]


async def test_a_line_without_end_is_forgotten(client: Client) -> None:
    client.writer.write(b">01" + b"x" * 200_000 + b"\n")
    assert await client.ask("RCONFIG3FFF") == ""


# Fetch


async def test_a_frame_is_fetched_whole(client: Client, sim: SimServer) -> None:
    await expose(client)
    newest = (await client.frames()).newest
    content = await client.fetch(newest.base, newest.image_blocks)
    pixels = np.frombuffer(content[: newest.image_bytes], "<u2").reshape(newest.height, newest.width)
    shot = sim.device.frames.buffers[0].shot
    assert shot is not None
    assert (pixels == TestPattern().render(shot)).all()
    assert 0 not in content[newest.image_bytes :]


async def test_a_fetch_of_many_pieces(demo: Acf, connect: Connect) -> None:
    async with (
        SimServer(SimArchon(demo, applied=True), speed=0, scene=TestPattern()) as sim,
        connect(sim.port) as client,
    ):
        await expose(client)
        newest = (await client.frames()).newest
        content = await client.fetch(newest.base, newest.image_blocks)
        shot = sim.device.frames.buffers[0].shot
        assert shot is not None
        pixels = np.frombuffer(content[: newest.image_bytes], "<u2").reshape(newest.height, newest.width)
        assert (pixels == TestPattern().render(shot)).all()
        assert await client.fetch(newest.base + 2 * BLOCK_SIZE, 3) == content[2 * BLOCK_SIZE : 5 * BLOCK_SIZE]
        assert (await client.fetch(newest.base + 7, 1)) == content[7 : 7 + BLOCK_SIZE]


async def test_memory_that_was_never_used_can_be_fetched(client: Client) -> None:
    assert 0 not in await client.fetch(0xE0000000, 2)


async def test_a_bad_address_is_refused(client: Client) -> None:
    client.send("FETCH0000000000000001")
    assert await client.line() == "?00"
    assert "not inside a frame buffer" in await client.ask("FETCHLOG")


async def test_nothing_is_answered_during_a_fetch(client: Client) -> None:
    client.send(f"FETCH{BASE:08X}{3000:08X}", "STATUS", "FRAME")
    async with asyncio.timeout(10):
        records = await client.reader.readexactly(3000 * RECORD_SIZE)
    assert all(records[n * RECORD_SIZE :][:4] == b"<00:" for n in range(3000))
    assert (await client.line()).startswith("<01VALID")
    assert (await client.line()).startswith("<02TIMER")


async def test_without_a_lock_a_fetch_finds_two_frames_in_one_buffer(demo: Acf, connect: Connect) -> None:
    device = SimArchon(demo.with_value("BIGBUF", "1"), applied=True)
    async with (
        SimServer(device, speed=5, latency=0, fetch_rate=0, scene=TestPattern()) as sim,
        connect(sim.port) as client,
    ):
        for command in ("FASTLOADPARAM AutoFlush 0", "LOCK2", "FASTLOADPARAM ReadOut 1"):
            await client.ask(command)
        while (await client.frames()).newest is None:
            pass
        first = (await client.frames()).newest
        old = await client.fetch(BASE, first.image_blocks)
        await client.ask("FASTLOADPARAM ReadOut 1")
        while not 100 <= (await client.frames()).buffer(1).lines < 500:
            pass
        await client.ask("HOLDTIMING")
        second = (await client.frames()).buffer(1)
        mixed = await client.fetch(BASE, first.image_blocks)
        assert (first.frame, second.frame, second.complete) == (1, 2, False)
        before, now = (
            np.frombuffer(content[: first.image_bytes], "<u2").reshape(first.height, -1) for content in (old, mixed)
        )
        new_rows = [n for n in range(first.height) if (now[n] == before[n] + np.uint16(17)).all()]
        assert new_rows == [*range(second.lines), *range(first.height - second.lines, first.height)]
        assert sum((now[n] == before[n]).all() for n in range(first.height)) == first.height - len(new_rows)


# Faults


async def test_a_dropped_reply_leaves_the_next_one_first(client: Client, sim: SimServer) -> None:
    sim.faults.drop_reply = "WCONFIG0001"
    client.send("WCONFIG0000A=1", "WCONFIG0001B=2", "RCONFIG0001")
    assert [await client.line(), await client.line()] == ["<00", "<02B=2"]


async def test_a_rejected_command_is_not_done(client: Client, sim: SimServer) -> None:
    sim.faults.reject = "WCONFIG"
    client.send("WCONFIG0000KEY=1", "RCONFIG0000", "FETCHLOG")
    assert [await client.line() for _ in range(3)] == [
        "?00",
        "<01BIGBUF=0",
        "<02WCONFIG0000KEY=1: rejected on purpose",
    ]


async def test_a_late_reply_holds_up_the_others(client: Client, sim: SimServer) -> None:
    sim.faults.delay_reply, sim.faults.delay_seconds = "STATUS", 0.2
    start = asyncio.get_running_loop().time()
    client.send("LOCK0", "STATUS", "LOCK0")
    assert await client.line() == "<00"
    assert asyncio.get_running_loop().time() - start < 0.15
    assert (await client.line()).startswith("<01VALID")
    assert asyncio.get_running_loop().time() - start >= 0.2
    assert await client.line() == "<02"


async def test_garbage_comes_before_a_reply(client: Client, sim: SimServer) -> None:
    sim.faults.garbage = "LOCK"
    client.send("LOCK0")
    assert await client.reader.readexactly(1) not in b"<?"
    assert (await client.line()).endswith("<00")


@pytest.mark.parametrize("count", [0, 1, 4, 1027, 1028, 1029, 600_000])
async def test_a_fetch_is_cut_at_any_byte(client: Client, sim: SimServer, count: int) -> None:
    sim.faults.cut_fetch_after_bytes = count
    client.send(f"FETCH{BASE:08X}{1000:08X}")
    async with asyncio.timeout(10):
        assert len(await client.reader.read(-1)) == count


async def test_a_fetch_is_cut_after_blocks(client: Client, sim: SimServer) -> None:
    sim.faults.drop_link_after_blocks = 5
    client.send(f"FETCH{BASE:08X}{1000:08X}")
    async with asyncio.timeout(10):
        assert len(await client.reader.read(-1)) == 5 * RECORD_SIZE


async def test_a_fetch_may_lack_blocks_and_the_next_reply_follows(client: Client, sim: SimServer) -> None:
    sim.faults.end_fetch_after_blocks = 5
    client.send(f"FETCH{BASE:08X}{1000:08X}", "LOCK0")
    async with asyncio.timeout(10):
        records = await client.reader.readexactly(5 * RECORD_SIZE)
    assert all(records[n * RECORD_SIZE :][:4] == b"<00:" for n in range(5))
    assert await client.line() == "<01"
    assert len(await client.fetch(BASE, 10)) == 10 * BLOCK_SIZE


async def test_a_connection_may_be_reset_instead_of_a_reply(client: Client, sim: SimServer) -> None:
    sim.faults.reset_link = "WCONFIG"
    client.send("WCONFIG0000KEY=1")
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    assert sim.device.handle("RCONFIG0000", sim.now) == "KEY=1"


async def test_a_controller_that_hangs_does_and_answers_nothing(client: Client, sim: SimServer) -> None:
    sim.faults.hang = True
    client.send("WCONFIG0000KEY=1", "LOCK1")
    client.writer.write_eof()
    assert await client.is_cut()
    assert sim.device.handle("RCONFIG0000", sim.now) == "BIGBUF=0"
    assert sim.device.frames.locked == 0


async def test_a_controller_may_restart_at_a_command(client: Client, sim: SimServer) -> None:
    sim.faults.reboot, sim.faults.skip = "FRAME", 1
    await client.ask("FRAME")
    client.send("FRAME")
    assert await client.is_cut()
    assert sim.device.boots == 2


async def test_a_lock_may_be_lost(client: Client, sim: SimServer) -> None:
    assert await client.ask("LOCK2") == ""
    assert "RBUF=2" in await client.ask("FRAME")
    sim.faults.lost_lock = True
    assert "RBUF=0" in await client.ask("FRAME")
    assert await client.ask("LOCK1") == ""
    assert "RBUF=0" in await client.ask("FRAME")


async def test_the_readings_may_be_invalid_and_stand_still(client: Client, sim: SimServer) -> None:
    before = DeviceStatus.parse(await client.ask("STATUS"))
    sim.faults.status_invalid = True
    invalid = DeviceStatus.parse(await client.ask("STATUS"))
    assert (before.valid, invalid.valid, invalid.count) == (True, False, before.count)


# Pushed frames


async def pushed(client: Client) -> tuple[bytes, bytes]:
    """Return header and pixels of a pushed frame of 12 x 4 pixels."""
    async with asyncio.timeout(10):
        content = await client.reader.readexactly(36 + 12 * 4 * 2)
    return content[:36], content[36:]


async def test_frames_are_pushed_between_replies(rev_h: Acf, connect: Connect) -> None:
    device = SimArchon(rev_h, applied=True)
    async with SimServer(device, speed=0, scene=TestPattern()) as sim, connect(sim.port) as client:
        assert await client.ask("FASTAUTOFETCH1") == ""
        for number in (1, 2, 3):
            assert await client.ask("FASTLOADPARAM ReadOut 1") == ""
            header, pixels = await pushed(client)
            assert header[:20] == b"<QF0%08X000C0004" % number
            shot = device.frames.buffers[number - 1].shot
            assert shot is not None
            assert (np.frombuffer(pixels, "<u2").reshape(4, 12) == TestPattern().render(shot)).all()
        assert await client.ask("FASTAUTOFETCH0") == ""
        assert await client.ask("FASTLOADPARAM ReadOut 1") == ""
        assert "BUF1FRAME=4" in await client.ask("FRAME")


async def test_only_who_wants_them_gets_frames(rev_h: Acf, connect: Connect) -> None:
    async with (
        SimServer(SimArchon(rev_h, applied=True), speed=0, scene=TestPattern()) as sim,
        connect(sim.port) as first,
        connect(sim.port) as second,
    ):
        await first.ask("FASTAUTOFETCH1")
        await second.ask("FASTLOADPARAM ReadOut 1")
        assert (await pushed(first))[0].startswith(b"<QF0")
        assert "BUF1COMPLETE=1" in await second.ask("FRAME")
        first.writer.close()
        await second.ask("FASTLOADPARAM ReadOut 1")
        assert "BUF2COMPLETE=1" in await second.ask("FRAME")


# Time


async def test_latency_is_that_of_real_controllers(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), speed=2) as sim, connect(sim.port) as client:
        start = asyncio.get_running_loop().time()
        for n in range(20):
            await client.ask(f"RCONFIG{n:04X}")
        assert asyncio.get_running_loop().time() - start >= 0.019
        start = asyncio.get_running_loop().time()
        await client.ask("RESETTIMING")
        assert 0.118 <= asyncio.get_running_loop().time() - start < 0.3


async def test_pipelined_commands_wait_for_each_other(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), speed=1) as sim, connect(sim.port) as client:
        start = asyncio.get_running_loop().time()
        client.send(*(f"RCONFIG{n:04X}" for n in range(100)))
        for _ in range(100):
            await client.line()
        assert 0.199 <= asyncio.get_running_loop().time() - start < 1.0


async def test_a_fetch_keeps_to_the_rate_of_the_network(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), fetch_rate=10_000_000, latency=0) as sim, connect(sim.port) as client:
        start = asyncio.get_running_loop().time()
        await client.fetch(BASE, 2000)
        assert 0.2046 <= asyncio.get_running_loop().time() - start < 1.0


async def test_status_is_answered_while_pixels_are_made(separate: Acf, connect: Connect) -> None:
    rendering, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow(TestPattern):
        def render(self, shot: Any) -> Any:
            loop.call_soon_threadsafe(rendering.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
            return super().render(shot)

    device = SimArchon(separate, applied=True)
    async with SimServer(device, speed=0, scene=Slow()) as sim, connect(sim.port) as client:
        await expose(client)
        async with asyncio.timeout(5):
            await rendering.wait()
        assert DeviceStatus.parse(await client.ask("STATUS")).valid
        go_on.set()
        assert len(await client.fetch(BASE, 1)) == BLOCK_SIZE
