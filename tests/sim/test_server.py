"""The simulator as a server: clients, clock, and a clean end."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import DeviceStatus
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import StarField, TestPattern
from archon_ioc.sim.server import SimServer

Connect = Any  # of conftest.py


async def test_a_free_port_is_found(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate)) as sim, connect(sim.port) as client:
        assert (await client.ask("SYSTEM")).startswith("BACKPLANE_TYPE=1 ")


async def test_the_default_scene_is_a_star_field(separate: Acf) -> None:
    assert isinstance(SimServer(SimArchon(separate)).scene, StarField)


async def test_a_second_client_waits_until_the_first_has_left(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate)) as sim, connect(sim.port) as first:
        await first.ask("LOCK1")
        async with connect(sim.port) as second:
            second.send("FRAME")
            for _ in range(20):
                assert "RBUF=1" in await first.ask("FRAME")
            waiting = asyncio.create_task(second.line())
            await first.ask("LOCK0")
            assert not waiting.done()
            first.writer.close()
            assert "RBUF=0" in await waiting


async def test_a_rev_h_serves_several_clients(separate: Acf, connect: Connect) -> None:
    async with (
        SimServer(SimArchon(separate), max_clients=4) as sim,
        connect(sim.port) as first,
        connect(sim.port) as second,
    ):
        assert await first.ask("LOCK1") == ""
        assert "RBUF=1" in await second.ask("FRAME")


async def test_the_next_client_finds_the_controller_as_the_last_one_left_it(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate)) as sim:
        async with connect(sim.port) as client:
            await client.ask("LOCK3")
            await client.ask("WCONFIG0000KEY=1")
        async with connect(sim.port) as client:
            assert "RBUF=3" in await client.ask("FRAME")
            assert await client.ask("RCONFIG0000") == "KEY=1"


async def test_a_dropped_link_can_be_opened_again(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate)) as sim:
        async with connect(sim.port) as client:
            await client.ask("LOCK0")
            sim.link_drop()
            assert await client.is_cut()
        async with connect(sim.port) as client:
            assert await client.ask("LOCK0") == ""


@pytest.mark.parametrize(("command", "seconds"), [("REBOOT", 5.0), ("WARMBOOT", 2.0)])
async def test_a_restart_cuts_the_connection_and_takes_its_time(
    separate: Acf, connect: Connect, connect_again: Connect, command: str, seconds: float
) -> None:
    async with SimServer(SimArchon(separate, applied=True)) as sim:
        async with connect(sim.port) as client:
            client.send(command)
            assert await client.is_cut()
        before = sim.now
        with pytest.raises(ConnectionError):
            async with connect(sim.port) as client:
                await client.ask("STATUS")
        async with connect_again(sim.port) as client:
            assert DeviceStatus.parse(await client.ask("STATUS")).power is Power.NOT_CONFIGURED
            assert seconds - 1 < sim.now - before < seconds + 10  # the test's computer may be busy


async def test_where_nothing_takes_time_a_restart_takes_none(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), speed=0) as sim:
        for boots in (2, 3):
            async with connect(sim.port) as client:
                client.send("REBOOT")
                assert await client.is_cut()
            assert sim.device.boots == boots


async def test_the_server_can_end_while_its_controller_boots(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), speed=1) as sim, connect(sim.port) as client:
        client.send("REBOOT")
        assert await client.is_cut()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", sim.port)


async def test_simulated_time_runs_faster(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate, applied=True), speed=50) as sim, connect(sim.port) as client:
        start = asyncio.get_running_loop().time()
        await client.ask("POWERON")
        while DeviceStatus.parse(await client.ask("STATUS")).power is not Power.ON:
            pass
        assert 0.015 < asyncio.get_running_loop().time() - start < 0.5


async def test_time_may_cost_nothing(separate: Acf, connect: Connect) -> None:
    device = SimArchon(separate, applied=True)
    async with SimServer(device, speed=0, scene=TestPattern()) as sim, connect(sim.port) as client:
        await client.ask("FASTLOADPARAM IntMS 1000000")
        await client.ask("FASTLOADPARAM Exposures 1")
        await client.ask("FASTLOADPARAM ReadOut 1")
        assert (await client.frames()).newest.frame == 1


async def test_a_trigger_pulse_starts_the_script(at_once: Acf, connect: Connect) -> None:
    device = SimArchon(at_once, applied=True)
    async with SimServer(device, speed=0) as sim, connect(sim.port) as client:
        await client.ask("FASTLOADPARAM ExternalTrigger 1")
        await client.ask("FASTLOADPARAM Exposures 1")
        assert (await client.frames()).newest is None
        sim.trigger_in()
        assert (await client.frames()).newest.frame == 1


async def test_the_end_of_the_server_ends_its_clients(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate)) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b">01LOCK0\n")
        await reader.readline()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", sim.port)
    assert not [task for task in asyncio.all_tasks() if "port" in task.get_name()]


async def test_the_server_can_end_in_the_middle_of_a_fetch(demo: Acf, connect: Connect) -> None:
    device = SimArchon(demo, applied=True)
    async with SimServer(device, fetch_rate=1_000_000) as sim, connect(sim.port) as client:
        client.send("FETCHA000000000010000")
        async with asyncio.timeout(5):
            await client.reader.readexactly(4)


async def test_a_fault_of_a_scene_is_not_hidden(separate: Acf, connect: Connect) -> None:
    class Broken:
        def render(self, shot: object) -> Any:
            raise ZeroDivisionError

    async def fetch() -> None:
        device = SimArchon(separate, applied=True)
        async with SimServer(device, speed=0, scene=Broken()) as sim, connect(sim.port) as client:
            await client.ask("FASTLOADPARAM ReadOut 1")
            client.send("FETCHA000000000000001")
            assert await client.is_cut()

    with pytest.raises(ZeroDivisionError):
        await fetch()


async def test_a_port_in_use_is_refused(separate: Acf) -> None:
    async with SimServer(SimArchon(separate)) as sim:
        with pytest.raises(OSError, match="in use"):
            await SimServer(SimArchon(separate), port=sim.port).__aenter__()


# Which clients are served


async def test_how_many_clients_are_served_stands_in_the_acf(separate: Acf, connect: Connect) -> None:
    rev_h = replace(separate, system={**separate.system, "BACKPLANE_REV": "7"})
    async with SimServer(SimArchon(rev_h)) as sim, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(sim.port)) for _ in range(5)]
        for client in clients[:4]:
            assert await client.ask("LOCK0") == ""
        clients[4].send("LOCK0")
        waiting = asyncio.create_task(clients[4].line())
        for _ in range(5):
            await clients[0].ask("LOCK0")
        assert not waiting.done()
        clients[1].writer.close()
        assert await waiting == "<00"


async def test_a_client_too_many_may_be_refused(separate: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(separate), refuses=True) as sim, connect(sim.port) as first:
        await first.ask("LOCK0")
        async with connect(sim.port) as second:
            assert await second.is_cut()
        assert await first.ask("LOCK0") == ""


# Time goes on


class Heard(SimArchon):
    """A simulated controller that says when it is brought up to date."""

    def __init__(self, acf: Acf) -> None:
        self.times: list[float] = []
        self.third = asyncio.Event()
        super().__init__(acf, applied=True)

    def advance(self, now: float) -> None:
        super().advance(now)
        self.times.append(now)
        if len(self.times) >= 3:
            self.third.set()


async def test_the_device_is_brought_up_to_date_although_nobody_asks(separate: Acf) -> None:
    device = Heard(separate)
    async with SimServer(device, speed=1), asyncio.timeout(5):
        device.times.clear()
        device.third.clear()
        await device.third.wait()
    first, second, third = device.times[:3]
    assert second - first < 0.5
    assert third - second < 0.5


async def test_controllers_may_share_one_clock(separate: Acf) -> None:
    clock = Clock(7)
    async with SimServer(SimArchon(separate), clock=clock) as one, SimServer(SimArchon(separate), clock=clock) as other:
        assert one.now <= other.now < one.now + 1
        clock.set_speed(1000)
        assert one.now <= other.now < one.now + 1


async def test_a_reboot_in_an_exposure_ends_the_connections(
    separate: Acf, connect: Connect, connect_again: Connect
) -> None:
    device = SimArchon(separate, applied=True)
    async with SimServer(device) as sim:
        async with connect(sim.port) as client:
            await client.ask("FASTLOADPARAM IntMS 100000")
            sim.faults.reboot_in_exposure = True
            await client.ask("FASTLOADPARAM Exposures 1")
            assert await client.is_cut()
        assert (device.boots, sim.faults.reboot_in_exposure) == (2, False)
        async with connect_again(sim.port) as client:
            assert DeviceStatus.parse(await client.ask("STATUS")).power is Power.NOT_CONFIGURED
