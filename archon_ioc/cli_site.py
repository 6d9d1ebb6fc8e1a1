"""Options of the commands that need controllers, and the site that they describe."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from archon_ioc import app
from archon_ioc.config import SiteConfig, load, validated


def site_options(command: Any) -> Any:
    """Add the options that say which controller, where and with which ACF."""
    for option in reversed(
        (
            click.option("--config", "config_path", type=click.Path(path_type=Path), help="Site file (YAML)."),
            click.option("--host", help="Address of the controller."),
            click.option("--port", type=click.IntRange(1, 65535), help="Port of the controller, 4242."),
            click.option(
                "--acf", type=click.Path(path_type=Path), help="ACF to offer; it is loaded by a client's put."
            ),
            click.option("--simulate", is_flag=True, help="Run with a simulated controller, powered and configured."),
            click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the images, ./data."),
            click.option("--log-level", type=click.Choice(app.LOG_LEVELS), default="info", show_default=True),
        )
    ):
        command = option(command)
    return command


def site_of(chosen: Mapping[str, Any], prefix: str | None = None) -> SiteConfig:
    """Return the site file's settings with those of `site_options` over them.

    Raises:
        ConfigError: if the site file is wrong.
    """
    path = chosen["config_path"]
    site = load(path) if path else SiteConfig()
    if prefix == os.environ.get("ARCHON_IOC_PREFIX") and "prefix" in site.model_fields_set:
        prefix = None  # what is written for this camera ranks before what is set for a whole host
    controller = {key: chosen[key] for key in ("host", "port", "acf") if chosen[key] is not None}
    folder = chosen["data_dir"]
    files = {"path": folder, "state": folder / "state"} if folder else {}
    if controller and site.controllers:
        raise click.UsageError("--host, --port and --acf are for a single controller; the site file names several")
    raw = site.model_dump(exclude_unset=True)
    raw |= {"controller": raw.get("controller", {}) | controller} if controller else {}
    raw |= {"files": raw.get("files", {}) | files} if files else {}
    raw |= {"prefix": prefix} if prefix is not None else {}
    return validated(raw)


async def simulated(stack: AsyncExitStack, site: SiteConfig) -> SiteConfig:
    """Run simulated controllers as long as ``stack`` is open, and return the site with them instead of its own."""
    acfs = [unit.acf or app.demo_acf() for unit in site.units]
    sync = "--sync" if site.sync == "hardware" else "--no-sync"
    ports = await stack.enter_async_context(app.simulator(acfs, sync, "--powered", "--log-level", "warning"))
    return app.with_simulators(site, ports, app.demo_acf())
