"""What a hook is told, and that the table of hooks is whole."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from archon_ioc.config import HooksConfig
from archon_ioc.exposure import hooks
from archon_ioc.exposure.hooks import HookCall, Hooks
from archon_ioc.exposure.settings import ExposureSettings


def test_what_a_hook_is_told_cannot_be_changed() -> None:
    call = HookCall(ExposureSettings(), 7, ("blue",), Path("/data"))
    with pytest.raises(FrozenInstanceError):
        call.number = 8  # type: ignore[misc]
    assert not call.over.is_set()


def test_the_site_file_has_every_hook_and_the_same_defaults() -> None:
    config = HooksConfig()
    assert {field.name for field in fields(Hooks)} == set(HooksConfig.model_fields)
    assert (Hooks().timeout, Hooks().wait) == (config.timeout, config.wait)


def test_every_hook_is_explained() -> None:
    assert hooks.__doc__
    for name in ("PreExpose", "DuringExposure", "DuringReadout", "PostProcess"):
        assert f"`{name}`" in hooks.__doc__
        assert getattr(hooks, name).__doc__
