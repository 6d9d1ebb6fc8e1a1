"""The options of a site, and the settings that they stand above."""

from pathlib import Path
from typing import Any

import click
import pytest

from archon_ioc.cli_site import site_of
from archon_ioc.errors import ConfigError

NOTHING: dict[str, Any] = dict.fromkeys(("config_path", "host", "port", "acf", "data_dir"))


def written(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "site.yaml"
    path.write_text(text)
    return NOTHING | {"config_path": path}


def test_options_stand_above_the_site_file(tmp_path: Path) -> None:
    options = written(tmp_path, "controller: {host: 10.0.0.2, port: 4243, status_period: 2}\nfiles: {name: m31}")
    site = site_of(options | {"host": "10.0.0.3", "data_dir": tmp_path})
    assert (site.controller.host, site.controller.port, site.controller.status_period) == ("10.0.0.3", 4243, 2)
    assert (site.files.name, site.files.path, site.files.state) == ("m31", tmp_path, tmp_path / "state")


def test_a_prefix_of_the_host_does_not_replace_that_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHON_IOC_PREFIX", "HOST:")
    assert site_of(NOTHING, "HOST:").prefix == "HOST:"
    assert site_of(written(tmp_path, "prefix: 'SITE:'"), "HOST:").prefix == "SITE:"
    assert site_of(written(tmp_path, "prefix: 'SITE:'"), "OPTION:").prefix == "OPTION:"


def test_options_for_one_controller_do_not_choose_among_several(tmp_path: Path) -> None:
    options = written(tmp_path, "controllers: [{name: b1}, {name: r1}]")
    with pytest.raises(click.UsageError, match="for a single controller"):
        site_of(options | {"host": "127.0.0.1"})


def test_a_wrong_file_is_named() -> None:
    with pytest.raises(ConfigError, match="/nowhere"):
        site_of(NOTHING | {"config_path": Path("/nowhere.yaml")})
