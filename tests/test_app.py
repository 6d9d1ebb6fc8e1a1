"""Joining the parts: what is checked before anything starts, and the simulator's process."""

import asyncio
from pathlib import Path

import pytest

from archon_ioc import app
from archon_ioc.config import ControllerConfig, DetectorConfig, HeaderConfig, SiteConfig, load, validated
from archon_ioc.config_names import NamesConfig
from archon_ioc.driver.connection import connect
from archon_ioc.errors import ConfigError, LinkError
from archon_ioc.protocol import commands
from archon_ioc.pvs.row import Pixels

DEMO = ControllerConfig(acf=app.demo_acf())


def test_a_right_site_tells_the_size_of_a_frame() -> None:
    assert app.check(SiteConfig(controller=DEMO)) == Pixels(1120 * 1056, 16)
    assert app.check(SiteConfig(controller=DEMO, image_bits=32)).bits == 32


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "config").glob("*.yaml")), ids=str)
def test_every_example_is_right(path: Path) -> None:
    assert app.check(load(path)).length > 0


def test_without_an_acf_a_frame_has_four_thousand_pixels_squared() -> None:
    assert app.check(SiteConfig()) == Pixels(4096 * 4096, 16)


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (SiteConfig(controller=ControllerConfig(acf=Path("/nowhere.acf"))), "/nowhere.acf: No such file"),
        (SiteConfig(controller=DEMO, detectors=(DetectorConfig(name="b1", taps=("AD16L",)),)), "no tap AD16L"),
        (SiteConfig(header=HeaderConfig(cards={"NAXIS": (2, "")})), "NAXIS"),
        (SiteConfig(), "has no address: archon"),
        (validated({"hooks": {"post_process": "no_such_module:store"}}), "ModuleNotFoundError"),
        (validated({"shutter": {"hook": "asyncio:sleep"}}), "open cannot be called"),
    ],
)
def test_a_wrong_site_is_refused_before_anything_starts(site: SiteConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        app.join(site)


async def test_prefixes_are_those_of_the_site(tmp_path: Path) -> None:
    files = {"state": str(tmp_path)}
    names = NamesConfig(camera="CAM:", image="ARR:", fits="")
    ioc = app.join(
        validated({"prefix": "BL01:", "controller": {"host": "10.0.0.2"}, "files": files, "names": names.model_dump()})
    )
    assert "BL01:CAM:Acquire" in ioc.server.names
    assert "BL01:ARR:ArrayData" in ioc.server.names
    assert "BL01:FullFileName_RBV" in ioc.server.names
    assert "BL01:HEARTBEAT" in ioc.server.names
    assert len(set(ioc.server.names)) == len(ioc.server.names)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"camera": "", "image": "IMAGE1:", "hdf": "HDF51:"}, ("X:Acquire", "X:IMAGE1:ArrayData", "X:HDF51:Capture")),
        (
            {"camera": "CAM:", "image": "ARR:", "stats1": "STAT:", "tiff": "off"},
            ("X:CAM:Acquire", "X:STAT:TS:TSAcquire"),
        ),
    ],
)
async def test_the_layouts_of_other_laboratories(
    tmp_path: Path, names: dict[str, str], expected: tuple[str, ...]
) -> None:
    site = {"prefix": "X:", "controller": {"host": "h"}, "files": {"state": str(tmp_path)}, "names": names}
    ioc = app.join(validated(site))
    assert set(expected) <= set(ioc.server.names)
    assert ("X:TIFF1:FileName" in ioc.server.names) is ("tiff" not in names)


async def test_the_simulator_is_powered_and_ends_with_the_block() -> None:
    simulator = app.simulator([app.demo_acf()], "--powered", "--log-level", "error")
    async with simulator as (port,), connect("127.0.0.1", port) as connection:
        assert "POWER=4" in await connection.request(commands.status())
    with pytest.raises(LinkError):
        async with connect("127.0.0.1", port):
            pass


async def test_one_simulated_controller_for_each_acf(tmp_path: Path) -> None:
    other = tmp_path / "other.acf"
    other.write_text(app.demo_acf().read_text().replace("BACKPLANE_REV=5", "BACKPLANE_REV=4"))
    async with app.simulator([app.demo_acf(), other], "--log-level", "error") as ports:
        revisions: list[str] = []
        for port in ports:
            async with connect("127.0.0.1", port) as connection:
                system = await connection.request(commands.system())
                revisions.append(next(word for word in system.split() if word.startswith("BACKPLANE_REV")))
    assert revisions == ["BACKPLANE_REV=5", "BACKPLANE_REV=4"]


async def test_several_controllers_have_process_variables_of_their_own(tmp_path: Path) -> None:
    site = {"controllers": [{"name": "b1", "host": "h"}, {"name": "r1", "host": "h"}], "prefix": "A:"}
    ioc = app.join(validated({**site, "files": {"state": str(tmp_path)}}))
    for name in ("A:cam1:ArchonLink_RBV", "A:b1:ArchonLink_RBV", "A:r1:ArchonLink_RBV", "A:r1:ArchonPowerMode"):
        assert name in ioc.server.names
    assert "A:r1:Acquire" not in ioc.server.names
    assert len(set(ioc.server.names)) == len(ioc.server.names)
    assert [controller.name for controller in ioc.camera.controllers] == ["b1", "r1"]


async def test_a_controller_without_an_address_is_named() -> None:
    with pytest.raises(ConfigError, match="has no address: r1"):
        app.join(validated({"controllers": [{"name": "b1", "host": "h"}, {"name": "r1"}]}))


async def test_a_simulator_that_cannot_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="did not start"):
        async with app.simulator([tmp_path / "missing.acf"]):
            pass


async def test_the_heartbeat_beats(tmp_path: Path) -> None:
    ioc = app.join(validated({"controller": {"host": "127.0.0.1", "port": 9}, "files": {"state": str(tmp_path)}}))
    task = asyncio.create_task(ioc.beat())
    await ioc.state.until(lambda state: state.heartbeat >= 2, timeout=5)
    task.cancel()
    await asyncio.wait([task])
