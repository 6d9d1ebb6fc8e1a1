"""Stories of users: images through regions, statistics and arithmetic, seen by a client with libca."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

SETTINGS = (
    ("ROI1:MinX", 10), ("ROI1:SizeX", 200), ("ROI1:BinX", 4), ("ROI1:MinY", 5), ("ROI1:SizeY", 60),
    ("ROI1:DataTypeOut", "UInt32"), ("ROI2:SizeX", 7),
    ("Stats1:NDArrayPort", "ROI1"), ("Stats1:ComputeCentroid", 1), ("Stats1:ComputeProfiles", 1),
    ("Stats1:ComputeHistogram", 1), ("Stats1:HistMax", 20_000.0), ("Stats1:HistSize", 50), ("Stats1:CursorX", 3),
    ("Stats1:TS:TSNumPoints", 3), ("Proc1:EnableFilter", 1), ("Proc1:FilterType", "Sum"), ("Proc1:NumFilter", 3),
    ("Proc1:FilterCallbacks", "Array N only"), ("Proc1:DataTypeOut", "UInt32"), ("Stats2:NDArrayPort", "PROC1"),
)  # fmt: skip


async def test_a_region_its_statistics_and_a_sum(start_ioc: Any, client: Any, tmp_path: Path) -> None:
    simulator = SimServer(SimArchon(Acf.read(demo_acf())), speed=50.0)
    async with simulator as sim, start_ioc("--host", "127.0.0.1", "--port", str(sim.port)):
        for command in ("APPLYALL", "POWERON"):
            sim.device.handle(command, sim.now)
        for name, value in SETTINGS:
            assert await client.put(name, value) == 1, name
        shapes = [await client.get(f"{name}:ArraySize{axis}_RBV") for name in ("ROI1", "Stats1") for axis in "XY"]
        assert shapes == [50, 60, 50, 60], "known before the first image"
        assert await client.put("Stats1:TS:TSAcquire", 1, wait=False) == 1
        for name, value in (("AcquireTime", 0.0), ("ImageMode", "Multiple"), ("NumImages", 3), ("Acquire", 1)):
            assert await client.put(f"cam1:{name}", value) == 1
        images = filed(tmp_path)
        parts = [one[5:65, 10:210].reshape(60, 50, 4).sum(axis=2) for one in images]
        assert len(images) == 3

        assert await client.get("Stats1:Total_RBV") == parts[2].sum()
        assert await client.get("Stats1:MaxValue_RBV") == parts[2].max()
        assert await client.get("Stats1:Sigma_RBV") == pytest.approx(parts[2].std())
        assert await client.get("Stats1:CursorVal") == parts[2][59, 3]
        x = (parts[2].sum(axis=0) * np.arange(50)).sum() / parts[2].sum()
        assert await client.get("Stats1:CentroidX_RBV") == pytest.approx(x)
        assert await client("get('TEST:Stats1:ProfileAverageX_RBV', count=50)") == pytest.approx(
            parts[2].mean(axis=0).tolist()
        )
        assert sum(await client.get("Stats1:Histogram_RBV")) == (parts[2] <= 20_000).sum()

        await client.until("Stats1:TS:TSAcquire", "Done")
        assert (await client.get("Stats1:TSTotal"))[:3] == [part.sum() for part in parts]
        assert await client.get("Stats2:Total_RBV") == sum(one.sum() for one in images), "of the sum by Proc1"
        counters = [await client.get(f"{name}:ArrayCounter_RBV") for name in ("ROI1", "Stats1", "Stats1:TS", "Proc1")]
        assert counters == [3, 3, 3, 1]


def filed(folder: Path) -> list[Any]:
    """Return the pixels of the files, in the order of their names."""
    return [np.array(fits.getdata(path), np.int64) for path in sorted(folder.rglob("*.fits"))]
