"""What is in the controller's configuration memory, what is known of it, and changing it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.state import ConfigState, Step
from archon_ioc.errors import ConfigError, InputError, LinkError, RejectedError, StateError
from archon_ioc.protocol.enums import Power

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


def without(acf: Acf, *keys: str) -> Acf:
    return replace(acf, keys=MappingProxyType({k: v for k, v in acf.keys.items() if k not in keys}))


# Loading


async def test_a_configuration_is_loaded_and_applied(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(None) as lab:
        assert lab.config is ConfigState.UNLOADED
        states: set[Any] = set()

        async def watch() -> None:
            async for state in lab.archon.live.watch():
                states.add((state.config, state.upload.step if state.upload else None))

        watching = asyncio.create_task(watch())
        await lab.archon.write_config(acf, applyall=True)
        watching.cancel()
        assert (ConfigState.LOADING, Step.WRITING) in states
        assert (ConfigState.LOADING, Step.VERIFYING) in states
        assert (ConfigState.APPLYING, Step.APPLYING) in states
        state = lab.archon.status
        assert (state.config, state.upload, state.acf) == (ConfigState.APPLIED, None, acf)
        assert state.parameters == acf.parameters
        assert "demo.acf is applied" in state.config_message
        assert state.power is Power.OFF
        assert lab.device.applied.keys == acf.keys


async def test_loading_alone_applies_nothing(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(None) as lab:
        await lab.archon.write_config(acf)
        assert lab.config is ConfigState.LOADED
        assert lab.device.applied.keys == {}
        await lab.archon.apply_all()
        assert lab.config is ConfigState.APPLIED
        assert lab.device.applied.keys == acf.keys


async def test_a_file_is_loaded_with_overrides(make_lab: MakeLab, acf: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_text("[CONFIG]\n" + "\n".join(acf.lines))
    async with make_lab(None) as lab:
        await lab.archon.write_config(path, applyall=True, overrides={"linecount": 7})
        assert lab.device.applied.line_count == 7
        assert lab.archon.status.acf.line_count == 7
        await lab.archon.write_config(str(path), applyall=True)
        assert lab.device.applied.line_count == acf.line_count


async def test_single_modules_are_applied_by_slot(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        await lab.archon.write_config(acf, applymods=[2, 10])
        assert lab.device.since(start, *POLLS)[-2:] == ["APPLYMOD01", "APPLYMOD09"]
        assert lab.config is ConfigState.LOADED


@pytest.mark.parametrize(
    ("overrides", "error"),
    [({"NOSUCHKEY": "1"}, InputError), ({"LINECOUNT": "many"}, ConfigError), ({"TAPLINE0": "XX1"}, ConfigError)],
)
async def test_bad_overrides_are_refused_before_anything_is_sent(
    make_lab: MakeLab, acf: Acf, overrides: dict[str, str], error: type[Exception]
) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        with pytest.raises(error, match=next(iter(overrides))):
            await lab.archon.write_config(acf, overrides=overrides)
        assert lab.device.since(start, *POLLS) == []
        assert lab.config is ConfigState.APPLIED


async def test_what_is_no_configuration_is_refused_before_anything_is_sent(
    make_lab: MakeLab, acf: Acf, tmp_path: Path
) -> None:
    (tmp_path / "image.fits").write_bytes(b"SIMPLE  =                    T")
    sources = [
        tmp_path / "none.acf",
        tmp_path,
        tmp_path / "image.fits",
        Acf(MappingProxyType({})),
        without(acf, "LINECOUNT"),
    ]
    async with make_lab() as lab:
        start = lab.mark()
        for source in sources:
            with pytest.raises(ConfigError):
                await lab.archon.write_config(source, applyall=True)
        assert lab.device.since(start, *POLLS) == []
        assert lab.config is ConfigState.APPLIED
        assert lab.archon.status.acf.keys == acf.keys


async def test_two_loads_at_the_same_time_follow_each_other(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        other = acf.with_value("LINECOUNT", "8")
        await asyncio.gather(lab.archon.write_config(acf, applyall=True), lab.archon.write_config(other, applyall=True))
        assert lab.device.applied.keys == lab.archon.status.acf.keys == other.keys


async def test_a_rejected_line_is_named_with_the_reason(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        lab.faults.reject = "WCONFIG0007"
        line = acf.lines[7]
        with pytest.raises(RejectedError) as raised:
            await lab.archon.write_config(acf, applyall=True)
        assert line in str(raised.value)
        assert "rejected on purpose" in raised.value.log
        state = lab.archon.status
        assert (state.config, state.acf, state.upload, state.window) == (ConfigState.ERROR, None, None, None)
        assert line in state.config_message
        assert state.parameters == {}
        assert lab.device.since(0, *POLLS)[-1] == "POLLON"
        with pytest.raises(StateError, match="no configuration is loaded"):
            await lab.archon.write_line("LINECOUNT", 5)


async def test_a_configuration_that_the_controller_does_not_understand(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(check="warn") as lab:
        with pytest.raises(RejectedError, match="Nowhere"):
            await lab.archon.write_config(acf.with_value("LINE13", "HOLD; GOTO Nowhere"), applyall=True)
        assert lab.config is ConfigState.ERROR
        assert "Nowhere" in lab.archon.status.config_message
        await lab.relinked()
        assert lab.config is ConfigState.ERROR, "applied by a reconnect"
        await lab.archon.write_config(acf, applyall=True)
        assert lab.config is ConfigState.APPLIED


async def test_a_rejected_apply_stays_an_error_over_a_reconnect(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        lab.faults.reject = "APPLYALL"
        with pytest.raises(RejectedError, match="rejected on purpose"):
            await lab.archon.apply_all()
        assert lab.config is ConfigState.ERROR
        await lab.relinked()
        assert lab.config is ConfigState.ERROR
        await lab.archon.apply_all()
        assert lab.config is ConfigState.APPLIED


async def test_what_is_only_loaded_is_not_applied_by_a_reconnect(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_config(acf.with_value("LINECOUNT", "9"))
        await lab.relinked()
        assert lab.config is ConfigState.LOADED


@pytest.mark.parametrize("position", ["CLEARCONFIG", "WCONFIG0003", "WCONFIG0180", "RCONFIG0008", "APPLYALL"])
async def test_a_link_cut_during_an_upload(make_lab: MakeLab, acf: Acf, position: str) -> None:
    async with make_lab(status_period=0.01) as lab:
        writing = asyncio.create_task(lab.archon.write_config(acf.with_value("LINECOUNT", "9"), applyall=True))
        await lab.device.told(position)
        lab.server.link_drop()
        with pytest.raises(LinkError):
            await writing
        start = lab.mark()
        await lab.down()
        await lab.up()
        assert lab.device.since(start, "WCONFIG", "RCONFIG", "APPLY")[0] == "POLLON"
        assert lab.archon.status.config is ConfigState.ERROR
        assert "not fully loaded" in lab.archon.status.config_message
        assert lab.archon.status.acf is None, "half a configuration was taken for a whole one"
        assert lab.archon.status.upload is None
        await lab.archon.write_config(acf, applyall=True)
        assert lab.config is ConfigState.APPLIED


async def test_an_upload_that_is_cancelled_is_an_error(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        writing = asyncio.create_task(lab.archon.write_config(acf, applyall=True))
        await lab.device.told("WCONFIG0010")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        state = lab.archon.status
        assert (state.config, state.acf, state.upload) == (ConfigState.ERROR, None, None)
        assert lab.device.since(0, *POLLS)[-1] == "POLLON"
        await lab.archon.write_config(acf, applyall=True)
        assert lab.config is ConfigState.APPLIED


async def test_an_upload_without_a_link_changes_nothing(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        lab.archon.reconnect()
        with pytest.raises(LinkError):
            await lab.archon.write_config(acf, applyall=True)
        await lab.down()
        with pytest.raises(LinkError):
            await lab.archon.write_config(acf, applyall=True)
        await lab.up()
        assert lab.config is ConfigState.APPLIED


async def test_a_link_lost_while_another_upload_runs_concerns_that_one(make_lab: MakeLab, acf: Acf) -> None:
    """The second waits for its turn, and then for the link that there is."""
    async with make_lab() as lab:
        first = asyncio.create_task(lab.archon.write_config(acf, applyall=True))
        second = asyncio.create_task(lab.archon.read_config())
        await lab.device.told("WCONFIG0010")
        lab.server.link_drop()
        with pytest.raises(LinkError):
            await first
        with pytest.raises(LinkError):
            await second
        await lab.up()
        assert lab.config is ConfigState.ERROR


# Finding out what there is


async def test_an_applied_configuration_is_taken_over(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(applied=True) as lab:
        state = lab.archon.status
        assert state.config is ConfigState.APPLIED
        assert state.acf.keys == acf.keys
        assert state.parameters == acf.parameters
        assert state.window is not None
        assert state.upload is None
        assert f"{len(acf.keys)} lines were found" in state.config_message
        assert not [command for command in lab.device.heard if command.startswith(("W", "APPLY", "LOAD", "FAST"))]


async def test_a_configuration_from_flash_is_not_applied(make_lab: MakeLab) -> None:
    async with make_lab(applied=False) as lab:
        assert lab.config is ConfigState.LOADED


@pytest.mark.parametrize("missing", ["LINECOUNT", "PIXELCOUNT", "TAPLINE3", "LINE20", "PARAMETER5", "STATE3/NAME"])
async def test_half_a_configuration_does_not_keep_the_link_down(make_lab: MakeLab, acf: Acf, missing: str) -> None:
    async with make_lab(without(acf, missing), applied=False) as lab:
        assert lab.config is ConfigState.ERROR
        assert missing in lab.archon.status.config_message
        assert lab.archon.status.acf is None
        await lab.archon.write_config(acf, applyall=True)
        assert lab.config is ConfigState.APPLIED


async def test_a_bad_value_in_the_controller_does_not_keep_the_link_down(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab(acf.with_value("LINECOUNT", "many"), applied=False) as lab:
        assert lab.config is ConfigState.ERROR
        assert "LINECOUNT" in lab.archon.status.config_message


async def test_the_same_configuration_is_recognised_after_a_reconnect(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_config(acf, applyall=True)
        await lab.archon.set_param("IntMS", 77)
        start = lab.mark()
        await lab.relinked()
        assert lab.config is ConfigState.APPLIED
        assert lab.archon.status.acf.keys == acf.keys
        assert lab.archon.status.acf.path == acf.path
        assert lab.archon.status.parameters["IntMS"] == 77
        assert len([command for command in lab.device.since(start) if command.startswith("RCONFIG")]) < 20


async def test_a_configuration_that_another_program_loaded_is_found_on_reconnect(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_config(acf, applyall=True)
        other = acf.with_value("LINECOUNT", "21")
        lab.server.link_drop()
        lab.ask("CLEARCONFIG")
        for n, line in enumerate(reversed(other.lines)):
            lab.ask(f"WCONFIG{n:04X}{line}")
        await lab.down()
        await lab.up()
        assert dict(lab.archon.status.acf.keys) == dict(other.keys)
        assert "were found in the controller" in lab.archon.status.config_message


async def test_a_controller_that_was_restarted_is_not_applied(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.write_config(acf, applyall=True)
        await lab.archon.send_command("REBOOT")
        await lab.down()
        await lab.up()
        assert lab.config is ConfigState.LOADED
        assert lab.archon.status.power is Power.NOT_CONFIGURED


async def test_reading_back_changes_nothing(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        before = lab.archon.status
        assert (await lab.archon.read_config()).keys == acf.keys
        after = lab.archon.status
        assert (after.acf, after.config, after.upload) == (before.acf, before.config, None)
