"""Camera: takes one exposure at a time. One exposure is one coroutine, readable as a recipe."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import ArchonError, InputError, LinkError, RejectedError, SaveError, StateError
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.phase import Outcome, Phase, check_step
from archon_ioc.exposure.picture import Exposure, Moments, develop
from archon_ioc.exposure.settings import (
    ExposureSettings,
    FileSettings,
    ImageMode,
    SettingsFile,
    TriggerMode,
)
from archon_ioc.exposure.shutter import PvShutter, Shutter
from archon_ioc.exposure.state import CameraState, ImageState, update
from archon_ioc.live import Live
from archon_ioc.protocol.replies import TICK, BufferInfo, Frame

log = logging.getLogger(__name__)

Sink = Callable[[Exposure], Awaitable[None]]
"""Something that takes each finished image before the acquisition ends: a server, a plugin."""

_SHORTEST_ACQUIRE = 0.1
"""Seconds that Acquire_RBV stays 1 at least: ophyd's SingleTrigger misses shorter pulses (measured)."""
_COUNTDOWN_PERIOD = 0.1
_FETCH_TRIES = 3
_SAFE_SECONDS = 2.5
"""How long stopping the hardware may take; a stop of the program must be over within 3 s."""


class Camera:
    """One camera on one controller.

    `acquire` and `abort` may be called by anybody at any time; a call that does not fit is refused with a
    `StateError` and changes nothing. The exposure belongs to the camera: a caller that goes away does not end it.
    """

    def __init__(self, controller: ArchonController, site: SiteConfig, pv_shutter: PvShutter | None = None) -> None:
        self.controller = controller
        self._site = site
        self._settings_file = SettingsFile(site.files.state)
        files = FileSettings(f"{site.files.path}/", site.files.name, site.files.template)
        # Before anybody can change a setting: a small file, read once.
        self._stored = self._settings_file.load(ExposureSettings(files=files))
        self.live = Live(
            CameraState(
                controller=controller.status,
                temperature_sensor=site.temperature_sensor,
                settings=self._stored,
            )
        )
        self._shutter = Shutter(controller, pv_shutter, lambda is_open: update(self.live, shutter_open=is_open))
        self.filing = Filing(self.live, site.detectors, self._store_settings)
        self.sinks: list[Sink] = []
        self._current: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._busy = False  # the timing script does something for us
        self._unsafe = False  # … and could not be told to stop
        self._storing = asyncio.Lock()

    @property
    def state(self) -> CameraState:
        """The latest state."""
        return self.live.value

    # life

    async def run(self) -> None:
        """Follow the controller and keep the settings, until cancelled; then stop what is running."""
        await self.filing.look_at_path()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_controller(), name="camera follows controller")
                tasks.create_task(self._keep_settings(), name="camera settings")
        finally:
            await self.abort("the program stops")

    async def _follow_controller(self) -> None:
        async for state in self.controller.live.watch():
            update(self.live, controller=state)
            if self._unsafe and state.is_up and not self.state.acquiring:
                await self._stop_script()

    async def _keep_settings(self) -> None:
        async for state in self.live.watch():
            if state.settings != self._stored:
                try:
                    await self._store_settings()
                except SaveError as error:
                    self._stored = state.settings  # once is enough, until they change again
                    log.error("settings are not kept: %s", error)

    async def _store_settings(self) -> None:
        async with self._storing:
            settings = self.state.settings
            if settings != self._stored:
                await asyncio.to_thread(self._settings_file.save, settings)
                self._stored = settings

    # operations

    def change(self, **changes: Any) -> None:
        """Set any of the exposure settings; they hold from the next Acquire on.

        Raises:
            InputError: if a value makes no sense.
        """
        update(self.live, settings=self.state.settings.changed(**changes))

    def set_window(self, **changes: int) -> None:
        """Set ``min_x``, ``min_y``, ``size_x``, ``size_y``: the part of the frame that is kept, unbinned pixels.

        Raises:
            InputError: with more than one CCD, whose images are kept whole.
        """
        if self._site.detectors and self.state.settings.changed(**changes) != self.state.settings:
            raise InputError("a window is possible only where the whole frame is one CCD")
        self.change(**changes)

    def set_array_counter(self, count: int) -> None:
        """Set the number of images counted so far."""
        update(self.live, image=replace(self.state.image, counter=count))

    def refused(self, message: str) -> None:
        """Show why something could not be done."""
        update(self.live, message=message[:255])

    def require_idle(self) -> None:
        """Refuse what must not come between an exposure and its readout.

        Raises:
            StateError: during an acquisition.
        """
        if self.state.acquiring:
            raise StateError(f"the camera is {self.state.phase.value}; abort first")

    async def acquire(self) -> None:
        """Take images as the settings say; return when all is done and on disk.

        Raises:
            StateError: if it cannot begin now; the reason is shown as well.
            ArchonError: if it failed.
        """
        self.require_idle()
        # From here on a second request is refused, before anything is awaited.
        update(self.live, acquiring=True, images_done=0, exposures_done=0)
        self._current = asyncio.create_task(self._acquisition(), name="acquisition")
        self._current.add_done_callback(self._acquired)
        # Shielded: the exposure belongs to the camera, not to the client.
        await asyncio.shield(self._current)

    async def abort(self, reason: str = "aborted") -> None:
        """Stop now and throw away what was not read; return when the hardware is safe. Idle: do nothing."""
        current = self._current
        if current is None or current.done():
            return
        if not current.cancelling():  # a second cancellation would cut short what the first one tidies up
            current.cancel(reason)
        await asyncio.wait([current])

    async def set_shutter(self, is_open: bool) -> None:
        """Open or close the shutter by hand.

        Raises:
            StateError: during an acquisition, or without a shutter.
        """
        self.require_idle()
        await self._shutter.set(self.state.settings.shutter_mode, is_open)

    # one acquisition

    async def _acquisition(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._check_ready()
            update(self.live, message="Acquiring", outcome=Outcome.NONE)
            await self._take_images()
            await self._published()
            self._end(Outcome.DONE, "Done")
        except asyncio.CancelledError as error:
            reason = str(error) or "aborted"
            continuous = self.state.settings.image_mode is ImageMode.CONTINUOUS
            self._end(Outcome.DONE if continuous else Outcome.ABORTED, f"Acquisition {reason}")
        except ArchonError as error:
            log.error("%s: acquisition failed: %s", self.controller.name, error)
            self._end(Outcome.FAILED, str(error))
            raise
        finally:
            await asyncio.sleep(began + _SHORTEST_ACQUIRE - loop.time())

    def _acquired(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # it was shown; the client that waited for it may be gone
        update(self.live, acquiring=False)

    def _end(self, outcome: Outcome, message: str) -> None:
        if self.state.phase is not Phase.IDLE:
            self._enter(Phase.IDLE)
        update(self.live, outcome=outcome, message=message[:255], remaining=0.0, queued=0)

    async def _check_ready(self) -> None:
        state = self.state.controller
        if not state.is_up:
            raise StateError(f"the controller is disconnected: {state.reason}")
        if state.acf is None:
            raise StateError(f"no configuration is loaded: {state.config_message}")
        if not state.is_powered:
            raise StateError(f"the CCD power is {state.power.name}, it must be ON")
        self._shutter.check(self.state.settings.shutter_mode)
        rows, columns = state.acf.frame_shape
        await self.filing.require_room(rows * columns * state.acf.sample_mode.bytes_per_pixel)

    async def _take_images(self) -> None:
        loop = asyncio.get_running_loop()
        settings = self.state.settings
        while settings.images is None or self.state.images_done < settings.images:
            began = loop.time()
            await self._take(settings)
            more = settings.images is None or self.state.images_done < settings.images
            if more and (pause := began + settings.period - loop.time()) > 0:
                self._enter(Phase.WAITING)
                await self._count_down(pause)

    async def _take(self, settings: ExposureSettings) -> None:
        """Take one image, of one or more summed exposures."""
        try:
            frames: list[Frame] = []
            moments: list[Moments] = []
            update(self.live, exposures_done=0)
            for _ in range(settings.num_exposures):
                frame, moment = await self._expose(settings)
                frames.append(frame)
                moments.append(moment)
                update(self.live, exposures_done=len(frames))
            self._enter(Phase.SAVING)
            whole = Moments(moments[0].started, moments[-1].ended)
            await _finished(self._hand_out(frames, replace(self.state, settings=settings), whole))
        except BaseException:  # also cancellation: the hardware comes first
            self._enter(Phase.ABORTING)
            if self._busy:
                await self._stop_script()
            raise

    async def _expose(self, settings: ExposureSettings) -> tuple[Frame, Moments]:
        """Integrate, read out and fetch once."""
        timing = self.controller.timing
        triggered = settings.trigger_mode is TriggerMode.EXTERNAL
        by_host = self._shutter.is_moved_by_host(settings)
        holds = by_host and timing.script().readout is not None
        self._enter(Phase.PREPARING)
        await self._shutter.prepare(settings)
        delays = settings.shutter_open_delay + settings.shutter_close_delay if by_host else 0.0
        self._busy = True
        before = await timing.prepare(Integration(settings.seconds + delays, not holds, triggered))
        await timing.begin()
        self._enter(Phase.INTEGRATING)
        started = None if triggered else await self._integrate(settings)
        if holds:
            await timing.read_early()
        self._enter(Phase.READING)
        info = await timing.new_frame(before, triggered=triggered)
        self._busy = False
        moments = self._moments(settings, started, info)
        await self._idle_again()
        self._enter(Phase.FETCHING)
        return await self._fetch(info), moments

    async def _integrate(self, settings: ExposureSettings) -> datetime:
        """Wait while light is collected and return when that began."""
        async with self._shutter.opened(settings):
            started = datetime.now(UTC)
            await self._count_down(settings.seconds)
        return started

    async def _count_down(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            update(self.live, remaining=left)
            await asyncio.sleep(min(left, _COUNTDOWN_PERIOD))
        update(self.live, remaining=0.0)

    def _moments(self, settings: ExposureSettings, started: datetime | None, info: BufferInfo) -> Moments:
        length = timedelta(seconds=settings.seconds)
        if started is not None:
            return Moments(started, started + length)
        # An external trigger is not seen here: the frame's own time stamp tells when the readout began.
        frames = self.state.controller.frames
        age = (frames.timer - info.timestamp) * TICK if frames else 0.0
        ended = datetime.now(UTC) - timedelta(seconds=age)
        return Moments(ended - length, ended)

    async def _fetch(self, info: BufferInfo) -> Frame:
        """Fetch a frame; a link lost meanwhile is waited for: the frame is still in the controller."""
        for attempt in range(1, _FETCH_TRIES + 1):
            try:
                return await self.controller.timing.fetch(info)
            except LinkError as error:
                log.warning("%s: fetch %d failed: %s", self.controller.name, attempt, error)
                if attempt == _FETCH_TRIES:
                    raise
                await self.controller.timing.until_up()
        raise RuntimeError("unreachable")

    async def _hand_out(self, frames: list[Frame], state: CameraState, moments: Moments) -> None:
        """Give a finished image to clients and to the disk."""
        exposure = await asyncio.to_thread(develop, frames, state, moments, self._site)
        self._count(exposure)
        if state.settings.array_callbacks:
            await self._published()
            self._publishing = asyncio.create_task(self._publish(exposure), name="publish image")
            if state.settings.wait_for_plugins:
                await self._published()
        await self.filing.take(exposure)
        update(self.live, queued=0)

    def _count(self, exposure: Exposure) -> None:
        old = self.state.image
        rows, columns = exposure.picture.shape
        since = exposure.timestamp - old.timestamp
        image = ImageState(
            unique_id=old.unique_id + 1,
            timestamp=exposure.timestamp,
            width=columns,
            height=rows,
            data_type="UInt32" if exposure.picture.dtype.itemsize == 4 else "UInt16",
            counter=old.counter + 1,
            rate=1 / since if old.unique_id and since > 0 else 0.0,
        )
        update(self.live, image=image, images_done=self.state.images_done + 1, queued=1)

    async def _publish(self, exposure: Exposure) -> None:
        for sink in self.sinks:
            await sink(exposure)

    async def _published(self) -> None:
        if self._publishing is not None:
            await self._publishing
            self._publishing = None

    # hardware

    async def _idle_again(self) -> None:
        """Let the CCD be cleared while its image is fetched and saved."""
        try:
            await self.controller.timing.rest()
        except LinkError as error:
            log.warning("%s: idle clearing is not switched on: %s", self.controller.name, error)
            self._unsafe = True

    async def _stop_script(self) -> None:
        """Stop the script. If that cannot be done now, it is done when the link is back."""
        self._unsafe = True
        try:
            async with asyncio.timeout(_SAFE_SECONDS):
                await self.controller.timing.make_safe()
        except (LinkError, RejectedError, StateError, TimeoutError) as error:
            log.error("%s: the timing script could not be stopped: %s", self.controller.name, error)
            return
        self._busy = self._unsafe = False

    def _enter(self, phase: Phase) -> None:
        check_step(self.state.phase, phase)
        update(self.live, phase=phase)


async def _finished(work: Awaitable[None]) -> None:
    """Do work that must not be cut short; a cancellation is delivered when it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise
