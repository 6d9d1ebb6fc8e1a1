"""Shots: one integration after the other on one controller, from the empty CCD to the fetched frame."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import LinkError, RejectedError, StateError
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.picture import Moments
from archon_ioc.exposure.settings import ExposureSettings, TriggerMode
from archon_ioc.exposure.shutter import Shutter
from archon_ioc.exposure.state import CameraState, enter, update
from archon_ioc.live import Live
from archon_ioc.protocol.replies import TICK, BufferInfo, Frame

log = logging.getLogger(__name__)

_COUNTDOWN_PERIOD = 0.1
_FETCH_TRIES = 3
_SHUTTER_TOLERANCE = 0.02
_SAFE_SECONDS = 2.0
"""How long stopping the script may take; a stop of the program must be over within 3 s."""


class Shots:
    """Integrates, reads out and fetches, and stops the timing script when that is cut short."""

    def __init__(self, controller: ArchonController, shutter: Shutter, live: Live[CameraState]) -> None:
        self._controller = controller
        self._shutter = shutter
        self._live = live
        self._running = False  # the timing script does something for us
        self._unsafe = False  # … and could not be told to stop

    async def take(self, settings: ExposureSettings) -> tuple[Frame, Moments]:
        """Integrate, read out and fetch once. If this fails or is cancelled, call `stop`.

        Raises:
            ArchonError: if it could not be done.
        """
        timing = self._controller.timing
        triggered = settings.trigger_mode is TriggerMode.EXTERNAL
        if self._live.value.phase is not Phase.PREPARING:  # the first shot finds it so
            enter(self._live, Phase.PREPARING)
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
        self._running = False
        await self._rest()
        moments = self._moments(settings, started, info)
        enter(self._live, Phase.FETCHING)
        return await self._fetch(info), moments

    async def count_down(self, seconds: float) -> None:
        """Wait, and show how long still."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            update(self._live, remaining=left)
            await asyncio.sleep(min(left, _COUNTDOWN_PERIOD))
        update(self._live, remaining=0.0)

    async def stop(self) -> None:
        """Stop the script if it does something for us. If that cannot be done now, `recover` has to."""
        if self._running:
            await self._make_safe()

    async def recover(self) -> None:
        """Stop what could not be stopped before."""
        if self._unsafe:
            await self._make_safe()

    def _integration(self, settings: ExposureSettings, *, triggered: bool) -> Integration:
        """What the script is to do. Where we move the shutter, it waits for us with the readout if it can."""
        if not self._shutter.is_moved_by_host(settings):
            return Integration(settings.seconds, triggered=triggered)
        longer = settings.shutter_open_delay + settings.shutter_close_delay
        by_itself = self._controller.timing.script().readout is None
        return Integration(settings.seconds + longer, readout=by_itself)

    async def _integrate(self, settings: ExposureSettings, integration: Integration) -> datetime:
        """Wait while light is collected, and return when that began."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._shutter.opened(settings):
            started = datetime.now(UTC)
            await self.count_down(settings.seconds)
        late = loop.time() - began - integration.seconds
        if not integration.readout:
            await self._controller.timing.until_up()
            await self._controller.timing.read_early()
        elif self._shutter.is_moved_by_host(settings) and late > _SHUTTER_TOLERANCE:
            name = self._controller.name
            log.warning("%s: the shutter was closed %.3f s after the readout had begun", name, late)
        return started

    def _moments(self, settings: ExposureSettings, started: datetime | None, info: BufferInfo) -> Moments:
        script = self._controller.timing.script()
        by_host = self._shutter.is_moved_by_host(settings)
        seconds = settings.seconds if by_host else script.ticks(settings.seconds) / script.ticks_per_second
        length = timedelta(seconds=seconds)
        if started is not None:
            return Moments(started, started + length, seconds)
        # An external trigger is not seen here: the frame's own time stamp tells when the readout began.
        frames = self._controller.status.frames
        age = (frames.timer - info.timestamp) * TICK if frames else 0.0
        ended = datetime.now(UTC) - timedelta(seconds=age)
        return Moments(ended - length, ended, seconds)

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

    async def _make_safe(self) -> None:
        self._unsafe = True
        try:
            async with asyncio.timeout(_SAFE_SECONDS):
                await self._controller.timing.make_safe()
        except (LinkError, RejectedError, StateError, TimeoutError) as error:
            reason = str(error) or f"no answer within {_SAFE_SECONDS:g} s"
            log.error("%s: the timing script could not be stopped: %s", self._controller.name, reason)
            return
        self._running = self._unsafe = False
