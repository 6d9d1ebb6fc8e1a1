"""Each fault of caproto's own server that would hurt an instrument, once with a real connection.

``CA_SERVER=stock pytest tests/serve/test_caproto_server.py`` runs this with caproto's own server; the last test does
so, to see that what is meant to show a fault can show it.
"""

import asyncio
import gc
import itertools
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import caproto as ca
import numpy as np
import pytest
from caproto.asyncio.server import VirtualCircuit

from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.channels import BACKLOG, IMAGE_BACKLOG

VALUE, LOG, ALARM, PROPERTY = 1, 2, 4, 8
READBACK = "T:cam1:AcquireTime_RBV"
IMAGE = "T:cam1:ArrayData"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """caproto's own faults show after 10 000 updates or a while; this brings them forward. It must not change ours."""
    monkeypatch.setattr(ca, "MAX_TOTAL_SUBSCRIPTION_BACKLOG", 20)
    monkeypatch.setattr("caproto.server.common.HIGH_LOAD_TIMEOUT", 1.0)


faults: list[str] = []
"""Names of the tests that caproto's own server fails."""


def fault(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test as one that caproto's own server fails."""
    faults.append(test.__name__)
    return test


def all_circuits() -> list[Any]:
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, VirtualCircuit)]


def circuits() -> int:
    return len(all_circuits())


def connections() -> int:
    return sum(circuit.connected for circuit in all_circuits())


async def flood(server: CaServer, target: Any, count: int) -> None:
    for number in range(count):
        target.update(seconds=float(number), count=number)
        await server.flush()
        await asyncio.sleep(0)


async def big_image(server: CaServer, value: int = 0) -> weakref.ref[Any]:
    """Publish 8 MB and return a reference to what the server keeps of it."""
    await server.publish_image("cam1:ArrayData", np.full((2000, 2000), value, np.uint16), 1.6e9)
    return weakref.ref(server._channels[IMAGE].value)


@fault
async def test_a_client_that_does_not_read_holds_up_nobody_and_no_memory(
    server: CaServer, target: Any, raw_client: Any, silent_client: Any
) -> None:
    await silent_client.subscribe(IMAGE)
    await silent_client.subscribe(READBACK)
    await raw_client.subscribe(READBACK)
    await raw_client.receive(ca.EventAddResponse)
    images = []
    for number in range(20):
        images.append(await big_image(server))
        target.update(seconds=100.0 + number)
        (event,) = await raw_client.receive(ca.EventAddResponse)
        assert event.data[0] == 100.0 + number
    gc.collect()
    assert sum(image() is not None for image in images) <= IMAGE_BACKLOG + 2


async def test_a_slow_client_gets_the_newest_values_and_the_newest_image(
    server: CaServer, target: Any, silent_client: Any
) -> None:
    image_id = await silent_client.subscribe(IMAGE)
    await silent_client.subscribe(READBACK)
    for number in range(1, 10):
        await big_image(server, number)
    await flood(server, target, 100)
    seconds: list[float] = []
    images: list[int] = []
    while not seconds or seconds[-1] != 99.0 or images[-1] != 9:
        (event,) = await silent_client.receive(ca.EventAddResponse)
        (images if event.subscriptionid == image_id else seconds).append(event.data[0])
    assert len(seconds) <= BACKLOG + 1
    assert len(images) <= IMAGE_BACKLOG + 2


@fault
async def test_a_client_that_dies_with_much_to_send_leaves_nothing_behind(
    server: CaServer, target: Any, raw_client: Any, silent_client: Any
) -> None:
    await raw_client.subscribe(READBACK)
    before = circuits()
    for name in ("AcquireTime", "AcquireTime_RBV", "NumImages", "NumImages_RBV", "ArrayData"):
        await silent_client.subscribe(f"T:cam1:{name}")
    await big_image(server)
    flooding = asyncio.create_task(flood(server, target, 300))
    await target.live.until(lambda state: state.count == 150)
    silent_client.connection.close()
    await flooding
    while (await raw_client.receive(ca.EventAddResponse))[0].data[0] != 299.0:
        pass
    assert (await raw_client.read(READBACK)).data[0] == 299.0
    del silent_client
    assert circuits() == before - 1


@fault
async def test_a_client_that_takes_nothing_is_dropped(
    server: CaServer,
    raw_client: Any,
    silent_client: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("archon_ioc.serve.sending.SEND_TIMEOUT", 0.05)
    await silent_client.subscribe(IMAGE)
    before = connections()
    await big_image(server)
    while connections() == before:
        await raw_client.read(READBACK)
    with pytest.raises(ConnectionResetError):
        await silent_client.receive(ca.EventAddResponse, count=2)
    assert "is dropped: it does not read" in caplog.text


@fault
async def test_what_was_sent_is_not_kept(server: CaServer, target: Any, raw_client: Any) -> None:
    await raw_client.subscribe(READBACK)
    image = await big_image(server, 1)
    await raw_client.subscribe(IMAGE)
    await flood(server, target, 50)
    while (await raw_client.receive(ca.EventAddResponse))[0].data[0] != 49.0:
        pass
    await raw_client.read(READBACK)
    gc.collect()
    assert not any(any(circuit.unexpired_updates.values()) for circuit in all_circuits())
    await server.publish_image("cam1:ArrayData", np.zeros(1, np.uint16), 1.6e9)
    await raw_client.receive(ca.EventAddResponse)
    gc.collect()
    assert image() is None


@fault
async def test_an_image_is_sent_without_copies(server: CaServer, raw_client: Any, silent_client: Any) -> None:
    """caproto joins header and pixels, and asyncio keeps a copy of what the client has not taken."""
    pixels = np.zeros((2000, 2000), np.uint16)
    await server.publish_image("cam1:ArrayData", pixels, 1.6e9)
    request = (await silent_client.channel(IMAGE)).read()
    tracemalloc.start()
    try:
        await silent_client.send(request)
        for _ in range(20):
            await raw_client.read(READBACK)
        assert tracemalloc.get_traced_memory()[1] < pixels.nbytes / 2
    finally:
        tracemalloc.stop()


@fault
async def test_updates_are_not_held_back_to_be_sent_together(server: CaServer, target: Any, raw_client: Any) -> None:
    await raw_client.subscribe(READBACK)
    await raw_client.receive(ca.EventAddResponse)
    async with asyncio.timeout(1.0):
        for number in range(10):
            target.update(seconds=10.0 + number)
            await server.flush()
            (event,) = await raw_client.receive(ca.EventAddResponse)
            assert event.data[0] == 10.0 + number


@fault
async def test_small_updates_do_not_wait_for_acknowledgements(server: CaServer, raw_client: Any) -> None:
    await raw_client.subscribe(READBACK)
    await raw_client.receive(ca.EventAddResponse)
    connections = [circuit.client.writer.get_extra_info("socket") for circuit in all_circuits() if circuit.connected]
    assert connections
    assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in connections), "else 40 ms"


@fault
async def test_a_put_is_answered_after_its_monitors(target: Any, raw_client: Any) -> None:
    for name in (READBACK, "T:cam1:AcquireTime"):
        await raw_client.subscribe(name)
    await raw_client.receive(ca.EventAddResponse, count=2)
    channel = await raw_client.channel("T:cam1:AcquireTime")
    for seconds in (2.0, 3.0, 4.0):
        await raw_client.send(channel.write([seconds], notify=True))
        got = await raw_client.receive(ca.EventAddResponse, ca.WriteNotifyResponse, count=3)
        assert [type(command) for command in got] == [ca.EventAddResponse] * 2 + [ca.WriteNotifyResponse]
        assert [event.data[0] for event in got[:2]] == [seconds] * 2


@fault
async def test_clients_get_the_events_that_they_asked_for(server: CaServer, target: Any, raw_client: Any) -> None:
    masks = {mask: await raw_client.subscribe("T:cam1:Temperature", mask=mask) for mask in (1, 2, 4, 8, 5)}
    await raw_client.receive(ca.EventAddResponse, count=5)
    changes: list[dict[str, Any]] = [
        {"temperature": -100.0},  # value and alarm
        {"temperature": -101.0},  # value
        {"temperature": -102.0},  # value
        {"is_linked": False},  # alarm
    ]
    for change in changes:
        target.update(**change)
        await server.flush()
    end = await raw_client.subscribe(READBACK)
    seen: list[int] = []
    while end not in seen:
        seen += [event.subscriptionid for event in await raw_client.receive(ca.EventAddResponse)]
    counts = {mask: seen.count(subscription) for mask, subscription in masks.items()}
    assert counts == {VALUE: 3, LOG: 3, ALARM: 2, PROPERTY: 0, VALUE | ALARM: 4}


async def test_no_event_without_a_change(server: CaServer, target: Any, raw_client: Any) -> None:
    first = await raw_client.subscribe(READBACK)
    await raw_client.receive(ca.EventAddResponse)
    target.update(label="other")
    await server.flush()
    second = await raw_client.subscribe(READBACK)
    (event,) = await raw_client.receive(ca.EventAddResponse)
    assert event.subscriptionid == second != first


async def test_events_off_and_on(server: CaServer, target: Any, raw_client: Any) -> None:
    await raw_client.subscribe(READBACK)
    await raw_client.receive(ca.EventAddResponse)
    await raw_client.send(ca.EventsOffRequest())
    await raw_client.read(READBACK)
    await flood(server, target, 20)
    await raw_client.send(ca.EventsOnRequest())
    (event,) = await raw_client.receive(ca.EventAddResponse)
    assert event.data[0] == 19.0


async def test_a_channel_may_be_closed_while_its_put_runs(target: Any, raw_client: Any) -> None:
    channel = await raw_client.channel("T:cam1:Acquire")
    await raw_client.subscribe("T:cam1:Acquire")
    await raw_client.send(channel.write([1.0], data_type=ca.ChannelType.DOUBLE, data_count=1, notify=True))
    await target.live.until(lambda state: state.acquire == 1)
    await raw_client.send(channel.clear())
    await raw_client.receive(ca.ClearChannelResponse)
    target.finish.set()
    await target.live.until(lambda state: state.acquire == 0)
    assert (await raw_client.read(READBACK)).data[0] == 1.5


async def test_a_put_goes_on_when_its_client_leaves(target: Any, raw_client: Any, silent_client: Any) -> None:
    channel = await silent_client.channel("T:cam1:Acquire")
    await silent_client.send(channel.write([1.0], data_type=ca.ChannelType.DOUBLE, data_count=1, notify=True))
    await target.live.until(lambda state: state.acquire == 1)
    before = connections()
    silent_client.connection.close()
    while connections() == before:
        await raw_client.read(READBACK)
    assert target.live.value.acquire == 1
    target.finish.set()
    await target.live.until(lambda state: state.acquire == 0)


async def test_a_subscription_may_end_while_updates_wait(server: CaServer, target: Any, silent_client: Any) -> None:
    await silent_client.subscribe(IMAGE)
    request = (await silent_client.channel(READBACK)).subscribe(data_count=0)
    await silent_client.send(request)
    await big_image(server)
    await flood(server, target, 20)
    await silent_client.send((await silent_client.channel(READBACK)).unsubscribe(request.subscriptionid))
    while (await silent_client.receive(ca.EventAddResponse, ca.EventCancelResponse))[0].payload_size > 0:
        pass
    assert (await silent_client.read(READBACK)).data[0] == 19.0


async def test_every_type_may_be_asked_for_and_the_values_go_on(
    server: CaServer, target: Any, raw_client: Any, silent_client: Any
) -> None:
    """Words asked for as a number must not stop later updates, for whomever."""
    names = ("Label_RBV", "FilePath_RBV", "AcquireTime_RBV", "ImageMode_RBV", "Dimensions_RBV", "Label_RBV.DESC")
    channels = [await silent_client.channel(f"T:cam1:{name}") for name in names]
    for number, (channel, data_type) in enumerate(itertools.product(channels, range(39))):
        event_add = struct.pack(">HHHHII12xHH", 1, 16, data_type, 0, channel.sid, number, VALUE | ALARM, 0)
        await silent_client.send_bytes(event_add)
    await raw_client.subscribe(READBACK)
    for seconds, label in enumerate(("12", "words", "")):
        target.update(seconds=seconds, label=label, path=label, mode=seconds, sizes=(1,) * seconds)
        await server.flush()
    while (await raw_client.receive(ca.EventAddResponse))[0].data[0] != 2.0:
        pass


def test_caproto_itself_fails_where_a_fault_is_shown() -> None:
    if os.environ.get("CA_SERVER") == "stock":
        pytest.skip("this is caproto itself")
    own = Path(__file__)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "-rA",
        "--timeout=2",
        "-p",
        "no:cacheprovider",
        "-Wignore",
    ]
    nodes = [f"{own}::{name}" for name in faults]
    environment = os.environ | {"CA_SERVER": "stock"}
    run = subprocess.run([*command, *nodes], check=False, capture_output=True, text=True, env=environment, timeout=55)
    passed = [name for name in faults if re.search(rf"^PASSED .*::{name}$", run.stdout, re.MULTILINE)]
    failed = [name for name in faults if re.search(rf"^FAILED .*::{name}\b", run.stdout, re.MULTILINE)]
    assert passed == [], run.stdout
    assert failed == faults, run.stdout
