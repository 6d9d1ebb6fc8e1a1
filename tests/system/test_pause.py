"""An exposure is paused and goes on over Channel Access, as an observer does it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

PREFIX = "TEST:"
GOLDEN = Path(__file__).parents[1] / "golden" / "acf" / "small_on_demand.acf"
SECONDS = 5.0
SITE = "script:\n  pause_by_hold: true\n"

Start = Callable[..., AbstractAsyncContextManager[Any]]


def small_acf() -> Acf:
    """Return a small CCD that is read in a moment, with a script that integrates without clearing before."""
    acf = Acf.read(GOLDEN)
    keys = {
        **acf.keys,
        "PIXELCOUNT": "24",
        "LINECOUNT": "20",
        "FRAMEMODE": "0",
        "TAPLINES": "1",
        "TAPLINE0": "AD1L, 1, 1000",
    }
    values = {**acf.parameters, "Lines": 20, "Pixels": 24, "LinePause": 0}
    keys |= {f"PARAMETER{n}": f"{name}={value}" for n, (name, value) in enumerate(values.items())}
    return Acf(keys, acf.system)


@pytest.fixture
async def ioc(start_ioc: Start, tmp_path: Path) -> AsyncIterator[Any]:
    """The program on a controller at its real speed, which is powered."""
    (tmp_path / "site.yaml").write_text(SITE)
    device = SimArchon(small_acf(), applied=True, now=-10.0)
    device.handle("POWERON", -10.0)
    async with SimServer(device, speed=1.0) as sim:
        where = ("--host", "127.0.0.1", "--port", str(sim.port), "--config", str(tmp_path / "site.yaml"))
        async with start_ioc(*where) as ioc:
            yield ioc


async def begin(client: Any) -> None:
    """Begin an exposure and let it collect some light."""
    assert await client.put("cam1:AcquireTime", SECONDS) == 1
    await client(f"watch({PREFIX + 'cam1:DetectorState_RBV'!r})")
    await client.put("cam1:Acquire", 1, wait=False)
    await client(f"wait_for(lambda: 0 < get({PREFIX + 'cam1:TimeRemaining_RBV'!r}) < {SECONDS - 0.2}, 20)")


async def header(client: Any, folder: Path) -> fits.Header:
    return fits.getheader(folder / await client.get("FITS1:FullFileName_RBV", text=True))


@pytest.mark.usefixtures("ioc")
async def test_paused_and_resumed(client: Any, tmp_path: Path) -> None:
    await begin(client)
    assert await client.put("cam1:ArchonPause", 1) == 1, "answered when no light is collected any more"
    assert await client.get("cam1:ArchonPause_RBV", text=True) == "Yes"
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Waiting"
    assert await client.get("cam1:ShutterStatus_RBV", text=True) == "Closed"
    remaining = await client.get("cam1:TimeRemaining_RBV")
    await client(f"wait_for(lambda: get({PREFIX + 'cam1:ArchonPausedTime_RBV'!r}) >= 1.0, 20)")
    assert await client.get("cam1:TimeRemaining_RBV") == remaining
    assert await client.get("cam1:Acquire_RBV") == 1
    assert await client.put("cam1:ArchonPause", 0) == 1, "answered when it goes on"
    assert await client.get("cam1:ArchonPause_RBV", text=True) == "No"
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Acquire"
    await client.until("cam1:Acquire_RBV", "Done")
    cards = await header(client, tmp_path)
    assert cards["EXPTIME"] == pytest.approx(SECONDS, abs=0.02)
    assert cards["TELAPSE"] >= SECONDS + 1.0
    events = [event[2] for event in await client("seen") if event[0] == "monitor"]
    assert [int(state) for state in events].count(1) == 2, "Acquire, Waiting, Acquire"


@pytest.mark.usefixtures("ioc")
async def test_stopped_while_it_is_paused(client: Any, tmp_path: Path) -> None:
    await begin(client)
    assert await client.put("cam1:ArchonPause", "Yes") == 1
    assert await client.put("cam1:ArchonStop", 1) == 1
    assert await client.get("cam1:ArchonPause_RBV", text=True) == "No"
    assert 0.1 < (await header(client, tmp_path))["EXPTIME"] < SECONDS - 0.1


@pytest.mark.usefixtures("ioc")
async def test_a_pause_of_nothing_is_refused_and_the_reason_told(client: Any) -> None:
    assert await client.put("cam1:ArchonPause", 1) != 1
    assert "only an integration can be paused, the camera is idle" in await client.get(
        "cam1:StatusMessage_RBV", text=True
    )
    assert await client.put("cam1:ArchonPause", 0) == 1
