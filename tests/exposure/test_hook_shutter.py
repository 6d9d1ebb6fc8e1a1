"""A shutter that the site's own code moves."""

import asyncio
import threading

import pytest

from archon_ioc.errors import StateError
from archon_ioc.exposure.hook_shutter import HookShutter
from archon_ioc.exposure.phase import Outcome
from archon_ioc.exposure.settings import ShutterMode


class Flap:
    """A shutter with plain methods."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.jam: Exception | None = None
        self.free = threading.Event()
        self.free.set()

    def open(self) -> None:
        self._move("open")

    def close(self) -> None:
        self._move("close")

    def _move(self, what: str) -> None:
        self.free.wait(10)
        self.threads.add(threading.current_thread())
        if self.jam:
            raise self.jam
        self.calls.append(what)


class AsyncFlap:
    """A shutter whose methods are async."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.jam: BaseException | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def open(self) -> None:
        await self.free.wait()
        self.calls.append("open")

    async def close(self) -> None:
        if self.jam:
            raise self.jam
        self.calls.append("close")


@pytest.mark.parametrize("kind", [Flap, AsyncFlap])
async def test_an_exposure_with_it(benches, kind: type[Flap] | type[AsyncFlap]) -> None:
    flap = kind()
    async with benches(shutter=HookShutter(flap)) as bench:
        states = bench.note_states()
        bench.camera.change(seconds=0.05, shutter_mode=ShutterMode.EPICS_PV)
        await bench.camera.acquire()
        assert flap.calls == ["open", "close"]
        assert any(state.shutter_open for state in states)
        assert not bench.camera.state.shutter_open
        if isinstance(flap, Flap):
            assert threading.main_thread() not in flap.threads


async def test_one_that_jams_fails_the_exposure_with_its_own_words(benches) -> None:
    flap = Flap()
    flap.jam = OSError("the flap is frozen")
    async with benches(shutter=HookShutter(flap)) as bench:
        bench.camera.change(seconds=0.05, shutter_mode=ShutterMode.EPICS_PV)
        with pytest.raises(StateError, match=r"does not (open|close): the flap is frozen"):
            await bench.camera.acquire()
        assert bench.camera.state.outcome is Outcome.FAILED
        flap.jam = None
        await bench.until(lambda state: not state.shutter_open)
        await bench.good()


async def test_one_whose_own_work_is_cancelled_costs_no_image(benches) -> None:
    flap = AsyncFlap()
    async with benches(shutter=HookShutter(flap)) as bench:
        bench.camera.change(seconds=10.0, shutter_mode=ShutterMode.EPICS_PV)
        client = bench.start()
        await bench.until(lambda state: state.shutter_open)
        flap.jam = asyncio.CancelledError()
        await bench.camera.stop()
        with pytest.raises(StateError, match="does not close"):
            await client
        assert len(bench.files) == 1
        flap.jam = None
        await bench.until(lambda state: not state.shutter_open)


async def test_one_that_hangs_is_given_up() -> None:
    flap = Flap()
    flap.free.clear()
    shutter = HookShutter(flap, timeout=0.05)
    with pytest.raises(StateError, match=r"does not open within 0\.05 s"):
        await shutter.open()
    with pytest.raises(StateError, match=r"does not do what it was told before within 0\.05 s"):
        await shutter.close()
    assert flap.calls == []
    flap.free.set()


async def test_it_is_never_told_to_close_while_it_opens() -> None:
    flap = Flap()
    flap.free.clear()
    shutter = HookShutter(flap)
    opening = asyncio.create_task(shutter.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    closing = asyncio.create_task(shutter.close())
    await asyncio.sleep(0)
    flap.free.set()
    await closing
    assert flap.calls == ["open", "close"]


async def test_an_async_one_that_hangs_is_cancelled() -> None:
    flap = AsyncFlap()
    flap.free.clear()
    shutter = HookShutter(flap, timeout=0.05)
    with pytest.raises(StateError, match="does not open"):
        await shutter.open()
    await shutter.close()
    flap.free.set()
    assert flap.calls == ["close"]
