"""A journal that cannot be written costs no frame of a sum."""

import asyncio
import errno
import os
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.errors import ArchonError
from archon_ioc.exposure.phase import Outcome

SECOND_BEGIN = 3
"""The journal is written before each exposure, and after its readout."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Collection[int]], None]:
    """Let these writes of entries fail; the first one has the number 1."""
    real, numbers, count = os.fsync, set[int](), 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if "/journal/" in path and ".acf" not in path:
            count += 1
            if count in numbers:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return numbers.update


@pytest.mark.parametrize("writes", [{SECOND_BEGIN}, {1}, {1, 2}, set(range(1, 20))])
async def test_the_sum_is_filed_once_and_whole(bench, broken: Callable, pattern, make_acf, writes: set[int]) -> None:
    broken(writes)
    bench.camera.change(seconds=0.02, num_exposures=4)
    await bench.camera.acquire()
    assert (bench.camera.state.message, bench.camera.state.journal.pending) == ("Done", 0)
    assert bench.files == ["archon_0001.fits"]
    with fits.open(bench.folder / "archon_0001.fits") as hdus:
        wanted = sum(pattern(make_acf(), frame).astype(np.uint32) for frame in range(1, 5))
        assert np.array_equal(hdus[0].data, wanted)
    await bench.good()


@pytest.mark.parametrize("writes", [{SECOND_BEGIN}, {SECOND_BEGIN, 4, 5}, {1}, {1, 2}, set(range(1, 20))])
async def test_what_was_collected_is_filed_when_a_later_exposure_fails(bench, broken: Callable, writes: set) -> None:
    broken(writes)
    bench.camera.change(seconds=0.3, num_exposures=3)
    client = bench.start()
    await bench.until(lambda state: state.exposures_done == 2 and state.remaining > 0)
    bench.sim.faults.reboot = "FRAME"
    with pytest.raises(ArchonError):
        await client
    assert bench.camera.state.outcome is Outcome.FAILED
    await bench.until(lambda state: state.is_up and state.journal.pending == 0, 20)
    async with asyncio.timeout(10):
        while not bench.files:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert bench.files == ["archon_0001.fits"]
    assert fits.getheader(bench.folder / "archon_0001.fits")["COADDS"] == 2
