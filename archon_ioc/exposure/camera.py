"""Camera: takes one exposure at a time. One exposure is one coroutine, readable as a recipe."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from archon_ioc.config import SiteConfig
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ControllerState, Link
from archon_ioc.errors import ArchonError, StateError
from archon_ioc.exposure import kinds
from archon_ioc.exposure.attributes import Attributes
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.hooking import Hooking
from archon_ioc.exposure.hooks import Hooks
from archon_ioc.exposure.keeping import Keeping
from archon_ioc.exposure.ledger import Ledger
from archon_ioc.exposure.phase import Outcome, Phase, check_step
from archon_ioc.exposure.publisher import Sink
from archon_ioc.exposure.recovery import Recovery
from archon_ioc.exposure.resumption import Resumption
from archon_ioc.exposure.series import Series
from archon_ioc.exposure.settings import ExposureSettings, ImageMode, SettingsFile, default_files
from archon_ioc.exposure.shots import Shots
from archon_ioc.exposure.shutter import PvShutter, Shutter
from archon_ioc.exposure.shutter_note import ShutterNote
from archon_ioc.exposure.state import CameraState, enter, update
from archon_ioc.exposure.unit import Unit
from archon_ioc.exposure.user_cards import UserCards
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_SHORTEST_ACQUIRE = 0.1
"""Seconds that Acquire_RBV stays 1 at least: ophyd's SingleTrigger misses shorter pulses (measured)."""
_SAFETY_PERIOD = 1.0
"""Seconds between two attempts to make the hardware safe."""
_WAITS_ON_CCD = "The link is lost, the exposure waits for it on the CCD, abort throws it away"


class Camera:
    """One camera on one or several controllers, of which the first one leads.

    `acquire` and `abort` may be called by anybody at any time; a call that does not fit is refused with a
    `StateError` and changes nothing. The exposure belongs to the camera: a caller that goes away does not end it.
    """

    def __init__(
        self,
        controllers: Sequence[ArchonController],
        site: SiteConfig,
        pv_shutter: PvShutter | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.controllers = tuple(controllers)
        self.hooks = hooks or Hooks()
        self._site = site
        kept = SettingsFile(site.files.state, ExposureSettings(files=default_files(site.files)), site.prefix)
        # A small file, read before anything runs: a client's put can never be overwritten by it.
        settings = kinds.checked(kept.load(), kinds.of(site))
        self.live = Live(CameraState.at_start(site, [controller.status for controller in controllers], settings))
        moving = next((own for own in controllers if own.name == site.shutter.controller), self.controller)
        self._keeping = Keeping(kept, self.live)
        self._shutter = Shutter(moving, pv_shutter, self.live, ShutterNote(site.files.state, site.prefix))
        units = [Unit(controller) for controller in controllers]
        self._hooking = Hooking(self.hooks, self.live)
        self._shots = Shots(units, self._shutter, self.live, self._hooking, site.sync)
        self.user_cards = UserCards(self.live, frozenset(one.name for one in (*site.detectors, *site.units)))
        self.attributes = Attributes(self.live, site.header.cards, self.user_cards.cards)
        self.filing = Filing(self.live, site, self._keeping.store)
        self._ledger = Ledger(site.files.state / "journal", [unit.name for unit in units], self.filing, self.live)
        self.recovery = Recovery(self._ledger, units, self._shutter, self.live, site)
        self.recovery.hooking = self._hooking
        self._series = Series(self._shots, self._ledger, self.attributes, self.live, site)
        self.sinks: list[Sink] = self._series.publisher.sinks
        """What gets each finished image; append to it before `run`."""
        self.light = self._shots.light
        """The integration, which can be paused."""
        self.recovery.resumption = Resumption(self._ledger, units, self._series)
        self._current: asyncio.Task[None] | None = None
        self._began = 0.0  # when it was shown, by the clock of the loop
        self._reason = ""  # why it was aborted
        self._refusal = ""
        self._is_over = True
        self._outcome = Outcome.NONE  # of the last acquisition, whether the hardware is safe or not
        self._turn = asyncio.Lock()  # an acquisition, or something that must not come between
        self._begin_to_follow(units)

    @property
    def controller(self) -> ArchonController:
        """The controller that leads, or the only one."""
        return self.controllers[0]

    @property
    def state(self) -> CameraState:
        """The latest state."""
        return self.live.value

    # life

    async def run(self) -> None:
        """Keep the hardware safe and the settings on disk, until cancelled; then stop what is running."""
        await self.filing.start()
        await self.attributes.load()
        await self.user_cards.load()
        await self._shutter.look_back()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_safe(), name="camera keeps safe")
                tasks.create_task(self.recovery.run(self._turn), name="camera recovery")
                tasks.create_task(self._keeping.run(), name="camera settings")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._ledger.is_ending = True
        self._shots.hurry()
        self._shutter.hurry()
        self._series.leave()
        await self.abort("aborted: the program stops")
        await self._shots.stop()
        self._shutter.hurry()  # it has its own time once more
        await self._shutter.close_left_open()
        await self._series.publisher.stop()
        self._hooking.stop()
        self._shutter.note.leave()
        self._ledger.leave()

    def _begin_to_follow(self, units: Sequence[Unit]) -> None:
        for number, unit in enumerate(units):
            unit.controller.live.follow(partial(self._follow, number))
            unit.tell = partial(self._tell_of_link, unit)

    def _follow(self, number: int, state: ControllerState) -> None:
        old = self.state.controllers
        if old[number] is state:
            return
        update(self.live, controllers=(*old[:number], state, *old[number + 1 :]))
        self._shutter.look()
        if (old[number].link, old[number].reason) != (state.link, state.reason):
            self._tell_of_link(self._shots.units[number])

    def _tell_of_link(self, unit: Unit) -> None:
        state = unit.state
        name = f"{state.name}: " if len(self.controllers) > 1 else ""
        if self.state.is_up:
            warning = f", but {self._shutter.left_open}" if self._shutter.left_open else ""
            self.show("Acquiring" if self.state.acquiring else f"Connected{warning}")
        elif state.link is Link.DOWN and state.reason:
            said = "The link is lost, waiting for it" if self.state.acquiring else "Disconnected"
            self.show(f"{name}{_WAITS_ON_CCD if unit.waits_on_ccd else said}: {state.reason}")

    async def _keep_safe(self) -> None:
        """Stop and close what could not be when it should have been, again and again until it works."""
        while True:
            await self._pause_or_new_link()
            if self._shots.is_unsafe or self._shutter.is_stuck:
                async with self._turn:
                    await self._recover()

    async def _pause_or_new_link(self) -> None:
        links = [unit.link for unit in self.state.controllers]
        with suppress(TimeoutError):
            await self.live.until(lambda state: [unit.link for unit in state.controllers] != links, _SAFETY_PERIOD)

    async def _recover(self) -> None:
        had_problem = self._shots.problem
        await self._shots.stop()
        if self._shutter.is_stuck:
            await self._shutter.close_left_open()
        if had_problem and not self._shots.problem:
            update(self.live, outcome=self._outcome, message="The timing script is stopped now")

    # operations

    def change(self, **changes: Any) -> None:
        """Set any of the exposure settings; they hold from the next Acquire on.

        Raises:
            InputError: if a value makes no sense.
        """
        update(self.live, settings=self.state.settings.changed(**changes))
        self._shutter.look()

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
        wanted = (settings or self.state.settings).effective()
        await self._start(partial(self._take, wanted), wanted)

    async def read(self) -> None:
        """Read out what an exposure without a readout has left on the CCD; return when it is on disk.

        Raises:
            StateError: if there is no such thing.
            ArchonError: if it failed.
        """
        if not (self._is_busy or self._series.pending):
            async with self._turn:
                await self.recovery.catch_up()  # an earlier program may have left one
        if self._is_busy or not (pending := self._series.pending):
            raise StateError(f"there is no readout pending, the camera is {self.state.phase.value}")
        await self._start(self._read, pending)

    async def _start(self, work: Callable[[], Coroutine[Any, Any, None]], settings: ExposureSettings) -> None:
        self._reason = self._series.publisher.problem = ""
        self._hooking.begin_anew()
        self._is_over = False
        self._shots.begin_anew()
        # From here on a second request is refused, before anything is awaited.
        current = asyncio.create_task(self._acquisition(work, settings), name="acquisition")
        current.add_done_callback(self._acquired)
        self._current = current
        # Only watched: the exposure belongs to the camera, not to the client.
        await asyncio.wait([current])
        if not current.cancelled():
            current.result()

    @property
    def _is_busy(self) -> bool:
        return self._current is not None and not self._current.done()

    def _require_free(self) -> None:
        if self._is_busy:
            raise StateError(f"the camera is {self.state.phase.value}; abort first")
        self.recovery.require_no_wait()
        self._require_read()

    def _require_read(self) -> None:
        if self._series.pending:
            raise StateError("the CCD holds an exposure that was not read out; read it or abort first")

    async def stop(self) -> None:
        """End the integration now, read out what was collected, and take no more images; return when all is done.

        Without light that could be kept this is `abort`; idle it does nothing.

        Raises:
            StateError: if the timing script cannot end an integration early, or waits for a trigger.
        """
        if self._current is None or self._current.done():
            return
        if self.state.phase in (Phase.IDLE, Phase.PREPARING) and not self.state.exposures_done:
            await self.abort("stopped")
            return
        self._shots.end_early()
        await asyncio.wait([self._current])

    async def until_idle(self, timeout: float | None = None) -> None:
        """Wait until no images are being taken.

        Raises:
            TimeoutError: if that takes longer than ``timeout`` seconds.
        """
        await self.live.until(lambda state: not state.acquiring, timeout)

    async def abort(self, reason: str = "aborted") -> None:
        """Stop now and throw away what was not read; return when the hardware is safe. Idle: do nothing."""
        self.recovery.give_up(reason)
        if not self._is_busy and self._series.pending:
            self._reason = reason
            self._current = asyncio.create_task(self._discard(), name="discard")
            self._current.add_done_callback(self._acquired)
        current = self._current
        if current is None or current.done():
            return
        # A second cancellation would cut short what the first one tidies up.
        if not self._is_over and not current.cancelling():
            self._reason = reason
            current.cancel()
        await asyncio.wait([current])

    @property
    def at_rest(self) -> asyncio.Event:
        """Set during an abort as soon as the scripts are stopped: what is being saved may take much longer."""
        return self._series.at_rest

    async def set_shutter(self, is_open: bool) -> None:
        """Open or close the shutter by hand.

        Raises:
            StateError: during an acquisition, or without a shutter.
        """
        async with self.undisturbed():
            await self._shutter.set(self.state.settings.shutter_mode, is_open)

    # one acquisition

    async def _take(self, settings: ExposureSettings) -> None:
        await self._recover()
        await self.recovery.catch_up()
        self._require_read()
        await self._series.require_room(settings)
        check_step(self.state.phase, Phase.PREPARING)
        self._show_acquiring(Phase.PREPARING)
        await self._series.take(settings)

    async def _read(self) -> None:
        self._show_acquiring(self.state.phase)
        await self._series.read()

    async def _discard(self) -> None:
        async with self._turn:
            await self._series.discard()
        self._end(Outcome.ABORTED, f"Readout {self._reason}")

    def _show_acquiring(self, phase: Phase) -> None:
        self._began = asyncio.get_running_loop().time()
        # In one step: no client may see Acquire without its state, or the state of the last time.
        update(
            self.live, acquiring=True, phase=phase, outcome=Outcome.NONE, message="Acquiring", images_done=0,
            exposures_done=0,
        )  # fmt: skip

    async def _acquisition(self, work: Callable[[], Coroutine[Any, Any, None]], settings: ExposureSettings) -> None:
        try:
            async with self._turn:
                await work()
            self._end(Outcome.DONE, self._done_message())
        except asyncio.CancelledError:
            is_regular = settings.image_mode is ImageMode.CONTINUOUS
            self._end(Outcome.DONE if is_regular else Outcome.ABORTED, f"Acquisition {self._reason}")
        except ArchonError as error:
            if not self.state.acquiring:
                log.warning("acquisition refused: %s", error)
                self.refused(str(error))
                raise
            log.error("acquisition failed: %s", error)
            self._end(Outcome.FAILED, str(error))
            raise
        finally:
            if self.state.acquiring:
                await asyncio.sleep(self._began + _SHORTEST_ACQUIRE - asyncio.get_running_loop().time())

    def _done_message(self) -> str:
        if self._series.pending:
            return "Integrated, the readout is pending"
        done = "Stopped, what was collected is kept" if self._shots.is_ending else "Done"
        problem = self._hooking.problem or self._series.publisher.problem
        return f"{done}, but {problem}" if problem else done

    def _acquired(self, task: asyncio.Task[None]) -> None:
        """Whatever happened: the next acquisition can begin."""
        if task.cancelled():  # before it had begun
            self._end(Outcome.ABORTED, f"Acquisition {self._reason}")
        elif (error := task.exception()) and not isinstance(error, ArchonError):
            log.critical("acquisition failed", exc_info=error)
            self._end(Outcome.FAILED, f"internal error: {error!r}")
        update(self.live, acquiring=False)

    def _end(self, outcome: Outcome, message: str) -> None:
        self._is_over = True
        self._outcome = outcome
        if problem := self._shots.problem:
            outcome, message = Outcome.FAILED, f"{message}, but {problem}"
        if self.state.phase is not Phase.IDLE and not self._series.pending:
            enter(self.live, Phase.IDLE)
        image = replace(self.state.image, rate=0.0)
        update(self.live, outcome=outcome, message=message[:255], remaining=0.0, image=image)
