"""One controller's part in an exposure: the power of its CCD."""

import pytest
from astropy.io import fits

from archon_ioc.errors import ReadoutError, StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode


async def test_power_that_fails_between_two_images_ends_the_sequence(bench) -> None:
    bench.camera.change(seconds=0.0, image_mode=ImageMode.MULTIPLE, num_images=3, period=0.3)
    client = bench.start()
    await bench.until_phase(Phase.WAITING)
    bench.sim.faults.rail = "P5V"
    with pytest.raises(StateError, match=r"the power supply reports a fault \(POWERGOOD=0\), the CCD power is OFF"):
        await client
    assert bench.camera.state.outcome is Outcome.FAILED
    assert len(bench.files) == 1


@pytest.mark.parametrize(("fault", "value", "words"), [
    ("rail", "P17V", "the power supply reports a fault"), ("overheat", True, "the controller is too hot"),
])  # fmt: skip
async def test_a_controller_in_trouble_does_not_begin(bench, fault: str, value: object, words: str) -> None:
    setattr(bench.sim.faults, fault, value)
    await bench.until(lambda state: state.controller.status.overheat or not state.controller.status.power_good)
    with pytest.raises(StateError, match=words):
        await bench.camera.acquire()
    assert bench.files == []


@pytest.mark.parametrize("exposures", [1, 3])
async def test_power_that_fails_during_an_exposure_fails_it_and_keeps_the_file(bench, exposures: int) -> None:
    bench.camera.change(seconds=0.2, num_exposures=exposures)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    bench.device.handle("POWEROFF", bench.sim.now)
    with pytest.raises(ReadoutError, match="the CCD power failed during the exposure"):
        await client
    state = bench.camera.state
    assert (state.outcome, state.message) == (Outcome.FAILED, "the CCD power failed during the exposure")
    header = fits.getheader(state.file.full_name)
    assert header["ARCHPOWR"] != "ON"
    assert header["COADDS"] == 1
    bench.assert_resting()


async def test_the_link_is_lost_while_the_power_is_looked_at(bench) -> None:
    bench.camera.change(seconds=0.3)
    client = bench.start()
    await bench.until_phase(Phase.READING)
    bench.sim.faults.garbage = "STATUS"
    await client
    assert bench.controller.status.link_errors == 1
    assert bench.camera.state.outcome is Outcome.DONE
