"""Changing single lines of the configuration."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ConfigState
from archon_ioc.errors import ForbiddenError, InputError, LinkError, RejectedError, StateError

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


@pytest.mark.parametrize(
    ("key", "value", "apply"),
    [
        ("MOD2/HEATERATARGET", -90.5, "APPLYMOD01"),
        ("mod10\\label1", "P1X", "APPLYMOD09"),
        ("MOD4/VCPU_INREG3", 5, "APPLYDIO03"),
        ("LINECOUNT", 20, "APPLYCDS"),
        ("TAPLINE1", "AD2R, 1, 900", "APPLYCDS"),
        ("TRIGOUTLEVEL", 1, "APPLYSYSTEM"),
        ("FANDISABLE", 1, "APPLYSYSTEM"),
        ("LINE0", "# nothing", "LOADTIMING"),
        ("PARAMETER10", "IntMS=250", "LOADPARAM IntMS"),
        ("PARAMETER12", "# nothing", "LOADPARAMS"),
    ],
)
async def test_a_line_is_written_and_applied_as_narrowly_as_possible(
    make_lab: MakeLab, acf: Acf, key: str, value: Any, apply: str
) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        await lab.archon.write_line(key, value)
        own = acf.find(key)
        number = acf.line_number(key)
        line = f"{own}={value}"
        assert lab.device.since(start, *POLLS) == [f"RCONFIG{number:04X}", f"WCONFIG{number:04X}{line}", apply]
        assert lab.ask(f"RCONFIG{number:04X}") == line
        assert lab.archon.status.acf.keys[own] == str(value)
        assert lab.config is ConfigState.APPLIED


async def test_a_stored_parameter_is_known_after_its_line_was_written(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.set_param("NoIntMS", 3)
        await lab.archon.write_line("PARAMETER10", "IntMS=250")
        assert lab.archon.status.parameters["IntMS"] == lab.device.parameters["INTMS"] == 250
        assert lab.archon.status.parameters["NoIntMS"] == lab.device.parameters["NOINTMS"] == 3


async def test_loading_the_script_again_keeps_the_window(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.set_window(lines=10, overscanlines=0)
        await lab.archon.set_param("NoIntMS", 3)
        await lab.archon.write_line("LINE0", "# nothing")
        assert lab.archon.status.parameters["Lines"] == lab.device.parameters["LINES"] == 10
        assert lab.archon.status.parameters["NoIntMS"] == lab.device.parameters["NOINTMS"] == 0


async def test_a_line_can_be_left_unapplied_or_applied_by_another_command(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        await lab.archon.write_line("LINECOUNT", 21, apply=False)
        assert lab.device.since(start, "RCONFIG", "WCONFIG", *POLLS) == []
        assert lab.config is ConfigState.MODIFIED
        await lab.archon.write_line("PIXELCOUNT", 50, apply="applycds")
        assert lab.device.since(start, "RCONFIG", "WCONFIG", *POLLS) == ["APPLYCDS"]
        assert lab.device.applied.line_count == 21
        assert lab.config is ConfigState.APPLIED


@pytest.mark.parametrize(
    ("key", "value", "apply", "error"),
    [
        ("NOSUCHKEY", 1, True, InputError),
        ("LINECOUNT", "many", True, InputError),
        ("LINECOUNT", "5\n6", True, InputError),
        ("LINE0", "x" * 2100, True, InputError),
        ("LINE0", "# \u20ac", True, InputError),
        ("APPLYALL", 1, True, InputError),
        ("LINECOUNT", 5, "FLASHACTIVECONFIG", ForbiddenError),
    ],
)
async def test_what_cannot_be_written_is_refused_and_changes_nothing(
    make_lab: MakeLab, acf: Acf, key: str, value: Any, apply: Any, error: type[Exception]
) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        with pytest.raises(error):
            await lab.archon.write_line(key, value, apply)
        assert [command for command in lab.device.since(start) if command.startswith(("APPLY", "LOAD", "FLASH"))] == []
        assert [lab.ask(f"RCONFIG{n:04X}") for n in range(len(acf.lines))] == list(acf.lines)
        assert lab.archon.status.acf.keys == acf.keys


async def test_a_line_is_written_back_when_it_cannot_be_applied(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        with pytest.raises(RejectedError, match="Nowhere"):
            await lab.archon.write_line("LINE13", "HOLD; GOTO Nowhere")
        number = acf.line_number("LINE13")
        assert lab.ask(f"RCONFIG{number:04X}") == acf.lines[number]
        assert lab.archon.status.acf.keys == acf.keys
        assert lab.config is ConfigState.APPLIED


async def test_a_line_is_written_back_and_applied_back_when_its_apply_is_rejected(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        lab.faults.reject = "APPLYSYSTEM"
        with pytest.raises(RejectedError, match="on purpose"):
            await lab.archon.write_line("TRIGOUTFORCE", 1)
        number = acf.line_number("TRIGOUTFORCE")
        assert lab.device.since(start, *POLLS)[-2:] == [f"WCONFIG{number:04X}TRIGOUTFORCE=0", "APPLYSYSTEM"]
        assert lab.archon.status.acf.keys == acf.keys
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


@pytest.mark.parametrize("command", ["WCONFIG", "APPLYSYSTEM"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancellation_waits_until_the_line_is_applied(make_lab: MakeLab, command: str, times: int) -> None:
    """Else memory and hardware would say different things, of the shutter for instance."""
    async with make_lab() as lab:
        lab.faults.delay_reply = command
        lab.faults.delay_seconds = 0.2
        writing = asyncio.create_task(lab.archon.write_line("TRIGOUTFORCE", 1))
        await lab.device.told(command)
        for _ in range(times):
            writing.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert lab.archon.status.acf.keys["TRIGOUTFORCE"] == lab.device.applied.keys["TRIGOUTFORCE"] == "1"
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


async def test_a_cancelled_line_that_is_rejected_is_written_back(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        lab.faults.delay_reply, lab.faults.delay_seconds = "WCONFIG", 0.2
        lab.faults.reject = "APPLYSYSTEM"
        writing = asyncio.create_task(lab.archon.write_line("TRIGOUTFORCE", 1))
        await lab.device.told("WCONFIG")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert lab.ask(f"RCONFIG{acf.line_number('TRIGOUTFORCE'):04X}") == "TRIGOUTFORCE=0"
        assert lab.archon.status.acf.keys == acf.keys


@pytest.mark.parametrize("command", ["WCONFIG", "APPLYSYSTEM"])
async def test_a_line_is_doubtful_when_the_link_is_lost_before_it_is_known_to_be_applied(
    make_lab: MakeLab, command: str
) -> None:
    async with make_lab() as lab:
        lab.faults.drop_reply = command
        writing = asyncio.create_task(lab.archon.write_line("TRIGOUTFORCE", 1))
        await lab.device.told(command)
        lab.server.link_drop()
        with pytest.raises(LinkError):
            await writing
        await lab.down()
        await lab.up()
        state = lab.archon.status
        assert state.doubtful == {"TRIGOUTFORCE"}
        assert state.acf.keys["TRIGOUTFORCE"] == "1", "what is in the memory"
        assert state.config is ConfigState.MODIFIED
        assert "TRIGOUTFORCE" in state.config_message
        await lab.archon.write_line("TRIGOUTFORCE", 0)
        assert lab.device.applied.keys["TRIGOUTFORCE"] == "0"
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


async def test_applying_all_ends_every_doubt(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_line("TRIGOUTLEVEL", 1, apply=False)
        await lab.archon.write_line("LINECOUNT", 20, apply=False)
        assert lab.archon.status.doubtful == {"TRIGOUTLEVEL", "LINECOUNT"}
        await lab.archon.apply_all()
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())
        await lab.archon.write_line("TRIGOUTLEVEL", 0, apply=False)
        await lab.archon.write_config(acf, applyall=True)
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


async def test_a_doubt_stays_when_another_program_loaded_something_else(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_line("TRIGOUTLEVEL", 1, apply=False)
        lab.server.link_drop()
        lab.ask("CLEARCONFIG")
        for n, line in enumerate(reversed(acf.lines)):
            lab.ask(f"WCONFIG{n:04X}{line}")
        await lab.down()
        await lab.up()
        assert lab.archon.status.acf.keys["TRIGOUTLEVEL"] == "0"
        assert lab.archon.status.doubtful == {"TRIGOUTLEVEL"}
        assert lab.config is ConfigState.MODIFIED


async def test_a_line_that_was_left_unapplied_is_applied_with_the_next_of_its_kind(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.write_line("TRIGOUTLEVEL", 1, apply=False)
        await lab.archon.write_line("LINECOUNT", 20)
        assert lab.config is ConfigState.MODIFIED
        await lab.archon.write_line("TRIGOUTFORCE", 1)
        assert lab.device.applied.keys["TRIGOUTLEVEL"] == "1"
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


async def test_a_line_that_was_left_unapplied_and_is_rejected_next_time_stays_so(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.write_line("TRIGOUTLEVEL", 1, apply=False)
        lab.faults.reject = "WCONFIG"
        with pytest.raises(RejectedError):
            await lab.archon.write_line("TRIGOUTLEVEL", 0)
        assert lab.archon.status.acf.keys["TRIGOUTLEVEL"] == "1"
        assert lab.archon.status.doubtful == {"TRIGOUTLEVEL"}


async def test_lines_written_at_the_same_time_are_all_kept(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        values = {"LINECOUNT": 20, "PIXELCOUNT": 50, "TRIGOUTLEVEL": 1, "MOD2/HEATERATARGET": -80}
        await asyncio.gather(*(lab.archon.write_line(key, value) for key, value in values.items()))
        assert {key: lab.archon.status.acf.keys[key] for key in values} == {k: str(v) for k, v in values.items()}
        for key in values:
            await lab.archon.write_line(key, 1)


async def test_a_line_that_another_program_changed_is_not_overwritten(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        number = acf.line_number("LINECOUNT")
        lab.ask(f"WCONFIG{number:04X}LINECOUNT=17")
        with pytest.raises(StateError, match=r"another program.*LINECOUNT=17"):
            await lab.archon.write_line("LINECOUNT", 5)
        assert lab.ask(f"RCONFIG{number:04X}") == "LINECOUNT=17"
        assert lab.config is ConfigState.MODIFIED


async def test_a_line_whose_reply_was_lost_can_be_written_again(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        writing = asyncio.create_task(lab.archon.write_line("TRIGOUTLEVEL", 1))
        lab.faults.drop_reply = "WCONFIG"
        await lab.device.told("WCONFIG")
        lab.server.link_drop()
        with pytest.raises(LinkError):
            await writing
        await lab.down()
        await lab.up()
        await lab.archon.write_line("TRIGOUTLEVEL", 1)
        assert lab.device.applied.keys["TRIGOUTLEVEL"] == lab.archon.status.acf.keys["TRIGOUTLEVEL"] == "1"
