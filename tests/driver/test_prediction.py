"""The predicted times follow the configuration and the parameters in force."""

import logging
from typing import Any

import pytest

from archon_ioc.acf.estimate import estimate_readout
from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.driver.state import ControllerState


def is_timed(state: ControllerState) -> bool:
    return state.readout is not None


async def test_the_times_are_those_of_the_configuration(lab: Any, acf: Acf) -> None:
    state = await lab.archon.live.until(is_timed, 5)
    assert state.readout == estimate_readout(acf)


async def test_a_parameter_in_force_counts(lab: Any) -> None:
    before = (await lab.archon.live.until(is_timed, 5)).readout
    name = "NoIntMS"
    await lab.archon.set_param(name, lab.archon.status.parameters[name] + 3)
    state = await lab.archon.live.until(lambda state: state.readout != before, 5)
    assert state.readout.start.ticks - before.start.ticks == 300_000
    assert state.readout.length == before.length


async def test_a_window_counts(lab: Any) -> None:
    before = (await lab.archon.live.until(is_timed, 5)).readout
    window = await lab.archon.set_window(lines=lab.archon.status.window.lines - 1)
    state = await lab.archon.live.until(lambda state: state.readout and state.readout.lines == before.lines - 1, 5)
    assert state.readout.completes
    assert state.readout == estimate_readout(state.acf)
    assert window.lines == state.window.lines


async def test_what_each_exposure_sets_changes_no_prediction(powered: Any) -> None:
    readout = (await powered.archon.live.until(is_timed, 5)).readout
    seen: list[object] = []
    watching = powered.archon.live.watch()
    await powered.shoot()
    async for state in watching:
        seen.append(state.readout)
        if state.frames and state.frames.newest:
            break
    assert all(one is readout for one in seen)


async def test_a_script_that_cannot_be_compiled_has_no_times(
    make_lab: Any, acf: Acf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with make_lab(check="off") as lab:
        await lab.archon.live.until(is_timed, 5)
        wrong = acf.with_value("LINE0", "NOWHERE; GOTO Nothing")
        await lab.archon.write_config(wrong)
        await lab.archon.live.until(lambda state: state.acf and state.readout is None, 5)
    assert "the time of a readout is not known" in caplog.text


async def test_names_of_the_site_are_used(make_lab: Any, acf: Acf) -> None:
    renamed = Acf({key: value.replace("ReadOut", "ReadCCD") for key, value in acf.keys.items()}, acf.system)
    async with make_lab(renamed, script=ScriptConfig(readout="ReadCCD")) as lab:
        state = await lab.archon.live.until(is_timed, 5)
    assert state.readout == estimate_readout(acf)
