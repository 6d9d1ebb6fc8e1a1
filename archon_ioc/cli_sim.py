"""The command ``sim``: simulated controllers on ports of their own."""

import asyncio
import math
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from archon_ioc import app
from archon_ioc.acf.file import Acf
from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import SystemInfo
from archon_ioc.sim.clock import Clock
from archon_ioc.sim.device import SimArchon
from archon_ioc.sim.scene import StarField, TestPattern
from archon_ioc.sim.server import SimServer
from archon_ioc.sim.sync import SyncSet

_MIB = 1 << 20
_LAST_PORT = 65535


class _Finite(click.FloatRange):
    """A finite number of a range: nan and inf pass the comparisons of the range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail in one line."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def sim_options(command: Any) -> Any:
    """Add the options that say what is simulated and how."""
    for option in reversed(
        (
            click.option("--port", type=click.IntRange(0, _LAST_PORT), default=4242, show_default=True,
                         help="0 takes a free one. The first of several."),
            click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.option("--acf", "acfs", type=click.Path(path_type=Path), multiple=True,
                         help="What the flash memory holds; the demonstration ACF. Given again: a further controller."),
            click.option("--applied", is_flag=True, help="Boot with the ACF applied, as APPLYALL=1 in flash does."),
            click.option("--powered", is_flag=True, help="Boot with CCD power on, as POWERON=1 in flash does."),
            click.option("--speed", type=_Finite(0), default=1.0, show_default=True,
                         help="Time runs so fast; 0: nothing takes time."),
            click.option("--latency", type=_Finite(0),
                         help="Scale of the reply times of real controllers; follows --speed."),
            click.option("--fetch-rate", type=_Finite(0),
                         help="MiB/s of a fetch, 0 for no limit; 100 times --speed."),
            click.option("--clients", type=click.IntRange(1),
                         help="How many are served at once: 1, or 4 where the ACF is of a Rev H."),
            click.option("--refuse", is_flag=True, help="Close a client too many at once instead of letting it wait."),
            click.option("--fault", "faults", multiple=True, metavar="NAME[=VALUE]",
                         help="Something that goes wrong; may be repeated."),
            click.option("--control-port", type=click.IntRange(0, _LAST_PORT),
                         help="Port for lines of text that make things happen; 0 takes a free one."),
            click.option("--count", type=click.IntRange(1, 32), default=1, show_default=True,
                         help="So many controllers of each ACF, on consecutive ports."),
            click.option("--sync/--no-sync", default=True, show_default=True,
                         help="Whether several share the clock and resets of the first one."),
            click.option("--pattern", is_flag=True, help="Pixels that encode tap, line and column instead of a sky."),
            click.option("--until-eof", is_flag=True, help="Stop when standard input is closed."),
            click.option("--log-level", type=click.Choice(app.LOG_LEVELS), default="info", show_default=True),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class Chosen:
    """The options of ``sim``."""

    port: int
    host: str
    acfs: Sequence[Path]
    applied: bool
    powered: bool
    speed: float
    latency: float | None
    fetch_rate: float | None
    clients: int | None
    refuse: bool
    faults: Sequence[str]
    control_port: int | None
    count: int
    sync: bool
    pattern: bool


@click.command()
@sim_options
def sim(log_level: str, until_eof: bool, **chosen: Any) -> None:
    """Run simulated Archons on ports of their own."""
    app.start_logging(log_level)
    app.run_until_stopped(_simulate(Chosen(**chosen), until_eof))


async def _simulate(chosen: Chosen, until_eof: bool) -> None:
    paths = [path for path in chosen.acfs or [app.demo_acf()] for _ in range(chosen.count)]
    for first in (chosen.port, chosen.control_port):
        if first and first + len(paths) - 1 > _LAST_PORT:
            raise InputError(f"{len(paths)} ports from {first} on: the last one there is is {_LAST_PORT}")
    devices = [_device(Acf.read(path), chosen) for path in paths]
    synced = SyncSet(devices) if chosen.sync and len(devices) > 1 else None
    clock = Clock(chosen.speed)
    async with AsyncExitStack() as stack:
        for number, (path, device) in enumerate(zip(paths, devices, strict=True)):
            server = _server(device, number, clock, chosen)
            try:
                await stack.enter_async_context(server)
            except OSError as error:
                raise InputError(error.strerror or str(error)) from error
            click.echo(_introduction(server, path, chosen))
            if synced:
                click.echo(f"  sync        {'leads the others' if number == 0 else 'follows the first one'}")
        if not until_eof:
            click.echo("stop with Ctrl-C")
        await (asyncio.to_thread(sys.stdin.read) if until_eof else asyncio.Event().wait())


def _device(acf: Acf, chosen: Chosen) -> SimArchon:
    # Ten seconds ago: what is to be powered has its voltages when the first client comes.
    device = SimArchon(acf, applied=chosen.applied or chosen.powered, now=-10.0)
    if chosen.powered:
        device.handle("POWERON", -10.0)
    device.faults.take(*chosen.faults)
    return device


def _server(device: SimArchon, number: int, clock: Clock, chosen: Chosen) -> SimServer:
    return SimServer(
        device,
        chosen.host,
        chosen.port and chosen.port + number,
        latency=chosen.latency,
        scene=TestPattern() if chosen.pattern else StarField(),
        fetch_rate=None if chosen.fetch_rate is None else chosen.fetch_rate * _MIB,
        max_clients=chosen.clients,
        refuses=chosen.refuse,
        clock=clock,
        control_port=chosen.control_port and chosen.control_port + number,
    )


def _introduction(server: SimServer, path: Path, chosen: Chosen) -> str:
    """Return what is simulated; the first line ends with the port, for programs."""
    system = SystemInfo.parse(str(server.device.handle("SYSTEM", server.now)))
    acf = Acf.read(path)
    rows, columns = acf.frame_shape
    modules = ", ".join(f"{module.slot} {module.type.label}" for module in system.modules)
    speed = f"{chosen.speed:g} times real time" if chosen.speed else "nothing takes time"
    lines = [
        f"simulated Archon at {chosen.host}:{server.port}",
        f"  acf         {path if chosen.acfs else 'the demonstration'}: {columns} x {rows} pixels"
        f" from {len(acf.taps)} taps, {_state(chosen)}",
        f"  modules     {modules}",
        f"  time        {speed}",
    ]
    if faults := server.faults.active():
        lines.append(f"  faults      {' '.join(f'{name}={value}' for name, value in faults.items())}")
    if server.control_port is not None:
        lines.append(f"  control     echo help | nc -N {server.control_host} {server.control_port}")
    return "\n".join([*lines, f"  look        archon-ioc talk {chosen.host} --port {server.port} STATUS"])


def _state(chosen: Chosen) -> str:
    return "powered" if chosen.powered else "applied" if chosen.applied else "not applied"
