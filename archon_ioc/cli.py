"""The command line: parses arguments and calls one function of the layers below."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import click

from archon_ioc import __version__, app
from archon_ioc.cli_acf import acf as acf_commands
from archon_ioc.cli_sim import sim
from archon_ioc.config import ControllerConfig, SiteConfig, load, validated
from archon_ioc.driver.connection import connect
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.driver.timing import readout_progress
from archon_ioc.errors import ArchonError, StateError
from archon_ioc.export.files import stale, write
from archon_ioc.exposure import kinds
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ExposureSettings, ImageMode, TriggerMode
from archon_ioc.exposure.state import CameraState
from archon_ioc.exposure.together import together
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


main.add_command(acf_commands)


main.add_command(sim)


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


@main.command()
@click.option("--prefix", envvar="ARCHON_IOC_PREFIX", help="Prefix of all PVs, ARCHON:.")
@site_options
def run(prefix: str | None, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Run the IOC until SIGINT or SIGTERM."""
    app.start_logging(log_level)
    app.run_until_stopped(_serve(_site(prefix=prefix, **chosen), simulate))


async def _serve(site: SiteConfig, simulate: bool) -> None:
    async with AsyncExitStack() as stack:
        if simulate:
            site = await _simulated(stack, site)
        ioc = app.join(site)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ioc.run(), name="ioc")
            tasks.create_task(_announce(ioc), name="announcement")
            if sys.stderr.isatty():
                tasks.create_task(_show_progress(ioc.camera), name="progress")


async def _announce(ioc: app.Ioc) -> None:
    await ioc.server.started()
    controllers = ioc.camera.controllers
    for controller in controllers:
        await controller.live.until(lambda state: state.is_up or state.link_errors > 0)
    site, camera = ioc.site, f"{ioc.site.prefix}{ioc.site.names.camera}"
    links = "".join(f"  controller  {_link(unit, one)}\n" for unit, one in zip(site.units, controllers, strict=True))
    click.echo(
        f"archon-ioc {__version__} serves {len(ioc.server.names)} PVs {site.prefix}* over Channel Access,"
        f" port {ioc.server.port}\n{links}"
        f"  images      {ioc.camera.state.settings.files.path}\n"
        f"  look        caget {camera}DetectorState_RBV {camera}StatusMessage_RBV\n"
        f"  expose      caput {camera}AcquireTime 2; caput -c -w 60 {camera}Acquire 1\n"
        f"  file        caget -S {site.prefix}{site.names.fits}FullFileName_RBV\n"
        f"  stop        Ctrl-C"
    )


def _link(unit: ControllerConfig, controller: ArchonController) -> str:
    state = controller.status
    link = f"connected, CCD power {state.power.name}" if state.is_up else f"not connected: {state.reason}"
    return f"{unit.host}:{unit.port}, {link}"


@main.command()
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="Exposure time.")
@click.option("--type", "kind", default="object", show_default=True, help="What for: bias, dark, flat, arc, object, …")
@click.option("--dark", "kind", flag_value="dark", help="The same as --type dark.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option("--with-dark", is_flag=True, help="A dark of the same length after each.")
@click.option("--power-on", is_flag=True, help="Load and apply the ACF and switch the CCD power on before.")
@site_options
def expose(count: int, power_on: bool, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Take exposures without EPICS and print the names of their files."""
    app.start_logging(log_level)
    wanted = {name: chosen.pop(name) for name in ("seconds", "kind", "with_dark")}
    app.run_until_stopped(_expose(_site(**chosen), wanted, count, simulate, power_on))


async def _expose(site: SiteConfig, wanted: dict[str, Any], count: int, simulate: bool, power_on: bool) -> None:
    async with AsyncExitStack() as stack:
        if simulate:
            site = await _simulated(stack, site)
        app.check(site)
        controllers = app.make_controllers(site)
        await together({one.name: stack.enter_async_context(one) for one in controllers})
        if power_on:
            await together({one.name: _power_on(one) for one in controllers})
        camera = Camera(controllers, site)
        async with _running(camera):
            await camera.live.until(lambda state: state.is_up)
            for settings in count * list(_shots(camera.state, **wanted)):
                await _take(camera, settings)


async def _take(camera: Camera, settings: ExposureSettings) -> None:
    await camera.acquire(settings)
    if not camera.filing.settings.auto_save:
        await camera.filing.write()
    click.echo("\n".join(camera.filing.written))


def _shots(state: CameraState, seconds: float, kind: str, with_dark: bool) -> Iterator[ExposureSettings]:
    """Yield the settings of an exposure, and of its dark."""
    for name in (kind, "dark") if with_dark else (kind,):
        # For these exposures only: what is kept belongs to the IOC, whose next exposure must not become a dark.
        yield state.settings.changed(
            seconds=seconds,
            image_mode=ImageMode.SINGLE,
            num_exposures=1,
            with_dark=False,
            readout=True,
            readout_delay=0.0,
            trigger_mode=TriggerMode.INTERNAL,
            **kinds.changes(name, state.exposure_types),
        )


async def _power_on(controller: ArchonController) -> None:
    if not controller.status.config_file:
        raise click.UsageError("--power-on needs an ACF")
    await controller.write_config(controller.status.config_file, applyall=True, poweron=True)


@main.command()
@click.option("--discard", is_flag=True, help="Give up what is pending instead.")
@site_options
def recover(discard: bool, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Fetch and write what was exposed and is not on the disk, without EPICS, and print the names of its files."""
    if simulate:
        raise click.UsageError("a new simulated controller has no frames")
    app.start_logging(log_level)
    app.run_until_stopped(_recover(_site(**chosen), discard))


async def _recover(site: SiteConfig, discard: bool) -> None:
    controllers = app.make_controllers(site)
    recovery = Camera(controllers, site).recovery
    try:
        pending = await recovery.controllers()
        if discard:
            await recovery.discard()
            click.echo(f"discarded {len(pending)}" if pending else "nothing is pending")
            return
        if not pending:
            click.echo("nothing is pending")
            return
        async with AsyncExitStack() as stack:
            wanted = [one for one in controllers if one.name in pending]
            await together({one.name: stack.enter_async_context(one) for one in wanted})
            async with _shown(wanted):
                names, problems = await recovery.recover()
        for name in names:
            click.echo(name)
        if problems:
            raise StateError("; ".join(problems))
    finally:
        recovery.leave()


@asynccontextmanager
async def _shown(controllers: Sequence[ArchonController]) -> AsyncGenerator[None]:
    """Show a progress bar of each fetch, where somebody looks."""

    async def show(controller: ArchonController) -> None:
        async for state in controller.live.watch():
            if state.fetch:
                click.echo(f"\r{state.name}: {_bar(state.fetch):<60}\r", nl=False, err=True)

    showing = [asyncio.create_task(show(one)) for one in controllers if sys.stderr.isatty()]
    try:
        yield
    finally:
        for task in showing:
            task.cancel()
        if showing:
            await asyncio.wait(showing)


@asynccontextmanager
async def _running(camera: Camera) -> AsyncGenerator[None]:
    """Run the camera for the length of the block. However often it is told to stop, the hardware is stopped first."""
    running = asyncio.create_task(camera.run(), name="camera")
    try:
        yield
    finally:
        running.cancel()
        while not running.done():
            with suppress(asyncio.CancelledError):  # the first one is on its way already
                await asyncio.wait([running])
    if not running.cancelled():
        running.result()


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


def _site(
    *, config_path: Path | None, host: str | None, port: int | None, acf: Path | None, data_dir: Path | None,
    prefix: str | None = None,
) -> SiteConfig:  # fmt: skip
    """Return the site file's settings with those of the command line over them."""
    site = load(config_path) if config_path else SiteConfig()
    if prefix == os.environ.get("ARCHON_IOC_PREFIX") and "prefix" in site.model_fields_set:
        prefix = None  # what is written for this camera ranks before what is set for a whole host
    controller = {key: value for key, value in {"host": host, "port": port, "acf": acf}.items() if value is not None}
    files = {"path": data_dir, "state": data_dir / "state"} if data_dir else {}
    if controller and site.controllers:
        raise click.UsageError("--host, --port and --acf are for a single controller; the site file names several")
    raw = site.model_dump(exclude_unset=True)
    raw |= {"controller": raw.get("controller", {}) | controller} if controller else {}
    raw |= {"files": raw.get("files", {}) | files} if files else {}
    raw |= {"prefix": prefix} if prefix is not None else {}
    return validated(raw)


async def _simulated(stack: AsyncExitStack, site: SiteConfig) -> SiteConfig:
    acfs = [unit.acf or app.demo_acf() for unit in site.units]
    sync = "--sync" if site.sync == "hardware" else "--no-sync"
    simulated = app.simulator(acfs, sync, "--powered", "--log-level", "warning")
    ports = await stack.enter_async_context(simulated)
    return app.with_simulators(site, ports, app.demo_acf())


async def _show_progress(camera: Camera) -> None:
    shown = ""
    async for state in camera.live.watch():
        line = _progress(state)
        if line != shown:
            click.echo(f"\r{line:<70}\r" if line else f"\r{'':<70}\r", nl=False, err=True)
            shown = line


def _progress(state: CameraState) -> str:
    steps = [step for controller in state.controllers if (step := _step(controller, acquiring=state.acquiring))]
    step = min(steps, key=lambda step: step.percent, default=None)  # of the last one, where there are several
    if step and step.step is Step.READING_BACK:
        return f"{step.step.value} the configuration, {step.done} lines"  # nobody knows how many there are
    if step:
        return _bar(step)
    return f"exposing, {state.remaining:.1f} s left" if state.phase is Phase.INTEGRATING else ""


def _bar(step: Progress) -> str:
    return f"{step.step.value:<12} [{'#' * int(step.percent / 4):<25}] {step.percent:3.0f} %"


def _step(controller: ControllerState, *, acquiring: bool) -> Progress | None:
    return controller.upload or controller.fetch or (readout_progress(controller) if acquiring else None)
