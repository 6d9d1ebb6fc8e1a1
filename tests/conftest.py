"""What several folders of tests share."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Machines differ in speed, and so does one that is shared; a slow example is no fault.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail in CI where elsewhere a test is skipped, because a server or client that it needs is missing."""
    report = yield
    allowed = hasattr(report, "wasxfail") or item.get_closest_marker("needs_shared")
    if os.environ.get("CI") and report.skipped and not allowed:
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail in CI where elsewhere a whole file of tests is skipped."""
    report = yield
    if os.environ.get("CI") and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not accept: {report.longrepr}"
    return report


def free_port() -> int:
    """Return a port that is free for UDP and TCP: Channel Access uses one number for both."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            datagrams.bind(("127.0.0.1", 0))
            try:
                stream.bind(datagrams.getsockname())
            except OSError:
                continue
            return datagrams.getsockname()[1]


@pytest.fixture(scope="session")
def ca_environment() -> Iterator[dict[str, str]]:
    """Channel Access and PVAccess on the loopback interface and on ports of this session only."""
    settings = {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(free_port()),
        "EPICS_CA_REPEATER_PORT": str(free_port()),
        "EPICS_CA_MAX_ARRAY_BYTES": "300000000",
        "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_ADDR_LIST": "127.0.0.1",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_BROADCAST_PORT": str(port := free_port()),
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_PVAS_BROADCAST_PORT": str(port),
        "EPICS_PVAS_SERVER_PORT": str(free_port()),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield {**os.environ, **settings}


class Client:
    """A process with pyepics; calls evaluate an expression there (see libca_client.py)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, expression: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(expression.encode() + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{expression}: {answer['error']}")
        return answer["value"]


@pytest.fixture
async def libca(ca_environment: dict[str, str]) -> AsyncIterator[Client]:
    """A client with EPICS base's own library."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(__file__).with_name("libca_client.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ca_environment | {"PATH": ""},  # libca would leave a caRepeater behind
    )
    yield Client(process)
    process.kill()
    await process.wait()
