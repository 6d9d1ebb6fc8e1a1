"""What is thought of a configuration that a program finds in the controller when it starts."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ConfigState

MakeLab = Callable[..., AbstractAsyncContextManager[Any]]


async def test_what_is_found_and_is_the_offered_file_has_its_name(make_lab: MakeLab, acf: Acf, tmp_path: Path) -> None:
    path = tmp_path / "ccd.acf"
    path.write_text("[CONFIG]\n" + "\n".join(acf.lines))
    async with make_lab(acf=path) as lab:
        assert (lab.config, lab.archon.status.acf.path) == (ConfigState.APPLIED, str(path))
    path.write_text("[CONFIG]\n" + "\n".join(acf.with_value("LINECOUNT", "20").lines))
    async with make_lab(acf=path) as lab:
        assert (lab.config, lab.archon.status.acf.path) == (ConfigState.APPLIED, "")
        assert lab.archon.status.acf.keys == acf.keys


@pytest.mark.parametrize("text", ["", "no ACF"])
async def test_an_offered_file_that_is_none_does_not_keep_the_link_down(
    make_lab: MakeLab, acf: Acf, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "ccd.acf"
    if text:
        path.write_text(text)
    async with make_lab(acf=path) as lab:
        assert lab.config is ConfigState.APPLIED
        assert lab.archon.status.acf.keys == acf.keys


@pytest.mark.parametrize("changes", [{"LINECOUNT": "20"}, {"FRAMEMODE": "0"}, {"TAPLINES": "2"}])
async def test_what_is_found_and_does_not_fit_the_last_frame_is_perhaps_not_applied(
    make_lab: MakeLab, acf: Acf, changes: dict[str, str]
) -> None:
    async with make_lab() as lab:
        await lab.archon.power(True)
        await lab.shoot()
        await lab.archon.stop()
        for key, value in changes.items():
            lab.ask(f"WCONFIG{acf.line_number(key):04X}{key}={value}")
        async with ArchonController("127.0.0.1", lab.server.port) as archon:
            assert archon.status.config is ConfigState.LOADED
            assert "perhaps not applied: load it again" in archon.status.config_message
            assert archon.status.acf is not None


async def test_counts_that_are_found_and_do_not_belong_to_the_parameters_are_an_error(
    make_lab: MakeLab, acf: Acf, tmp_path: Path
) -> None:
    other = acf.with_value("PARAMETER15", "Lines=131")
    path = tmp_path / "ccd.acf"
    async with make_lab(other) as lab:
        assert lab.config is ConfigState.ERROR
        assert "load the configuration again" in lab.archon.status.config_message
        path.write_text("[CONFIG]\n" + "\n".join(other.lines))
        await lab.archon.write_config(path, applyall=True)
        assert lab.config is ConfigState.APPLIED
    async with make_lab(other, acf=path) as lab:
        assert lab.config is ConfigState.APPLIED, "the file has it so"
