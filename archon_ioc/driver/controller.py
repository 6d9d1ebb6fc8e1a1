"""ArchonController: one Archon box, kept connected, with typed operations. The library's public face.

>>> async def ask(host: str, port: int) -> list[str]:
...     archon = ArchonController(host, port)
...     await archon.start()
...     cmd = archon.send_command("SYSTEM")
...     await cmd
...     await archon.stop()
...     return cmd.replies

With a simulated controller, so that it can be tried anywhere:

>>> from archon_ioc.sim.device import SimArchon
>>> from archon_ioc.sim.server import SimServer
>>> async def try_it() -> None:
...     async with SimServer(SimArchon()) as server:
...         print((await ask("127.0.0.1", server.port))[0].split()[0])
>>> asyncio.run(try_it())
BACKPLANE_TYPE=1
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import MappingProxyType
from typing import Self

from archon_ioc.acf.file import Acf
from archon_ioc.config import ControllerConfig, ScriptConfig
from archon_ioc.driver.configuration import Configuration
from archon_ioc.driver.keeper import STOPPED, Keeper
from archon_ioc.driver.prediction import Prediction
from archon_ioc.driver.raw import RawCommand
from archon_ioc.driver.state import ControllerState
from archon_ioc.driver.timing import Integration, Timing
from archon_ioc.driver.window import Window
from archon_ioc.errors import InputError, LinkError, StateError
from archon_ioc.live import Live
from archon_ioc.protocol import commands
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import BufferInfo, DeviceStatus, Frame, FrameStatus, SystemInfo

log = logging.getLogger(__name__)

_POWER_SECONDS = 20.0
"""Longest time for the biases to ramp; they were seen to take 1 s, order groups can make it longer."""


class ArchonController:
    """One Archon controller.

    Either ``async with ArchonController(host) as archon:`` (or `start` and `stop`), or `run` as a task of the
    caller. Methods raise `LinkError` while the link is not UP and `RejectedError` when the controller refuses.

    Changing what moves a voltage is always an explicit call: connecting changes nothing but locks and polling.
    """

    def __init__(
        self,
        host: str,
        port: int = 4242,
        *,
        config: ControllerConfig | None = None,
        script: ScriptConfig | None = None,
    ) -> None:
        settings = (config or ControllerConfig()).model_copy(update={"host": host, "port": port})
        self._keeper = Keeper(settings)
        self._task: asyncio.Task[None] | None = None
        self._raw: set[asyncio.Task[str]] = set()
        self._exposure: _Exposure | None = None
        names = script or ScriptConfig()
        self.timing = Timing(self._keeper, names)
        """What the timing cores are told, and the frames."""
        self.clock = self._keeper.clock
        """The controller's TIMER in the time of this host."""
        self._configuration = Configuration(self._keeper, self.timing, names)
        self._keeper.synchronise = self._configuration.synchronise
        self._keeper.companion = Prediction(self._keeper, names).run

    # life

    async def run(self) -> None:
        """Keep connected and poll, until cancelled."""
        await self._keeper.run()

    async def start(self) -> Self:
        """Connect, and keep connected until `stop`.

        Raises:
            LinkError: if the first attempt fails.
        """
        if self._task is not None:
            return self
        errors = self.status.link_errors
        self._keeper.update(reason="connecting")
        self._task = asyncio.create_task(self.run(), name=f"{self.name} controller")
        state = self.status
        try:
            state = await self.live.until(
                lambda state: state.is_up or state.link_errors > errors or state.reason == STOPPED
            )
        finally:
            if not state.is_up:
                await self.stop()
        if not state.is_up:
            raise LinkError(state.reason)
        return self

    async def stop(self) -> None:
        """Close the link; the controller goes on with what it does.

        Raises:
            Exception: whatever ended the keeping of the link before, if anything did.
        """
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task, *self._raw})
        if not task.cancelled() and (error := task.exception()):
            raise error

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # state

    @property
    def name(self) -> str:
        """The controller's name in messages and headers."""
        return self._keeper.config.name

    @property
    def live(self) -> Live[ControllerState]:
        """The state, to be watched: ``async for state in archon.live.watch()``."""
        return self._keeper.live

    @property
    def status(self) -> ControllerState:
        """The latest state."""
        return self._keeper.state

    async def get_system(self) -> SystemInfo:
        """Ask for backplane and modules."""
        return await self._keeper.refresh_system()

    async def get_device_status(self) -> DeviceStatus:
        """Ask for power, temperatures, rails and biases."""
        return await self._keeper.refresh()

    async def get_frame(self) -> FrameStatus:
        """Ask for the frame buffers."""
        return await self._keeper.refresh_frames()

    def send_command(self, text: str) -> RawCommand:
        """Send one command given as text; await the result and look at ``status`` and ``replies``.

        Raises:
            ForbiddenError: for firmware, flash and network commands, and for those with binary replies.
        """
        command = commands.raw(text)
        task = asyncio.create_task(self._keeper.request(command), name=f"{self.name} {command.text[:20]}")
        self._raw.add(task)
        task.add_done_callback(self._raw.discard)
        return RawCommand(command.text, task)

    def reconnect(self) -> None:
        """Drop the link and connect again."""
        self._keeper.reconnect()

    # configuration

    def choose_config(self, path: str) -> None:
        """Name the ACF that clients load next; nothing is sent."""
        self._keeper.update(config_file=path)

    async def read_config(self) -> Acf:
        """Read back the configuration memory."""
        return await self._configuration.read()

    async def write_config(
        self,
        source: Acf | str | PathLike[str],
        applyall: bool = False,
        applymods: Sequence[int] = (),
        poweron: bool = False,
        overrides: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Replace the controller's configuration by an ACF (or the file at that path) and verify it.

        ``applyall`` makes it take effect, which turns CCD power off; ``applymods`` applies single slots;
        ``poweron`` powers the CCD afterwards; ``overrides`` replaces values of keys that the ACF has.

        Raises:
            ConfigError: if the file is wrong or what was written cannot be read back.
            InputError: for an override of a key that the ACF does not have, or ``poweron`` without ``applyall``.
        """
        if poweron and not applyall:
            raise InputError("poweron needs applyall: power is refused before a configuration is applied")
        await self._configuration.write(source, overrides, applyall, applymods)
        if poweron:
            await self.power(True)

    async def apply_all(self) -> None:
        """Make the loaded configuration take effect. CCD power is off afterwards."""
        await self._configuration.apply_all()

    async def write_line(self, key: str, value: float | str, apply: bool | str = True) -> None:
        """Change one key of the loaded configuration and apply it.

        ``apply`` True sends the narrowest command that makes the key take effect, a text sends that command,
        False leaves it for later.

        Raises:
            InputError: if the configuration has no such key.
            StateError: if the controller's memory no longer holds what this program loaded.
            RejectedError: if it is not accepted; the old value is written back.
        """
        await self._configuration.write_line(key, value, apply)

    async def set_param(self, name: str, value: int) -> None:
        """Give a parameter of the timing script a value at once; the configuration memory keeps the old one.

        Raises:
            InputError: if the script has no such parameter or the value is out of range.
        """
        own = self._configuration.require().parameter_name(name)
        if own is None:
            raise InputError(f"the timing script has no parameter {name!r}")
        await self.timing.set_parameters({own: value})

    async def set_window(self, reset: bool = False, **changes: int) -> Window:
        """Change which lines and pixels are read, and return the new window.

        The fields of `Window` can be given; the others keep their values, or with ``reset`` have those of the
        configuration as it was loaded. What fails is undone.

        Raises:
            InputError: for a value out of range, or a frame that would not fit or never be whole.
            StateError: if the timing script lacks the parameter.
            RejectedError: if the controller refuses a part of it.
        """
        return await self._configuration.set_window(changes, reset=reset)

    async def check_window(self, reset: bool = False, **changes: int) -> Window:
        """Return the window that `set_window` would set, and set nothing.

        Raises:
            InputError: for a value out of range, or a frame that would not fit or never be whole.
            StateError: if the timing script lacks the parameter.
        """
        return await self._configuration.check_window(changes, reset=reset)

    # power

    async def power(self, on: bool | None = None) -> Power:
        """Return the state of the CCD power; True or False switches it and waits until it is done.

        Raises:
            RejectedError: if the controller refuses, before a configuration is applied for instance.
            StateError: if the state is not reached, and why.
        """
        status = await self._keeper.refresh()
        wanted = (Power.ON,) if on else (Power.OFF, Power.NOT_CONFIGURED)
        if on is None or status.power in wanted:
            return status.power  # POWERON of a powered CCD is an error to some firmware
        async with self._keeper.undisturbed():  # not between the commands of an upload
            await self._keeper.request(commands.power_on() if on else commands.power_off())
        try:
            status = await self._keeper.refresh_until(
                lambda status: status.power in wanted or not status.power_good, _POWER_SECONDS
            )
        except TimeoutError:
            name = self.status.power.name
            raise StateError(f"the CCD power is {name} after {_POWER_SECONDS:g} s, not {wanted[0].name}") from None
        if status.power not in wanted:
            raise StateError("the power supply reports a fault (POWERGOOD=0)")
        log.info("%s: CCD power %s", self.name, status.power.name)
        return status.power

    # the seed's words for exposures

    async def reset(self, autoflush: bool = True) -> None:
        """Stop whatever the timing script does and restart it idle."""
        self._exposure = None
        await self.timing.make_safe()
        if not autoflush:
            await self.set_autoflush(False)

    async def hold(self) -> None:
        """Hold the timing cores: the script stops as in its first state, until `Timing.begin` starts it anew."""
        await self._keeper.request(commands.hold_timing())

    async def set_autoflush(self, mode: bool) -> None:
        """Switch continuous clearing while idle, now and after each exposure.

        Raises:
            StateError: if the script cannot.
        """
        name = self.timing.script().auto_flush
        if name is None:
            raise StateError("this timing script has no parameter for AutoFlush")
        self.timing.auto_flush = mode
        await self.timing.set_parameters({name: int(mode)})

    async def expose(self, exposure_time: float = 1.0, readout: bool = True) -> None:
        """Start an integration of ``exposure_time`` seconds; without ``readout`` its charge stays on the CCD.

        Raises:
            StateError: if an exposure is running, the CCD is not powered or the script cannot do it.
            InputError: if the time is out of range.
        """
        if self._exposure is not None:
            raise StateError("an exposure is running; abort or reset first")
        if not self.status.is_powered:
            raise StateError(f"the CCD power is {self.status.power.name}, it must be ON")
        before = await self.timing.prepare(Integration(exposure_time, readout))
        self._exposure = _Exposure(before, time.monotonic() + exposure_time, readout)
        await self.timing.begin()

    async def abort(self, readout: bool = False) -> None:
        """End the running integration, and read it out or throw it away."""
        if not readout:
            await self.reset()
            return
        await self.timing.read_early()
        if self._exposure:
            self._exposure = _Exposure(self._exposure.before, time.monotonic(), reads_out=True)

    async def flush(self, count: int = 2) -> None:
        """Start clearing the CCD ``count`` times."""
        await self.timing.flush(count)

    async def readout(self) -> BufferInfo:
        """Wait for the frame of what `expose` started, or else read out what is on the CCD; return its buffer.

        Raises:
            ReadoutError: if no whole frame comes.
            StateError: if there was no exposure and the script cannot read out without one.
        """
        exposure = self._exposure
        if exposure is None:
            exposure = _Exposure(await self.get_frame(), time.monotonic(), reads_out=False)
            self._exposure = exposure
        try:
            left = exposure.end - time.monotonic()
            if not exposure.reads_out:
                await asyncio.sleep(max(left, 0.0))
                await self.timing.read_early()
            buffer = await self.timing.new_frame(exposure.before, after=left)
            await self.timing.rest()
            return buffer
        finally:
            # Another one may have been started after a reset.
            if self._exposure and self._exposure.before is exposure.before:
                self._exposure = None

    async def fetch(self, buffer: BufferInfo | int | None = None) -> Frame:
        """Read a frame buffer, by default the newest complete one.

        Raises:
            InputError: if there is no such buffer.
            StateError: if there is no complete frame.
            ReadoutError: if the buffer holds no frame, or another one meanwhile.
        """
        if isinstance(buffer, BufferInfo):
            return await self.timing.fetch(buffer)
        if buffer not in (None, 1, 2, 3):
            raise InputError(f"frame buffers are 1, 2 and 3, not {buffer}")
        frames = await self.get_frame()
        info = frames.newest if buffer is None else frames.buffer(buffer)
        if info is None:
            raise StateError("there is no complete frame to fetch")
        return await self.timing.fetch(info)


@dataclass(frozen=True, slots=True)
class _Exposure:
    """What `ArchonController.expose` started: the buffers before it, when it ends, whether a readout follows."""

    before: FrameStatus
    end: float
    reads_out: bool
