import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.watchdog import Watchdog, read

RECORD = "T:cam1:NumImages_RBV"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd is told goes here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        yield listening


async def told(systemd: socket.socket) -> str:
    return (await asyncio.get_running_loop().sock_recv(systemd, 100)).decode()


@contextlib.asynccontextmanager
async def watching(record: str, port: int) -> AsyncIterator[None]:
    task = asyncio.create_task(Watchdog(record).run(("127.0.0.1", port)))
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_systemd_is_told_that_the_program_started_and_lives(server: CaServer, systemd: socket.socket) -> None:
    async with watching(RECORD, server.port):
        assert [await told(systemd) for _ in range(4)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]


async def test_a_server_that_does_not_answer_is_not_reported(
    systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with watching(RECORD, silent.getsockname()[1]):
            assert await told(systemd) == "READY=1"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await told(systemd)
    assert "cannot be read" in caplog.text


async def test_a_record_that_is_not_there_is_not_reported(
    server: CaServer, systemd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching("T:cam1:No", server.port):
        assert await told(systemd) == "READY=1"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await told(systemd)
    assert "T:cam1:No cannot be read" in caplog.text


async def test_reading(server: CaServer, target: Any) -> None:
    target.update(count=12)
    await server.flush()
    assert await read(("127.0.0.1", server.port), RECORD) == 12


async def test_without_systemd_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    await Watchdog(RECORD).run(("127.0.0.1", 1))


async def test_a_unit_without_a_watchdog_hears_of_the_start_only(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    await Watchdog(RECORD).run(("127.0.0.1", 1))
    assert await told(systemd) == "READY=1"


async def test_systemd_may_be_gone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setenv("NOTIFY_SOCKET", "@no such place")
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    await Watchdog(RECORD).run(("127.0.0.1", 1))
    assert "systemd cannot be told READY=1" in caplog.text
