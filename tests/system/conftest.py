"""The whole program in a process of its own, a client with libca in another, and a simulator in the test."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

PREFIX = "TEST:"
PROGRAM = (sys.executable, "-m", "archon_ioc")
collect_ignore = ["seed_client.py"]  # it runs in an environment of its own


class Client:
    """libca; names get the prefix of the IOC."""

    def __init__(self, libca: Any) -> None:
        self._libca = libca

    async def __call__(self, expression: str) -> Any:
        return await self._libca(expression)

    async def get(self, name: str, text: bool = False) -> Any:
        return await self(f"get({PREFIX + name!r}, as_string={text})")

    async def put(self, name: str, value: object, wait: bool = True) -> int:
        """Put with callback; return the status: 1 is success."""
        kind = {int: "long", float: "double", str: "string"}[type(value)]
        if isinstance(value, str) and len(value) > 39:
            return await self(f"put({PREFIX + name!r}, {value!r}, wait=True)")
        if not wait:
            return await self(f"put({PREFIX + name!r}, {value!r}, wait=False)")
        return await self(f"put_status({PREFIX + name!r}, {value!r}, {kind!r})")

    async def until(self, name: str, value: object, text: bool = True) -> None:
        """Wait until a PV has a value."""
        await self(f"wait_for(lambda: get({PREFIX + name!r}, as_string={text}) == {value!r}, 20)")

    async def severity(self, name: str) -> int:
        return await self(f"info({PREFIX + name!r}, 'time')['severity']")


class Ioc:
    """A running ``archon-ioc``; ``lines`` is what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def printed(self, words: str) -> str:
        """Return the first line with these words that comes, or has come."""
        for line in self.lines:
            if words in line:
                return line
        assert self.process.stdout
        while raw := await self.process.stdout.readline():
            self.lines.append(raw.decode().rstrip())
            if words in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"{words!r} was not printed:\n" + "\n".join(self.lines))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code when it has ended, and read what it printed."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        assert self.process.stdout
        rest = await self.process.stdout.read()
        self.lines += rest.decode().splitlines()
        return await self.process.wait()


@pytest.fixture
def client(libca: Any) -> Client:
    return Client(libca)


@pytest.fixture
def start_ioc(ca_environment: dict[str, str], tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Ioc]]:
    """Run the program, or a ``command`` that does, with options in an empty folder; then it is ready."""

    @asynccontextmanager
    async def running(*options: str, command: Sequence[str] = PROGRAM) -> AsyncIterator[Ioc]:
        process = await asyncio.create_subprocess_exec(
            *command, "--prefix", PREFIX, *options, env=ca_environment, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        ioc = Ioc(process)
        try:
            await ioc.printed("Ctrl-C")
            yield ioc
        finally:
            print("\n".join(ioc.lines))
            await ioc.stop()

    return running
