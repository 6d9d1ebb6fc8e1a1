"""Keeping connected, polling, and what is said about it."""

import asyncio
import itertools
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import Link
from archon_ioc.errors import LinkError, RejectedError
from archon_ioc.protocol.enums import Power
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Scripted = Callable[..., AbstractAsyncContextManager[int]]

QUICK = ControllerConfig(status_period=0.02, frame_period=0.002, longest_retry=0.05)


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@pytest.fixture
async def unused_port(scripted: Scripted) -> int:
    async with scripted(lambda *_: None) as port:
        pass
    return port


# Beginning and end


async def test_start_where_nobody_answers_raises_and_leaves_nothing_behind(unused_port: int) -> None:
    before = tasks()
    archon = ArchonController("127.0.0.1", unused_port, config=QUICK)
    with pytest.raises(LinkError, match="cannot connect"):
        await archon.start()
    assert tasks() == before
    assert archon.status.link is Link.DOWN


async def test_start_again_after_a_failure(unused_port: int) -> None:
    archon = ArchonController("127.0.0.1", unused_port, config=QUICK)
    with pytest.raises(LinkError):
        await archon.start()
    async with SimServer(SimArchon(), port=unused_port):
        await archon.start()
        assert archon.status.is_up
        await archon.stop()


async def test_start_twice_is_one_start(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        before = tasks()
        assert await lab.archon.start() is lab.archon
        assert tasks() == before
        lab.server.link_drop()
        await lab.archon.start()
        await lab.up()


async def test_a_start_that_is_cancelled_leaves_nothing_behind(scripted: Scripted) -> None:
    reached = asyncio.Event()
    async with scripted(lambda *_: reached.set()) as port:
        archon = ArchonController("127.0.0.1", port, config=QUICK)
        starting = asyncio.create_task(archon.start())
        await reached.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert not any(name.startswith("archon") for name in tasks())


async def test_after_stop_the_state_says_so_and_requests_are_refused(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.stop()
        state = lab.archon.status
        assert (state.link, state.reason, state.power) == (Link.DOWN, "stopped", Power.UNKNOWN)
        with pytest.raises(LinkError, match="stopped"):
            await lab.archon.get_frame()
        await lab.archon.stop()
        await lab.archon.start()
        assert lab.archon.status.is_up


async def test_requests_before_start_are_refused() -> None:
    with pytest.raises(LinkError, match="not started"):
        await ArchonController("127.0.0.1", 1).get_system()


async def test_an_error_of_our_own_is_not_hidden(make_lab: MakeLab) -> None:
    """A bug that ends polling must end the program, not leave it with old readings."""
    async with make_lab(None, started=False) as lab:
        await lab.archon.start()
        lab.archon._keeper.config = None
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(asyncio.shield(lab.archon._task), 10)
        assert raised.group_contains(AttributeError)
        with pytest.raises(ExceptionGroup):
            await lab.archon.stop()


async def test_random_stops_around_a_lost_link_end_cleanly() -> None:
    loop = asyncio.get_running_loop()
    chance = random.Random(20210223)
    async with SimServer(SimArchon(), max_clients=4) as server:
        before = tasks()
        for _ in range(100):
            archon = ArchonController("127.0.0.1", server.port, config=QUICK)
            with suppress(LinkError):  # the drop before may hit this start
                await archon.start()
            now = asyncio.Event()
            loop.call_later(chance.uniform(0, 0.02), server.link_drop)
            loop.call_later(chance.uniform(0, 0.02), now.set)
            await now.wait()
            async with asyncio.timeout(3):
                await archon.stop()
            assert archon.status.link is Link.DOWN
        ours = {name for name in tasks() - before if name.startswith("archon")}
        assert ours == set()


# Connecting


async def test_connected_means_in_step(make_lab: MakeLab) -> None:
    async with make_lab(started=False) as lab:
        links: list[Link] = []

        async def watch() -> None:
            async for state in lab.archon.live.watch():
                links.append(state.link)
                if state.is_up:
                    assert state.system is not None
                    assert state.status is not None
                    assert state.frames is not None
                    assert state.acf is not None
                    return

        watching = asyncio.create_task(watch())
        await lab.archon.start()
        await watching
        assert lab.device.heard[:4] == ["POLLON", "SYSTEM", "STATUS", "FRAME"]
        assert Link.SYNCING in links


async def test_a_lock_of_an_earlier_life_is_released(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.ask("LOCK2")
        lab.server.link_drop()
        await lab.down()
        await lab.up()
        assert lab.device.frames.locked == 0


async def test_a_lost_link_is_reported_and_opened_again(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.server.link_drop()
        state = await lab.archon.live.until(lambda s: not s.is_up, 5)
        assert "closed" in state.reason or "lost" in state.reason
        await lab.up()
        assert lab.archon.status.link_errors == 1
        assert lab.archon.status.reason == ""
        assert (await lab.archon.get_device_status()).power is Power.OFF


async def test_reconnect_drops_the_link_with_a_reason(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.archon.reconnect()
        state = await lab.archon.live.until(lambda s: not s.is_up, 5)
        assert state.reason == "reconnect was asked for"
        await lab.up()


async def test_attempts_become_rarer_up_to_a_limit() -> None:
    accepted: list[float] = []
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(loop.time())
        if len(accepted) == 6:
            enough.set()
        writer.close()
        await asyncio.wait({asyncio.ensure_future(writer.wait_closed())})

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = ControllerConfig(longest_retry=0.3)
    archon = ArchonController("127.0.0.1", port, config=config)
    running = asyncio.create_task(archon.run())
    async with asyncio.timeout(10):
        await enough.wait()
    running.cancel()
    await asyncio.wait({running})
    server.close()
    gaps = [later - earlier for earlier, later in itertools.pairwise(accepted)]
    assert gaps[0] >= 0.08
    assert gaps[1] >= 0.16
    assert all(gap >= 0.24 for gap in gaps[2:])
    assert all(gap < 1.0 for gap in gaps)


async def test_a_reply_that_is_no_status_breaks_the_link(scripted: Scripted) -> None:
    device = SimArchon()
    twisted = [False]

    def act(peer: Any, ref: bytes, command: str) -> None:
        answer = device.handle(command, 0.0)
        assert isinstance(answer, str)
        if command == "STATUS" and twisted[0]:
            twisted[0] = False
            answer = "VALID=maybe"
        peer.reply(ref, answer.encode())

    async with scripted(act) as port, ArchonController("127.0.0.1", port, config=QUICK) as archon:
        twisted[0] = True
        state = await archon.live.until(lambda s: not s.is_up, 5)
        assert "VALID" in state.reason
        await archon.live.until(lambda s: s.is_up, 5)


async def test_garbage_breaks_the_link_and_it_comes_back(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.faults.garbage = "STATUS"
        state = await lab.archon.live.until(lambda s: not s.is_up, 5)
        assert "garbage" in state.reason
        await lab.up()


async def test_a_reply_that_never_comes_breaks_the_link(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.faults.drop_reply = "TIMER"
        command = await lab.archon.send_command("STATUS")
        assert command.succeeded()
        lab.faults.drop_reply = "STATUS"
        state = await lab.archon.live.until(lambda s: not s.is_up, 10)
        assert "no reply to 'STATUS' within 5 s" in state.reason
        await lab.up()


# Polling and the log


async def test_status_and_frame_are_polled(make_lab: MakeLab) -> None:
    async with make_lab(status_period=0.01) as lab:
        count = lab.archon.status.status.count
        await lab.archon.live.until(lambda s: s.status.count > count + 1, 5)
        start = lab.mark()
        await lab.device.told("FRAME")
        assert set(lab.device.since(start)) <= {"STATUS", "FRAME"}


async def test_what_the_controller_logs_is_shown(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.device.log("Unexpected ADC latency measured (slot 5)")
        await lab.archon.live.until(lambda s: "Unexpected ADC latency measured (slot 5)" in s.log, 5)
        for n in range(60):
            lab.device.log(f"entry {n}")
        state = await lab.archon.live.until(lambda s: "entry 59" in s.log, 5)
        assert len(state.log) == 20
        assert lab.ask("FETCHLOG") == "(null)"


async def test_rejections_at_the_same_time_have_their_own_reasons(make_lab: MakeLab) -> None:
    async with make_lab(status_period=0.0001) as lab:
        names = [f"NOSUCH{n}X" for n in range(15)]
        commands = [lab.archon.send_command(f"LOADPARAM {name}") for name in names]
        for name, command in zip(names, commands, strict=True):
            await command
            assert isinstance(command.error, RejectedError)
            assert name in command.error.log


async def test_a_rejection_has_no_reasons_of_earlier_ones(make_lab: MakeLab) -> None:
    async with make_lab(status_period=0.0001) as lab:
        for n in range(30):
            command = await lab.archon.send_command(f"LOADPARAM NOSUCH{n}X")
            assert isinstance(command.error, RejectedError)
            assert f"NOSUCH{n}X" in command.error.log
            assert f"NOSUCH{n - 1}X" not in command.error.log


async def test_commands_and_replies_are_shown(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.send_command("TIMER")
        state = lab.archon.status
        assert state.last_command == "TIMER"
        assert state.last_reply.startswith("TIMER=")
        await lab.archon.send_command("LOADPARAM NOSUCH")
        assert lab.archon.status.last_reply == "?"


async def test_an_upload_is_not_disturbed_by_polling(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(status_period=0.0001) as lab:
        start = lab.mark()
        await lab.archon.write_config(acf, applyall=True)
        heard = lab.device.since(start)
        first, last = heard.index("POLLOFF"), heard.index("APPLYALL")
        assert {command[:7] for command in heard[first : last + 1]} <= {
            "POLLOFF", "CLEARCO", "WCONFIG", "RCONFIG", "POLLON", "APPLYAL",
        }  # fmt: skip


async def test_status_and_frames_can_be_asked_for_during_an_upload(make_lab: MakeLab, acf: Acf) -> None:
    """They wait until it is over: nothing may come between its commands."""
    async with make_lab(status_period=5.0) as lab:
        start = lab.mark()
        writing = asyncio.create_task(lab.archon.write_config(acf, applyall=True))
        await lab.device.told("WCONFIG0001")
        await asyncio.gather(lab.archon.get_device_status(), writing)
        heard = lab.device.since(start)
        assert "STATUS" not in heard[heard.index("POLLOFF") : heard.index("APPLYALL")]
