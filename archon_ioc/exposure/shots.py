"""Shots: one integration after the other on all controllers together, from the empty CCD to the fetched frames."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

from archon_ioc.acf.file import Acf
from archon_ioc.errors import LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.exposure.hooking import Hooking
from archon_ioc.exposure.ledger import Account
from archon_ioc.exposure.light import LAST_MOMENT, Integrated, Light
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.settings import ExposureSettings, TriggerMode
from archon_ioc.exposure.shutter import Shutter
from archon_ioc.exposure.state import CameraState, enter
from archon_ioc.exposure.together import side_by_side, together
from archon_ioc.exposure.unit import Unit
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

_COURSE = (Phase.READING, Phase.FETCHING, Phase.SAVING)

T = TypeVar("T")
Collected = Callable[[Unit, BufferInfo, Moments], Awaitable[None]]
"""Is told of each frame as soon as it is whole, to fetch it. Its errors are those of the controller."""


class Shots:
    """Integrates, reads out and fetches, and stops the timing scripts when that is cut short.

    The controllers begin together. From the end of the integration on each goes on by itself: one that fails does not
    keep the others from reading out and handing on their frames.

    With ``sync`` "host" RELEASETIMING is sent to all of them at the same moment, while nothing else is said to them.
    With "hardware" SYNCOUT of the first one is wired to SYNCIN of the others: all are held by their own HOLDTIMING, and
    the first one's RELEASETIMING lets all run at one tick (manual, synchronised controllers). Parameters are loaded
    by FASTLOADPARAM on each: that is safe while the cores are held, and PREPPARAM is needed only where they run.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        shutter: Shutter,
        live: Live[CameraState],
        hooking: Hooking,
        sync: Literal["host", "hardware"] = "host",
    ) -> None:
        self.units = units
        self.hooking = hooking
        self._shutter = shutter
        self._live = live
        self._is_wired = sync == "hardware" and len(units) > 1
        self.light = Light(units, shutter, live, is_wired=self._is_wired)
        """What is collected now; it can be paused."""
        self.begun = asyncio.Event()
        """Set when the next exposure has begun; there is another one then."""
        self._stages: dict[str, Phase] = {}  # where each controller is that has not failed

    @property
    def is_unsafe(self) -> bool:
        """Whether a script still has to be told something; `stop` then tries again."""
        return any(unit.is_unsafe for unit in self.units)

    @property
    def problem(self) -> str:
        """Why a script could not be stopped, nothing if all could."""
        return "; ".join(self._named(unit, unit.problem) for unit in self.units if unit.problem)

    async def check(self, settings: ExposureSettings) -> dict[str, Acf]:
        """Refuse what cannot be done now, and return the configurations that it will be done with.

        Raises:
            StateError: if a controller is not ready, or what the settings need is not there.
        """
        found = {unit.name: await self._checked(unit) for unit in self.units}
        self._shutter.check(settings)
        if self._is_wired and settings.trigger_mode is TriggerMode.EXTERNAL:
            raise StateError("controllers that are synchronised by hardware do not listen to Trigger In")
        if settings.holds_charge and settings.trigger_mode is TriggerMode.EXTERNAL:
            raise StateError("an exposure that a trigger starts is read out at once")
        return found

    async def _checked(self, unit: Unit) -> Acf:
        try:
            return await unit.check()
        except StateError as error:
            raise StateError(self._named(unit, str(error))) from error

    async def take(self, settings: ExposureSettings, account: Account, collected: Collected) -> None:
        """Integrate, read out and fetch once. If this fails or is cancelled, call `stop`.

        Raises:
            ArchonError: as `read`.
        """
        done = await self.expose(settings, account)
        if settings.readout_delay:
            await self._hold(settings.readout_delay, done, account)
        await self.read(done, account, collected)

    async def expose(self, settings: ExposureSettings, account: Account) -> Integrated:
        """Integrate once, for `read`. If this fails or is cancelled, call `stop`.

        Raises:
            ArchonError: if it could not be done.
        """
        if self._live.value.phase is not Phase.PREPARING:  # the first shot finds it so
            enter(self._live, Phase.PREPARING)
        await self._each(lambda unit: unit.require_power())
        await self._shutter.prepare(settings)
        integration = self.light.integration(settings)
        seconds = self.light.seconds(settings)
        prepared = self._each(lambda unit: unit.prepare(integration, partial(account.begin, unit, seconds)))
        await side_by_side(prepared, account.reserve())
        await self.light.begin(integration)
        self.begun.set()
        self.begun = asyncio.Event()
        enter(self._live, Phase.INTEGRATING)
        async with self.hooking.during_exposure(self.hooking.call(settings, account.files)):
            done = await self.light.collect(settings, integration, account)
        if settings.host_moves_shutter:
            await account.integrated(done.light)
        return done

    async def _hold(self, seconds: float, done: Integrated, account: Account) -> None:
        """Leave the charge on the CCD for a while."""
        await account.hold(done.light)
        enter(self._live, Phase.PENDING)
        await self.count_down(seconds)
        await account.demand()

    async def read(self, done: Integrated, account: Account, collected: Collected) -> None:
        """Read out and fetch what was integrated. If this fails or is cancelled, call `stop`.

        Raises:
            ArchonError: if it could not be done; with several controllers those that have failed are named, and the
                others' frames were handed on.
        """
        waiting = await self._read_early() if done.waits else set[str]()
        self._stages = {unit.name: Phase.READING for unit in self.units}
        enter(self._live, Phase.READING)
        async with self.hooking.during_readout(self.hooking.call(account.settings, account.files)):
            await self._each(
                lambda unit: self._finish(unit, replace(done, waits=unit.name in waiting), account, collected)
            )
        if self._shutter.failure:
            raise self._shutter.failure

    def lets_time(self, settings: ExposureSettings) -> bool:
        """Whether nothing hurries that is said to a controller when an exposure was begun: its script does all."""
        integration = self.light.integration(settings)
        return integration.readout and not integration.triggered and not self._is_wired

    @property
    def is_ending(self) -> bool:
        """Whether `end_early` was called: what was begun is finished, and no more."""
        return self.light.is_ending

    def end_early(self) -> None:
        """End the integration now and keep the light; `begin_anew` ends that.

        Raises:
            StateError: if there is no light yet, or a script cannot read out early.
        """
        if self._live.value.phase in (Phase.INTEGRATING, Phase.PAUSED):
            if self.light.is_triggered:
                raise StateError("there is no light to keep before the trigger; abort")
            if any(unit.controller.timing.script().readout is None for unit in self.units):
                raise StateError("this timing script cannot end an integration early; abort throws the image away")
        self.light.is_ending = True

    def begin_anew(self) -> None:
        """Forget `end_early`."""
        self.light.is_ending = False

    def reach(self, unit: Unit, phase: Phase) -> None:
        """Show how far a controller is: the camera is where the last one is, while it has not failed."""
        self._stages[unit.name] = phase
        self._show_stage()

    async def count_down(self, seconds: float) -> float:
        """Wait, and show how long still; return what is left where `end_early` ends it."""
        return await self.light.count_down(seconds)

    async def stop(self) -> None:
        """Stop the scripts that do something for us; if that fails, `is_unsafe` and `problem` say so."""
        await self._each(self._stop)

    async def _stop(self, unit: Unit) -> None:
        if await unit.stop() and unit.controller is self._shutter.controller:
            self._shutter.stopped()

    def hurry(self) -> None:
        """The program stops: what is left to be done may take 2 s."""
        for unit in self.units:
            unit.hurry()

    async def _each(self, work: Callable[[Unit], Coroutine[Any, Any, T]]) -> dict[str, T]:
        return await together({unit.name: work(unit) for unit in self.units})

    def _named(self, unit: Unit, text: str) -> str:
        return f"{unit.name}: {text}" if len(self.units) > 1 else text

    async def _read_early(self) -> set[str]:
        """Let those that are synchronised by hardware read out at the same tick; return who has to do it by itself.

        That is everybody without such a synchronisation, and who cannot be told now: nobody waits for a lost link.
        """
        everybody = {unit.name for unit in self.units}
        if not self._is_wired:
            return everybody
        held = await self._each(lambda unit: _succeeds(unit.prepare_readout()))
        if not held[self.units[0].name] or not await _succeeds(self.units[0].controller.timing.begin()):
            return everybody
        return {name for name, is_held in held.items() if not is_held}

    async def _finish(self, unit: Unit, done: Integrated, account: Account, collected: Collected) -> None:
        """Do one controller's part after the integration."""
        try:
            if done.waits and not await unit.patiently(unit.controller.timing.read_early, done.due - LAST_MOMENT):
                done = replace(done, left=0.0)
            info = await unit.read_out()
            moment = done.moments(unit, info)
            await side_by_side(account.read_out(unit, info, moment), unit.rest())
            self.reach(unit, Phase.FETCHING)
            await collected(unit, info, moment)
        except BaseException as error:
            del self._stages[unit.name]  # the others go on
            self._show_stage()
            if isinstance(error, asyncio.CancelledError):
                await self._stop(unit)  # at once: another one may wait for its disk
            raise

    def _show_stage(self) -> None:
        last = min((_COURSE.index(phase) for phase in self._stages.values()), default=0)
        while _COURSE.index(self._live.value.phase) < last:
            enter(self._live, _COURSE[_COURSE.index(self._live.value.phase) + 1])


async def _succeeds(work: Awaitable[None]) -> bool:
    try:
        await work
    except (LinkError, ReadoutError, RejectedError) as error:
        log.warning("a readout is not synchronised: %s", error)
        return False
    return True
