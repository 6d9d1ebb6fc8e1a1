"""Records and images as real PVAccess clients see them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import numpy as np
import psutil
import pytest
from p4p.client.asyncio import Context, RemoteError
from p4p.nt.ndarray import ntndarray

from archon_ioc.errors import StateError
from archon_ioc.plugins.ndarray import Attribute, Dimension, NDArray
from archon_ioc.serve.ca import CaServer
from archon_ioc.serve.pva import PvaServer

from .conftest import MODES, Target, running, table

IMAGE = "Pva1:Image"


@pytest.fixture
async def pva(ca_environment: dict[str, str], target: Target) -> AsyncIterator[PvaServer]:
    tables = [table(target)]
    ca_server = CaServer("T:", tables)
    server = PvaServer("T:", tables, ca_server.publisher, [IMAGE])
    async with running(ca_server), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.started()
        yield server
        task.cancel()


@pytest.fixture
async def context(pva: PvaServer) -> AsyncIterator[Context]:
    with client(pva) as context:
        yield context


def client(pva: PvaServer) -> Context:
    conf = {
        "EPICS_PVA_ADDR_LIST": "", "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{pva.port}",
    }  # fmt: skip
    return Context("pva", conf=conf, useenv=False, nt=False)


def server_process() -> psutil.Process:
    return next(one for one in psutil.Process().children() if "archon_ioc.serve.pva_process" in one.cmdline())


async def test_numbers_have_all_that_records_have(context: Context) -> None:
    value = await context.get("T:cam1:AcquireTime")
    assert value.getID() == "epics:nt/NTScalar:1.0"
    assert value.value == 1.5
    assert value["display.units"] == "s"
    assert value["display.precision"] == 3
    assert value["display.description"] == "Exposure time"
    assert (value["control.limitLow"], value["control.limitHigh"]) == (0.0, 3600.0)
    assert value["alarm.severity"] == 0
    assert value["timeStamp.secondsPastEpoch"] > 1_700_000_000


async def test_choices_texts_and_arrays(context: Context) -> None:
    mode = await context.get("T:cam1:ImageMode_RBV")
    assert mode.getID() == "epics:nt/NTEnum:1.0"
    assert (mode["value.index"], mode["value.choices"]) == (1, list(MODES))
    path = await context.get("T:cam1:FilePath_RBV")
    assert path.value == "/data/night one/"  # text, not an array of characters
    sizes = await context.get("T:cam1:Dimensions_RBV")
    assert sizes.getID() == "epics:nt/NTScalarArray:1.0"
    assert sizes.value.tolist() == [4, 3]
    assert sizes.value.dtype == np.int32


async def test_alarms(context: Context, target: Target) -> None:
    value = await context.get("T:cam1:Temperature")
    assert (value["alarm.severity"], value["alarm.message"]) == (3, "UDF")
    assert value["valueAlarm.highAlarmLimit"] == -80.0
    target.update(temperature=-70.0)
    async with updates(context, "T:cam1:Temperature") as values:
        while (value := await values.get())["alarm.severity"] != 2:
            pass
    assert (value.value, value["alarm.message"]) == (-70.0, "HIHI")
    target.update(is_linked=False)
    async with updates(context, "T:cam1:Temperature") as values:
        while (value := await values.get())["alarm.message"] != "COMM":
            pass
    assert value["alarm.severity"] == 3


class updates:  # noqa: N801 - reads as a function
    """The updates of a record."""

    def __init__(self, context: Context, name: str) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._subscription = context.monitor(name, self._take)

    async def _take(self, value: Any) -> None:
        self._queue.put_nowait(value)

    async def __aenter__(self) -> asyncio.Queue[Any]:
        return self._queue

    async def __aexit__(self, *_: object) -> None:
        self._subscription.close()


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("AcquireTime", 2.5, 2.5),
        ("AcquireTime", 9999.0, "too long"),
        ("NumImages", 5, 5),
        ("NumImages", 5000, 1000),
        ("FilePath", "/data", "/data/"),
        ("FilePath", "", "/"),
        ("Label", "flat", "flat"),
        ("Label", "x" * 60, "the limit is 39"),
        ("ImageMode", {"value.index": 2}, 2),
        ("ImageMode", {"value.index": 3}, "not one of Single"),
    ],
)
async def test_puts_are_those_of_channel_access(
    context: Context, target: Target, name: str, sent: object, shown: object
) -> None:
    if isinstance(shown, str) and shown not in ("/data/", "/", "flat"):
        with pytest.raises(RemoteError, match=shown):
            await context.put(f"T:cam1:{name}", sent)
        assert shown in target.live.value.message
        return
    await context.put(f"T:cam1:{name}", sent)
    value = await context.get(f"T:cam1:{name}_RBV")
    assert (value["value.index"] if name == "ImageMode" else value.value) == shown


async def test_readbacks_refuse_and_a_bug_is_told(context: Context) -> None:
    with pytest.raises(RemoteError, match="read-only"):
        await context.put("T:cam1:AcquireTime_RBV", 1.0)
    with pytest.raises(RemoteError, match="internal error"):
        await context.put("T:cam1:Crash", 1)


async def test_a_long_put_is_answered_at_its_end(context: Context, target: Target) -> None:
    put = asyncio.create_task(context.put("T:cam1:Acquire", {"value.index": 1}))
    await target.live.until(lambda state: state.acquire == 1, 5)
    assert (await context.get("T:cam1:AcquireTime")).value == 1.5
    assert not put.done()
    target.finish.set()
    await put
    assert (await context.get("T:cam1:Acquire_RBV"))["value.index"] == 0


def image(number: int = 7) -> NDArray:
    pixels = (np.arange(12, dtype=np.uint16) + 65520).reshape(3, 4)
    dimensions = (Dimension(4, 10, 100, 2, reverse=True), Dimension(3, 20, 200, 4))
    attributes = {"Exposure": Attribute(1.5, "Exposure time", "AcquireTime", "Param"), "Name": Attribute("M31")}
    return NDArray(pixels, number, 1000.25, 1001.5, dimensions, attributes)


async def test_there_is_an_image_record_before_the_first_image(context: Context) -> None:
    value = await context.get("T:Pva1:Image")
    assert value.getID() == "epics:nt/NTNDArray:1.0"
    assert [one.name for one in value.attribute] == ["ColorMode"]


async def test_images_are_ntndarrays(context: Context, pva: PvaServer) -> None:
    assert await pva.post_image(IMAGE, image()) == 24
    value = await context.get("T:Pva1:Image")
    assert value.uniqueId == 7
    assert (value["dataTimeStamp.secondsPastEpoch"], value["dataTimeStamp.nanoseconds"]) == (1000, 250_000_000)
    assert (value["timeStamp.secondsPastEpoch"], value["timeStamp.nanoseconds"]) == (1001, 500_000_000)
    assert [axis.todict() for axis in value.dimension] == [
        {"size": 4, "offset": 10, "fullSize": 100, "binning": 2, "reverse": True},
        {"size": 3, "offset": 20, "fullSize": 200, "binning": 4, "reverse": False},
    ]
    assert (value.compressedSize, value.uncompressedSize, value["codec.name"]) == (24, 24, "")
    found = {one.name: one.value for one in value.attribute}
    assert found == {"Exposure": 1.5, "Name": "M31", "ColorMode": 0}
    pixels = value.value.view(ntndarray)._store(value)
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, image().pixels)


async def test_an_unknown_codec_is_refused_and_the_image_stays(context: Context, pva: PvaServer) -> None:
    await pva.post_image(IMAGE, image(8))
    with pytest.raises(Exception, match="not available"):
        await pva.post_image(IMAGE, image(9), "zip")
    assert (await context.get("T:Pva1:Image")).uniqueId == 8


async def test_an_image_of_another_size_and_one_that_is_cut_out(context: Context, pva: PvaServer) -> None:
    large = np.arange(400, dtype=np.uint32).reshape(20, 20)
    for number, pixels in enumerate((large, large[2:5, 3:7], large[::2, ::-1]), 10):
        await pva.post_image(IMAGE, NDArray(pixels, number, 0.0, 0.0, ()))
        value = await context.get("T:Pva1:Image")
        assert value.uniqueId == number
        assert value.value.dtype == np.uint32
        assert np.array_equal(value.value, pixels.reshape(-1))


async def test_a_server_that_died_is_started_anew_with_all_that_it_showed(
    context: Context, pva: PvaServer, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    await context.put("T:cam1:AcquireTime", 2.5)
    await pva.post_image(IMAGE, image(8))
    put = asyncio.create_task(context.put("T:cam1:Acquire", {"value.index": 1}))
    await target.live.until(lambda state: state.acquire == 1, 5)
    process = server_process()
    process.kill()
    put.cancel()
    with suppress(StateError):  # or it waits for the next one
        await pva.post_image(IMAGE, image(9))
    target.finish.set()
    await target.live.until(lambda state: state.acquire == 0, 5)  # what was begun goes on
    await pva.started()
    with client(pva) as again:
        assert (await again.get("T:cam1:AcquireTime_RBV")).value == 2.5
        await pva.post_image(IMAGE, image(10))
        assert (await again.get("T:Pva1:Image")).uniqueId == 10
        await again.put("T:cam1:AcquireTime", 3.5)
        assert target.live.value.seconds == 3.5
    assert "died" in caplog.text
    assert server_process().pid != process.pid


async def test_a_server_that_hangs_is_not_waited_for(
    context: Context, pva: PvaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archon_ioc.serve.pva._PATIENCE", 0.5)
    process = server_process()
    process.suspend()
    with pytest.raises(StateError, match=r"takes no image for 0\.5 s"):
        await pva.post_image(IMAGE, image(9))
    monkeypatch.undo()
    assert await pva.post_image(IMAGE, image(10)) == 24
    assert server_process().pid != process.pid
