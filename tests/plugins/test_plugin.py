"""What every plugin does with arrays: queue, drop, block, count."""

import asyncio
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.plugin import Plugin, PluginState
from tests.plugins.arrays import array


class Kept(Plugin[PluginState]):
    """Keeps what it is given; waits at a gate first."""

    def __init__(self, name: str = "KEPT") -> None:
        super().__init__(name, PluginState())
        self.numbers: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def process(self, array: NDArray) -> NDArray | None:
        await self.gate.wait()
        if array.unique_id == 13:
            raise InputError("13 is not wanted")
        if array.unique_id == 14:
            raise ZeroDivisionError
        self.numbers.append(array.unique_id)
        return array


class Patient(Kept):
    """Loses nothing."""

    @property
    def is_patient(self) -> bool:
        return True


async def test_arrays_are_processed_in_order_and_passed_on(running: Any) -> None:
    first, second = Kept("FIRST"), Kept("SECOND")
    async with running(first, second) as chain:
        chain.connect(second, "FIRST")
        for number in (1, 2, 3):
            await chain.send(array(number))
        await chain.settled()
    assert first.numbers == second.numbers == [1, 2, 3]
    assert second.state.array.unique_id == 3
    assert second.state.array.counter == 3
    assert chain.queued == 0


async def test_a_full_queue_drops_and_counts(running: Any) -> None:
    plugin = Kept()
    plugin.change(queue_size=2)
    plugin.gate.clear()
    async with running(plugin) as chain:
        for number in (1, 2, 3, 4):
            await chain.send(array(number))
        assert (plugin.state.queued, plugin.state.dropped) == (2, 2)
        plugin.gate.set()
        await chain.settled()
    assert plugin.numbers == [1, 2]


async def test_a_viewer_loses_what_is_old(running: Any) -> None:
    plugin = Kept()
    plugin.keeps_newest = True
    plugin.change(queue_size=2)
    plugin.gate.clear()
    async with running(plugin) as chain:
        for number in (1, 2, 3, 4):
            await chain.send(array(number))
        plugin.gate.set()
        await chain.settled()
    assert plugin.numbers == [1, 4]
    assert plugin.state.dropped == 2


async def test_a_patient_plugin_loses_nothing(running: Any) -> None:
    plugin = Patient()
    plugin.change(queue_size=2)
    plugin.gate.clear()

    async def send_all() -> None:
        for number in range(1, 8):
            await chain.send(array(number))

    async with running(plugin) as chain:
        sender = asyncio.create_task(send_all())
        await plugin.live.until(lambda state: state.queued == 2, 5)
        plugin.gate.set()
        await sender
        await chain.settled()
    assert plugin.numbers == [1, 2, 3, 4, 5, 6, 7]
    assert plugin.state.dropped == 0


async def test_blocking_callbacks_return_when_all_is_done(running: Any) -> None:
    plugin = Kept()
    plugin.change(blocking=True)
    async with running(plugin) as chain:
        await chain.send(array(5))
        assert plugin.numbers == [5]


async def test_blocking_callbacks_overtake_nothing(running: Any) -> None:
    plugin = Kept()
    plugin.gate.clear()
    async with running(plugin) as chain:
        for number in (1, 2, 3):
            await chain.send(array(number))
        plugin.change(blocking=True)
        task = asyncio.create_task(chain.send(array(4)))
        plugin.gate.set()
        await asyncio.wait_for(task, 5)
    assert plugin.numbers == [1, 2, 3, 4]
    assert plugin.state.disordered == 0


async def test_a_disabled_plugin_takes_nothing(running: Any) -> None:
    plugin = Kept()
    plugin.change(enabled=False)
    async with running(plugin) as chain:
        await chain.send(array())
        await chain.settled()
    assert plugin.numbers == []
    assert plugin.state.dropped == 0


async def test_errors_are_told_and_the_next_array_is_processed(running: Any, caplog: pytest.LogCaptureFixture) -> None:
    plugin, told = Kept(), list[str]()
    plugin.tell = told.append
    async with running(plugin) as chain:
        for number in (13, 14, 15):
            await chain.send(array(number))
        await chain.settled()
    assert plugin.numbers == [15]
    assert told == ["KEPT: 13 is not wanted", "KEPT: internal error: ZeroDivisionError()"]
    assert "cannot process array 14" in caplog.text


async def test_the_last_array_can_be_processed_again(running: Any) -> None:
    plugin = Kept()
    with pytest.raises(InputError, match="no array"):
        await plugin.again()
    async with running(plugin) as chain:
        await chain.send(array(4))
        await chain.settled()
        await plugin.again()
    assert plugin.numbers == [4, 4]


async def test_the_geometry_is_known_before_the_first_array(running: Any) -> None:
    first, second = Kept("FIRST"), Kept("SECOND")
    async with running(first, second) as chain:
        chain.connect(second, "FIRST")
        chain.prime(Geometry(100, 50, "UInt32"))
        assert second.state.array.geometry == Geometry(100, 50, "UInt32")
        await chain.send(array(shape=(4, 6)))
        await chain.settled()
        assert second.state.array.geometry == Geometry(6, 4, "UInt16")
        assert second.state.source == Geometry(6, 4, "UInt16")


async def test_throttled_arrays_are_not_counted_as_dropped(running: Any) -> None:
    plugin = Kept()
    plugin.change(min_callback_seconds=1000.0)
    async with running(plugin) as chain:
        await chain.send(array(1))
        await chain.send(array(2))
        await chain.settled()
    assert plugin.numbers == [1]
    assert plugin.state.dropped == 0


async def test_no_more_goes_out_than_is_wanted(running: Any) -> None:
    one, two = Kept("ONE"), Kept("TWO")
    one.change(max_byte_rate=1.0)
    async with running(one, two) as chain:
        two.connect("ONE")
        for number in range(1, 4):
            await chain.send(array(number))
        await chain.settled()
        one.change(max_byte_rate=0.0)
        await chain.send(array(4))
        await chain.settled()
    assert two.numbers == [1, 4]
    assert (one.state.dropped_outputs, one.state.array.counter) == (2, 4)


async def test_an_older_array_is_out_of_order(running: Any) -> None:
    one = Kept()
    async with running(one) as chain:
        for number in (1, 3, 2, 5):
            await chain.send(array(number))
        await chain.settled()
        await one.again()
    assert one.state.disordered == 1
