"""Who gets images, who waits for whom, and what a client that fails may cost."""

import asyncio

import pytest

from archon_ioc.exposure.phase import Outcome
from archon_ioc.exposure.picture import Exposure


async def test_sinks_get_every_image_before_acquire_ends(bench) -> None:
    got: list[tuple[int, bool]] = []

    async def sink(exposure: Exposure) -> None:
        got.append((exposure.picture.shape[1], bench.camera.state.acquiring))

    bench.camera.sinks.append(sink)
    await bench.good()
    assert got == [(48, True)]
    bench.camera.change(array_callbacks=False)
    await bench.good()
    assert len(got) == 1


async def test_a_slow_sink_is_waited_for(bench) -> None:
    release = asyncio.Event()

    async def sink(exposure: Exposure) -> None:
        await release.wait()

    bench.camera.sinks.append(sink)
    bench.camera.change(seconds=0.0)
    client = bench.start()
    await bench.until(lambda state: state.file.full_name != "")
    assert (bench.camera.state.queued, bench.camera.state.acquiring) == (1, True)
    release.set()
    await client
    assert bench.camera.state.queued == 0


async def test_a_slow_sink_is_not_waited_for_without_waitforplugins(bench) -> None:
    release = asyncio.Event()

    async def sink(exposure: Exposure) -> None:
        await release.wait()

    bench.camera.sinks.append(sink)
    bench.camera.change(wait_for_plugins=False)
    await bench.good()
    assert (bench.camera.state.queued, bench.camera.state.acquiring) == (1, False)
    release.set()
    await bench.until(lambda state: state.queued == 0)


async def test_abort_does_not_wait_for_a_sink_that_hangs(bench) -> None:
    async def sink(exposure: Exposure) -> None:
        await asyncio.Event().wait()

    bench.camera.sinks.append(sink)
    bench.camera.change(seconds=0.0)
    client = bench.start()
    await bench.until(lambda state: state.file.full_name != "")
    await bench.camera.abort()
    await client
    assert bench.camera.state.outcome is Outcome.ABORTED
    bench.camera.change(array_callbacks=False)
    await bench.good()


async def test_a_sink_that_fails_costs_nothing_but_a_message(bench, caplog: pytest.LogCaptureFixture) -> None:
    got: list[int] = []

    async def broken(exposure: Exposure) -> None:
        raise ValueError("no room")

    async def sink(exposure: Exposure) -> None:
        got.append(exposure.facts.number)

    bench.camera.sinks.extend([broken, sink])
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, got, len(bench.files)) == (Outcome.DONE, [1], 1)
    assert state.message == "Done, but the image was not published: ValueError('no room')"
    assert "ValueError: no room" in caplog.text
    bench.camera.sinks.remove(broken)
    await bench.good()
