"""Light: one integration on all controllers together, counted down, paused, and ended early."""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from archon_ioc.driver.timing import Integration
from archon_ioc.errors import ArchonError, ControllersError, LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.exposure import moments
from archon_ioc.exposure.ledger import Account
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.script_pause import ScriptPause
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode, TriggerMode
from archon_ioc.exposure.shutter import Shutter
from archon_ioc.exposure.state import CameraState, enter, update
from archon_ioc.exposure.together import first, is_lost_link, together, unless_lost
from archon_ioc.exposure.unit import Unit
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

LAST_MOMENT = 0.5
"""Seconds before its end from which on an integration is not cut short: the script must not read out already."""
_COUNTDOWN_PERIOD = 0.1
_STAYS_PAUSED = (ControllersError, LinkError, RejectedError, StateError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Integrated:
    """An integration that is over: when it was started, None by a trigger, and how long it was to be.

    ``waits``: the script has to be told to read it out. ``left`` seconds of light before its end it was ended early;
    at ``due``, by the clock of the loop, the script would have read out by itself. It was ``paused`` for so many
    seconds.
    """

    started: datetime | None
    planned: float
    waits: bool
    left: float = 0.0
    due: float = math.inf
    paused: float = 0.0

    @classmethod
    def before(cls, moment: Moments) -> Self:
        """Return what ended at a moment, and waits to be read out."""
        paused = (moment.ended - moment.started).total_seconds() - moment.seconds
        return cls(moment.started, moment.seconds, waits=True, paused=max(paused, 0.0))

    @property
    def light(self) -> Moments:
        """When there was light; the dark time is known when it is read out."""
        started, seconds = self.started or datetime.now(UTC), round(self.planned - self.left, 3)
        length = seconds + self.paused
        return Moments(started, started + timedelta(seconds=length), seconds, length)

    def moments(self, unit: Unit, info: BufferInfo) -> Moments:
        """Return begin and end of the integration of a frame."""
        seconds = round(self.planned - self.left, 3)
        clock = unit.controller.clock
        first_pixel = clock.time_of(info.timestamp)
        if self.started is None:
            return moments.of_triggered(unit.state, seconds, info, first_pixel)
        ours = moments.of_started(self.started, seconds, unit.start, info, self.paused)
        if self.waits or self.paused:
            return ours
        return moments.by_frame(ours, clock.time_of(unit.start.timer), first_pixel, unit.state)


@dataclass
class _Course:
    """An integration as it goes on: ``paused`` for so many seconds, ``planned`` with so many seconds of light.

    Of these so many were ``left`` when light was let in last, or are, while it is kept away.
    """

    settings: ExposureSettings
    integration: Integration
    account: Account
    units: list[Unit]
    planned: float
    left: float
    paused: float = 0.0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def done(self) -> Integrated:
        """What it is when it ends now, and has to be told to read out."""
        return Integrated(self.started, self.planned, waits=True, left=self.left, paused=self.paused)


class Light:
    """Collects the light of one integration after the other, and can pause it.

    While it is paused no light is collected: the shutter is closed, and the integration is that much longer. A shutter
    that is not moved by the script is closed while the script waits for us anyway. Else the script is told to wait, by
    a parameter of its own, or its cores are held, and what is left is another integration without clearing between.
    """

    def __init__(self, units: Sequence[Unit], shutter: Shutter, live: Live[CameraState], *, is_wired: bool) -> None:
        self.is_ending = False
        """Whether what was begun is to be finished now, and no more."""
        self.is_triggered = False
        """Whether a trigger begins the integration."""
        self._units = units
        self._pauses = {unit.name: ScriptPause(unit) for unit in units}
        self._shutter = shutter
        self._live = live
        self._is_wired = is_wired
        self._course: _Course | None = None
        self._lit_since = 0.0  # by the clock of the loop: when the script, or its rest, was started
        self._is_pause_wanted = False
        self._problem: ArchonError | None = None  # why it could not go on

    # for clients

    async def pause(self) -> None:
        """Pause the integration; return when no light is collected any more. It is not ended in its last half second.

        Raises:
            StateError: if nothing is being integrated, or the script or the shutter cannot pause.
        """
        if self._is_paused:
            return
        course = self._require_course()
        for unit in () if course.settings.host_moves_shutter else self._units:
            await self._pauses[unit.name].require(by_hold=self._is_wired)
        if course is self._course:
            self._problem = None
            self._is_pause_wanted = True
            await self._live.until(lambda state: state.phase is not Phase.INTEGRATING or self._problem is not None)
        if not self._is_paused:
            why = self._problem or "the integration was over before it could be"
            raise StateError(f"not paused: {why}") from self._problem

    async def resume(self) -> None:
        """Let a paused integration go on; return when it does. Without one do nothing.

        Raises:
            StateError: if it cannot go on; it is still paused, and can be stopped to keep its light.
        """
        if not self._is_paused:
            return
        self._problem = None
        self._is_pause_wanted = False
        await self._live.until(lambda state: state.phase is not Phase.PAUSED or self._problem is not None)
        if self._problem:
            raise StateError(f"the exposure is still paused: {self._problem}") from self._problem

    @property
    def _is_paused(self) -> bool:
        return self._live.value.phase is Phase.PAUSED

    def _require_course(self) -> _Course:
        if self.is_triggered and self._live.value.phase is Phase.INTEGRATING:
            raise StateError("an exposure that a trigger begins cannot be paused")
        if self._course is None or self._live.value.phase is not Phase.INTEGRATING:
            raise StateError(f"only an integration can be paused, the camera is {self._live.value.phase.value}")
        settings = self._course.settings
        if settings.takes_light and settings.shutter_mode is ShutterMode.NONE:
            raise StateError("ShutterMode is None: nothing would keep the light away during a pause")
        return self._course

    # for shots

    def integration(self, settings: ExposureSettings) -> Integration:
        """Return what the scripts are to do. Where we move the shutter, they wait for us with the readout."""
        if not settings.host_moves_shutter:
            is_triggered = settings.trigger_mode is TriggerMode.EXTERNAL
            return Integration(settings.seconds, not settings.holds_charge, is_triggered)
        longer = settings.shutter_open_delay + settings.shutter_close_delay
        return Integration(settings.seconds + longer, readout=False)

    def seconds(self, settings: ExposureSettings) -> float:
        """Return the length of an integration, as the first script rounds it."""
        return settings.seconds if settings.host_moves_shutter else self._rounded(settings.seconds)

    async def begin(self, integration: Integration) -> None:
        """Let all cores run that were prepared: the exposure starts.

        Raises:
            ArchonError: if that is not possible.
        """
        triggered = integration.triggered
        await self._at_once(self._units, lambda unit: unit.controller.timing.begin(triggered=triggered))

    async def collect(self, settings: ExposureSettings, integration: Integration, account: Account) -> Integrated:
        """Wait while light is collected.

        Raises:
            ArchonError: if that ends in another way than it should.
        """
        seconds = self.seconds(settings)
        self.is_triggered = settings.trigger_mode is TriggerMode.EXTERNAL
        if self.is_triggered:
            await first(unit.controller.timing.frame_start(unit.start) for unit in self._units)
            return Integrated(None, seconds, waits=False)
        update(self._live, paused_seconds=0.0)
        try:
            async with self._shutter.opened(settings):
                self._mark_opened(settings)
                course = self._course = _Course(settings, integration, account, list(self._units), seconds, seconds)
                is_paused = await self._run(course)
                end = asyncio.get_running_loop().time() + course.left
        finally:
            self._course, self._is_pause_wanted = None, False
        return replace(
            course.done,
            waits=course.left > 0 or not integration.readout,
            due=end if integration.readout and not is_paused else math.inf,
        )

    async def count_down(self, seconds: float) -> float:
        """Wait, and show how long still; return what is left where it is cut short.

        Raises:
            ReadoutError: if no controller can have the image any more.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0 and not (self._is_cut_short and left > LAST_MOMENT):
            if all(unit.was_restarted for unit in self._units):
                raise ReadoutError("the controller was restarted, the image is lost")
            update(self._live, remaining=left)
            await asyncio.sleep(min(left, _COUNTDOWN_PERIOD))
        update(self._live, remaining=0.0)
        return max(left, 0.0)

    def _mark_opened(self, settings: ExposureSettings) -> None:
        """Light begins now, where we open the shutter; else it began with the script."""
        if settings.host_moves_shutter:
            self._lit_since = asyncio.get_running_loop().time()

    @property
    def _lit_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._lit_since

    @property
    def _is_cut_short(self) -> bool:
        return self.is_ending or self._is_pause_wanted

    # the course of an integration

    async def _run(self, course: _Course) -> bool:
        """Count it down, with its pauses, and return whether it was paused when it ended."""
        while True:
            left = await self.count_down(course.left - self._lit_seconds)
            if self.is_ending or not (self._is_pause_wanted and left):
                course.left = left
                return False
            if await self._darken(course):
                await self._rest(course)
                if self.is_ending:
                    await course.account.demand()
                    await course.account.integrated(course.done.light)
                    return True
                enter(self._live, Phase.INTEGRATING)
            elif problem := self._problem or next(filter(None, self._refusals), None):
                self._problem, self._is_pause_wanted = problem, False

    async def _darken(self, course: _Course) -> bool:
        """Keep light away, and return whether that came in time: else the integration is about to end."""
        if course.settings.host_moves_shutter:
            return await self._close(course)
        paused = await self._pause_scripts(course, self._lit_since + course.left - LAST_MOMENT)
        if not paused:
            return False
        dark_since = max(self._pauses[unit.name].since for unit in self._leading(paused))
        course.left = max(self._lit_since + course.left - dark_since, 0.0)
        if len(paused) < len(course.units) or not course.left:  # held too late, a script would not read out
            course.units = paused
            await self._go_on(course)
            course.units = list(self._units)
            return False
        await self._shutter.shut(course.settings)
        return True

    async def _close(self, course: _Course) -> bool:
        """Close the shutter. Where it does not say that it closed, what was collected is read out now."""
        lit = self._lit_seconds
        try:
            await self._shutter.shut(course.settings)
        except StateError as error:
            self._problem, self.is_ending = error, True
            return False
        course.left -= lit
        return True

    async def _pause_scripts(self, course: _Course, latest: float) -> list[Unit]:
        """Return the units whose scripts wait; those that are lost do not take part any more."""
        if not course.integration.readout:
            latest = math.inf
        if self._is_wired and not await self._pauses[self._units[0].name].pause(latest):  # it holds all at one tick
            return []
        outcomes = await self._tried(course, lambda unit: self._pauses[unit.name].pause(latest))
        return [unit for unit in course.units if outcomes[unit.name]]

    async def _rest(self, course: _Course) -> None:
        """Wait in the dark until it is to go on, and does, or is ended."""
        if all(unit.controller.timing.script().readout for unit in self._units):
            await course.account.hold(course.done.light)
        update(self._live, remaining=course.left)
        enter(self._live, Phase.PAUSED)
        loop = asyncio.get_running_loop()
        began = loop.time() - course.paused
        while not self.is_ending:
            course.paused = loop.time() - began
            update(self._live, paused_seconds=course.paused)
            if self._is_pause_wanted:
                await asyncio.sleep(_COUNTDOWN_PERIOD)
            elif await self._goes_on(course):
                return

    async def _goes_on(self, course: _Course) -> bool:
        """Try to go on; when that fails keep the light away again, and say why."""
        try:
            await self._go_on(course)
        except _STAYS_PAUSED as error:
            log.error("a paused exposure cannot go on: %s", error)
            self._is_pause_wanted = True
            left = course.left
            await self._darken(course)
            course.left = left
            self._problem = error
            update(self._live, message=f"Still paused: {error}"[:255], remaining=left)
            return False
        return True

    async def _go_on(self, course: _Course) -> None:
        """Let the script integrate the rest, or open the shutter that it does not move."""
        if not course.settings.host_moves_shutter:
            rest = replace(course.integration, seconds=course.left)
            await self._tried(course, lambda unit: self._pauses[unit.name].prepare_rest(rest))
            await course.account.go_on(course.paused)
            await self._release(course)
            rounded = self._rounded(course.left) if self._pauses[self._units[0].name].is_by_hold else course.left
            course.planned += rounded - course.left
            course.left = rounded
        else:
            await course.account.go_on(course.paused)
        await self._shutter.reopen(course.settings)
        self._mark_opened(course.settings)

    async def _release(self, course: _Course) -> None:
        """Let the scripts go on. Without a reply they may run already: to be told once more does no harm then."""
        while True:
            try:
                await self._at_once(course.units, lambda unit: self._pauses[unit.name].go_on())
                return
            except (LinkError, ControllersError) as error:
                if not is_lost_link(error):
                    raise
                log.warning("the link is lost when a pause ends: %s", error)
            await self._tried(course, lambda unit: unit.patiently(unit.controller.get_frame))

    async def _tried(self, course: _Course, work: Callable[[Unit], Coroutine[Any, Any, T]]) -> dict[str, T]:
        """Do it on each unit; one that has lost its part of the image does not keep the others from going on."""
        outcomes = await together({unit.name: unless_lost(work(unit)) for unit in course.units})
        lost = {name: error for name, error in outcomes.items() if isinstance(error, ReadoutError)}
        for name, error in lost.items():
            if len(lost) == len(outcomes) or (self._is_wired and name == self._units[0].name):
                raise error
            log.error("%s does not take part any more: %s", name, error)
        course.units = [unit for unit in course.units if unit.name not in lost]
        return {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, ReadoutError)}

    async def _at_once(self, units: Sequence[Unit], work: Callable[[Unit], Coroutine[Any, Any, None]]) -> None:
        """Do it on all at the same moment; where they are wired that is done by the first one."""
        async with AsyncExitStack() as quiet:
            for unit in units:
                await quiet.enter_async_context(unit.controller.timing.undisturbed)
            loop = asyncio.get_running_loop()
            asked = self._lit_since = loop.time()  # also when one of them fails
            await together({unit.name: work(unit) for unit in self._leading(units)})
            self._lit_since = (asked + loop.time()) / 2  # neither the way there nor that of the reply is light

    @property
    def _refusals(self) -> Iterator[RejectedError | None]:
        return (pause.refusal for pause in self._pauses.values())

    def _leading(self, units: Sequence[Unit]) -> list[Unit]:
        return [unit for unit in units if unit is self._units[0] or not self._is_wired]

    def _rounded(self, seconds: float) -> float:
        script = self._units[0].controller.timing.script()
        return script.ticks(seconds) / script.ticks_per_second
