from typing import Any

import pytest

from archon_ioc.serve.ca import CaServer


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("AcquireTime.VAL", 1.5),
        ("AcquireTime.DESC", "Exposure time"),
        ("AcquireTime.EGU", "s"),
        ("AcquireTime.PREC", 3),
        ("AcquireTime.RTYP", "ao"),
        ("AcquireTime_RBV.RTYP", "ai"),
        ("AcquireTime.NAME", "T:cam1:AcquireTime"),
        ("AcquireTime.DRVH", 3600.0),
        ("AcquireTime.DRVL", 0.0),
        ("AcquireTime.HOPR", 3600.0),
        ("AcquireTime.SEVR", 0),
        ("AcquireTime.MDEL", 0.0),
        ("AcquireTime.SCAN", 0),
        ("AcquireTime_RBV.SCAN", 2),
        ("ImageMode_RBV.RVAL", 1),
        ("Acquire_RBV.RVAL", 0),
        ("NumImages.DRVL", 1),
        ("Temperature.HIHI", -80.0),
        ("Temperature.LOW", -110.0),
        ("Temperature.STAT", "UDF"),
        ("Temperature.SEVR", 3),
        ("Temperature.UDF", 1),
        ("ImageMode.ZRST", "Single"),
        ("ImageMode.TWST", "Continuous"),
        ("ImageMode.FFST", ""),
        ("Acquire.ZNAM", "Done"),
        ("Acquire.ONAM", "Acquire"),
        ("FilePath.FTVL", 1),
        ("FilePath.NELM", 256),
        ("Dimensions_RBV.NORD", 2),
        ("Dimensions_RBV.FTVL", 5),
        ("ArrayData.FTVL", 3),
        ("ArrayData.NELM", 4_000_000),
    ],
)
async def test_fields_show_what_the_row_says(raw_client: Any, name: str, shown: object) -> None:
    value = (await raw_client.read(f"T:cam1:{name}")).data[0]
    assert (value.decode() if isinstance(value, bytes) else value) == shown


@pytest.mark.parametrize(
    "name", ["AcquireTime.ZNAM", "AcquireTime_RBV.DRVH", "ImageMode.EGU", "Acquire.ZRST", "No.VAL"]
)
async def test_a_record_has_only_the_fields_of_its_type(raw_client: Any, name: str) -> None:
    with pytest.raises(LookupError):
        await raw_client.channel(f"T:cam1:{name}")


async def test_fields_follow_their_record(client: Any, target: Any) -> None:
    for name in ("SEVR", "UDF"):
        await client(f"watch('T:cam1:Temperature.{name}')")
    await client("watch('T:cam1:Dimensions_RBV.NORD')")
    await client("seen.clear()")
    target.update(temperature=-85.0, sizes=(1, 2, 3))
    assert sorted(event[1:3] for event in await client("wait_for(lambda: len(seen) >= 3) and seen")) == [
        ["T:cam1:Dimensions_RBV.NORD", 3],
        ["T:cam1:Temperature.SEVR", 1],
        ["T:cam1:Temperature.UDF", 0],
    ]


async def test_the_raw_value_follows_its_record(client: Any) -> None:
    """Clients at LCLS watch it."""
    await client("watch('T:cam1:ImageMode_RBV.RVAL')")
    await client("put('T:cam1:ImageMode', 'Continuous', wait=True)")
    assert await client("wait_for(lambda: seen[-1][2] == 2)")
    assert (await client("info('T:cam1:ImageMode_RBV.RVAL')"))["type"] == "ctrl_long"


async def test_no_record_is_disabled(client: Any) -> None:
    """ophyd's cameras read it of DataType_RBV."""
    assert await client("get('T:cam1:ImageMode_RBV.DISA')") == 0


async def test_menus_are_choices_as_in_base(client: Any) -> None:
    assert await client("get('T:cam1:Temperature.SEVR', as_string=True)") == "INVALID"
    assert await client("get('T:cam1:FilePath.FTVL', as_string=True)") == "CHAR"
    assert (await client("info('T:cam1:AcquireTime.SCAN')"))["type"] == "ctrl_enum"


async def test_screens_may_set_when_a_button_is_scanned(client: Any) -> None:
    name = "T:cam1:AcquireTime.SCAN"
    for value, kind, shown in (("1 second", "string", 6), (2, "double", 2), ("4", "string", 4), (9, "enum", 9)):
        assert await client(f"put_status({name!r}, {value!r}, {kind!r})") == 1
        assert await client(f"get({name!r})") == shown
    for value, kind in ((10, "enum"), ("1 minute", "string"), (-1, "long")):
        assert await client(f"put_status({name!r}, {value!r}, {kind!r})") == 160
        assert await client(f"get({name!r}, as_string=True)") == ".1 second"
    assert (await client("info('T:cam1:AcquireTime_RBV.SCAN')"))["access"] == "read-only"


async def test_only_the_description_can_be_put(client: Any) -> None:
    assert (await client("info('T:cam1:AcquireTime.EGU')"))["access"] == "read-only"
    await client("put('T:cam1:AcquireTime.DESC', 'Time of light', wait=True)")
    assert await client("get('T:cam1:AcquireTime.DESC')") == "Time of light"


async def test_text_is_also_served_as_characters(client: Any, target: Any) -> None:
    target.update(label="twenty characters ok")
    for name, text in {
        "Label.VAL$": "twenty characters ok",
        "Label.DESC$": "Label",
        "FilePath.VAL$": "/data/night one/",
    }.items():
        assert await client(f"get('T:cam1:{name}', as_string=True)") == text
    assert await client("put_status('T:cam1:Label', '', 'string')") == 1
    assert await client("get('T:cam1:Label.VAL$', as_string=True)") == ""


async def test_fields_cost_nothing_until_asked_for(server: CaServer, raw_client: Any) -> None:
    channel = server._channels["T:cam1:AcquireTime"]
    assert not channel._fields  # type: ignore[attr-defined]
    await raw_client.read("T:cam1:AcquireTime.EGU")
    assert set(channel._fields) == {"EGU"}  # type: ignore[attr-defined]
