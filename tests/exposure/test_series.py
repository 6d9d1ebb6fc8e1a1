"""The images of one acquisition: how many, when, and sums of several exposures."""

import asyncio
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archon_ioc.errors import SaveError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode


def saved(bench) -> tuple[Any, fits.Header]:
    """Return pixels and header of the last file."""
    with fits.open(Path(bench.camera.state.file.full_name)) as hdus:
        return hdus[0].data, hdus[0].header


# One after the other


async def test_several_images(bench) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=3)
    states = bench.note_states()
    await bench.camera.acquire()
    assert bench.files == [f"archon_000{n}.fits" for n in (1, 2, 3)]
    assert bench.camera.state.images_done == 3
    done = [state.images_done for state in states]
    assert done == sorted(done)
    assert max(state.image.rate for state in states) > 0
    assert bench.camera.state.image.rate == 0, "nothing is being taken any more"
    await bench.good()
    assert bench.camera.state.images_done == 1


async def test_images_at_regular_times(bench) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=3, period=0.5)
    states = bench.note_states()
    await bench.camera.acquire()
    stamps = sorted({state.image.timestamp for state in states if state.image.unique_id})
    assert [later - earlier for earlier, later in pairwise(stamps)] == pytest.approx([0.5, 0.5], abs=0.15)
    assert Phase.WAITING in {state.phase for state in states}
    last = max(n for n, state in enumerate(states) if state.phase is Phase.WAITING)
    assert any(state.phase is Phase.SAVING for state in states[last:]), "no waiting after the last image"


# One is saved while the next is exposed


async def test_an_image_is_saved_while_the_next_is_exposed(bench, held_disk: threading.Event) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=3)
    acquiring = bench.start()
    state = await bench.until(lambda state: state.images_done == 1 and state.file.writing)
    assert state.phase in (Phase.INTEGRATING, Phase.READING)
    # The second is read out and waits for the first, and nothing is exposed before that.
    await bench.until(lambda state: state.phase is Phase.SAVING)
    assert (bench.files, bench.camera.state.images_done) == ([], 1)
    held_disk.set()
    await acquiring
    assert bench.files == [f"archon_000{n}.fits" for n in (1, 2, 3)]
    frames = [fits.getheader(bench.folder / name)["ARCHFRAM"] for name in bench.files]
    assert frames == [1, 2, 3]
    assert (bench.camera.state.images_done, bench.camera.state.file.writing) == (3, False)


async def test_an_image_that_cannot_be_saved_ends_the_series_and_the_next_is_saved(
    bench, held_disk: threading.Event
) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=10)
    acquiring = bench.start()
    await bench.until(lambda state: state.images_done == 1 and state.file.writing)
    (bench.folder / "archon_0001.fits").touch()  # somebody else takes the name
    held_disk.set()
    with pytest.raises(SaveError, match="archon_0001"):
        await acquiring
    state = bench.camera.state
    assert (state.outcome, state.phase, state.images_done) == (Outcome.FAILED, Phase.IDLE, 2)
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]
    assert fits.getheader(bench.folder / "archon_0002.fits")["ARCHFRAM"] == 2
    bench.assert_resting()
    await bench.good()


async def test_an_abort_while_one_image_is_saved_and_the_next_exposed(bench, held_disk: threading.Event) -> None:
    bench.camera.change(seconds=0.2, image_mode=ImageMode.MULTIPLE, num_images=10)
    acquiring = bench.start()
    await bench.until(lambda state: state.images_done == 1 and state.phase is Phase.INTEGRATING)
    aborting = asyncio.create_task(bench.camera.abort())
    await bench.until_phase(Phase.ABORTING)
    assert not aborting.done()
    held_disk.set()
    await asyncio.gather(aborting, acquiring)
    assert (bench.camera.state.outcome, bench.files) == (Outcome.ABORTED, ["archon_0001.fits"])
    bench.assert_resting()


async def test_an_abort_while_one_image_waits_for_another_to_be_saved_throws_none_away(
    bench, held_disk: threading.Event
) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=10)
    acquiring = bench.start()
    await bench.until(lambda state: state.images_done == 1 and state.file.writing)
    await bench.until_phase(Phase.SAVING)
    aborting = asyncio.create_task(bench.camera.abort())
    held_disk.set()
    await asyncio.gather(aborting, acquiring)
    assert bench.camera.state.outcome is Outcome.ABORTED
    assert bench.files == ["archon_0001.fits", "archon_0002.fits"]
    bench.assert_resting()


async def test_an_abort_while_it_waits_for_the_next_image(bench) -> None:
    bench.camera.change(seconds=0.01, image_mode=ImageMode.MULTIPLE, num_images=2, period=100.0)
    acquiring = bench.start()
    await bench.until(lambda state: state.phase is Phase.WAITING)
    await bench.camera.abort()
    await acquiring
    assert (bench.camera.state.outcome, bench.files) == (Outcome.ABORTED, ["archon_0001.fits"])


# Sums


@pytest.mark.parametrize("sample_mode", [0, 1])
async def test_exposures_are_summed(benches, make_acf, pattern, sample_mode: int) -> None:
    acf = make_acf(SAMPLEMODE=sample_mode)
    async with benches(acf=acf) as bench:
        bench.camera.change(seconds=0.02, num_exposures=3)
        await bench.camera.acquire()
        pixels, header = saved(bench)
        assert np.array_equal(pixels, sum(pattern(acf, frame).astype(np.uint64) for frame in (1, 2, 3)))
        assert pixels.dtype.itemsize == 4
        state = bench.camera.state
        assert (state.exposures_done, state.images_done, state.image.unique_id) == (3, 1, 1)
        assert header["COADDS"] == 3
        assert header["EXPTIME"] == header["XPOSURE"] == header["EXPREQ"] == pytest.approx(0.06)
        assert header["TELAPSE"] > 0.06, "from the first begin to the last end, with the readouts in between"


async def test_a_sum_stops_at_the_highest_number(benches, make_acf, pattern) -> None:
    taps = tuple(f"AD{n}L" for n in range(1, 17)) * 9
    acf = make_acf(SAMPLEMODE=1, FRAMEMODE=0, taps=taps, lines=4, pixels=8)
    async with benches(acf=acf) as bench:
        bench.camera.change(seconds=0.0, num_exposures=2)
        await bench.camera.acquire()
        expected = np.minimum(pattern(acf, 1).astype(np.uint64) * 2, 0xFFFFFFFF)
        assert expected.max() == 0xFFFFFFFF, "the test is too weak"
        assert np.array_equal(saved(bench)[0], expected)
