"""An exposure may stay on the CCD: it is read out later, or thrown away."""

import asyncio

import pytest
from astropy.io import fits

from archon_ioc.errors import ReadoutError, StateError
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode, TriggerMode


async def leave(bench, seconds: float = 0.2) -> None:
    """Take an exposure that stays on the CCD."""
    bench.camera.change(seconds=seconds, readout=False)
    await bench.camera.acquire()
    bench.camera.change(readout=True)


@pytest.fixture
async def pending(benches):
    async with benches(speed=1, line_seconds=0.002) as bench:
        await leave(bench)
        yield bench


async def test_it_is_integrated_and_stays(pending) -> None:
    state = pending.camera.state
    assert (state.phase, state.outcome, state.acquiring) == (Phase.PENDING, Outcome.DONE, False)
    assert state.message == "Integrated, the readout is pending"
    assert pending.device.parameters["AUTOFLUSH"] == 0, "its charge would be cleared"
    assert pending.files == []
    assert not state.shutter_open


async def test_it_is_read_out_later(pending) -> None:
    await pending.controller.get_device_status()
    await pending.camera.read()
    state = pending.camera.state
    assert (state.phase, state.outcome, state.message) == (Phase.IDLE, Outcome.DONE, "Done")
    header = fits.getheader(pending.folder / pending.files[0])
    assert (header["EXPTIME"], header["EXPREQ"]) == (0.2, 0.2)
    assert header["DARKTIME"] > 0.2
    pending.assert_resting()
    await pending.good()


async def test_nothing_else_may_touch_the_ccd_meanwhile(pending) -> None:
    with pytest.raises(StateError, match="holds an exposure"):
        await pending.camera.acquire()
    with pytest.raises(StateError, match="holds an exposure"):
        await pending.camera.set_shutter(True)
    assert pending.camera.state.phase is Phase.PENDING
    await pending.camera.read()
    assert len(pending.files) == 1


async def test_abort_throws_it_away(pending) -> None:
    await pending.camera.abort()
    state = pending.camera.state
    assert (state.phase, state.outcome, state.message) == (Phase.IDLE, Outcome.ABORTED, "Readout aborted")
    pending.assert_resting()
    assert pending.files == []
    await pending.good()


async def test_abort_during_the_readout(benches) -> None:
    async with benches(speed=1, line_seconds=0.05) as bench:
        await leave(bench)
        reading = asyncio.create_task(bench.camera.read())
        await bench.until_phase(Phase.READING)
        await bench.camera.abort()
        await reading
        assert (bench.camera.state.phase, bench.camera.state.outcome) == (Phase.IDLE, Outcome.ABORTED)
        bench.assert_resting()
        bench.sim_line(0.001)
        await bench.good()


async def test_without_one_there_is_nothing_to_read(bench) -> None:
    with pytest.raises(StateError, match="no readout pending"):
        await bench.camera.read()
    await bench.good()
    with pytest.raises(StateError, match="no readout pending"):
        await bench.camera.read()


async def test_a_controller_that_was_restarted_has_lost_it(pending) -> None:
    pending.sim.faults.reboot = "STATUS"
    await pending.until(lambda state: not state.is_up)
    await pending.until(lambda state: state.is_up)
    with pytest.raises(ReadoutError, match="restarted"):
        await pending.camera.read()
    assert pending.camera.state.phase is Phase.IDLE


async def test_a_delayed_readout(benches) -> None:
    async with benches(speed=1, line_seconds=0.002) as bench:
        bench.camera.change(seconds=0.1, readout_delay=0.5)
        client = bench.start()
        state = await bench.until_phase(Phase.PENDING)
        assert state.acquiring
        await client
        header = fits.getheader(bench.folder / bench.files[0])
        assert header["EXPTIME"] == 0.1
        assert header["DARKTIME"] >= 0.6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_mode": ImageMode.MULTIPLE, "num_images": 2}, "one exposure at a time"),
        ({"num_exposures": 2}, "one exposure at a time"),
        ({"image_mode": ImageMode.CONTINUOUS}, "one exposure at a time"),
        ({"with_dark": True}, "one exposure at a time"),
    ],
)
async def test_only_one_can_be_left_there(bench, changes: dict[str, object], reason: str) -> None:
    bench.camera.change(readout=False, **changes)
    with pytest.raises(StateError, match=reason):
        await bench.camera.acquire()
    assert bench.camera.state.phase is Phase.IDLE


async def test_a_triggered_exposure_is_read_out_at_once(bench) -> None:
    bench.camera.change(readout=False, trigger_mode=TriggerMode.EXTERNAL)
    with pytest.raises(StateError, match="read out at once"):
        await bench.camera.acquire()
