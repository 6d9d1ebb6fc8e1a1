"""The command line: parses arguments and calls one function of the layers below."""

import asyncio
import gc
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from archon_ioc import __version__, app
from archon_ioc.cli_acf import acf as acf_commands
from archon_ioc.cli_expose import expose, read, recover
from archon_ioc.cli_progress import shown_camera
from archon_ioc.cli_sim import sim
from archon_ioc.cli_site import simulated, site_of, site_options
from archon_ioc.config import ControllerConfig, SiteConfig, load
from archon_ioc.driver.connection import connect
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError
from archon_ioc.export.files import stale, write
from archon_ioc.protocol import commands


class _DefaultsToRun(click.Group):
    """``archon-ioc --prefix X:`` means ``archon-ioc run --prefix X:``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Say what this program foresees in one line, without a traceback."""
        try:
            return super().invoke(ctx)
        except ArchonError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_DefaultsToRun)
@click.version_option(__version__)
def main() -> None:
    """An EPICS IOC for STA Archon detector controllers. Without a command: run the IOC."""


for command in (acf_commands, sim, expose, read, recover):
    main.add_command(command)


@main.command()
@click.option("--prefix", envvar="ARCHON_IOC_PREFIX", help="Prefix of all PVs, ARCHON:.")
@site_options
def run(prefix: str | None, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Run the IOC until SIGINT or SIGTERM."""
    app.start_logging(log_level)
    app.run_until_stopped(_serve(site_of(chosen, prefix), simulate))


async def _serve(site: SiteConfig, simulate: bool) -> None:
    async with AsyncExitStack() as stack:
        if simulate:
            site = await simulated(stack, site)
        ioc = app.join(site)
        gc.collect()
        gc.freeze()  # what there is now stays; to look through it again would take 80 ms each time
        await stack.enter_async_context(shown_camera(ioc.camera))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ioc.run(), name="ioc")
            tasks.create_task(_announce(ioc), name="announcement")


async def _announce(ioc: app.Ioc) -> None:
    await ioc.server.started()
    if ioc.pva:
        await ioc.pva.started()
    controllers = ioc.camera.controllers
    for controller in controllers:
        await controller.live.until(lambda state: state.is_up or state.link_errors > 0)
    await ioc.server.flush()  # what is said here can be read
    site, camera = ioc.site, f"{ioc.site.prefix}{ioc.site.names.camera}"
    links = "".join(f"  controller  {_link(unit, one)}\n" for unit, one in zip(site.units, controllers, strict=True))
    click.echo(
        f"archon-ioc {__version__} serves {len(ioc.server.names)} PVs {site.prefix}* over Channel Access,"
        f" port {ioc.server.port}{_pvaccess(ioc)}\n{links}"
        f"  images      {ioc.camera.state.settings.files.path}\n"
        f"  look        caget {camera}DetectorState_RBV {camera}StatusMessage_RBV\n"
        f"  expose      caput {camera}AcquireTime 2; caput -c -w 60 {camera}Acquire 1\n"
        f"  file        caget -S {site.prefix}{site.names.fits}FullFileName_RBV\n"
        f"  stop        Ctrl-C"
    )


def _pvaccess(ioc: app.Ioc) -> str:
    return f", and over PVAccess, port {ioc.pva.port}" if ioc.pva else ""


def _link(unit: ControllerConfig, controller: ArchonController) -> str:
    state = controller.status
    link = f"connected, CCD power {state.power.name}" if state.is_up else f"not connected: {state.reason}"
    return f"{unit.host}:{unit.port}, {link}"


@main.command()
@click.argument("host")
@click.argument("command")
@click.option("--port", type=click.IntRange(1, 65535), default=4242, show_default=True)
def talk(host: str, command: str, port: int) -> None:
    """Send one raw COMMAND to the controller at HOST and print its reply."""
    app.run_until_stopped(_talk(host, port, command))


async def _talk(host: str, port: int, text: str) -> None:
    command = commands.raw(text)
    async with connect(host, port) as connection:
        click.echo(await connection.request(command))


@main.command()
@click.argument("site_file", type=click.Path(path_type=Path))
def check(site_file: Path) -> None:
    """Check a site file, and the ACF that it names."""
    app.check(load(site_file))
    click.echo(f"{site_file} is right")


@main.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a file is stale.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(), help="Where the project is.")
def export(only_check: bool, folder: Path) -> None:
    """Write the files that are made from the rows: EPICS templates and the table of PVs."""
    if only_check:
        if old := stale(folder):
            raise click.ClickException(f"stale, run archon-ioc export: {', '.join(old)}")
        return
    for name in write(folder):
        click.echo(f"wrote {folder / name}")
