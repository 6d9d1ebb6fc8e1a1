"""Who gets images, who waits for whom, and what a client that fails may cost."""

import asyncio
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
