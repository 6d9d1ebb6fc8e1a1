"""Disks that fail in the middle of an exposure: nothing is lost, it is told, and the IOC answers all the while."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.pvs.row import Severity
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

PROGRAM = (sys.executable, "-m", "archon_ioc")
SLOW = (sys.executable, str(Path(__file__).with_name("slow_disk.py")))
ON_SMALL_DISK = (
    "unshare", "-rm", "sh", "-c", 'mkdir -p data && mount -t tmpfs -o size=16m none data && exec "$@"', "sh", *PROGRAM
)  # fmt: skip
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override", *PROGRAM)
"""The program of root, for which permissions hold."""
PREFIX = "TEST:"
LONGEST_GET = 0.5
"""Seconds that a client may wait for a number, on any machine that runs these tests; some ms are usual."""

Start = Callable[..., AbstractAsyncContextManager[Any]]


@contextmanager
def full(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free)
    yield
    filler.unlink()


@contextmanager
def denied(folder: Path) -> Iterator[None]:
    folder.chmod(0o500)
    yield
    folder.chmod(0o700)


@contextmanager
def removed(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder)
    folder.write_text("in the way")
    yield
    folder.unlink()


async def can_mount() -> bool:
    process = await asyncio.create_subprocess_exec("unshare", "-rm", "true", stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def pending(client: Any) -> tuple[int, int]:
    """Return how many exposures are pending, and how severe that is."""
    return await client.get("cam1:ArchonJournal_RBV"), await client.severity("cam1:ArchonJournal_RBV")


async def slowest_get(client: Any) -> float:
    """Return the longest of some hundred reads of a number, in seconds."""
    read = f"(lambda began: (get({PREFIX + 'cam1:ArchonBackplaneTemp_RBV'!r}), ca.time.time() - began)[1])"
    return await client(f"max({read}(ca.time.time()) for _ in range(200))")


@pytest.fixture
async def sim() -> Any:
    device = SimArchon(Acf.read(demo_acf()), applied=True, now=-10.0)
    device.handle("POWERON", -10.0)
    async with SimServer(device, speed=20.0) as server:
        yield server


@dataclass(frozen=True)
class Case:
    """What happens to the folder of the images of a program that runs in this way, and the words for it."""

    broken: Callable[[Path], AbstractContextManager[None]]
    command: tuple[str, ...]
    words: str


CASES = (
    Case(full, ON_SMALL_DISK, "MB needed, 0 MB free"),
    Case(denied, WITHOUT_OVERRIDE if os.geteuid() == 0 else PROGRAM, "Permission denied"),
    Case(removed, PROGRAM, "cannot write"),
)


@pytest.mark.parametrize("case", CASES, ids=[case.broken.__name__ for case in CASES])
async def test_a_disk_that_fails_loses_nothing(
    start_ioc: Start, client: Any, sim: SimServer, tmp_path: Path, case: Case
) -> None:
    if case.command is ON_SMALL_DISK and not await can_mount():
        pytest.xfail("this user cannot mount a small disk")
    async with start_ioc("--host", "127.0.0.1", "--port", str(sim.port), command=case.command) as ioc:
        data = Path(f"/proc/{ioc.process.pid}/root{tmp_path}/data")
        await client.until("cam1:DetectorState_RBV", "Idle")
        await client.put("cam1:AcquireTime", 0.5)
        await client.put("cam1:Acquire", 1, wait=False)
        await client.until("cam1:DetectorState_RBV", "Acquire")
        with case.broken(data):
            await client.until("cam1:DetectorState_RBV", "Error")
            assert case.words in await client.get("cam1:StatusMessage_RBV", text=True)
            assert await pending(client) == (1, Severity.MINOR)
            assert await client.put("cam1:ArchonRecover", 1) != 1
            assert (await client.get("cam1:StatusMessage_RBV", text=True)).startswith("exposure 1 of archon, frame 1")
            assert await slowest_get(client) < LONGEST_GET
            assert await client.put("cam1:Acquire", 1) != 1, "there is no place for the next one"
            assert (
                "files cannot be written" in await client.get("cam1:StatusMessage_RBV", text=True)
                or case.broken is full
            )
        assert await client.put("cam1:ArchonRecover", 1) == 1
        assert await pending(client) == (0, Severity.NO_ALARM)
        assert "Recovered" in await client.get("cam1:StatusMessage_RBV", text=True)
        assert fits.getval(data / "archon_0001.fits", "EXPTIME") == 0.5
        assert await client.put("cam1:Acquire", 1) == 1
        assert names(data) == ["archon_0001.fits", "archon_0002.fits"]


async def test_a_disk_of_2_megabytes_per_second(start_ioc: Start, client: Any, sim: SimServer, tmp_path: Path) -> None:
    async with start_ioc("--host", "127.0.0.1", "--port", str(sim.port), command=SLOW):
        await client.until("cam1:DetectorState_RBV", "Idle")
        await client.put("cam1:AcquireTime", 0.1)
        await client.put("cam1:NumImages", 3)
        await client.put("cam1:ImageMode", "Multiple")
        await client.put("cam1:Acquire", 1, wait=False)
        slowest = []
        for number in (1, 2, 3):
            await client.until("FITS1:WriteFile_RBV", "Writing")
            slowest.append(await slowest_get(client))
            await client.until("FITS1:FullFileName_RBV", str(tmp_path / "data" / f"archon_000{number}.fits"))
        await client.until("cam1:Acquire_RBV", "Done")
        assert await client.get("cam1:StatusMessage_RBV", text=True) == "Done"
        print("the slowest reads took", slowest)
        assert max(slowest) < LONGEST_GET
    assert names(tmp_path / "data") == [f"archon_000{number}.fits" for number in (1, 2, 3)]
    assert [fits.getval(tmp_path / "data" / name, "ARCHFRAM") for name in names(tmp_path / "data")] == [1, 2, 3]


async def test_what_is_pending_can_be_discarded(start_ioc: Start, client: Any, sim: SimServer, tmp_path: Path) -> None:
    async with start_ioc("--host", "127.0.0.1", "--port", str(sim.port)):
        await client.until("cam1:DetectorState_RBV", "Idle")
        await client.put("cam1:AcquireTime", 0.5)
        await client.put("cam1:Acquire", 1, wait=False)
        await client.until("cam1:DetectorState_RBV", "Acquire")
        with removed(tmp_path / "data"):
            await client.until("cam1:DetectorState_RBV", "Error")
        assert await client.get("cam1:ArchonJournal_RBV") == 1
        assert await client.put("cam1:ArchonRecover", "Discard") == 1
        assert await client.get("cam1:ArchonJournal_RBV") == 0
        assert "discarded" in await client.get("cam1:StatusMessage_RBV", text=True)
        assert await client.put("cam1:ArchonRecover", "Recover") == 1
        assert await client.get("cam1:StatusMessage_RBV", text=True) == "Nothing was pending"
        assert await client.get("cam1:ArchonRecovery_RBV", text=True) == ""
        assert len(list((tmp_path / "state" / "journal" / "lost").glob("*.json"))) == 1
