"""Abort wherever an acquisition may be: the hardware is stopped, the client is told, and the next one is good."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.settings import ImageMode

LINE, SLOW_LINE = 0.02, 2.0
"""Seconds per line; a readout then takes 2 s at the speed of the tests."""


async def to_integrating(bench, _disk: threading.Event) -> None:
    bench.camera.change(seconds=10.0)
    bench.start()
    await bench.until_phase(Phase.INTEGRATING)


async def to_reading(bench, _disk: threading.Event) -> None:
    bench.sim_line(SLOW_LINE)
    bench.camera.change(seconds=0.0)
    bench.start()
    await bench.until_phase(Phase.READING)
    await bench.until(lambda state: state.controller.frames.writing and state.controller.frames.writing.lines > 1)
    bench.sim_line(LINE)


async def to_fetching(bench, _disk: threading.Event) -> None:
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "FETCHA", 0.5
    bench.camera.change(seconds=0.0)
    bench.start()
    await bench.until_phase(Phase.FETCHING)


async def to_saving(bench, disk: threading.Event) -> None:
    disk.clear()
    bench.camera.change(seconds=0.0)
    bench.start()
    await bench.until(lambda state: state.phase is Phase.SAVING and state.file.writing)
    asyncio.get_running_loop().call_later(0.2, disk.set)


async def to_waiting(bench, _disk: threading.Event) -> None:
    bench.camera.change(seconds=0.0, image_mode=ImageMode.MULTIPLE, num_images=2, period=100.0)
    bench.start()
    await bench.until_phase(Phase.WAITING)


STATIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "integrating": (to_integrating, 0),
    "reading": (to_reading, 0),
    "fetching": (to_fetching, 0),
    "saving": (to_saving, 1),
    "waiting": (to_waiting, 1),
}
"""How to get there, and how many images are kept that far."""


@pytest.mark.parametrize("station", STATIONS)
async def test_abort(bench, station: str, held_disk: threading.Event) -> None:
    held_disk.set()
    go, kept = STATIONS[station]
    await go(bench, held_disk)
    await bench.camera.abort()
    state = bench.camera.state
    assert (state.outcome, state.phase, state.acquiring) == (Outcome.ABORTED, Phase.IDLE, False)
    assert state.message == "Acquisition aborted"
    assert state.remaining == 0.0
    assert len(bench.files) == kept
    assert not state.shutter_open
    bench.assert_resting()
    await bench.good()


async def test_abort_stops_the_script_before_it_resets_the_cores(bench) -> None:
    await to_integrating(bench, threading.Event())
    told = len(bench.device.commands)
    await bench.camera.abort()
    commands = [text for text in bench.device.commands[told:] if text not in ("STATUS", "FRAME")]
    assert commands.index("FASTLOADPARAM Exposures 0") < commands.index("RESETTIMING")
    assert commands[-1] == "RELEASETIMING"


async def test_abort_before_it_began(bench) -> None:
    await asyncio.gather(bench.camera.acquire(), bench.camera.abort())
    state = bench.camera.state
    assert (state.outcome, state.acquiring, state.message) == (Outcome.ABORTED, False, "Acquisition aborted")
    assert "HOLDTIMING" not in bench.device.commands
    await bench.good()


async def test_abort_while_preparing(bench) -> None:
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "HOLDTIMING", 0.2
    client = bench.start()
    await bench.until_phase(Phase.PREPARING)
    await bench.camera.abort()
    await client
    assert bench.camera.state.outcome is Outcome.ABORTED
    bench.assert_resting()
    await bench.good()


async def test_abort_when_all_is_done_changes_nothing(benches) -> None:
    async with benches(speed=0) as bench:
        bench.camera.change(seconds=0.0)
        began = asyncio.get_running_loop().time()
        client = bench.start()
        await bench.until(lambda state: state.outcome is Outcome.DONE)
        assert bench.camera.state.acquiring, "the test came too late"
        await bench.camera.abort()
        await client
        assert bench.camera.state.outcome is Outcome.DONE
        assert asyncio.get_running_loop().time() - began >= 0.1
        await bench.good()


async def test_abort_when_idle_does_nothing(bench) -> None:
    await bench.camera.abort()
    assert bench.camera.state.outcome is Outcome.NONE
    await bench.good()
    await bench.camera.abort()
    assert bench.camera.state.outcome is Outcome.DONE


async def test_abort_by_two_clients_and_once_more_meanwhile(bench) -> None:
    await to_integrating(bench, threading.Event())
    bench.sim.faults.delay_reply, bench.sim.faults.delay_seconds = "RESETTIMING", 0.2
    first, second = asyncio.create_task(bench.camera.abort()), asyncio.create_task(bench.camera.abort("again"))
    await bench.until_phase(Phase.ABORTING)
    await bench.camera.abort("and again")
    await asyncio.gather(first, second)
    state = bench.camera.state
    assert (state.outcome, state.message, state.phase) == (Outcome.ABORTED, "Acquisition aborted", Phase.IDLE)
    bench.assert_resting()
    await bench.good()


async def test_acquire_is_done_for_the_client_when_it_was_aborted(bench) -> None:
    bench.camera.change(seconds=10.0)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    await asyncio.gather(bench.camera.abort(), asyncio.wait_for(client, 2))


async def test_a_client_that_goes_away_does_not_end_the_exposure(bench) -> None:
    bench.camera.change(seconds=0.1)
    client = bench.start()
    await bench.until_phase(Phase.INTEGRATING)
    client.cancel()
    await bench.until(lambda state: not state.acquiring)
    assert client.cancelled()
    assert bench.camera.state.outcome is Outcome.DONE
    assert len(bench.files) == 1


async def test_abort_while_it_waits_for_its_turn(bench) -> None:
    async with bench.camera.undisturbed():
        client = bench.start()
        await asyncio.sleep(0)
        await bench.camera.abort()
        await client
        assert bench.camera.state.outcome is Outcome.ABORTED
    await bench.good()


async def test_when_stopping_is_rejected_the_next_exposure_stops_first(bench) -> None:
    await to_integrating(bench, threading.Event())
    bench.sim.faults.reject = "RESETTIMING"
    await bench.camera.abort()
    assert bench.camera.state.outcome is Outcome.ABORTED
    await bench.good()
    bench.assert_resting()
