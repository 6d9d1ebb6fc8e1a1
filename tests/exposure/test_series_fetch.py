"""The frame of an image is fetched while the next one is exposed, and no frame is lost by that."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from archon_ioc.exposure import unit
from archon_ioc.exposure.phase import Outcome
from archon_ioc.exposure.settings import ImageMode, ShutterMode

from .test_recovery import end_without_a_word, next_life
from .test_resumption import next_program

SLOW = 1e5
"""Bytes a second, so that a fetch takes longer than a command."""


def order(bench) -> str:
    """Return what the controller was told, R for each start of the cores and F for each fetch."""
    letters = {"RELEASETIMING": "R", "FETCHA": "F", "FETCHB": "F", "FETCHC": "F", "FETCHE": "F"}
    told = [command for command in bench.device.commands if command.startswith(tuple(letters))]
    return "".join("R" if command == "RELEASETIMING" else "F" for command in told)


def start(bench, **changes: Any) -> asyncio.Task[None]:
    bench.camera.change(**{"seconds": 0.05, "image_mode": ImageMode.MULTIPLE, "num_images": 3, **changes})
    return bench.start()


def frames(bench) -> list[int]:
    return [fits.getheader(bench.folder / name)["ARCHFRAM"] for name in bench.files]


async def test_the_next_exposure_begins_before_the_fetch(bench) -> None:
    await start(bench)
    assert order(bench) == "RRFRFF"
    assert frames(bench) == [1, 2, 3]
    assert bench.camera.state.images_done == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_exposures": 2, "num_images": 2}, "RFRFRFRF"),
        ({"readout_delay": 0.01}, "RRFRRFRRF"),
        ({"period": 2.0, "num_images": 2}, "RFRF"),
    ],
)
async def test_where_it_would_disturb_each_frame_is_fetched_first(bench, changes: dict[str, Any], told: str) -> None:
    await start(bench, **changes)
    assert order(bench) == told, "with a delay each readout is begun by the host"


async def test_a_shutter_of_another_ioc_never_waits_for_a_fetch(benches, fake_shutter) -> None:
    async with benches(shutter=fake_shutter) as bench:
        await start(bench, shutter_mode=ShutterMode.EPICS_PV)
        assert order(bench).endswith("FRRF"), "a start for the integration, and one for the readout"
        assert frames(bench) == [1, 2, 3]


async def until_fetching(bench) -> None:
    """Wait until the first frame is being fetched while the second exposure goes on."""
    async with asyncio.timeout(10):
        while order(bench) != "RRF":  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_stop_during_the_fetch_keeps_the_light(benches) -> None:
    async with benches(fetch_rate=SLOW, speed=1, line_seconds=0.002) as bench:
        taking = start(bench, seconds=1.5)
        await until_fetching(bench)
        await bench.camera.stop()
        await taking
        assert bench.camera.state.outcome is Outcome.DONE
        assert frames(bench) == [1, 2]
        assert fits.getheader(bench.folder / bench.files[1])["EXPTIME"] < 1.5


async def test_an_abort_during_the_fetch_keeps_the_image_before(benches) -> None:
    async with benches(fetch_rate=SLOW, speed=1, line_seconds=0.002) as bench:
        taking = start(bench, seconds=0.5)
        await until_fetching(bench)
        await bench.camera.abort()
        await taking
        assert (bench.camera.state.outcome, frames(bench)) == (Outcome.ABORTED, [1])
        bench.assert_resting()
        await bench.good()


async def test_a_link_lost_in_the_fetch_loses_neither_image(bench) -> None:
    bench.sim.faults.drop_link_after_blocks = 1
    await start(bench, num_images=2)
    assert frames(bench) == [1, 2]


async def test_a_program_that_stops_during_the_fetch_leaves_the_frame_to_the_next(benches) -> None:
    async with benches(fetch_rate=SLOW / 10, speed=1, line_seconds=0.002) as bench:
        taking = start(bench, seconds=5.0)
        await until_fetching(bench)
        async with asyncio.timeout(3):
            bench.running.cancel()
            await asyncio.wait([bench.running, taking])
        bench.controlling.cancel()
        await asyncio.wait([bench.controlling])
        assert bench.files == []
        assert "RESETTIMING" in bench.device.commands, "the second exposure"
        async with next_program(bench.camera._site) as camera:
            await camera.live.until(lambda state: state.is_up and state.journal.pending == 0, 20)
        assert frames(bench) == [1]


async def test_a_recovered_frame_lets_nobody_clear_the_ccd_that_collects_the_next(benches) -> None:
    async with benches(fetch_rate=SLOW / 20, speed=1, line_seconds=0.002) as bench:
        taking = start(bench, seconds=4.0)
        await until_fetching(bench)
        await end_without_a_word(bench)
        await asyncio.wait([taking])
        async with next_life(bench) as camera:
            await camera.live.until(lambda state: state.is_up and bool(state.journal.waiting), 20)
            assert frames(bench) == [1]
            assert bench.device.parameters["AUTOFLUSH"] == 0
            await camera.live.until(lambda state: state.journal.pending == 0, 20)
        assert frames(bench) == [1, 2]
        bench.assert_resting()


async def test_a_frame_that_the_journal_does_not_know_is_fetched_first(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.parent.name == "journal" and path.is_file() and '"frame": {' in path.read_text():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    await start(bench)
    assert order(bench) == "RFRFRF"
    assert frames(bench) == [1, 2, 3]


async def test_an_abort_does_not_wait_for_a_long_fetch(
    benches, make_acf, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "_LONGEST_FETCH", 0.1)
    acf = make_acf(lines=100, pixels=100, parameters={**script, "Lines": 100, "Pixels": 100})
    async with benches(acf=acf, fetch_rate=2e4, speed=1, line_seconds=0.0005) as bench:  # 4 s
        taking = start(bench, seconds=3.0)
        await until_fetching(bench)
        aborting = asyncio.create_task(bench.camera.abort())
        async with asyncio.timeout(2):
            await bench.camera.at_rest.wait()
        bench.assert_resting()
        bench.sim._bench.fetch_rate = None
        await asyncio.wait([aborting, taking])
        assert (bench.camera.state.outcome, frames(bench)) == (Outcome.ABORTED, [1])
        await bench.good()
