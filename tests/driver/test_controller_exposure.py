"""Exposures and fetching with the public face of the library."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import InputError, StateError
from archon_ioc.protocol.replies import Frame

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Check = Callable[[Frame], None]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


async def test_an_exposure_needs_power(lab: Any) -> None:
    start = lab.mark()
    with pytest.raises(StateError, match="OFF, it must be ON"):
        await lab.archon.expose(0.1)
    assert lab.device.since(start, *POLLS) == []


async def test_integration_and_readout_on_separate_demands(powered: Any, assert_pattern: Check) -> None:
    await powered.archon.expose(0.1, readout=False)
    assert (await powered.archon.get_frame()).newest is None
    assert_pattern(await powered.archon.fetch(await powered.archon.readout()))


async def test_a_long_integration_is_waited_for(make_lab: MakeLab) -> None:
    async with make_lab(speed=20, script=ScriptConfig(readout_start=0.15)) as lab:
        await lab.archon.power(True)
        await lab.archon.expose(10.0)  # half a second here
        assert (await lab.archon.readout()).complete


async def test_what_is_on_the_ccd_can_be_read_out_at_any_time(powered: Any) -> None:
    for number in (1, 2, 3):
        assert (await powered.archon.readout()).frame == number
    await powered.archon.expose(0.1)
    assert (await powered.archon.readout()).frame == 4
    assert (await powered.archon.readout()).frame == 5


async def test_a_script_that_reads_by_itself(make_lab: MakeLab, at_once: Acf) -> None:
    async with make_lab(at_once) as lab:
        await lab.archon.power(True)
        for number in (1, 2):
            await lab.archon.expose(0.1)
            assert (await lab.archon.readout()).frame == number
        with pytest.raises(StateError, match="cannot"):
            await lab.archon.readout()


async def test_the_ccd_is_cleared_again_after_a_readout(powered: Any) -> None:
    await powered.archon.expose(0.1)
    assert powered.device.parameters["AUTOFLUSH"] == 0
    await powered.archon.readout()
    assert powered.device.parameters["AUTOFLUSH"] == 1


async def test_an_integration_can_be_ended_early_or_thrown_away(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(acf.with_parameter("WaitCount", 1), speed=1.0) as lab:
        await lab.archon.power(True)
        await lab.archon.expose(600.0)
        await lab.archon.abort(readout=True)
        assert (await lab.archon.readout()).frame == 1
        await lab.archon.expose(600.0)
        await lab.archon.abort()
        assert lab.device.parameters["EXPOSURES"] == 0
        assert (await lab.archon.readout()).frame == 2


async def test_an_exposure_during_another_is_refused(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.power(True)
        await lab.archon.expose(6.0)  # 0.3 s here
        start = lab.mark()
        for step in (lab.archon.get_frame, lab.archon.readout):
            during = asyncio.create_task(step())
            await lab.device.told("FRAME")
            with pytest.raises(StateError, match="an exposure is running; abort or reset first"):
                await lab.archon.expose(1.0)
            await during
        assert [c for c in lab.device.since(start) if c.startswith("HOLDTIMING")] == []
        await lab.archon.expose(600.0)
        await lab.archon.abort()
        await lab.archon.expose(1.0)
        assert (await lab.archon.readout()).frame == 2


async def test_a_readout_that_is_ended_early_ends_the_exposure(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.power(True)
        await lab.archon.expose(600.0)
        reading = asyncio.create_task(lab.archon.readout())
        await lab.device.told("FRAME")
        await lab.archon.abort(readout=True)
        assert (await reading).frame == 1
        await lab.archon.expose(1.0)
        assert (await lab.archon.readout()).frame == 2


async def test_clearing_can_be_switched_off(make_lab: MakeLab, acf: Acf) -> None:
    renamed = acf.with_values({"PARAMETER6": "IdleFlush=1", "LINE7": "HOLD; IF IdleFlush CALL ClearOnce"})
    async with make_lab(renamed, script=ScriptConfig(auto_flush="IdleFlush")) as lab:
        await lab.archon.power(True)
        await lab.archon.reset(autoflush=False)
        assert lab.device.parameters["IDLEFLUSH"] == 0
        await lab.archon.expose(0.0)
        await lab.archon.readout()
        assert lab.device.parameters["IDLEFLUSH"] == 0, "switched on again by an exposure"
        await lab.archon.set_autoflush(True)
        assert lab.device.parameters["IDLEFLUSH"] == 1


async def test_clearing_that_the_script_does_not_know(make_lab: MakeLab, at_once: Acf) -> None:
    async with make_lab(at_once) as lab:
        with pytest.raises(StateError, match="AutoFlush"):
            await lab.archon.set_autoflush(True)


# Fetching


async def test_there_is_nothing_to_fetch_before_the_first_frame(lab: Any) -> None:
    with pytest.raises(StateError, match="no complete frame"):
        await lab.archon.fetch()


@pytest.mark.parametrize("number", [0, 4, -1])
async def test_a_buffer_that_is_none(powered: Any, number: int) -> None:
    await powered.shoot()
    with pytest.raises(InputError, match="1, 2 and 3"):
        await powered.archon.fetch(number)
