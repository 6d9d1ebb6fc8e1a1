"""Two controllers as one camera: the whole program, a client with libca, simulated controllers."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

PREFIX = "TEST:"


def site_file(folder: Path, *ports: int, **more: Any) -> Path:
    """Write the site file of controllers b1 and r1 at these ports, or with none for --simulate."""
    units = [{"name": name, "acf": str(demo_acf())} for name in ("b1", "r1")]
    for unit, port in zip(units, ports, strict=False):
        unit |= {"host": "127.0.0.1", "port": port}
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump({"controllers": units, **more}), encoding="utf-8")
    return path


@pytest.mark.parametrize("sync", ["host", "hardware"])
async def test_simulated_controllers_expose_together(start_ioc: Any, client: Any, tmp_path: Path, sync: str) -> None:
    async with start_ioc("--config", str(site_file(tmp_path, sync=sync)), "--simulate") as ioc:
        assert len([line for line in ioc.lines if line.startswith("  controller  127.0.0.1:")]) == 2
        assert [await client.get(f"{name}:ArchonPowerMode_RBV") for name in ("cam1", "b1", "r1")] == [4, 4, 4]
        await client.put("cam1:AcquireTime", 0.1)
        await client.put("cam1:Acquire", 1)
        assert await client.get("FITS1:FullFileName_RBV", text=True) == str(tmp_path / "data" / "archon_0001_b1.fits")
        blue, red = (fits.getheader(tmp_path / "data" / f"archon_0001_{name}.fits") for name in ("b1", "r1"))
        assert (blue["SPEC"], red["SPEC"]) == ("b1", "r1")
        assert blue["EXPOSURE"] == red["EXPOSURE"] == 1
        begins = [datetime.fromisoformat(header["DATE-BEG"]).timestamp() for header in (blue, red)]
        assert begins[0] == pytest.approx(begins[1], abs=0.5), "each by the clock of its controller"
        assert (blue["ARCHTIME"] == red["ARCHTIME"]) or sync == "host"
        await client.put("r1:ArchonPowerMode", 0)
        assert [await client.get(f"{name}:ArchonPowerMode_RBV") for name in ("cam1", "b1", "r1")] == [3, 4, 2]


async def test_one_controller_is_lost_and_comes_back(start_ioc: Any, client: Any, tmp_path: Path) -> None:
    boxes = [SimArchon(Acf.read(demo_acf()), applied=True, now=-10.0) for _ in range(2)]
    for box in boxes:
        box.handle("POWERON", -10.0)
    async with (
        SimServer(boxes[0], speed=20.0) as blue,
        SimServer(boxes[1], speed=20.0) as red,
        start_ioc("--config", str(site_file(tmp_path, blue.port, red.port))) as ioc,
    ):
        red.faults.drop_reply = "SYSTEM"
        red.link_drop()
        await ioc.printed("r1: disconnected")
        await client.until("cam1:DetectorState_RBV", "Disconnected")
        assert await client.severity("b1:ArchonBackplaneTemp_RBV") == 0
        assert await client.severity("r1:ArchonBackplaneTemp_RBV") == 3
        assert await client.severity("cam1:MaxSizeX_RBV") == 0
        assert [await client.get(f"{name}:ArchonLink_RBV") for name in ("cam1", "b1", "r1")] == [0, 1, 0]
        assert await client.get("cam1:ArchonPowerMode_RBV", text=True) == "Unknown"
        assert (await client.get("cam1:ArchonMessage_RBV", text=True)).startswith("r1: ")
        await client.put("cam1:Acquire", 1)
        assert "r1: the controller is disconnected" in await client.get("cam1:StatusMessage_RBV", text=True)
        await client.put("r1:ArchonReconnect", 1)
        await client.until("cam1:DetectorState_RBV", "Idle")
