"""What a program with several controllers leaves behind is recovered by the next one."""

import asyncio
import os
from pathlib import Path

import pytest
from astropy.io import fits

from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ImageMode
from archon_ioc.protocol.replies import FrameStatus

from .several import Box, Groups


@pytest.mark.parametrize("sync", ["host", "hardware"])
async def test_an_exposure_of_all_is_recovered(groups: Groups, sync: str) -> None:
    async with groups(3, sync=sync) as group:
        client = group.start(seconds=20.0)  # one second of the simulated controllers
        await group.until_phase(Phase.INTEGRATING)
        await group.end_without_a_word()
        await asyncio.wait([client])
        client.exception()
        async with group.next_life() as camera:
            await camera.live.until(lambda state: state.is_up and state.journal.pending == 0, 20)
            headers = [fits.getheader(group.folder / f"archon_0001_{name}.fits") for name in group.boxes]
            assert [header["SPEC"] for header in headers] == list(group.boxes)
            assert {header["EXPTIME"] for header in headers} == {20.0}
            assert (len({header["ARCHTIME"] for header in headers}) == 1) is (sync == "hardware")
            camera.change(seconds=0.01, image_mode=ImageMode.SINGLE)
            await camera.acquire()
            assert len([name for name in group.files if "_0002_" in name]) == 3


@pytest.mark.parametrize(
    ("sync", "noted"), [("host", "brz"), ("hardware", "brz"), ("hardware", "b"), ("hardware", "bz")]
)
async def test_cores_that_are_left_held_run_again(
    groups: Groups, sync: str, noted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program dies when all cores are held, nothing was begun, and perhaps not all is in the journal."""
    async with groups(3, sync=sync, site={"script": {"readout_start": 0.3}}) as group:
        boxes, real = group.boxes.values(), os.fsync

        def fsync(descriptor: int) -> None:
            if "-z1." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
                for box in boxes:
                    box.sim.faults.hang = True
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            client = group.start(seconds=0.1)
            await group.until(lambda _: all(box.sim.faults.hang for box in boxes))
            await group.end_without_a_word()
            await asyncio.wait([client])
        assert all(box.device.timing.is_held for box in boxes)
        for path in (tmp_path / "state" / "journal").glob("*1.json"):
            if path.stem[-2] not in noted:
                path.unlink()
        for box in boxes:
            box.sim.faults.hang = False
        async with group.next_life() as camera:
            await camera.live.until(lambda state: state.is_up and state.journal.pending == 0, 20)
            assert not any(box.device.timing.is_held for box in boxes if box.name[0] in noted)
            assert [newest(box) for box in boxes] == [0, 0, 0], "nobody exposes what nobody began"
            camera.change(seconds=0.01)
            await camera.acquire()
            assert len(group.files) == 3


def newest(box: Box) -> int:
    """Return the number of a controller's newest frame."""
    frames = FrameStatus.parse(str(box.device.handle("FRAME", box.sim.now)))
    return max(buffer.frame for buffer in frames.buffers)
