"""Stories of users: the whole program, a client with libca, a simulated controller."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

PREFIX = "TEST:"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "acf"

Start = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def sim(stack: AsyncExitStack) -> SimServer:
    """A controller with nothing loaded, twenty times faster than a real one."""
    return await stack.enter_async_context(SimServer(SimArchon(Acf.read(demo_acf())), speed=20.0))


@pytest.fixture
async def powered(sim: SimServer) -> SimServer:
    """A controller that is configured and powered."""
    sim.device.handle("APPLYALL", sim.now)
    sim.device.handle("POWERON", sim.now)
    return sim


@pytest.fixture
def start(start_ioc: Start, stack: AsyncExitStack) -> Callable[..., Any]:
    async def enter(sim: SimServer | None, *options: str) -> Any:
        where = ("--host", "127.0.0.1", "--port", str(sim.port)) if sim else ()
        return await stack.enter_async_context(start_ioc(*where, *options))

    return enter


async def test_first_exposure(start: Any, client: Any, tmp_path: Path) -> None:
    await start(None, "--simulate")
    assert await client.put("cam1:AcquireTime", 0.2) == 1
    assert await client.get("cam1:AcquireTime_RBV") == 0.2
    for name in ("cam1:Acquire_RBV", "cam1:DetectorState_RBV", "cam1:ArrayCounter_RBV", "image1:UniqueId_RBV"):
        await client(f"watch({PREFIX + name!r})")
    assert await client.put("cam1:Acquire", 1) == 1
    path = tmp_path / await client.get("FITS1:FullFileName_RBV", text=True)
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        filed, header = np.array(hdus[0].data), hdus[0].header
        assert header["EXPTIME"] == 0.2
    shown = await client(f"__import__('hashlib').sha256(get({PREFIX + 'image1:ArrayData'!r})).hexdigest()")
    assert shown == hashlib.sha256(filed.astype("<u2").tobytes()).hexdigest()
    assert await client.get("cam1:ArchonAmpNames_RBV", text=True) == "AD1L AD2R AD5L AD6R"
    assert await client.get("cam1:ArchonAmpNoise_RBV") == pytest.approx([4.0] * 4, rel=0.05)  # of the simulated CCD
    assert await client.get("cam1:ArchonAmpSaturated_RBV") == [header[f"NSATUR{n}"] for n in (1, 2, 3, 4)]
    events = [event[1].removeprefix(PREFIX) + f"={event[2]}" for event in await client("seen") if event[0] == "monitor"]
    assert events.index("cam1:ArrayCounter_RBV=1") < events.index("cam1:Acquire_RBV=0", 4)
    assert events[-1] == "cam1:Acquire_RBV=0", "state first, busy last"
    assert events[-2] == "cam1:DetectorState_RBV=0"


@pytest.mark.parametrize(
    "acf",
    [
        demo_acf(),
        *(
            pytest.param(SHARED / name, marks=pytest.mark.needs_shared, id=name)
            for name in ("BOSS_extra.acf", "LVM_100kHz.acf", "STA4800.acf")
        ),
    ],
)
async def test_an_acf_is_loaded_through_pvs(
    acf: Path, start: Any, client: Any, stack: AsyncExitStack, tmp_path: Path
) -> None:
    if not await asyncio.to_thread(acf.exists):
        pytest.skip("the file is not part of the project")
    # The modules that the file is for; without them it is refused.
    sim = await stack.enter_async_context(SimServer(SimArchon(Acf({}, Acf.read(acf).system)), speed=50.0))
    await start(sim)
    assert await client.put("cam1:Acquire", 1) != 1
    assert "no configuration" in await client.get("cam1:StatusMessage_RBV", text=True)
    await client.put("cam1:ArchonConfigFile", str(acf))
    assert await client.put("cam1:ArchonConfigLoad", 1) == 1
    assert await client.get("cam1:ArchonConfigStatus_RBV", text=True) == "Applied"
    assert await client.put("cam1:Acquire", 1) != 1
    assert "power is OFF" in await client.get("cam1:StatusMessage_RBV", text=True)
    assert await client.put("cam1:ArchonPowerMode", 1) == 1
    assert await client.get("cam1:ArchonPowerMode_RBV", text=True) == "On"
    await client.put("cam1:AcquireTime", 0.05)
    assert await client.put("cam1:Acquire", 1) == 1
    rows, columns = Acf.read(acf).frame_shape
    assert await client.get("cam1:ArraySizeX_RBV") == columns
    assert await client.get("cam1:ArraySizeY_RBV") == rows
    assert fits.getdata(tmp_path / await client.get("FITS1:FullFileName_RBV", text=True)).shape == (rows, columns)


async def test_without_a_controller_it_starts_says_so_and_goes_on_trying(
    start: Any, client: Any, unused_tcp_port: int, stack: AsyncExitStack
) -> None:
    await start(None, "--host", "127.0.0.1", "--port", str(unused_tcp_port))
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Disconnected"
    assert await client.severity("cam1:ArchonPowerMode_RBV") == 3
    assert await client.put("cam1:ArchonPowerMode", 1) != 1
    assert "not connected" in await client.get("cam1:StatusMessage_RBV", text=True)
    device = SimArchon(Acf.read(demo_acf()), applied=True)
    await stack.enter_async_context(SimServer(device, port=unused_tcp_port, speed=20.0))
    await client.until("cam1:ArchonLink_RBV", "Connected")
    assert await client.severity("cam1:ArchonPowerMode_RBV") == 0


async def test_a_lost_link_shows_at_once_and_heals(powered: SimServer, start: Any, client: Any) -> None:
    await start(powered)
    await client.until("cam1:DetectorState_RBV", "Idle")
    for name in ("cam1:ArchonLink_RBV", "cam1:ArchonRail:P5V:V_RBV"):
        await client(f"watch({PREFIX + name!r})")
    powered.link_drop()
    await client.until("cam1:ArchonLinkErrors_RBV", "1")
    await client.until("cam1:ArchonLink_RBV", "Connected")
    events = await client("seen")
    assert ["monitor", f"{PREFIX}cam1:ArchonLink_RBV", 0, 2, 7] in events
    assert any(name.endswith("P5V:V_RBV") and severity == 3 for _, name, _, severity, _ in events)
    assert await client.severity("cam1:ArchonRail:P5V:V_RBV") == 0


@pytest.mark.parametrize("state", ["Acquire", "Readout"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_leaves_the_hardware_safe(
    powered: SimServer, start: Any, client: Any, state: str, number: signal.Signals
) -> None:
    ioc = await start(powered)
    await client.until("cam1:DetectorState_RBV", "Idle")
    await client.put("cam1:AcquireTime", 30.0 if state == "Acquire" else 0.01)
    await client.put("cam1:Acquire", 1, wait=False)
    await client.until("cam1:DetectorState_RBV", state)
    async with asyncio.timeout(3.0):
        assert await ioc.stop(number) == 0
    assert powered.device.parameters["EXPOSURES"] == 0
    assert powered.device.parameters["READOUT"] == 0
    assert "Traceback" not in "\n".join(ioc.lines)


async def test_settings_and_number_survive_a_kill(
    powered: SimServer, start_ioc: Start, client: Any, tmp_path: Path
) -> None:
    where = ("--host", "127.0.0.1", "--port", str(powered.port))
    async with start_ioc(*where) as ioc:
        await client.until("cam1:DetectorState_RBV", "Idle")
        await client.put("cam1:AcquireTime", 0.01)
        assert await client.put("cam1:Acquire", 1) == 1
        await ioc.stop(signal.SIGKILL)
    async with start_ioc(*where):
        await client.until("cam1:DetectorState_RBV", "Idle")
        assert await client.get("cam1:AcquireTime_RBV") == 0.01
        assert await client.get("FITS1:FileNumber_RBV") == 2
        assert await client.put("cam1:Acquire", 1) == 1
    assert sorted(path.name for path in (tmp_path / "data").glob("*.fits")) == ["archon_0001.fits", "archon_0002.fits"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cam1:AcquireTime", -1.0, "-1"),
        ("cam1:FrameType", 3, "Archon"),
        ("cam1:DataType", 8, "UInt16"),
        ("cam1:ImageMode", 7, "not one of"),
        ("FITS1:FileTemplate", "%d%d%d%d", "%d"),
        ("cam1:ArchonConfigFile", "/nowhere.acf", ""),
    ],
)
async def test_bad_input_is_told(
    powered: SimServer, start: Any, client: Any, name: str, value: float | str, words: str
) -> None:
    await start(powered)
    await client.until("cam1:DetectorState_RBV", "Idle")
    await client.put(name, value)
    if name.endswith("ConfigFile"):
        assert await client.put("cam1:ArchonConfigLoad", 1) != 1
        words = "/nowhere.acf"
    assert words in await client.get("cam1:StatusMessage_RBV", text=True)
    assert await client.put("cam1:Acquire", 1) == 1


async def test_a_second_acquire_is_refused_and_harms_nothing(powered: SimServer, start: Any, client: Any) -> None:
    await start(powered)
    await client.until("cam1:DetectorState_RBV", "Idle")
    await client.put("cam1:AcquireTime", 2.0)
    await client.put("cam1:Acquire", 1, wait=False)
    await client.until("cam1:DetectorState_RBV", "Acquire")
    assert await client.put("cam1:Acquire", 1) != 1
    assert "abort first" in await client.get("cam1:StatusMessage_RBV", text=True)
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Acquire"
    await client.until("cam1:Acquire_RBV", "Done")
    assert await client.get("cam1:NumImagesCounter_RBV") == 1


async def test_abort_answers_the_waiting_client(powered: SimServer, start: Any, client: Any) -> None:
    await start(powered)
    await client.until("cam1:DetectorState_RBV", "Idle")
    await client.put("cam1:AcquireTime", 600.0)
    await client.put("cam1:Acquire", 1, wait=False)
    await client.until("cam1:DetectorState_RBV", "Acquire")
    assert await client.put("cam1:Acquire", 0) == 1
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Aborted"
    assert await client.get("cam1:Acquire_RBV") == 0
    await client.put("cam1:AcquireTime", 0.01)
    assert await client.put("cam1:Acquire", 1) == 1
    assert await client.get("cam1:DetectorState_RBV", text=True) == "Idle"
