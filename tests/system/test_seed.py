"""sdss-archon's own ArchonController drives the simulator as it drives hardware: a client that we did not write."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.sim.answers import Answer
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import TestPattern
from archon_ioc.sim.server import SimServer

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build" / "peer-venv" / "bin" / "python"
CLIENT = Path(__file__).parent / "seed_client.py"
REAL = ROOT.parent / "shared" / "data" / "acf"
SPEED = 2.0  # the client looks 0.2 s after the begin of an exposure of 0.2 s whether the script reads out

Step = dict[str, Any]


class Witness(SimArchon):
    """A simulated controller that remembers what it was told, and what it complained about in its log."""

    def __init__(self, acf: Acf) -> None:
        self.heard: list[str] = []
        self.complaints: list[str] = []
        super().__init__(acf, applied=True)

    def handle(self, command: str, now: float) -> Answer:
        self.heard.append(command)
        return super().handle(command, now)

    def log(self, entry: str) -> None:
        self.complaints.append(entry)
        super().log(entry)


class Story:
    """What the client tells, step by step, while the simulator can be looked at."""

    def __init__(self, acf: Acf, device: Witness, lines: asyncio.StreamReader) -> None:
        self.acf = acf
        self.device = device
        self._lines = lines

    async def next(self, step: str) -> Step:
        """Return the next step, which must be this one."""
        line = await self._lines.readline()
        told = json.loads(line or "{}")
        assert told.pop("step", "") == step, told
        return told

    def crc(self, told: Step) -> int:
        """Return what the checksum of a fetched frame ought to be."""
        image = self.device.frames.buffers[told["buffer"] - 1].image
        assert image is not None
        rows, columns = told["shape"]
        return zlib.crc32(image[: rows * columns * 2].tobytes())


@asynccontextmanager
async def told(acf: Acf, path: Path, unit: str, **pace: float) -> AsyncIterator[Story]:
    assert PYTHON.exists(), "there is no sdss-archon; scripts/setup dev installs it"
    device = Witness(acf)
    async with SimServer(device, speed=SPEED, scene=TestPattern(), **pace) as sim, asyncio.timeout(50):
        process = await asyncio.create_subprocess_exec(
            str(PYTHON), str(CLIENT), str(sim.port), str(path), unit,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        assert process.stdout
        assert process.stderr
        try:
            yield Story(acf, device, process.stdout)
            error = (await process.stderr.read()).decode()
            assert await process.wait() == 0, error
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def configures(story: Story) -> None:
    """Connect, read the configuration, write it, apply it, power on."""
    acf, device = story.acf, story.device
    began = await story.next("start")
    read = {key.replace("\\", "/").upper(): value.strip('"') for key, value in began["keys"].items()}
    written = {key.upper(): value.strip('"') for key, value in acf.keys.items()}
    assert read == written, "it reads what the flash holds"
    assert began["window"]["lines"] == acf.parameters["Lines"]
    assert began["status"] == ["IDLE", "POWEROFF"]

    wrote = await story.next("write_config")
    assert wrote["status"] == ["IDLE", "POWERON"]
    upload = device.heard[device.heard.index("CLEARCONFIG") :]
    lines = [f"WCONFIG{n:04X}{line}".upper() for n, line in enumerate(acf.lines)]
    assert upload[: len(lines) + 5] == ["CLEARCONFIG", "POLLOFF", *lines, "POLLON", "APPLYALL", upload[len(lines) + 4]]
    assert device.applied.parameters.keys() == {name.upper() for name in acf.parameters}
    status = await story.next("status")
    assert (status["power"], status["status"]["power"], status["status"]["powergood"]) == ("ON", 4, 1)
    assert status["system"]["backplane_type"] == acf.system.get("BACKPLANE_TYPE", "1")


async def exposes(story: Story) -> None:
    """Integrate and read separately, then in one go, fetch both."""
    rows, columns = story.acf.frame_shape
    exposing = await story.next("exposing")
    assert exposing["status"] == ["EXPOSING", "READOUT_PENDING", "POWERON"]
    await story.next("exposed")
    for number, step in ((1, "image"), (2, "second image")):
        if number == 2:
            assert (await story.next("reading"))["status"] == ["READING", "POWERON"]
        image = await story.next(step)
        assert image["shape"] == [rows, columns]
        assert (image["number"], image["locked"], image["crc"]) == (number, 0, story.crc(image))
        shot = story.device.frames.buffers[image["buffer"] - 1].shot
        assert shot
        assert shot.light_seconds == pytest.approx((0.4, 0.2)[number - 1], abs=0.02)


async def windows(story: Story) -> None:
    """Read a part of the CCD, and the whole one again."""
    height = 200 if story.acf.keys["FRAMEMODE"].strip() == "2" else 100
    window = await story.next("window")
    assert window["shape"][0] == height
    assert window["shape"][1] == story.acf.frame_shape[1] // story.acf.pixel_count * 60
    assert window["crc"] == story.crc(window)
    again = await story.next("window reset")
    assert again["window"]["lines"] == story.acf.parameters["Lines"]
    assert story.device.applied.line_count == story.acf.line_count


async def aborts(story: Story) -> None:
    """Throw an exposure away, flush, switch off."""
    device = story.device
    assert (await story.next("aborted"))["status"] == ["IDLE", "READOUT_PENDING", "POWERON"]
    assert (await story.next("flushed"))["status"] == ["IDLE", "POWERON"]
    assert (await story.next("power off"))["status"] == ["IDLE", "POWEROFF"]
    assert not device.timing.is_integrating
    assert {device.parameters[name] for name in ("EXPOSURES", "READOUT", "ABORTEXPOSURE", "DOFLUSH")} == {0}
    assert device.frames.frame == 3, "the one thrown away was not read"


async def test_a_whole_night_with_the_demonstration() -> None:
    path = ROOT / "config" / "demo.acf"
    async with told(Acf.read(path), path, "IntMS", latency=0.25) as story:
        await configures(story)
        await exposes(story)
        await windows(story)
        await aborts(story)
    assert story.device.complaints == []


@pytest.mark.needs_shared
async def test_a_night_with_the_configurations_of_instruments(tmp_path: Path) -> None:
    """Their own scripts on smaller CCDs, so that readouts take a second; both at once."""
    units = {"LVM_100kHz": "IntCS", "BOSS_extra": "IntMS"}
    if not all((REAL / f"{name}.acf").exists() for name in units):
        pytest.skip("the ACFs are not here")

    async def night(name: str, unit: str) -> None:
        acf = reduced(Acf.read(REAL / f"{name}.acf"))
        acf.write(tmp_path / f"{name}.acf")
        async with told(acf, tmp_path / f"{name}.acf", unit, latency=0.0) as story:
            await configures(story)
            await exposes(story)
            await windows(story)
            await aborts(story)
        assert story.device.complaints == []

    await asyncio.gather(*(night(*unit) for unit in units.items()))


def reduced(acf: Acf) -> Acf:
    size = {"Lines": 300, "Pixels": 300, "OverscanLines": 0, "OverscanPixels": 0}
    own = {name.upper(): value for name, value in size.items()}
    changes = {"LINECOUNT": "300", "PIXELCOUNT": "300"}
    for key, value in acf.keys.items():
        name = value.strip('"').partition("=")[0].strip()
        if key.startswith("PARAMETER") and name.upper() in own:
            changes[key] = f"{name}={own[name.upper()]}"
    return acf.with_values(changes)
