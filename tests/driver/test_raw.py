"""Commands of a person: awaiting one never raises."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.driver.raw import CommandStatus, RawCommand
from archon_ioc.errors import InputError, LinkError, RejectedError
from archon_ioc.protocol.commands import Command

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]


async def test_a_command_that_is_done(lab: Any) -> None:
    command = lab.archon.send_command(" system ")
    assert command.status is CommandStatus.RUNNING
    assert not command.succeeded()
    assert command.replies == []
    assert await command is command
    assert command.text == "SYSTEM"
    assert command.status is CommandStatus.DONE
    assert command.succeeded()
    assert command.replies[0].startswith("BACKPLANE_TYPE=")
    assert command.error is None
    assert repr(command) == "<RawCommand 'SYSTEM': done>"
    assert await command is command, "it can be awaited again"


async def test_a_rejected_command_has_the_reason(lab: Any) -> None:
    command = await lab.archon.send_command("LOADPARAM NOSUCH")
    assert command.status is CommandStatus.FAILED
    assert isinstance(command.error, RejectedError)
    assert "NOSUCH" in command.error.log
    assert command.replies == []


async def test_a_command_without_a_link(lab: Any) -> None:
    await lab.archon.stop()
    command = await lab.archon.send_command("SYSTEM")
    assert command.status is CommandStatus.FAILED
    assert isinstance(command.error, LinkError)


async def test_an_unknown_command_times_out(lab: Any) -> None:
    silent = lab.archon._keeper.request(Command("PING", timeout=0.1))
    command = await RawCommand("PING", asyncio.create_task(silent))
    assert command.status is CommandStatus.TIMEDOUT
    await lab.down()
    await lab.up()


async def test_a_text_that_cannot_be_sent(lab: Any) -> None:
    command = await lab.archon.send_command("STATUS\u20ac")
    assert command.status is CommandStatus.FAILED
    assert isinstance(command.error, InputError)


async def test_the_outcome_is_known_without_awaiting(lab: Any) -> None:
    done, failed = lab.archon.send_command("SYSTEM"), lab.archon.send_command("LOADPARAM NOSUCH")
    await lab.archon.live.until(lambda _: not lab.archon._raw, 5)
    assert done.succeeded()
    assert failed.status is CommandStatus.FAILED


async def test_an_error_that_nobody_looks_at_makes_no_noise(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    lab.archon.send_command("LOADPARAM NOSUCH")
    await lab.archon.live.until(lambda _: not lab.archon._raw, 5)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_an_error_of_our_own_is_raised() -> None:
    async def fail() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await RawCommand("SYSTEM", asyncio.create_task(fail()))


async def test_a_waiter_that_is_cancelled_does_not_cancel_the_command(lab: Any) -> None:
    lab.faults.delay_reply, lab.faults.delay_seconds = "TIMER", 0.1
    command = lab.archon.send_command("TIMER")

    async def wait() -> None:
        await command

    waiter = asyncio.create_task(wait())
    await lab.device.told("TIMER")
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert (await command).succeeded()
