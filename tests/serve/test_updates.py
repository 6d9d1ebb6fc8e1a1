import asyncio
import weakref

import pytest

from archon_ioc.serve.updates import BATCH, PutGate, Update, UpdateQueue
from archon_ioc.serve.wire import Payload


class Command:
    """Stands for what caproto sends; can be forgotten."""


async def test_commands_come_in_order_and_in_batches() -> None:
    queue = UpdateQueue()
    commands = [Command() for _ in range(BATCH + 5)]
    for command in commands:
        await queue.put(weakref.ref(command))
    assert await queue.take() == commands[:BATCH]
    assert await queue.take() == commands[BATCH:]


async def test_what_was_superseded_is_not_sent() -> None:
    queue = UpdateQueue()
    old, new = Command(), Command()
    await queue.put(weakref.ref(old))
    await queue.put(weakref.ref(new))
    del old
    assert await queue.take() == [new]


async def test_taking_waits_for_something_to_send() -> None:
    queue = UpdateQueue()
    gone, command = Command(), Command()
    await queue.put(weakref.ref(gone))
    del gone
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await queue.put(weakref.ref(command))
    assert await taking == [command]


async def test_a_client_that_never_reads_costs_little() -> None:
    queue = UpdateQueue()
    kept = [Command() for _ in range(10)]
    for command in kept:
        await queue.put(weakref.ref(command))
    for _ in range(100_000):
        await queue.put(weakref.ref(Command()))
    assert len(queue) < 3000
    assert await queue.take() == kept


async def test_nothing_is_left_after_clear() -> None:
    queue = UpdateQueue()
    command = Command()
    await queue.put(lambda: command)
    queue.clear()
    assert len(queue) == 0


def test_an_update_is_the_payload_for_one_subscription() -> None:
    payload = Payload(data_type=6, count=1, size=8, parts=(bytes(8),))
    update = Update(payload, 5)
    assert b"".join(update.buffers) == bytes.fromhex("0001 0008 0006 0001 00000001 00000005") + bytes(8)
    assert update.subscriptionid == 5


async def test_reads_wait_for_a_young_put_only(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = PutGate()
    assert gate.is_set()
    assert await gate.wait()
    gate.clear()
    reading = asyncio.create_task(gate.wait())
    await asyncio.sleep(0)
    assert not reading.done()
    gate.set()
    assert await reading

    monkeypatch.setattr("archon_ioc.serve.updates.READ_PATIENCE", 0.01)
    gate.clear()
    assert await gate.wait()  # a long put lets reads go on before it is done
    assert gate.is_set()
