"""What clients may ask for, and what may come from the network."""

import asyncio
import logging
import os
import socket
import struct
from typing import Any

import caproto as ca
import numpy as np
import pytest

from archon_ioc.serve.ca import CaServer

READBACK = "T:cam1:AcquireTime_RBV"
IMAGE = "T:cam1:ArrayData"


@pytest.mark.parametrize("count", [1, 3])
async def test_a_fixed_number_of_elements_is_filled_up_or_cut(server: CaServer, raw_client: Any, count: int) -> None:
    await server.publish_image("cam1:ArrayData", np.array([7, 8], np.uint16), 1.6e9)
    await raw_client.subscribe(IMAGE, data_count=count)
    (event,) = await raw_client.receive(ca.EventAddResponse)
    assert event.data.tolist() == [7, 8, 0][:count]


async def test_an_unknown_type_is_refused(raw_client: Any) -> None:
    channel = await raw_client.channel(READBACK)
    await raw_client.send_bytes(struct.pack(">HHHHII12xHH", 1, 16, 77, 0, channel.sid, 1000, 1, 0))
    assert (await raw_client.receive(ca.ErrorResponse))[0].status.name == "ECA_INTERNAL"
    assert (await raw_client.read(READBACK)).data[0] == 1.5


@pytest.mark.parametrize(
    "garbage",
    [bytes(64), b"\xff" * 64, b"GET / HTTP/1.0\r\n\r\n" * 4, bytes(range(256)), b"\0\x0f\xff\xff" + b"\x01" * 200],
)
async def test_garbage_hurts_only_its_sender(raw_client: Any, silent_client: Any, garbage: bytes) -> None:
    await silent_client.send_bytes(garbage)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(garbage, ("127.0.0.1", int(os.environ["EPICS_CA_SERVER_PORT"])))
    assert (await raw_client.read(READBACK)).data[0] == 1.5


async def test_beacons_go_where_they_can(
    ca_environment: dict[str, str],
    serve: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as repeater:
        repeater.bind(("127.0.0.1", 0))
        repeater.setblocking(False)
        monkeypatch.setenv("EPICS_CAS_BEACON_ADDR_LIST", f"127.0.0.1:0 127.0.0.1:{repeater.getsockname()[1]}")
        async with serve(CaServer("P:", [])):
            for _ in range(3):
                assert len(await asyncio.get_running_loop().sock_recv(repeater, 100)) == 16
    assert caplog.text.count("no beacons to 127.0.0.1:0") == 1


async def test_a_stopped_server_leaves_its_port_free(ca_environment: dict[str, str], serve: Any) -> None:
    port = int(ca_environment["EPICS_CA_SERVER_PORT"])
    for _ in range(2):
        async with serve(CaServer("P:", [])):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize(
    ("part", "count", "expected"),
    [
        ('{"s":1,"e":3}', 0, [1, 2, 3]),
        ('{"s":-2}', 0, [8, 9]),
        ('{"i":4}', 0, [0, 4, 8]),
        ('{"s":2,"i":3,"e":-1}', 0, [2, 5, 8]),
        ('{"s":6}', 2, [6, 7]),
        ('{"s":8}', 4, [8, 9, 0, 0]),
    ],
)
async def test_a_part_of_an_array_can_be_asked_for(
    server: CaServer, raw_client: Any, part: str, count: int, expected: list[int]
) -> None:
    name = f'{IMAGE}.{{"arr":{part}}}'
    await raw_client.subscribe(name, data_count=count)
    await raw_client.receive(ca.EventAddResponse)
    await server.publish_image("cam1:ArrayData", np.arange(10, dtype=np.uint16), 1.6e9)
    (event,) = await raw_client.receive(ca.EventAddResponse)
    assert event.data.tolist() == expected
    if not count:
        assert (await raw_client.read(name)).data.tolist() == expected


async def test_a_deadband_can_be_asked_for(server: CaServer, target: Any, raw_client: Any) -> None:
    await raw_client.subscribe(f'{READBACK}.{{"dbnd":{{"abs":1.0}}}}')
    await raw_client.receive(ca.EventAddResponse)
    for seconds in (2.0, 2.5, 4.0, 4.9, 6.0):
        target.update(seconds=seconds)
        await server.flush()
    events = await raw_client.receive(ca.EventAddResponse, count=2)
    assert [event.data[0] for event in events] == [4.0, 6.0]
