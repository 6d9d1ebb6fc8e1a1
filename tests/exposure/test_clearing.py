"""Clearing the CCD, on demand and while idle."""

import asyncio

import pytest

from archon_ioc.errors import StateError
from archon_ioc.exposure.clearing import AutoFlush
from archon_ioc.exposure.phase import Outcome, Phase


def flushes(bench) -> list[str]:
    return [command for command in bench.device.commands if command.startswith(("FASTLOADPARAM DoFlush 1",))]


async def test_flush_clears_so_often_and_takes_its_time(benches) -> None:
    async with benches(speed=1) as bench:
        bench.camera.change(flush_count=100)
        began = asyncio.get_running_loop().time()
        await bench.operations.clearing.flush()
        assert asyncio.get_running_loop().time() - began >= 0.1, "each takes 1 ms and more"
        assert bench.device.parameters["FLUSHCOUNT"] == 100
        assert bench.device.parameters["DOFLUSH"] == 0
        assert len(flushes(bench)) == 1
        assert bench.camera.state.message == "Flushed"
    assert bench.camera.state.outcome is Outcome.NONE


async def test_flush_is_refused_during_an_exposure(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    with pytest.raises(StateError, match="the camera is integrating"):
        await bench.operations.clearing.flush()
    assert flushes(bench) == []
    await bench.camera.abort()
    await client


async def test_flush_throws_a_pending_exposure_away(bench) -> None:
    bench.camera.change(seconds=0.01, readout=False)
    await bench.camera.acquire()
    await bench.operations.clearing.flush()
    assert (bench.camera.state.phase, len(flushes(bench))) == (Phase.IDLE, 1)
    bench.camera.change(readout=True)
    await bench.good()


async def test_a_zero_does_nothing(bench) -> None:
    await bench.operations.clearing.flush(0)
    assert flushes(bench) == []


async def test_a_script_that_cannot_flush(benches, make_acf, renamed_acf) -> None:
    async with benches(acf=renamed_acf(make_acf(), DoFlush="Wipe")) as bench:
        with pytest.raises(StateError, match="no parameter 'DoFlush'"):
            await bench.operations.clearing.flush()


@pytest.mark.parametrize("is_wanted", [False, True])
async def test_abort_can_flush(bench, is_wanted: bool) -> None:
    bench.camera.change(seconds=10.0, abort_flush=is_wanted)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await bench.operations.acquire(0)
    await client
    state = bench.camera.state
    assert len(flushes(bench)) == is_wanted
    assert state.outcome is Outcome.ABORTED
    assert state.message == "Acquisition aborted" + ", and the CCD is flushed" * is_wanted
    await bench.operations.acquire(0)
    assert len(flushes(bench)) == is_wanted, "idle there is nothing to abort"


async def test_the_ccd_is_not_cleared_while_idle(bench) -> None:
    clearing = bench.operations.clearing
    await clearing.set_automatic(AutoFlush.NO)
    assert (bench.camera.state.auto_flush, bench.device.parameters["AUTOFLUSH"]) == (AutoFlush.NO, 0)
    bench.camera.change(seconds=0.01)
    await bench.camera.acquire()
    assert bench.device.parameters["AUTOFLUSH"] == 0
    await clearing.set_automatic(AutoFlush.AS_CONFIGURED)
    assert bench.device.parameters["AUTOFLUSH"] == 1
    await clearing.set_automatic(AutoFlush.YES)
    await bench.good()
    assert bench.device.parameters["AUTOFLUSH"] == 1


async def test_until_idle(bench) -> None:
    await bench.camera.until_idle()
    bench.camera.change(seconds=0.1)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await bench.camera.until_idle(10)
    assert bench.camera.state.outcome is Outcome.DONE
    await client
