"""Shots: one integration after the other on one controller, from the empty CCD to the fetched frame."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from archon_ioc.acf.file import Acf
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ConfigState, ControllerState
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import LinkError, RejectedError, StateError
from archon_ioc.exposure.patience import Patience
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.picture import Moments
from archon_ioc.exposure.settings import ExposureSettings, TriggerMode
from archon_ioc.exposure.shutter import Shutter
from archon_ioc.exposure.state import CameraState, enter, update
from archon_ioc.live import Live
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import TICK, BufferInfo, Frame, FrameStatus

log = logging.getLogger(__name__)

_COUNTDOWN_PERIOD = 0.1
_FETCH_TRIES = 3
_UNSETTLED = (ConfigState.LOADING, ConfigState.APPLYING, ConfigState.ERROR)
_STOP_SECONDS = 10.0
"""How long stopping the script may take: it waits for what the controller does before, APPLYMOD takes 1.5 s."""
_HASTY = 2.0
"""The same when the program stops, which must be over within 3 s."""
_NO_INTEGRATION = "NoIntMS"
"""Parameter of the scripts: milliseconds between integration and readout, while the shutter closes."""


class Shots:
    """Integrates, reads out and fetches, and stops the timing script when that is cut short."""

    def __init__(self, controller: ArchonController, shutter: Shutter, live: Live[CameraState]) -> None:
        self._controller = controller
        self._shutter = shutter
        self._live = live
        self._patience = Patience()
        self._running = False  # the timing script does something for us
        self._unsafe = False  # … and could not be told to stop
        self._problem = ""

    @property
    def is_unsafe(self) -> bool:
        """Whether the script still has to be told something; `stop` then tries again."""
        return self._unsafe

    @property
    def problem(self) -> str:
        """Why the script could not be stopped, nothing if it could."""
        return self._problem

    @property
    def has_power(self) -> bool:
        """Whether the CCD had its voltages when it was looked at last: after each readout."""
        status = self._controller.status.status
        return status is not None and status.power_good and status.power is Power.ON

    async def check(self, settings: ExposureSettings) -> Acf:
        """Refuse what cannot be done now, and return the configuration that it will be done with.

        Raises:
            StateError: if the controller is not ready, or what the settings need is not there.
        """
        state = self._controller.status
        if not state.is_up:
            raise StateError(f"the controller is disconnected: {state.reason}")
        if state.acf is None or state.config in _UNSETTLED:
            raise StateError(f"no configuration is loaded: {state.config_message}")
        if self._problem:
            raise StateError(self._problem)
        await self._require_power()
        self._controller.timing.script()
        self._shutter.check(settings)
        return state.acf

    async def take(self, settings: ExposureSettings) -> tuple[Frame, Moments]:
        """Integrate, read out and fetch once. If this fails or is cancelled, call `stop`.

        Raises:
            ArchonError: if it could not be done.
        """
        timing = self._controller.timing
        triggered = settings.trigger_mode is TriggerMode.EXTERNAL
        if self._live.value.phase is not Phase.PREPARING:  # the first shot finds it so
            enter(self._live, Phase.PREPARING)
        await self._require_power()
        await self._shutter.prepare(settings)
        self._running = True
        integration = self._integration(settings, triggered=triggered)
        before = await timing.prepare(integration)
        await timing.begin(triggered=triggered)
        enter(self._live, Phase.INTEGRATING)
        started = None
        if triggered:
            await timing.frame_start(before)
        else:
            started = await self._integrate(settings, integration)
        enter(self._live, Phase.READING)
        info = await timing.new_frame(before)
        moments = self._moments(settings, started, before, info)
        self._running = False
        await self._rest()
        await self._look_at_power()
        enter(self._live, Phase.FETCHING)
        return await self._fetch(info), moments

    async def _require_power(self) -> None:
        await self._look_at_power()
        if problem := power_problem(self._controller.status):
            raise StateError(problem)

    async def _look_at_power(self) -> None:
        try:
            await self._controller.get_device_status()
        except (LinkError, RejectedError):
            await self._controller.timing.until_up()  # a new link begins with STATUS

    async def count_down(self, seconds: float) -> None:
        """Wait, and show how long still."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            update(self._live, remaining=left)
            await asyncio.sleep(min(left, _COUNTDOWN_PERIOD))
        update(self._live, remaining=0.0)

    async def stop(self) -> None:
        """Stop the script if it does something for us; if that fails, `is_unsafe` and `problem` say so."""
        if not self._running and not self._unsafe:
            return
        self._unsafe = True
        try:
            async with self._patience.limit(_STOP_SECONDS):
                await self._controller.timing.make_safe()
        except (LinkError, RejectedError, StateError) as error:
            self._complain(str(error))
        except TimeoutError:
            self._complain("it does not answer in time")
        else:
            self._running = self._unsafe = False
            self._problem = ""
            self._shutter.stopped()

    def hurry(self) -> None:
        """The program stops: what is left to be done may take 2 s."""
        self._patience.shorten(_HASTY)

    def _complain(self, reason: str) -> None:
        problem = f"the timing script could not be stopped: {reason}"
        if problem != self._problem:
            log.error("%s: %s", self._controller.name, problem)
        self._problem = problem

    def _integration(self, settings: ExposureSettings, *, triggered: bool) -> Integration:
        """What the script is to do. Where we move the shutter, it waits for us with the readout."""
        if not self._shutter.is_moved_by_host(settings):
            return Integration(settings.seconds, triggered=triggered)
        longer = settings.shutter_open_delay + settings.shutter_close_delay
        return Integration(settings.seconds + longer, readout=False)

    async def _integrate(self, settings: ExposureSettings, integration: Integration) -> datetime:
        """Wait while light is collected, and return when that began."""
        async with self._shutter.opened(settings):
            started = datetime.now(UTC)
            await self.count_down(settings.seconds)
        if not integration.readout:
            await self._controller.timing.until_up()
            await self._controller.timing.read_early()
        return started

    def _moments(
        self, settings: ExposureSettings, started: datetime | None, before: FrameStatus, info: BufferInfo
    ) -> Moments:
        now, state = datetime.now(UTC), self._controller.status  # FRAME has just been read
        script = self._controller.timing.script()
        by_host = self._shutter.is_moved_by_host(settings)
        seconds = settings.seconds if by_host else script.ticks(settings.seconds) / script.ticks_per_second
        length = timedelta(seconds=seconds)
        if started is not None:
            return Moments(started, started + length, seconds, (info.timestamp - before.timer) * TICK)
        # An external trigger is not seen here: the frame's own time stamp tells when its first pixel was read.
        pause = _pause(state)
        age = (state.frames.timer - info.timestamp) * TICK if state.frames else 0.0
        ended = now - timedelta(seconds=age + pause)
        return Moments(ended - length, ended, seconds, seconds + pause)

    async def _rest(self) -> None:
        """Let the CCD be cleared while its image is fetched and saved."""
        try:
            await self._controller.timing.rest()
        except (LinkError, RejectedError) as error:
            log.warning("%s: idle clearing is not switched on: %s", self._controller.name, error)
            self._unsafe = True

    async def _fetch(self, info: BufferInfo) -> Frame:
        """Fetch a frame; a link lost meanwhile is waited for: the frame is still in the controller."""
        for attempt in range(1, _FETCH_TRIES):
            try:
                return await self._controller.timing.fetch(info)
            except LinkError as error:
                log.warning("%s: fetch %d failed: %s", self._controller.name, attempt, error)
                await self._controller.timing.until_up()
        return await self._controller.timing.fetch(info)


def power_problem(state: ControllerState) -> str:
    """Return why the CCD cannot be used by the latest STATUS, nothing if it can."""
    status = state.status
    if status is None:
        return "the CCD power is not known"
    if not status.power_good:
        return f"the power supply reports a fault (POWERGOOD=0), the CCD power is {status.power.name}"
    if status.overheat:
        return "the controller is too hot (OVERHEAT=1)"
    return "" if status.power is Power.ON else f"the CCD power is {status.power.name}, it must be ON"


def _pause(state: ControllerState) -> float:
    """Return how many seconds there are between integration and first pixel, as far as that is known."""
    if state.readout and state.readout.pause:
        return state.readout.pause.seconds
    name = state.acf.parameter_name(_NO_INTEGRATION) if state.acf else None
    return state.parameters.get(name, 0) / 1000 if name else 0.0
