"""The control port, by hand and over a socket."""

import asyncio
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.sim.bench import Bench
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.control import Operator
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer

Connect = Any  # of conftest.py


class Room:
    """An operator and the controller it operates; ``cuts`` counts how often the connections were cut."""

    def __init__(self, acf: Acf) -> None:
        self.device = SimArchon(acf, applied=True)
        self.bench = Bench(self.device, TestPattern(), Clock(1))
        self.cuts = 0
        self._operator = Operator(self.bench, self._cut)

    def _cut(self) -> None:
        self.cuts += 1

    async def tell(self, line: str) -> list[str]:
        return await self._operator.answer(line)


@pytest.fixture
def room(demo: Acf) -> Room:
    return Room(demo)


async def test_faults_are_set_shown_and_cleared(room: Room) -> None:
    assert await room.tell("faults") == ["ok"]
    assert await room.tell("set drop_reply FETCH") == ["ok drop_reply=FETCH"]
    assert await room.tell("set power_stuck") == ["ok drop_reply=FETCH power_stuck=1"]
    assert await room.tell("set skip=2") == ["ok drop_reply=FETCH skip=2 power_stuck=1"]
    assert room.device.faults.skip == 2
    assert await room.tell("clear power_stuck") == ["ok drop_reply=FETCH skip=2"]
    assert await room.tell("clear") == ["ok"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "'' is not one of faults, set"),
        ("dance", "'dance' is not one of faults, set"),
        ("set", "it is written: set NAME [VALUE]"),
        ("set drop_reply A B", "it is written: set NAME [VALUE]"),
        ("set nothing 1", "there is no fault 'nothing'"),
        ("set overheat maybe", "on or off"),
        ("set bias_short MOD9/HVHC99", "there is no MOD9/HVHC99 installed; there are MOD"),
        ("set heater_cut MOD9/HEATERA", "there is no MOD9/HEATERA installed; there are MOD2/HEATERA, MOD2/HEATERB"),
        ("clear nothing", "there is no fault 'nothing'"),
        ("reboot now", "it is written: reboot"),
        ("trigger up", "'up' is not high or low"),
        ("speed fast", "'fast' is not a number"),
        ("speed 0", "0 is for always"),
        ("speed inf", "'inf' is not a number"),
        ("dinput MOD99 1 1", "'MOD99' is not one of MOD1, MOD2"),
        ("dinput MOD4 9 1", "MOD4 has 8 digital lines, not 9"),
        ("dinput MOD4 0 1", "MOD4 has 8 digital lines, not 0"),
        ("dinput MOD4 1.5 1", "MOD4 has 8 digital lines, not 1.5"),
        ("dinput MOD5 1 1", "MOD5 has 0 digital lines"),
        ("dinput MOD4 1 2", "'2' is not 0 or 1"),
        ("sensor MOD4 A 20", "MOD4 has 0 sensors, not A"),
        ("sensor MOD2 D 20", "MOD2 has 3 sensors, not D"),
        ("sensor MOD2 A cold", "'cold' is not a number"),
        ("log", "it is written: log TEXT"),
    ],
)
async def test_mistakes_are_told(room: Room, line: str, words: str) -> None:
    answer = await room.tell(line)
    assert len(answer) == 1
    assert answer[0].startswith("error ")
    assert words in answer[0]


async def test_the_status_can_be_seen_whole_or_in_part(room: Room) -> None:
    assert await room.tell("status POWER") == ["ok POWER=2 POWERGOOD=1"]
    assert (await room.tell("status"))[0].startswith("ok VALID=1 COUNT=")


async def test_the_state_of_the_timing_core_can_be_seen(room: Room) -> None:
    await room.bench.ask("HOLDTIMING")
    await room.bench.ask("FASTLOADPARAM IntMS 1234")
    *lines, last = await room.tell("state")
    assert last == "ok"
    text = "\n".join(lines)
    first = room.device.timing.line
    assert f"line=LINE{first} {room.device.applied.keys[f'LINE{first}']}" in text
    assert "held=1 integrating=0 tick=" in text
    assert "frame=0 buffer=0 lines=0 pixels=0 complete=0 locked=0" in text
    assert "INTMS=1234" in text
    await room.bench.ask("RELEASETIMING")
    await room.bench.ask("FASTLOADPARAM AutoFlush 0")
    await room.bench.ask("RESETTIMING")
    await room.bench.ask("FASTLOADPARAM Exposures 1")
    while not any("integrating=1" in line for line in await room.tell("state")):
        pass


async def test_trigger_in_has_a_level_and_pulses(room: Room) -> None:
    await room.bench.ask(f"WCONFIG{room.device.applied.line_number('TRIGINENABLE'):04X}TRIGINENABLE=1")
    await room.bench.ask("APPLYSYSTEM")
    assert await room.tell("trigger high") == ["ok"]
    assert room.device.timing.is_held
    assert await room.tell("trigger low") == ["ok"]
    assert not room.device.timing.is_held
    assert await room.tell("trigger") == ["ok"]
    assert not room.device.timing.is_held


async def test_a_reboot_ends_the_connections_and_what_was_applied(room: Room) -> None:
    assert await room.tell("reboot") == ["ok"]
    assert (room.cuts, room.device.boots) == (1, 2)
    assert not room.device.applied.keys
    assert await room.tell("link-drop") == ["ok"]
    assert room.cuts == 2


async def test_lines_and_sensors_are_wired(room: Room) -> None:
    modules = room.device.hardware.modules
    before = modules[4].lines.text()
    assert await room.tell("dinput mod4 2 1") == ["ok"]
    assert modules[4].lines.text() == before[0] + "1" + before[2:]
    assert await room.tell("sensor MOD2 A 12.5") == ["ok"]
    assert await room.tell("sensor MOD2 b open") == ["ok"]
    heaters = modules[2].heaters
    assert heaters
    assert modules[2].cryostat.celsius[0] == 12.5
    assert [sensor.is_broken for sensor in heaters.sensors] == [False, True, False]
    assert await room.tell("sensor MOD2 B ok") == ["ok"]
    assert not heaters.sensors[1].is_broken


async def test_the_log_takes_an_entry(room: Room) -> None:
    assert await room.tell("log ADC latency (slot 5)") == ["ok"]
    assert await room.bench.ask("FETCHLOG") == "ADC latency (slot 5)"


async def test_the_speed_is_shown_and_changed(room: Room) -> None:
    assert await room.tell("speed") == ["ok 1"]
    assert await room.tell("speed 50") == ["ok 50"]
    assert room.bench.clock.speed == 50


async def test_help_names_everything(room: Room) -> None:
    *lines, last = await room.tell("help")
    assert last == "ok"
    words = {line.split()[0] for line in lines}
    assert {"faults", "set", "clear", "trigger", "reboot", "link-drop", "status", "state", "speed", "help"} <= words


async def test_an_order_waits_while_the_device_is_used(room: Room) -> None:
    async with room.bench.clock.lock:
        waiting = asyncio.create_task(room.tell("faults"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting == ["ok"]


async def test_it_is_a_port_of_lines(demo: Acf, connect: Connect) -> None:
    async with (
        SimServer(SimArchon(demo), control_port=0) as sim,
        connect(sim.control_port) as operator,
        connect(sim.port) as client,
    ):
        operator.writer.write(b"set reject STATUS\r\n\nhelp\nfau")
        assert await operator.line() == "ok reject=STATUS"
        assert (await operator.line()).startswith("  faults")
        while await operator.line() != "ok":
            pass
        operator.writer.write(b"lts\n")
        assert await operator.line() == "ok reject=STATUS"
        client.send("STATUS")
        assert await client.line() == "?00"


async def test_it_can_cut_the_connections(demo: Acf, connect: Connect, connect_again: Connect) -> None:
    async with SimServer(SimArchon(demo), control_port=0) as sim, connect(sim.control_port) as operator:
        for order in (b"reboot\n", b"link-drop\n"):
            async with connect_again(sim.port) as client:
                await client.ask("LOCK0")
                operator.writer.write(order)
                assert await operator.line() == "ok"
                assert await client.is_cut()


async def test_a_line_that_is_too_long_is_an_error(demo: Acf, connect: Connect) -> None:
    async with SimServer(SimArchon(demo), control_port=0) as sim, connect(sim.control_port) as operator:
        for count in (4097, 200_000):
            operator.writer.write(b"x" * count + b"\nfaults\n")
            assert await operator.line() == "error a line of more than 4096 bytes"
            assert await operator.line() == "ok"
        operator.writer.write(b"faults" + b" " * 4090 + b"\n")
        assert await operator.line() == "ok"


@pytest.mark.parametrize(
    ("last", "answer"), [(b"set overheat", "ok overheat=1"), (b"x" * 5000, "error a line"), (b"", "")]
)
async def test_the_last_line_needs_no_end(demo: Acf, connect: Connect, last: bytes, answer: str) -> None:
    async with SimServer(SimArchon(demo), control_port=0) as sim, connect(sim.control_port) as operator:
        operator.writer.write(b"clear\n" + last)
        operator.writer.write_eof()
        assert await operator.line() == "ok"
        assert (await operator.line()).startswith(answer)
        assert await operator.is_cut()


async def test_there_is_none_unless_asked_for(demo: Acf) -> None:
    async with SimServer(SimArchon(demo)) as sim:
        assert sim.control_port is None


async def test_a_control_port_in_use_leaves_nothing_open(demo: Acf) -> None:
    async with SimServer(SimArchon(demo), control_port=0) as sim:
        second = SimServer(SimArchon(demo), control_port=sim.control_port)
        with pytest.raises(OSError, match="in use"):
            await second.__aenter__()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", second.port)
