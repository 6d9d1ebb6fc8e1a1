"""Camera: takes one exposure at a time. One exposure is one coroutine, readable as a recipe."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState, Link
from archon_ioc.errors import ArchonError, InputError, ReadoutError, SaveError, StateError
from archon_ioc.exposure.attributes import Attributes
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.phase import Outcome, Phase, check_step
from archon_ioc.exposure.picture import Exposure, Moments, Shot, add, develop
from archon_ioc.exposure.publisher import Publisher, Sink
from archon_ioc.exposure.settings import ExposureSettings, FileSettings, ImageMode, SettingsFile
from archon_ioc.exposure.shots import Shots
from archon_ioc.exposure.shutter import PvShutter, Shutter
from archon_ioc.exposure.state import CameraState, ImageState, enter, update
from archon_ioc.image.geometry import PixelArray
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_SHORTEST_ACQUIRE = 0.1
"""Seconds that Acquire_RBV stays 1 at least: ophyd's SingleTrigger misses shorter pulses (measured)."""
_SAFETY_PERIOD = 1.0
"""Seconds between two attempts to make the hardware safe."""


class Camera:
    """One camera on one controller.

    `acquire` and `abort` may be called by anybody at any time; a call that does not fit is refused with a
    `StateError` and changes nothing. The exposure belongs to the camera: a caller that goes away does not end it.
    """

    def __init__(self, controller: ArchonController, site: SiteConfig, pv_shutter: PvShutter | None = None) -> None:
        self.controller = controller
        self._site = site
        # Clients of other folders and hosts must find the files too.
        files = FileSettings(f"{site.files.path.absolute()}/", site.files.name, site.files.template)
        self._settings_file = SettingsFile(site.files.state, ExposureSettings(files=files))
        # A small file, read before anything runs: a client's put can never be overwritten by it.
        self._stored: ExposureSettings = self._settings_file.load()
        self.live = Live(
            CameraState(
                controller=controller.status,
                temperature_sensor=site.temperature_sensor,
                shutter_config=site.shutter,
                settings=self._stored,
            )
        )
        self._shutter = Shutter(controller, pv_shutter, self.live)
        self._shots = Shots(controller, self._shutter, self.live)
        self._publisher = Publisher(lambda images: update(self.live, queued=images))
        self.attributes = Attributes(self.live, site.header.cards)
        self.filing = Filing(self.live, site.detectors, self._store_settings)
        self._current: asyncio.Task[None] | None = None
        self._reason = ""  # why it was aborted
        self._refusal = ""
        self._is_over = True
        self._outcome = Outcome.NONE  # of the last acquisition, whether the hardware is safe or not
        self._turn = asyncio.Lock()  # an acquisition, or something that must not come between
        self._storing = asyncio.Lock()

    @property
    def state(self) -> CameraState:
        """The latest state."""
        return self.live.value

    @property
    def sinks(self) -> list[Sink]:
        """What gets each finished image; append to it before `run`."""
        return self._publisher.sinks

    # life

    async def run(self) -> None:
        """Follow the controller and keep the settings, until cancelled; then stop what is running."""
        await self.filing.look_at_path()
        await self.attributes.load()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_controller(), name="camera follows controller")
                tasks.create_task(self._keep_safe(), name="camera keeps safe")
                tasks.create_task(self._keep_settings(), name="camera settings")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._shots.hurry()
        self._shutter.hurry()
        if self.state.phase is Phase.FETCHING:
            self.controller.reconnect()  # a fetch may take longer than a stop
        await self.abort("aborted: the program stops")
        await self._shots.stop()
        self._shutter.hurry()  # it has its own time once more
        await self._shutter.close_left_open()
        await self._publisher.stop()

    async def _follow_controller(self) -> None:
        async for state in self.controller.live.watch():
            old = self.state.controller
            update(self.live, controller=state)
            self._shutter.look()
            if (old.link, old.reason) != (state.link, state.reason):
                self._tell_of_link(state)

    def _tell_of_link(self, state: ControllerState) -> None:
        if state.is_up:
            self.show("Acquiring" if self.state.acquiring else "Connected")
        elif state.link is Link.DOWN and state.reason:
            self.show(
                f"{'The link is lost, waiting for it' if self.state.acquiring else 'Disconnected'}: {state.reason}"
            )

    async def _keep_safe(self) -> None:
        """Stop and close what could not be when it should have been, again and again until it works."""
        while True:
            await self._pause_or_new_link()
            if self._shots.is_unsafe or self._shutter.is_stuck:
                async with self._turn:
                    await self._recover()

    async def _pause_or_new_link(self) -> None:
        link = self.controller.status.link
        with suppress(TimeoutError):
            await self.controller.live.until(lambda state: state.link is not link, _SAFETY_PERIOD)

    async def _recover(self) -> None:
        had_problem = self._shots.problem
        await self._shots.stop()
        if self._shutter.is_stuck:
            await self._shutter.close_left_open()
        if had_problem and not self._shots.problem:
            update(self.live, outcome=self._outcome, message="The timing script is stopped now")

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
                await _finished(asyncio.to_thread(self._settings_file.save, settings))
                self._stored = settings

    # operations

    def change(self, **changes: Any) -> None:
        """Set any of the exposure settings; they hold from the next Acquire on.

        Raises:
            InputError: if a value makes no sense.
        """
        update(self.live, settings=self.state.settings.changed(**changes))
        self._shutter.look()

    def set_window(self, **changes: int) -> None:
        """Set ``min_x``, ``min_y``, ``size_x``, ``size_y``: the part of the frame that is kept, unbinned pixels.

        Raises:
            InputError: with more than one CCD, whose images are kept whole.
        """
        if self._site.detectors and self.state.settings.changed(**changes) != self.state.settings:
            raise InputError("a window is possible only where the whole frame is one CCD")
        columns, rows = self.state.full_size
        for name, value in changes.items():
            full = columns if name.endswith("x") else rows
            low, high = (0, full - 1) if name.startswith("min") else (1, full)
            if full and not low <= value <= high:
                raise InputError(f"{name} is {low} to {high}, not {value}")
            # The whole size is kept as such: another configuration may have another one.
            changes[name] = 0 if name.startswith("size") and value == full else value
        self.change(**changes)

    def set_array_counter(self, count: int) -> None:
        """Set the number of images counted so far."""
        update(self.live, image=replace(self.state.image, counter=count))

    def refused(self, message: str) -> None:
        """Show why something could not be done."""
        self.show(message)
        self._refusal = self.state.message

    def accepted(self) -> None:
        """Something else could be done: a refusal is no longer what happened last."""
        if self._refusal and self.state.message == self._refusal:
            self.show("")
        self._refusal = ""

    def show(self, message: str) -> None:
        """Show what happened."""
        update(self.live, message=message[:255])

    @asynccontextmanager
    async def undisturbed(self) -> AsyncGenerator[None]:
        """Keep an exposure from starting during the block; an Acquire waits for its end.

        Raises:
            StateError: during an acquisition.
        """
        self._require_free()
        async with self._turn:
            yield

    async def acquire(self, settings: ExposureSettings | None = None) -> None:
        """Take images; return when all is done and on disk, or was aborted.

        ``settings`` hold for this time only; by default they are those that are shown and kept.

        Raises:
            StateError: if it cannot begin now; the reason is shown as well.
            ArchonError: if it failed.
        """
        self._require_free()
        self._reason = self._publisher.problem = ""
        self._is_over = False
        # From here on a second request is refused, before anything is awaited.
        current = asyncio.create_task(self._acquisition(settings or self.state.settings), name="acquisition")
        current.add_done_callback(self._acquired)
        self._current = current
        # Only watched: the exposure belongs to the camera, not to the client.
        await asyncio.wait([current])
        if not current.cancelled():
            current.result()

    def _require_free(self) -> None:
        if self._current is not None and not self._current.done():
            raise StateError(f"the camera is {self.state.phase.value}; abort first")

    async def abort(self, reason: str = "aborted") -> None:
        """Stop now and throw away what was not read; return when the hardware is safe. Idle: do nothing."""
        current = self._current
        if current is None or current.done():
            return
        # A second cancellation would cut short what the first one tidies up.
        if not self._is_over and not current.cancelling():
            self._reason = reason
            current.cancel()
        await asyncio.wait([current])

    async def set_shutter(self, is_open: bool) -> None:
        """Open or close the shutter by hand.

        Raises:
            StateError: during an acquisition, or without a shutter.
        """
        async with self.undisturbed():
            await self._shutter.set(self.state.settings.shutter_mode, is_open)

    # one acquisition

    async def _acquisition(self, settings: ExposureSettings) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._turn:
                await self._recover()
                await self._check_ready(settings)
                began = loop.time()
                # In one step: no client may see Acquire without its state, or the state of the last time.
                check_step(self.state.phase, Phase.PREPARING)
                update(
                    self.live, acquiring=True, phase=Phase.PREPARING, outcome=Outcome.NONE, message="Acquiring",
                    images_done=0, exposures_done=0,
                )  # fmt: skip
                await self._take_images(settings)
            self._end(Outcome.DONE, f"Done, but {problem}" if (problem := self._publisher.problem) else "Done")
        except asyncio.CancelledError:
            is_regular = settings.image_mode is ImageMode.CONTINUOUS
            self._end(Outcome.DONE if is_regular else Outcome.ABORTED, f"Acquisition {self._reason}")
        except ArchonError as error:
            if not self.state.acquiring:
                log.warning("%s: acquisition refused: %s", self.controller.name, error)
                self.refused(str(error))
                raise
            log.error("%s: acquisition failed: %s", self.controller.name, error)
            self._end(Outcome.FAILED, str(error))
            raise
        finally:
            if self.state.acquiring:
                await asyncio.sleep(began + _SHORTEST_ACQUIRE - loop.time())

    def _acquired(self, task: asyncio.Task[None]) -> None:
        """Whatever happened: the next acquisition can begin."""
        if task.cancelled():  # before it had begun
            self._end(Outcome.ABORTED, f"Acquisition {self._reason}")
        elif (error := task.exception()) and not isinstance(error, ArchonError):
            log.critical("%s: acquisition failed", self.controller.name, exc_info=error)
            self._end(Outcome.FAILED, f"internal error: {error!r}")
        update(self.live, acquiring=False)

    def _end(self, outcome: Outcome, message: str) -> None:
        self._is_over = True
        self._outcome = outcome
        if problem := self._shots.problem:
            outcome, message = Outcome.FAILED, f"{message}, but {problem}"
        if self.state.phase is not Phase.IDLE:
            enter(self.live, Phase.IDLE)
        image = replace(self.state.image, rate=0.0)
        update(self.live, outcome=outcome, message=message[:255], remaining=0.0, image=image)

    async def _check_ready(self, settings: ExposureSettings) -> None:
        acf = await self._shots.check(settings)
        rows, columns = acf.frame_shape
        pixel = 4 if settings.num_exposures > 1 else acf.sample_mode.bytes_per_pixel
        await self.filing.require_room(rows * columns * pixel)

    async def _take_images(self, settings: ExposureSettings) -> None:
        loop = asyncio.get_running_loop()
        while settings.images is None or self.state.images_done < settings.images:
            began = loop.time()
            await self._take(settings)
            more = settings.images is None or self.state.images_done < settings.images
            if more and (pause := began + settings.period - loop.time()) > 0:
                enter(self.live, Phase.WAITING)
                await self._shots.count_down(pause)

    async def _take(self, settings: ExposureSettings) -> None:
        """Take one image, of one or more summed exposures."""
        try:
            shot = await self._expose(settings)
            enter(self.live, Phase.SAVING)
            await _finished(self._hand_out(shot, settings))
            if not shot.powered:
                raise ReadoutError("the CCD power failed during the exposure")
            if settings.array_callbacks:
                await self._publisher.until_at_most(0 if settings.wait_for_plugins else 1)
        except BaseException:  # also cancellation: the hardware comes first
            enter(self.live, Phase.ABORTING)
            await self._shots.stop()
            raise

    async def _expose(self, settings: ExposureSettings) -> Shot:
        total: PixelArray | None = None
        moments: list[Moments] = []
        update(self.live, exposures_done=0)
        while True:
            frame, moment = await self._shots.take(settings)
            moments.append(moment)
            total = await asyncio.to_thread(add, total, frame)
            update(self.live, exposures_done=len(moments))
            powered = self._shots.has_power
            if len(moments) == settings.num_exposures or not powered:
                span = Moments.spanning(moments)
                return Shot(total, frame.info, span, len(moments), powered, self.attributes.cards())

    async def _hand_out(self, shot: Shot, settings: ExposureSettings) -> None:
        """Give a finished image to clients and to the disk."""
        # Where files go is not a setting of the exposure: it holds at once.
        state = replace(self.state, settings=replace(settings, files=self.filing.settings))
        exposure = await asyncio.to_thread(develop, shot, state, self._site)
        self._count(exposure)
        if settings.array_callbacks:
            self._publisher.publish(exposure)
        await self.filing.take(exposure)

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
            rate=1 / since if self.state.images_done and since > 0 else 0.0,
        )
        settings = self.state.settings
        is_shown = settings.array_callbacks and settings.image_callbacks
        shown = image if is_shown else self.state.shown
        done, amplifiers = self.state.images_done + 1, exposure.facts.amplifiers
        update(self.live, image=image, shown=shown, quick_look=amplifiers, images_done=done)


async def _finished(work: Awaitable[None]) -> None:
    """Do work that must not be cut short; a cancellation is delivered when it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()
        raise
