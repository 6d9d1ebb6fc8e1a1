"""What is wrong with a configuration is told before it is loaded, and refused where the site wants that."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.driver.inspection import inspect, require_readable
from archon_ioc.driver.state import ConfigState
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.replies import SystemInfo

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]

HOT = {"MOD2/HEATERAFORCE": "1", "MOD2/HEATERAFORCELEVEL": "25"}
BAD = {"MOD9/HVLC_V1": "32", "LINE13": "HOLD; GOTO Nowhere"}


async def test_what_endangers_the_detector_is_refused_and_nothing_is_sent(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        start = lab.mark()
        with pytest.raises(ConfigError, match=r"HEATERAFORCE: .*above its LIMIT.*check: warn"):
            await lab.archon.write_config(acf.with_values(HOT), applyall=True)
        assert lab.device.since(start, "STATUS", "FRAME", "FETCHLOG") == []
        state = lab.archon.status
        assert (state.config, state.acf.keys) == (ConfigState.APPLIED, acf.keys)


async def test_a_site_can_load_it_all_the_same(make_lab: MakeLab, acf: Acf, caplog: pytest.LogCaptureFixture) -> None:
    async with make_lab(check="warn") as lab:
        await lab.archon.write_config(acf.with_values(HOT), applyall=True)
        assert lab.config is ConfigState.APPLIED
        assert lab.archon.status.config_message == "demo.acf is applied; the check found 1 error"
    assert "force-above-limit" in caplog.text


async def test_what_is_found_is_told_with_the_state(make_lab: MakeLab, acf: Acf) -> None:
    async with make_lab() as lab:
        doubtful = acf.with_values({"POWERON": "1", "RAWENABLE": "1", "TAPLINE1": "AD9R, 1, 1100"})
        await lab.archon.write_config(doubtful)
        assert lab.config is ConfigState.LOADED
        assert lab.archon.status.config_message.endswith("the check found 1 error and 2 warnings")
        await lab.archon.write_config(acf, applyall=True)
        assert lab.archon.status.config_message == "demo.acf is applied"


async def test_a_configuration_for_other_modules_is_refused(acf: Acf) -> None:
    system = SystemInfo.from_fields({**acf.system, "MOD9_TYPE": "11"})
    with pytest.raises(ConfigError, match="slot 9 is of type HVXBias in the file, of type HeaterX here"):
        await inspect(acf, system, ControllerConfig(), ScriptConfig())


async def test_the_refusal_names_the_first_reasons_and_the_log_all(acf: Acf, caplog: pytest.LogCaptureFixture) -> None:
    wrong = acf.with_values(HOT | BAD | {"MOD9/HVLC_V2": "33"})
    with pytest.raises(ConfigError, match=r"; and 1 more \("):
        await inspect(wrong, None, ControllerConfig(), ScriptConfig())
    assert [key for key in ("LINE13", "MOD9/HVLC_V2", "HEATERAFORCE") if key not in caplog.text] == []


async def test_nothing_is_checked_where_the_site_does_not_want_it(acf: Acf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert await inspect(acf.with_values(BAD), None, ControllerConfig(check="off"), ScriptConfig()) == ""
    assert caplog.text == ""


async def test_the_names_of_the_site_count(acf: Acf, caplog: pytest.LogCaptureFixture) -> None:
    stored = acf.with_value("PARAMETER10", "IntMS=5")
    assert (
        await inspect(stored, None, ControllerConfig(), ScriptConfig(do_flush="IntMS")) == "the check found 1 warning"
    )
    assert "stored-demand" in caplog.text


async def test_whether_the_frames_of_a_window_are_whole(acf: Acf, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await require_readable(acf, acf, ScriptConfig()) == ""
    with pytest.raises(InputError, match="PIXELCOUNT=600"):
        await require_readable(acf.with_value("PIXELCOUNT", "600"), acf, ScriptConfig())
    monkeypatch.setattr("archon_ioc.acf.rehearsal._MOST_STEPS", 10)
    assert "is not known and not checked" in await require_readable(acf, acf, ScriptConfig())
