"""Changing the window."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ConfigState
from archon_ioc.errors import InputError, LinkError, RejectedError, StateError

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]
POLLS = ("STATUS", "FRAME", "FETCHLOG")


async def test_a_window_changes_the_next_frame(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        window = await lab.archon.set_window(lines=10, pixels=20, vbin=2, hbin=2)
        assert (window.lines, window.pixels, window.vbin, window.hbin) == (10, 20, 2, 2)
        assert lab.archon.status.window == window
        info = await lab.shoot()
        assert (info.width, info.height) == (2 * (20 + 4) // 2, 2 * (10 + 2) // 2)
        await lab.archon.set_window(lines=31, pixels=56, vbin=1, hbin=1)
        info = await lab.shoot()
        assert (info.width, info.height) == (120, 66)


async def test_a_window_that_leaves_nothing_is_refused_before_anything_is_sent(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        for changes in ({"lines": 1, "overscanlines": 0, "vbin": 4}, {"lines": 0}, {"nosuch": 1}, {"pixels": 65535}):
            with pytest.raises(InputError):
                await lab.archon.set_window(**changes)
        assert lab.device.since(start, *POLLS) == []


async def test_a_window_needs_a_configuration(make_lab: MakeLab) -> None:
    async with make_lab(None) as lab:
        with pytest.raises(StateError, match="no configuration"):
            await lab.archon.set_window(lines=5)


@pytest.mark.parametrize("prefix", ["FASTLOADPARAM Pixels", "WCONFIG", "APPLYCDS"])
async def test_a_window_that_is_rejected_leaves_the_old_one(make_lab: MakeLab, acf: Acf, prefix: str) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        old = lab.archon.status.window
        lab.faults.reject = prefix
        with pytest.raises(RejectedError):
            await lab.archon.set_window(lines=10, pixels=20)
        assert lab.archon.status.window == old
        info = await lab.shoot()
        assert (info.width, info.height) == (120, 66)
        assert [lab.ask(f"RCONFIG{n:04X}") for n in range(len(acf.lines))] == list(acf.lines)


async def test_a_window_that_a_lost_link_leaves_half_set_is_said_to_be_so(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        setting = asyncio.create_task(lab.archon.set_window(lines=10))
        await lab.device.told("APPLYCDS")
        lab.server.link_drop()
        with pytest.raises(LinkError):
            await setting
        await lab.down()
        await lab.up()
        assert lab.config is ConfigState.MODIFIED
        assert "window" in lab.archon.status.config_message
        await lab.archon.set_window(lines=10)
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())
        assert (await lab.shoot()).height == 2 * 12


async def test_a_window_survives_a_reconnect(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        window = await lab.archon.set_window(lines=10)
        await lab.relinked()
        assert lab.archon.status.window == window
        assert lab.config is ConfigState.APPLIED


async def test_a_window_stays_when_the_timing_cores_load_the_configuration_again(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        await lab.archon.set_window(lines=10, pixels=20, vbin=2, hbin=2)
        await lab.archon.apply_all()
        await lab.archon.power(True)
        info = await lab.shoot()
        assert (info.width, info.height) == (2 * (20 + 4) // 2, 2 * (10 + 2) // 2)


async def test_a_restarted_program_knows_the_window(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        window = await lab.archon.set_window(lines=30, vbin=2, hbin=2)
        await lab.shoot()
        await lab.archon.stop()
        async with ArchonController("127.0.0.1", lab.server.port) as archon:
            assert archon.status.config is ConfigState.APPLIED
            assert archon.status.window == window
            assert archon.status.parameters["Lines"] == 15
            await archon.set_window(lines=31, vbin=1, hbin=1)
            assert archon.status.acf.keys == acf.keys
            await archon.power(True)
            await archon.expose(0.0)
            info = await archon.readout()
            assert (info.width, info.height) == (120, 66)


async def test_a_window_touches_only_what_it_changes(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        await lab.archon.set_window(vbin=2)
        written = [command[11:] for command in lab.device.since(start) if command.startswith("WCONFIG")]
        assert written == [
            "LINECOUNT=16", "PARAMETER15=Lines=16", "PARAMETER17=OverscanLines=1", "PARAMETER23=VerticalBinning=2"
        ]  # fmt: skip
        await lab.archon.set_window(vbin=1)
        assert lab.archon.status.acf.digest == acf.digest


async def test_a_window_is_set_as_a_whole_although_it_is_cancelled(make_lab: MakeLab) -> None:
    async with make_lab() as lab:
        lab.faults.delay_reply, lab.faults.delay_seconds = "APPLYCDS", 0.1
        setting = asyncio.create_task(lab.archon.set_window(lines=10))
        await lab.device.told("APPLYCDS")
        setting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await setting
        assert lab.archon.status.window.lines == lab.device.parameters["LINES"] == 10
        assert lab.device.applied.line_count == 12
        assert (lab.config, lab.archon.status.doubtful) == (ConfigState.APPLIED, frozenset())


async def test_a_controller_that_was_restarted_has_lost_the_window(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        await lab.archon.set_window(preskiplines=5)
        await lab.archon.send_command("REBOOT")
        await lab.down()
        await lab.up()
        assert lab.config is ConfigState.LOADED
        assert lab.archon.status.window.preskiplines == 0
        assert lab.archon.status.acf.keys == acf.keys


async def test_a_window_that_the_script_never_reads_whole_is_refused(make_lab: MakeLab, acf: Acf) -> None:
    """Pixel and line counts are in step with the parameters, but this script ignores one of them."""
    deaf = acf.with_value(
        next(key for key, text in acf.keys.items() if "CALL Pixel(Pixels)" in text), "HOLD; CALL Pixel(56)"
    )
    async with make_lab(deaf) as lab:
        start = lab.mark()
        with pytest.raises(InputError, match="the script clocks 61 pixels per line, PIXELCOUNT=84"):
            await lab.archon.set_window(pixels=80)
        with pytest.raises(InputError, match="PIXELCOUNT=84"):
            await lab.archon.check_window(pixels=80)
        assert lab.device.since(start, *POLLS) == []
        assert (await lab.archon.set_window(pixels=20)).pixels == 20


async def test_a_window_that_does_not_fit_into_a_buffer_is_refused(lab: Any) -> None:
    with pytest.raises(InputError, match="a buffer 512 MiB"):
        await lab.archon.set_window(lines=60_000, pixels=20_000)


async def test_a_window_is_planned_without_being_set(lab: Any) -> None:
    start, old = lab.mark(), lab.archon.status.window
    planned = await lab.archon.check_window(lines=10, vbin=2)
    assert (planned.lines, planned.vbin) == (10, 2)
    assert lab.archon.status.window == old
    assert lab.device.since(start, *POLLS) == []


async def test_a_reset_returns_to_the_window_as_loaded(lab: Any, acf: Acf) -> None:
    default = lab.archon.status.default_window
    await lab.archon.set_window(lines=10, pixels=20, vbin=2, preskiplines=3)
    assert lab.archon.status.default_window == default
    window = await lab.archon.set_window(reset=True, hbin=2)
    assert window == default.changed({"hbin": 2})
    assert await lab.archon.set_window(reset=True) == default
    assert lab.archon.status.acf.keys == acf.keys


async def test_a_restarted_program_knows_which_window_is_the_files(make_lab: MakeLab, acf: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_text("[CONFIG]\n" + "\n".join(acf.lines))
    async with make_lab() as lab:
        await lab.archon.power(True)
        default = lab.archon.status.default_window
        window = await lab.archon.set_window(vbin=2, hbin=3, preskiplines=1)  # 31 lines are not a multiple of 2
        await lab.shoot()
        await lab.archon.stop()
        config = ControllerConfig(acf=path)
        async with ArchonController("127.0.0.1", lab.server.port, config=config) as archon:
            assert archon.status.config is ConfigState.APPLIED
            assert (archon.status.window, archon.status.default_window) == (window, default)
            assert archon.status.acf.path == str(path)
            await archon.set_window(reset=True)
            assert archon.status.acf.keys == acf.keys


async def test_it_is_told_when_nobody_knows_whether_frames_will_be_whole(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_lab() as lab:
        monkeypatch.setattr("archon_ioc.acf.rehearsal._MOST_STEPS", 10)
        await lab.archon.set_window(lines=10)
        assert lab.config is ConfigState.APPLIED
        assert "the window is set, but" in lab.archon.status.config_message
        assert "is not known and not checked" in lab.archon.status.config_message
