"""The command ``sim``, called as a user does."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner

from archon_ioc.cli import main


class Program:
    """A running ``archon-ioc sim`` and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.text = ""

    async def until(self, words: str) -> str:
        assert self.process.stdout
        while words not in self.text:
            line = await self.process.stdout.readline()
            assert line, self.text
            self.text += line.decode()
        return self.text

    @property
    def ports(self) -> list[int]:
        return [int(port) for port in re.findall(r"simulated Archon at 127.0.0.1:(\d+)", self.text)]


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "archon_ioc", "sim", "--port", "0", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    program = Program(process)
    try:
        async with asyncio.timeout(30):
            await program.until("Ctrl-C")
            yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ask(port: int, line: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(line.encode() + b"\n")
    answer = (await reader.readline()).decode().rstrip("\n")
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_says_what_it_simulates_and_ends_when_told() -> None:
    async with running("--powered", "--speed", "0", "--fault", "overheat") as program:
        assert "1120 x 1056 pixels from 4 taps, powered" in program.text
        assert "5 AD, 6 AD" in program.text
        assert "nothing takes time" in program.text
        assert "overheat=1" in program.text
        status = await ask(program.ports[0], ">01STATUS")
        assert " POWER=4 " in status
        assert " OVERHEAT=1 " in status
        program.process.send_signal(signal.SIGTERM)
        assert await program.process.wait() == 0
    assert "Traceback" not in program.text


async def test_an_operator_can_reach_it() -> None:
    async with running("--control-port", "0") as program:
        found = re.search(r"nc -N 127.0.0.1 (\d+)", program.text)
        assert found
        assert await ask(int(found[1]), "set reject STATUS") == "ok reject=STATUS"
        assert await ask(program.ports[0], ">01STATUS") == "?01"


async def test_several_at_once_have_ports_of_their_own_and_one_leader() -> None:
    async with running("--count", "3", "--applied") as program:
        assert len(set(program.ports)) == 3
        assert program.text.count("follows the first one") == 2
        assert [(await ask(port, ">01SYSTEM"))[:3] for port in program.ports] == ["<01"] * 3


async def test_several_need_not_know_each_other() -> None:
    async with running("--count", "2", "--no-sync") as program:
        assert "sync" not in program.text


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["sim", "--port", str(port)])
    assert result.exit_code == 1
    assert f"port {port} of 127.0.0.1: Address already in use" in result.output
    assert "Traceback" not in result.output


def test_a_control_port_in_use_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["sim", "--port", "0", "--control-port", str(port)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: port {port} of 127.0.0.1: Address already in use")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("option", ["--speed", "--latency", "--fetch-rate"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "fast"])
def test_numbers_are_finite_and_not_negative(option: str, value: str) -> None:
    result = CliRunner().invoke(main, ["sim", "--port", "0", option, value])
    assert result.exit_code == 2
    assert option in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "65535", "--count", "3"), "3 ports from 65535 on: the last one there is is 65535"),
        (("--control-port", "65534", "--count", "3"), "3 ports from 65534 on"),
        (("--fault", "nothing"), "there is no fault 'nothing'"),
        (("--fault", "skip=many"), "skip is a number"),
        (("--acf", "/nowhere.acf"), "/nowhere.acf: No such file"),
    ],
)
def test_wrong_options_are_told_in_one_line(options: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(main, ["sim", "--port", "0", *options])
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output
