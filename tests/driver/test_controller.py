"""The library's public face."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ForbiddenError, InputError, LinkError, RejectedError, StateError
from archon_ioc.protocol.enums import BackplaneType, Power
from archon_ioc.protocol.replies import Frame
from archon_ioc.sim.answers import Answer
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.server import SimServer

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
Check = Callable[[Frame], None]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


# As the documentation of the original library shows it


async def test_the_documented_use() -> None:
    async with SimServer(SimArchon()) as server:
        archon = ArchonController("127.0.0.1", server.port)
        await archon.start()
        command = archon.send_command("SYSTEM")
        await command
        assert "BACKPLANE_TYPE=1" in command.replies[0]
        await archon.stop()


async def test_the_methods_of_the_original_library(lab: Any, assert_pattern: Check) -> None:
    archon = lab.archon
    assert (await archon.get_system()).backplane_type is BackplaneType.X12
    assert (await archon.get_device_status()).power is Power.OFF
    assert await archon.power(True) is Power.ON
    assert await archon.power() is Power.ON
    await archon.reset()
    await archon.set_autoflush(True)
    await archon.flush(3)
    await archon.expose(0.1)
    info = await archon.readout()
    assert_pattern(await archon.fetch(info))
    assert_pattern(await archon.fetch(info.number))
    assert_pattern(await archon.fetch())
    assert (await archon.get_frame()).newest == info
    assert await archon.power(False) is Power.OFF
    assert archon.status.power is Power.OFF


async def test_an_address_from_the_arguments_goes_before_the_configuration() -> None:
    archon = ArchonController("10.7.45.25", 4243)
    assert (archon._keeper.config.host, archon._keeper.config.port) == ("10.7.45.25", 4243)
    assert archon.name == "archon"


async def test_a_chosen_file_is_shown_and_nothing_is_sent(lab: Any) -> None:
    start = lab.mark()
    lab.archon.choose_config("/somewhere/ccd.acf")
    assert lab.archon.status.config_file == "/somewhere/ccd.acf"
    assert lab.device.since(start, *POLLS) == []


# Raw commands


@pytest.mark.parametrize(
    "text",
    ["FLASHACTIVECONFIG", "erasestoredconfig", "FLASHMOD01", "VERIFY", "APPLYNET", "NETRESET", "CALAD0",
     "FASTAUTOFETCH1", "FETCHA00000000000001", "CLEARAD1"],
)  # fmt: skip
async def test_dangerous_commands_are_refused_and_not_sent(lab: Any, text: str) -> None:
    start = lab.mark()
    with pytest.raises(ForbiddenError):
        lab.archon.send_command(text)
    assert lab.device.since(start, *POLLS) == []


# Parameters


async def test_a_parameter_is_set_whatever_its_case(lab: Any) -> None:
    start = lab.mark()
    await lab.archon.set_param("intms", 42)
    assert lab.device.since(start, *POLLS) == ["FASTLOADPARAM IntMS 42"]
    assert lab.device.parameters["INTMS"] == lab.archon.status.parameters["IntMS"] == 42


@pytest.mark.parametrize(("name", "value"), [("NoSuchThing", 1), ("IntMS", -1), ("IntMS", 1_000_001), ("", 1)])
async def test_a_parameter_that_cannot_be_is_refused(lab: Any, name: str, value: int) -> None:
    start = lab.mark()
    with pytest.raises(InputError):
        await lab.archon.set_param(name, value)
    assert lab.device.since(start, *POLLS) == []


async def test_parameters_need_a_configuration(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        with pytest.raises(StateError):
            await lab.archon.set_param("IntMS", 1)


# Power


async def test_power_is_reached_when_power_returns(make_lab: MakeLab) -> None:
    async with make_lab(speed=20) as lab:
        assert await lab.archon.power(True) is Power.ON
        assert lab.archon.status.is_powered
        assert await lab.archon.power(False) is Power.OFF
        assert not lab.archon.status.is_powered


async def test_power_that_is_on_is_not_switched_on(lab: Any) -> None:
    await lab.archon.power(True)
    start = lab.mark()
    assert await lab.archon.power(True) is Power.ON
    assert lab.device.since(start, *POLLS) == []


async def test_power_before_a_configuration_is_applied(make_lab: MakeLab) -> None:
    async with make_lab(applied=False) as lab:
        with pytest.raises(RejectedError, match="APPLYALL first"):
            await lab.archon.power(True)
        assert await lab.archon.power(False) is Power.NOT_CONFIGURED
        assert await lab.archon.power() is Power.NOT_CONFIGURED


async def test_power_that_never_comes_on(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archon_ioc.driver.controller._POWER_SECONDS", 0.2)
    lab.faults.power_stuck = True
    with pytest.raises(StateError, match=r"INTERMEDIATE after 0.2 s, not ON"):
        await lab.archon.power(True)


async def test_a_supply_that_fails(lab: Any) -> None:
    lab.faults.rail = "P5V"
    with pytest.raises((StateError, RejectedError), match=r"POWERGOOD|APPLYALL"):
        await lab.archon.power(True)


async def test_power_on_with_the_load_of_a_configuration(lab: Any, acf: Acf) -> None:
    await lab.archon.power(True)
    await lab.archon.write_config(acf, applyall=True, poweron=True)
    assert lab.archon.status.power is Power.ON
    with pytest.raises(InputError, match="applyall"):
        await lab.archon.write_config(acf, poweron=True)


async def test_an_old_status_after_a_load_is_not_believed(make_lab: MakeLab, acf: Acf, witness: Any) -> None:
    """STATUS gives the last polled readings: after APPLYALL they may still say that the power is on."""

    class Slow(witness):
        stale = 0
        old: Answer = ""

        def handle(self, command: str, now: float) -> Answer:
            answer = super().handle(command, now)
            if command == "APPLYALL":
                self.stale = 4
            elif command == "STATUS" and self.stale:
                self.stale -= 1
                return self.old
            elif command == "STATUS":
                self.old = answer
            return answer

    async with make_lab(kind=Slow, status_period=0.01) as lab:
        await lab.archon.power(True)
        start = lab.mark()
        await lab.archon.write_config(acf, applyall=True, poweron=True)
        assert lab.device.since(start, *POLLS)[-1] == "POWERON"
        assert lab.archon.status.power is Power.ON
        await lab.archon.apply_all()
        assert lab.archon.status.power is Power.OFF


async def test_a_status_that_stays_old_is_reported(
    make_lab: MakeLab, witness: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("archon_ioc.driver.configuration._STATUS_SECONDS", 0.1)

    class Frozen(witness):
        def handle(self, command: str, now: float) -> Answer:
            answer = super().handle(command, now)
            return answer.replace("POWER=2", "POWER=4") if isinstance(answer, str) else answer

    async with make_lab(kind=Frozen) as lab:
        await lab.archon.apply_all()
    assert "still reported ON after APPLYALL" in caplog.text


async def test_power_waits_for_the_end_of_an_upload(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(status_period=5.0) as lab:
        writing = asyncio.create_task(lab.archon.write_config(acf, applyall=True))
        await lab.device.told("WCONFIG0001")
        await lab.archon.power(True)
        await writing
        heard = lab.device.since(0)
        assert heard.index("POWERON") > heard.index("APPLYALL")
        assert lab.archon.status.power is Power.ON


# Stopping


async def write_config(lab: Any, acf: Acf) -> None:
    await lab.archon.write_config(acf, applyall=True)


async def read_config(lab: Any, acf: Acf) -> None:
    await lab.archon.read_config()


async def write_line(lab: Any, acf: Acf) -> None:
    await lab.archon.write_line("LINECOUNT", 20)


async def set_window(lab: Any, acf: Acf) -> None:
    await lab.archon.set_window(lines=10)


async def fetch(lab: Any, acf: Acf) -> None:
    await lab.archon.fetch()


async def expose(lab: Any, acf: Acf) -> None:
    await lab.archon.expose(1.0)


async def readout(lab: Any, acf: Acf) -> None:
    await lab.archon.readout()


async def raw(lab: Any, acf: Acf) -> None:
    command = await lab.archon.send_command("TIMER")
    if command.error:
        raise command.error


@pytest.mark.parametrize(
    ("work", "position"),
    [
        (write_config, "WCONFIG0100"),
        (write_config, "APPLYALL"),
        (read_config, "RCONFIG0100"),
        (write_line, "APPLYCDS"),
        (set_window, "FASTLOADPARAM Lines"),
        (fetch, "FETCHA"),
        (fetch, "LOCK"),
        (expose, "HOLDTIMING"),
        (readout, "FRAME"),
        (raw, "TIMER"),
    ],
)
async def test_a_stop_in_the_middle_of_anything_ends_it(
    make_lab: MakeLab, acf: Acf, work: Callable[[Any, Acf], Any], position: str
) -> None:
    async with make_lab(speed=20) as lab:
        await lab.archon.power(True)
        await lab.shoot()
        lab.faults.delay_reply, lab.faults.delay_seconds = position, 30.0
        task = asyncio.create_task(work(lab, acf), name="archon work")
        await lab.device.told(position)
        async with asyncio.timeout(3):
            await lab.archon.stop()
            with pytest.raises(LinkError):
                await task
        left = {t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("archon")}
        assert left == set()
        state = lab.archon.status
        assert (state.upload, state.fetch) == (None, None)


async def test_run_as_a_task_of_the_caller(make_lab: MakeLab) -> None:
    async with make_lab(started=False) as lab:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(lab.archon.run())
            await lab.up()
            running.cancel()
        assert not lab.archon.status.is_up
