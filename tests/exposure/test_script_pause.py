"""How one timing script is paused: what it is told, and what it must have for that."""

from dataclasses import replace

import pytest

from archon_ioc.driver.timing import Integration
from archon_ioc.errors import StateError
from archon_ioc.exposure.script_pause import ScriptPause
from archon_ioc.exposure.unit import Unit


def told(bench, since: int) -> list[str]:
    polls = ("STATUS", "FRAME", "FETCHLOG")
    return [command for command in bench.device.commands[since:] if not command.startswith(polls)]


def with_parameter(acf):
    """Return a configuration with a parameter for pauses, at which its script does not look."""
    count = acf.number("PARAMETERS", 0)
    return replace(acf, keys={**acf.keys, f"PARAMETER{count}": "PauseExposure=0", "PARAMETERS": str(count + 1)})


async def test_a_parameter_is_set_and_taken_back(benches, make_acf) -> None:
    async with benches(acf=with_parameter(make_acf())) as bench:
        unit = Unit(bench.controller)
        pause = ScriptPause(unit)
        await unit.prepare(Integration(10.0))
        await pause.require(by_hold=False)
        assert not pause.is_by_hold
        since = len(bench.device.commands)
        assert await pause.pause(float("inf"))
        await pause.prepare_rest(Integration(5.0))
        await pause.go_on()
        assert told(bench, since) == ["FASTLOADPARAM PauseExposure 1", "FASTLOADPARAM PauseExposure 0"]


async def test_cores_are_held_and_integrate_the_rest(benches) -> None:
    async with benches(script={"pause_by_hold": True}) as bench:
        unit = Unit(bench.controller)
        pause = ScriptPause(unit)
        await unit.prepare(Integration(10.0))
        before = unit.start
        await pause.require(by_hold=False)
        assert pause.is_by_hold
        since = len(bench.device.commands)
        assert await pause.pause(float("inf"))
        await pause.prepare_rest(Integration(5.0))
        await pause.go_on()
        commands = told(bench, since)
        assert (commands[0], commands[-1]) == ("HOLDTIMING", "RELEASETIMING")
        assert "FASTLOADPARAM IntMS 5000" in commands
        assert unit.start is before, "the exposure has begun then"


async def test_it_is_too_late(benches) -> None:
    async with benches(script={"pause_by_hold": True}) as bench:
        pause = ScriptPause(Unit(bench.controller))
        await pause.require(by_hold=True)
        assert not await pause.pause(0.0)
        assert told(bench, 0).count("HOLDTIMING") == 0


async def test_where_the_site_does_not_allow_it(benches, make_acf) -> None:
    async with benches(acf=with_parameter(make_acf())) as bench:
        pause = ScriptPause(Unit(bench.controller))
        with pytest.raises(StateError, match="synchronised by hardware are held to pause"):
            await pause.require(by_hold=True)
