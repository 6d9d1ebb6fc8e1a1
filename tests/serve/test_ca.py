import asyncio
import logging
from typing import Any

import caproto as ca
import numpy as np
import pytest

from archon_ioc.live import Live
from archon_ioc.pvs.render import Table
from archon_ioc.pvs.row import Float, Pv
from archon_ioc.serve.ca import CaServer

PUTFAIL = 160
NORMAL = 1


async def test_values_of_every_kind_are_read(client: Any) -> None:
    assert await client("get('T:cam1:AcquireTime')") == 1.5
    assert await client("get('T:cam1:AcquireTime_RBV', as_string=True)") == "1.500"
    assert await client("get('T:cam1:NumImages_RBV')") == 3
    assert await client("get('T:cam1:ImageMode')") == 1
    assert await client("get('T:cam1:ImageMode', as_string=True)") == "Multiple"
    assert await client("get('T:cam1:FilePath', as_string=True)") == "/data/night one/"
    assert await client("get('T:cam1:Label')") == "bias"
    assert await client("get('T:cam1:Dimensions_RBV')") == [4, 3]


async def test_puts_reach_the_target_and_come_back_in_both_records(client: Any, target: Any) -> None:
    puts = {"AcquireTime": 2.5, "NumImages": 7, "ImageMode": 2, "Label": "dark", "FilePath": "/new/"}
    for name, value in puts.items():
        await client(f"put('T:cam1:{name}', {value!r}, wait=True)")
        for record in (name, name + "_RBV"):
            assert await client(f"get('T:cam1:{record}', as_string={isinstance(value, str)})") == value
    assert target.live.value.seconds == 2.5


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("AcquireTime", "'1.25'", 1.25),
        ("AcquireTime", 5000, 100.0),  # above DRVH it is clamped, and only then too long for the target
        ("AcquireTime", -3, 0.0),
        ("NumImages", 3.7, 3),
        ("NumImages", "'12'", 12),
        ("ImageMode", "'Continuous'", 2),
        ("ImageMode", "'0'", 0),
        ("Label", "''", ""),
        ("Label", "'\\u00b5m'", "µm"),
        ("FilePath", "''", "/"),
        ("FilePath", "'\\0'", "/"),
        ("FilePath", "'/x/' * 80", "/x/" * 80),
    ],
)
async def test_puts_are_converted_as_records_do(client: Any, target: Any, name: str, sent: Any, shown: Any) -> None:
    await client(f"put('T:cam1:{name}', {sent}, wait=True)")
    as_string = isinstance(shown, str)
    if sent == 5000:
        assert "too long" in target.live.value.message
        return
    assert await client(f"get('T:cam1:{name}_RBV', as_string={as_string})") == shown
    assert await client(f"get('T:cam1:{name}', as_string={as_string})") == shown


async def test_a_put_shows_what_was_made_of_it(client: Any) -> None:
    await client("put('T:cam1:FilePath', '/data', wait=True)")
    await client("put('T:cam1:AcquireTime', 1.23456, wait=True)")
    assert await client("get('T:cam1:FilePath', as_string=True)") == "/data/"
    assert await client("get('T:cam1:AcquireTime')") == 1.235


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("AcquireTime", "200, 'double'", "too long"),
        ("AcquireTime", "'soon', 'string'", "not a number"),
        ("ImageMode", "7, 'enum'", "not one of Single, Multiple, Continuous"),
        ("ImageMode", "'Sometimes', 'string'", "not one of"),
        ("NumImages", "5e9, 'double'", "32 bits"),
        ("NumImages", "'3.7', 'string'", "whole number"),
    ],
)
async def test_a_refused_put_changes_nothing_and_says_why(
    client: Any, target: Any, caplog: pytest.LogCaptureFixture, name: str, sent: str, message: str
) -> None:
    caplog.set_level(logging.INFO)
    before = await client(f"get('T:cam1:{name}')")
    assert await client(f"put_status('T:cam1:{name}', {sent})") == PUTFAIL
    assert await client(f"get('T:cam1:{name}')") == before
    assert message in await client("get('T:cam1:StatusMessage_RBV', as_string=True)")
    setpoint, readback = await client(f"info('T:cam1:{name}')"), await client(f"info('T:cam1:{name}_RBV')")
    assert (setpoint["status"], setpoint["severity"]) == (ca.AlarmStatus.WRITE, 1)
    assert readback["severity"] == 0
    assert [record.levelname for record in caplog.records if message in record.message] == ["INFO"]

    assert await client(f"put_status('T:cam1:{name}', 1)") == NORMAL
    assert (await client(f"info('T:cam1:{name}')"))["severity"] == 0


async def test_a_put_that_meets_a_bug_fails_and_is_logged(
    client: Any, target: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert await client("put_status('T:cam1:Crash', 1)") == PUTFAIL
    assert "RuntimeError" in target.live.value.message
    assert [record.exc_info is not None for record in caplog.records if "Crash" in record.message] == [True]


async def test_readbacks_cannot_be_put(client: Any, raw_client: Any) -> None:
    assert (await client("info('T:cam1:AcquireTime')"))["access"] == "read/write"
    assert (await client("info('T:cam1:AcquireTime_RBV')"))["access"] == "read-only"
    channel = await raw_client.channel("T:cam1:AcquireTime_RBV")
    await raw_client.send(channel.write([3.0], notify=True))
    (answer,) = await raw_client.receive(ca.WriteNotifyResponse)
    assert not answer.status.success


async def test_without_a_link_rows_of_the_controller_are_invalid_and_refuse(client: Any, target: Any) -> None:
    target.update(temperature=-100.0, is_linked=False)
    assert await client("put_status('T:cam1:Power', 1)") == PUTFAIL
    assert "T:cam1:Power" in target.live.value.message
    assert "not connected" in target.live.value.message
    shown = await client("info('T:cam1:Temperature')")
    assert (shown["value"], shown["status"], shown["severity"]) == (-100.0, ca.AlarmStatus.COMM, 3)
    target.update(is_linked=True)
    assert await client("put_status('T:cam1:Power', 1)") == NORMAL
    assert (await client("info('T:cam1:Temperature')"))["severity"] == 0


async def test_alarms_come_with_the_value_in_one_event(client: Any, target: Any) -> None:
    target.update(count=0)
    await client("watch('T:cam1:Temperature')")
    await client("watch('T:cam1:Power_RBV')")
    await client("seen.clear()")
    target.update(temperature=-85.0, count=2)
    assert await client("wait_for(lambda: len(seen) >= 2) and seen") == [
        ["monitor", "T:cam1:Temperature", -85.0, 1, ca.AlarmStatus.HIGH],
        ["monitor", "T:cam1:Power_RBV", 2, 2, ca.AlarmStatus.STATE],
    ]
    await client("seen.clear()")
    target.update(temperature=None)
    assert await client("wait_for(lambda: seen) and seen") == [
        ["monitor", "T:cam1:Temperature", -85.0, 3, ca.AlarmStatus.UDF]
    ]


async def test_a_row_with_a_bug_is_invalid_and_the_rest_goes_on(client: Any, target: Any) -> None:
    assert (await client("info('T:cam1:Wrong_RBV')"))["severity"] == 3
    target.update(seconds=9.0)
    await client("watch('T:cam1:AcquireTime_RBV')")
    assert await client("wait_for(lambda: seen[-1][2] == 9.0)")


async def test_the_callback_of_a_put_comes_after_readback_and_setpoint(client: Any) -> None:
    """Stock caproto answers first, and a client that trusts its monitors then reads the old value."""
    await client("watch('T:cam1:AcquireTime')")
    await client("watch('T:cam1:AcquireTime_RBV')")
    await client("seen.clear()")
    await client("[put_status('T:cam1:AcquireTime', 10 + i) for i in range(50)]")
    seen = [(kind, name.removeprefix("T:cam1:")) for kind, name, *_ in await client("seen")]
    assert seen == [("monitor", "AcquireTime_RBV"), ("monitor", "AcquireTime"), ("put", "AcquireTime")] * 50


async def test_a_long_put_ends_late_and_holds_up_nobody(client: Any, target: Any) -> None:
    await client("watch('T:cam1:Acquire_RBV')")
    done = asyncio.create_task(target.live.until(lambda state: state.acquire == 1))
    await client("epics.get_pv('T:cam1:Acquire', connect=True).put(1, use_complete=True)")
    await done
    assert await client("wait_for(lambda: seen[-1][2] == 1)")
    assert await client("put('T:cam1:AcquireTime', 4.0, wait=True)") == 1
    assert await client("get('T:cam1:AcquireTime_RBV')") == 4.0
    assert await client("epics.get_pv('T:cam1:Acquire').put_complete") is False
    target.finish.set()
    assert await client("wait_for(lambda: epics.get_pv('T:cam1:Acquire').put_complete)")
    assert await client("get('T:cam1:Acquire_RBV')") == 0


async def test_a_read_after_a_put_of_the_same_client_sees_it(raw_client: Any) -> None:
    channel = await raw_client.channel("T:cam1:AcquireTime")
    for seconds in (10.0, 11.0, 12.0):
        await raw_client.send(channel.write([seconds]))
        assert (await raw_client.read("T:cam1:AcquireTime_RBV")).data[0] == seconds


async def test_metadata(client: Any) -> None:
    shown = await client("info('T:cam1:AcquireTime')")
    assert (shown["units"], shown["precision"]) == ("s", 3)
    assert (shown["lower_ctrl_limit"], shown["upper_disp_limit"]) == (0.0, 3600.0)
    shown = await client("info('T:cam1:Temperature')")
    limits = [shown[f"{name}_limit"] for name in ("lower_alarm", "lower_warning", "upper_warning", "upper_alarm")]
    assert limits == [-120.0, -110.0, -90.0, -80.0]
    shown = await client("info('T:cam1:ImageMode_RBV')")
    assert [word.encode() for word in shown["enum_strs"]] == [b"Single", b"Multiple", b"Continuous"]


async def test_undefined_until_the_first_value(client: Any, target: Any) -> None:
    shown = await client("info('T:cam1:Temperature')")
    assert (shown["status"], shown["severity"]) == (ca.AlarmStatus.UDF, 3)
    target.update(temperature=0.0)
    await client("watch('T:cam1:Temperature')")
    assert await client("wait_for(lambda: seen[-1][3] == 2)")  # 0 °C is far above HIHI


async def test_images(client: Any, server: CaServer) -> None:
    assert (await client("info('T:cam1:ArrayData')"))["severity"] == 3
    small = np.arange(40_000, 40_012, dtype=np.uint16).reshape(3, 4)
    await server.publish_image("cam1:ArrayData", small, 1.6e9)
    assert await client("get('T:cam1:ArrayData').view('uint16')") == small.ravel().tolist()
    assert await client("get('T:cam1:ArrayData.NORD')") == 12
    shown = await client("info('T:cam1:ArrayData', 'time')")
    assert (shown["type"], shown["nelm"], shown["timestamp"]) == ("time_short", 4_000_000, 1.6e9)

    deep = np.array([5, 65_535, 65_536, 1 << 31], dtype=np.uint32)
    await server.publish_image("cam1:ArrayData", deep, 1.6e9)
    assert await client("get('T:cam1:ArrayData').view('uint16')") == [5, 65_535, 65_535, 65_535]
    # Clients that ask for a fixed number of elements get them.
    assert await client("get('T:cam1:ArrayData', count=2)") == [5, -1]


@pytest.mark.parametrize("data_type", [ca.ChannelType.TIME_LONG, ca.ChannelType.DOUBLE, ca.ChannelType.TIME_INT])
async def test_large_images_of_any_type(server: CaServer, raw_client: Any, data_type: ca.ChannelType) -> None:
    await raw_client.subscribe("T:cam1:ArrayData", data_type=data_type)
    await raw_client.subscribe("T:cam1:ArrayData", data_type=ca.ChannelType.CTRL_LONG)
    await raw_client.receive(ca.EventAddResponse, count=2)
    for number in (1, 2):
        await server.publish_image("cam1:ArrayData", np.full(1_000_000, number, np.uint16), 1.6e9)
        for event in await raw_client.receive(ca.EventAddResponse, count=2):
            assert (len(event.data), event.data[0], event.data[-1]) == (1_000_000, number, number)


async def test_sizes_and_counters_come_before_the_image(server: CaServer, target: Any, raw_client: Any) -> None:
    names = {
        await raw_client.subscribe(f"T:cam1:{name}"): name for name in ("ArrayData", "NumImages_RBV", "Dimensions_RBV")
    }
    await raw_client.receive(ca.EventAddResponse, count=3)
    for number in range(10, 15):
        publishing = asyncio.create_task(server.publish_image("cam1:ArrayData", np.ones(number, np.uint16), 1.6e9))
        target.update(count=number, sizes=(number, 1))
        await publishing
        events = await raw_client.receive(ca.EventAddResponse, count=3)
        assert [names[event.subscriptionid] for event in events] == ["NumImages_RBV", "Dimensions_RBV", "ArrayData"]
        assert [event.data[0] for event in events] == [number, number, 1]


async def test_arrays_of_real_numbers(client: Any, target: Any) -> None:
    shown = await client("info('T:cam1:Levels_RBV')")
    assert (shown["severity"], shown["nelm"], shown["units"]) == (0, 256, "adu")
    assert await client("len(get('T:cam1:Levels_RBV'))") == 0
    await client("watch('T:cam1:Levels_RBV')")
    for levels in ((1000.25, float("nan"), 1e9), (7.5,), ()):
        await client("seen.clear()")
        target.update(levels=levels)
        assert await client("wait_for(lambda: seen) and numpy.size(seen[-1][2])") == len(levels)
        assert await client("str(numpy.atleast_1d(get('T:cam1:Levels_RBV')).tolist())") == str(list(levels))


async def test_the_image_of_a_caller_may_change_afterwards(client: Any, server: CaServer) -> None:
    pixels = np.ones(5, dtype=np.uint16)
    await server.publish_image("cam1:ArrayData", pixels, 1.6e9)
    pixels[:] = 9
    assert await client("get('T:cam1:ArrayData')") == [1] * 5


async def test_too_large_an_image_is_cut(client: Any, server: CaServer, caplog: pytest.LogCaptureFixture) -> None:
    await server.publish_image("cam1:ArrayData", np.ones(4_000_001, dtype=np.uint16), 1.6e9)
    assert await client("len(get('T:cam1:ArrayData'))") == 4_000_000
    assert "4000001" in caplog.text


async def test_names_are_complete_and_checked(server: CaServer, target: Any) -> None:
    assert server.names[:4] == (
        "T:cam1:Wrong_RBV",
        "T:cam1:AcquireTime_RBV",
        "T:cam1:AcquireTime",
        "T:cam1:NumImages_RBV",
    )
    row = Pv(name="A", kind=Float(), doc="A", group="G", read=lambda _: 0.0)
    live = Live(None)
    with pytest.raises(ValueError, match="two records are called P:A_RBV"):
        CaServer("P:", [Table("", [row], live, target), Table("", [row], live, target)])
    with pytest.raises(ValueError, match="more than 60"):
        CaServer("P" * 60, [Table("", [row], live, target)])


async def test_a_failing_task_ends_the_server(ca_environment: dict[str, str], target: Any) -> None:
    """A dead server must not leave a process that neither serves nor ends."""

    class Broken:
        value = None

        async def watch(self) -> Any:
            yield None
            raise RuntimeError("gone")

    row = Pv(name="A", kind=Float(), doc="A", group="G", read=lambda _: 0.0)
    server = CaServer("P:", [Table("", [row], Broken(), target)])  # type: ignore[arg-type]
    with pytest.raises(ExceptionGroup):
        await server.run()


async def test_of_many_changes_in_a_short_time_few_are_shown_and_the_last_in_any_case(client: Any, target: Any) -> None:
    await client("watch('T:cam1:AcquireTime_RBV')")
    for n in range(1000):
        target.update(seconds=100.0 + n)
        await asyncio.sleep(0)
    assert await client("wait_for(lambda: seen[-1][2] == 1099.0)")
    assert await client("len(seen)") < 100


async def test_many_records_change_without_holding_up_the_loop(serve: Any, target: Any) -> None:
    """1500 rows: a burst goes out in turns of a few milliseconds."""
    live: Live[float] = Live(0.0)
    rows = [Pv(name=f"V{i}", kind=Float(), doc="V", group="G", read=lambda value: value) for i in range(1500)]
    async with serve(CaServer("P:", [Table("", rows, live, target)])) as server:
        turns = 0
        live.set(1.0)
        posting = asyncio.create_task(server.flush())
        while not posting.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 5
