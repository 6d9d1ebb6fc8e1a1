"""Acquisitions as a client sees them."""

from pathlib import Path

from astropy.io import fits

from archon_ioc.exposure.phase import Outcome, Phase


async def test_when_acquire_is_done_the_image_is_on_disk(bench) -> None:
    bench.camera.change(seconds=0.05)
    await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, state.phase, state.message, state.acquiring) == (Outcome.DONE, Phase.IDLE, "Done", False)
    assert state.file.full_name == f"{bench.folder}/archon_0001.fits"
    with fits.open(Path(state.file.full_name), checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[0].data.shape == (40, 48)


async def test_twice(bench) -> None:
    await bench.good()
    await bench.good()
