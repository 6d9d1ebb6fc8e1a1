"""A camera without EPICS, as other programs use it."""

from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.config import validated
from archon_ioc.errors import LinkError
from archon_ioc.exposure.opening import open_camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer


async def test_it_takes_an_exposure_and_ends_with_the_block(make_acf, tmp_path: Path) -> None:
    device = SimArchon(make_acf(), applied=True, now=-10.0)
    device.handle("POWERON", -10.0)
    async with SimServer(device, speed=20.0) as sim:
        site = validated({
            "controller": {"host": "127.0.0.1", "port": sim.port},
            "files": {"path": tmp_path, "state": tmp_path / "state"},
        })  # fmt: skip
        async with open_camera(site) as camera:
            await camera.acquire(camera.state.settings.changed(seconds=0.5))
        assert camera.state.phase is Phase.IDLE
        assert not camera.controller.status.is_up
    (name,) = camera.filing.written
    assert fits.getval(name, "EXPTIME") == 0.5


async def test_a_controller_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    site = validated({"controller": {"host": "127.0.0.1", "port": 9}, "files": {"state": tmp_path}})
    with pytest.raises(LinkError, match="cannot connect"):
        async with open_camera(site):
            pass
