"""The commands ``archon-ioc expose``, ``read`` and ``recover``: exposures without EPICS."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import click

from archon_ioc import app
from archon_ioc.cli_progress import shown_camera, shown_fetches
from archon_ioc.cli_site import simulated, site_of, site_options
from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import StateError
from archon_ioc.exposure import kinds
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.loading import hooks_of
from archon_ioc.exposure.opening import make_controllers, open_camera
from archon_ioc.exposure.settings import ExposureSettings, ImageMode, TriggerMode
from archon_ioc.exposure.state import CameraState
from archon_ioc.exposure.together import together


@click.command()
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="Exposure time.")
@click.option("--type", "kind", default="object", show_default=True, help="What for: bias, dark, flat, arc, object, …")
@click.option("--dark", "kind", flag_value="dark", help="The same as --type dark.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option("--with-dark", is_flag=True, help="A dark of the same length after each.")
@click.option("--no-readout", is_flag=True, help="Leave it on the CCD, for archon-ioc read.")
@click.option("--power-on", is_flag=True, help="Load and apply the ACF and switch the CCD power on before.")
@site_options
def expose(count: int, power_on: bool, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Take exposures without EPICS and print the names of their files."""
    wanted = {name: chosen.pop(name) for name in ("seconds", "kind", "with_dark", "no_readout")}
    if wanted["no_readout"] and (count > 1 or wanted["with_dark"]):
        raise click.UsageError("--no-readout leaves one exposure on the CCD, not several")
    if wanted["no_readout"] and simulate:
        raise click.UsageError("the simulated controller ends with this command, and its CCD with it")
    app.start_logging(log_level)
    app.run_until_stopped(_expose(site_of(chosen), wanted, count, simulate, power_on))


async def _expose(site: SiteConfig, wanted: dict[str, Any], count: int, simulate: bool, power_on: bool) -> None:
    async with AsyncExitStack() as stack:
        if simulate:
            site = await simulated(stack, site)
        app.check(site)
        camera = await stack.enter_async_context(open_camera(site, app.shutter(site)))
        await stack.enter_async_context(shown_camera(camera))
        if power_on:
            async with camera.undisturbed():
                await together({one.name: _power_on(one) for one in camera.controllers})
        for settings in count * list(_shots(camera.state, **wanted)):
            await (_take if settings.readout else _leave)(camera, settings)


async def _take(camera: Camera, settings: ExposureSettings) -> None:
    await camera.acquire(settings)
    await _print_files(camera)


async def _leave(camera: Camera, settings: ExposureSettings) -> None:
    if not camera.filing.settings.auto_save:
        raise StateError("without AutoSave nothing is kept of an exposure that is not read out; switch it on")
    await camera.acquire(settings)
    click.echo("the exposure is on the CCD: archon-ioc read reads it out", err=True)


async def _print_files(camera: Camera) -> None:
    if not camera.filing.settings.auto_save:
        await camera.filing.write()
    click.echo("\n".join(camera.filing.written))


def _shots(
    state: CameraState, seconds: float, kind: str, with_dark: bool, no_readout: bool
) -> Iterator[ExposureSettings]:
    """Yield the settings of an exposure, and of its dark."""
    for name in (kind, "dark") if with_dark else (kind,):
        # For these exposures only: what is kept belongs to the IOC, whose next exposure must not become a dark.
        yield state.settings.changed(
            seconds=seconds,
            image_mode=ImageMode.SINGLE,
            num_exposures=1,
            with_dark=False,
            readout=not no_readout,
            readout_delay=0.0,
            trigger_mode=TriggerMode.INTERNAL,
            **kinds.changes(name, state.exposure_types),
        )


async def _power_on(controller: ArchonController) -> None:
    if not controller.status.config_file:
        raise click.UsageError("--power-on needs an ACF")
    await controller.write_config(controller.status.config_file, applyall=True, poweron=True)


@click.command()
@site_options
def read(simulate: bool, log_level: str, **chosen: Any) -> None:
    """Read out what an exposure without a readout has left on the CCD, and print the names of its files."""
    if simulate:
        raise click.UsageError("a new simulated controller has nothing on its CCD")
    app.start_logging(log_level)
    app.run_until_stopped(_read(site_of(chosen)))


async def _read(site: SiteConfig) -> None:
    async with open_camera(site, app.shutter(site)) as camera, shown_camera(camera):
        await camera.read()
        await _print_files(camera)


@click.command()
@click.option("--discard", is_flag=True, help="Give up what is pending instead.")
@site_options
def recover(discard: bool, simulate: bool, log_level: str, **chosen: Any) -> None:
    """Fetch and write what was exposed and is not on the disk, without EPICS, and print the names of its files."""
    if simulate:
        raise click.UsageError("a new simulated controller has no frames")
    app.start_logging(log_level)
    app.run_until_stopped(_recover(site_of(chosen), discard))


async def _recover(site: SiteConfig, discard: bool) -> None:
    controllers = make_controllers(site)
    recovery = Camera(controllers, site, app.shutter(site), hooks_of(site.hooks)).recovery
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
            async with shown_fetches(wanted):
                names, problems = await recovery.recover()
        if recovery.hooking:
            await recovery.hooking.posted()
        for name in names:
            click.echo(name)
        if problems:
            raise StateError("; ".join(problems))
    finally:
        recovery.leave()
