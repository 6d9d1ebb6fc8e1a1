import asyncio
from collections.abc import Coroutine
from typing import Any

import caproto as ca
import numpy as np
import pytest

from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Pixels, Pv, Record, Severity, Text
from archon_ioc.serve.channels import RecordChannel, make_channel


async def refuse(channel: RecordChannel, value: object) -> ca.CAStatus:
    raise AssertionError((channel, value))


def channel_of(kind: Kind) -> RecordChannel:
    row: Pv[Any, Any] = Pv(name="Row", kind=kind, doc="A row", group="Test", read=lambda state: state)
    return make_channel(Record(row, "Row_RBV", writable=False), refuse)


@pytest.mark.parametrize(
    ("kind", "data_type", "length"),
    [
        (Float(), ca.ChannelType.DOUBLE, 1),
        (Int(), ca.ChannelType.LONG, 1),
        (Choice(("a", "b")), ca.ChannelType.ENUM, 1),
        (Text(), ca.ChannelType.STRING, 1),
        (Text(41), ca.ChannelType.CHAR, 41),
        (Array(10), ca.ChannelType.LONG, 10),
        (Array(10, "DOUBLE"), ca.ChannelType.DOUBLE, 10),
        (Pixels(12), ca.ChannelType.INT, 12),
    ],
)
def test_each_kind_has_the_type_that_areadetector_has(kind: Kind, data_type: ca.ChannelType, length: int) -> None:
    channel = channel_of(kind)
    assert (channel.data_type, channel.max_length) == (data_type, length)


async def test_posting_tells_whether_something_changed() -> None:
    channel = channel_of(Float())
    assert await channel.post(Reading(0.0), 1.6e9)  # it was undefined
    assert not await channel.post(Reading(0.0), 2.0)
    assert await channel.post(Reading(1.0), 3.0)
    assert await channel.post(Reading(1.0, "COMM", Severity.INVALID), 1.7e9)
    assert channel.timestamp == 1.7e9


async def test_an_array_with_an_unknown_number_is_no_news_each_time() -> None:
    channel = channel_of(Array(3, "DOUBLE"))
    assert await channel.post(Reading((1.0, float("nan"))), 1.0)
    assert not await channel.post(Reading((1.0, float("nan"))), 2.0)
    assert await channel.post(Reading((1.0, 2.0)), 3.0)


async def test_an_unknown_value_keeps_the_old_one() -> None:
    channel = channel_of(Float())
    await channel.post(Reading(5.0), 1.0)
    await channel.post(Reading(None, "UDF", Severity.INVALID), 2.0)
    assert channel.value == 5.0
    assert channel.alarm.severity == ca.AlarmSeverity.INVALID_ALARM


async def test_each_record_has_an_alarm_of_its_own() -> None:
    one, other = channel_of(Float()), channel_of(Float())
    await one.post(Reading(0.0), 1.0)
    assert other.alarm.severity == ca.AlarmSeverity.INVALID_ALARM


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Int(), 1 << 31),
        (Float(), "fast"),
        (Text(), 5),
        (Text(256), 5),
        (Array(3), np.zeros(4)),
        (Array(3), np.zeros((2, 2))),
    ],
)
def test_a_value_that_does_not_fit_is_not_shown_as_something_else(kind: Kind, value: object) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        channel_of(kind).encode(value)


def test_limits_that_are_no_limits_are_zero() -> None:
    for kind in (Int(), Float(low=0.0)):
        channel: Any = channel_of(kind)
        assert channel.lower_ctrl_limit == channel.upper_ctrl_limit == 0
    channel = channel_of(Int(low=1, high=9))
    assert (channel.lower_disp_limit, channel.upper_disp_limit) == (1, 9)


async def turns_while(work: Coroutine[Any, Any, Any]) -> tuple[int, Any]:
    """Return how often others got their turn before something was done, and its result."""
    task, turns = asyncio.create_task(work), 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return turns, task.result()


@pytest.mark.parametrize(
    ("wanted", "dtype"),
    [
        (ca.ChannelType.TIME_LONG, ">i4"),
        (ca.ChannelType.DOUBLE, ">f8"),
        (ca.ChannelType.GR_FLOAT, ">f4"),
        (ca.ChannelType.TIME_INT, ">i2"),
    ],
)
async def test_large_images_of_another_type_are_made_while_others_work(wanted: ca.ChannelType, dtype: str) -> None:
    channel = channel_of(Pixels(4_000_000))
    pixels = np.arange(3_000_000).astype(">i2")
    assert await channel.post(Reading(pixels, "HIGH", Severity.MINOR), 1.6e9)
    turns, (metadata, values) = await turns_while(channel.read(wanted))
    assert values.dtype == dtype
    assert np.array_equal(values, pixels)
    if wanted is not ca.ChannelType.TIME_INT:
        assert turns > 1
    if wanted is ca.ChannelType.TIME_LONG:
        assert (metadata.severity, metadata.status) == (ca.AlarmSeverity.MINOR_ALARM, ca.AlarmStatus.HIGH)
        assert metadata.timestamp == 1.6e9


async def test_text_of_an_image_is_short() -> None:
    channel = channel_of(Pixels(4_000_000))
    await channel.post(Reading(np.full(3_000_000, 7, ">i2")), 1.6e9)
    _, values = await channel.read(ca.ChannelType.STRING)
    assert len(values) == 1000
