"""Who gets images, who waits for whom, and what a client that fails may cost."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from archon_ioc.exposure.phase import Outcome
from archon_ioc.exposure.picture import Exposure


class Sink:
    """Takes images with a function, and is settled when it may."""

    def __init__(self, take: Callable[[Exposure], Awaitable[None]]) -> None:
        self.take = take
        self.may_settle = asyncio.Event()
        self.may_settle.set()

    async def settled(self) -> None:
        await self.may_settle.wait()


async def test_sinks_get_every_image_before_acquire_ends(bench) -> None:
    got: list[tuple[int, bool]] = []

    async def sink(exposure: Exposure) -> None:
        got.append((exposure.picture.shape[1], bench.camera.state.acquiring))

    bench.camera.sinks.append(Sink(sink))
    await bench.good()
    assert got == [(48, True)]
    bench.camera.change(array_callbacks=False)
    await bench.good()
    assert len(got) == 1


async def test_a_slow_sink_is_waited_for(bench) -> None:
    release = asyncio.Event()

    async def sink(exposure: Exposure) -> None:
        await release.wait()

    bench.camera.sinks.append(Sink(sink))
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

    bench.camera.sinks.append(Sink(sink))
    bench.camera.change(wait_for_plugins=False)
    await bench.good()
    assert (bench.camera.state.queued, bench.camera.state.acquiring) == (1, False)
    release.set()
    await bench.until(lambda state: state.queued == 0)


async def test_abort_does_not_wait_for_a_sink_that_hangs(bench) -> None:
    async def sink(exposure: Exposure) -> None:
        await asyncio.Event().wait()

    bench.camera.sinks.append(Sink(sink))
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

    wrong = Sink(broken)
    bench.camera.sinks.extend([wrong, Sink(sink)])
    bench.camera.change(seconds=0.0)
    await bench.camera.acquire()
    state = bench.camera.state
    assert (state.outcome, got, len(bench.files)) == (Outcome.DONE, [1], 1)
    assert state.message == "Done, but the image was not published: ValueError('no room')"
    assert "ValueError: no room" in caplog.text
    bench.camera.sinks.remove(wrong)
    await bench.good()


async def test_an_image_is_numbered_when_clients_get_it(bench) -> None:
    got: list[Exposure] = []

    async def take(exposure: Exposure) -> None:
        got.append(exposure)

    bench.camera.sinks.append(Sink(take))
    await bench.good()
    await bench.good()
    last, shown = got[-1], bench.camera.state.image
    assert [exposure.unique_id for exposure in got] == [1, 2]
    assert (last.unique_id, last.published, last.timestamp) == (shown.unique_id, shown.published, shown.timestamp)
    assert last.timestamp < last.published
    assert (last.window, last.full_size) == ((0, 0, 48, 40), (48, 40))


@pytest.mark.parametrize("is_waited_for", [True, False])
async def test_what_a_sink_has_taken_is_waited_for(bench, is_waited_for: bool) -> None:
    async def take(exposure: Exposure) -> None:
        sink.may_settle.clear()

    sink = Sink(take)
    bench.camera.sinks.append(sink)
    bench.camera.change(seconds=0.0, wait_for_plugins=is_waited_for)
    client = bench.start()
    if is_waited_for:
        await bench.until(lambda state: state.file.full_name != "" and state.queued == 0)
        assert bench.camera.state.acquiring
        sink.may_settle.set()
    await client
    assert bench.camera.state.outcome is Outcome.DONE


async def test_time_stamps_are_those_of_the_controllers_clock(
    benches, triggered_script: dict[str, int], make_acf
) -> None:
    got: list[Exposure] = []

    async def take(exposure: Exposure) -> None:
        got.append(exposure)

    parameters = {**triggered_script, "ExternalTrigger": 0, "NoIntMS": 30, "LinePause": 100}
    async with benches(acf=make_acf(parameters=parameters), speed=1.0, line_seconds=None, latency=1.0) as bench:
        bench.camera.sinks.append(Sink(take))
        clock = bench.controller.clock
        await bench.controller.live.until(lambda state: clock.time_of(state.frames.timer) is not None, 10)
        bench.camera.change(seconds=0.2)
        began = time.time()
        await bench.camera.acquire()
        asked = time.time()
        timer = (await bench.controller.get_frame()).timer
        answered = time.time()
        pause = bench.controller.status.readout.pause.seconds
    facts = got[0].facts
    first_pixel = (asked + answered) / 2 - (timer - facts.buffer.timestamp) * 1e-8
    assert pause > 0.03
    assert got[0].timestamp == pytest.approx(first_pixel - pause - 0.2, abs=0.005 + answered - asked), (
        "not when the reply came"
    )
    assert began < got[0].timestamp < got[0].published < asked
    assert facts.started.timestamp() == pytest.approx(got[0].timestamp, abs=1e-5), "the header has the same"
