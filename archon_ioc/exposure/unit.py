"""Unit: one controller's part in the exposures of a camera."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from archon_ioc.acf.file import Acf
from archon_ioc.driver.controller import ArchonController
from archon_ioc.driver.state import ConfigState, ControllerState
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.exposure.patience import Patience
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import BufferInfo, Frame, FrameStatus

log = logging.getLogger(__name__)

_FETCH_TRIES = 3
_UNSETTLED = (ConfigState.LOADING, ConfigState.APPLYING, ConfigState.ERROR)
_FRESH = 0.1
"""Seconds for which a STATUS is good enough to begin an exposure: it has been read after the last readout."""
_STOP_SECONDS = 10.0
"""How long stopping the script may take: it waits for what the controller does before, APPLYMOD takes 1.5 s."""
_HASTY = 2.0
"""The same when the program stops, which must be over within 3 s."""
_LONGEST_FETCH = 2.0
"""Seconds that stopping the script waits for a fetch, which keeps the controller from listening."""


class Unit:
    """The steps of an exposure on one controller: `prepare`, to begin by its ``timing``, `read_out` and `fetch`.

    If one of them fails or is cancelled, call `stop`. What others do meanwhile, and what the camera shows of it, is
    not known here.
    """

    def __init__(self, controller: ArchonController) -> None:
        self.controller = controller
        self.waits_on_ccd = False
        """Whether the link is lost, and what was collected stays on the CCD until it is back."""
        self.tell: Callable[[], None] = lambda: None
        """Is called when `waits_on_ccd` has become true."""
        self._before: FrameStatus | None = None
        self._patience = Patience()
        self._running = False  # the timing script does something for us
        self._unsafe = False  # … and could not be told to stop
        self._problem = ""
        self._fetches = 0  # that run, or wait for one another
        self._is_hasty = False
        self._is_relinking = False  # by us, and the script may have to be stopped then
        self._lost = ""  # why it does not have what another life of the program left on the CCD
        self._looked_at = -math.inf  # when STATUS was read for its power, by the loop's clock

    @property
    def name(self) -> str:
        """The name of the controller."""
        return self.controller.name

    @property
    def state(self) -> ControllerState:
        """The latest state of the controller."""
        return self.controller.status

    @property
    def start(self) -> FrameStatus:
        """The buffers as they were before the exposure that was prepared last.

        Raises:
            StateError: if there was none.
        """
        if self._before is None:
            raise StateError("no exposure was prepared")
        return self._before

    @property
    def is_unsafe(self) -> bool:
        """Whether the script still has to be told something; `stop` then tries again."""
        return self._unsafe

    @property
    def problem(self) -> str:
        """Why the script could not be stopped, nothing if it could."""
        return self._problem

    @property
    def was_restarted(self) -> bool:
        """Whether the controller has forgotten its configuration and what it was doing: it was switched on anew."""
        return self.state.power is Power.NOT_CONFIGURED

    @property
    def has_power(self) -> bool:
        """Whether the CCD had its voltages when it was looked at last: after each readout."""
        status = self.state.status
        return status is not None and status.power_good and status.power is Power.ON

    async def check(self) -> Acf:
        """Refuse what cannot be done now, and return the configuration that it will be done with.

        Raises:
            StateError: if the controller is not ready.
        """
        state = self.state
        if not state.is_up:
            raise StateError(f"the controller is disconnected: {state.reason}")
        if state.acf is None or state.config in _UNSETTLED:
            raise StateError(f"no configuration is loaded: {state.config_message}")
        if self._problem:
            raise StateError(self._problem)
        await self.require_power()
        self.controller.timing.script()
        return state.acf

    async def require_power(self) -> None:
        """Refuse to go on without voltages.

        Raises:
            StateError: with what STATUS says now.
            ReadoutError: if the link is lost and does not come back.
        """
        if asyncio.get_running_loop().time() - self._looked_at > _FRESH:
            await self._look_at_power()
        if problem := power_problem(self.state):
            raise StateError(problem)

    async def _look_at_power(self) -> None:
        try:
            await self.controller.get_device_status()
        except (LinkError, RejectedError):
            await self.controller.timing.until_up()  # a new link begins with STATUS
        self._looked_at = asyncio.get_running_loop().time()

    async def prepare(
        self, integration: Integration, note: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> None:
        """Hold the cores with everything set for an exposure; ``note`` is called as soon as `start` is known.

        Raises:
            ArchonError: if that is not possible.
        """

        async def known(before: FrameStatus) -> None:
            self._before = before
            if note:
                await note()

        self._running, self._lost = True, ""
        await self.controller.timing.prepare(integration, known)

    async def patiently(self, work: Callable[[], Awaitable[object]], latest: float = math.inf) -> bool:
        """Do what must be done between integration and readout, or during them; a lost link is waited for.

        Return False where that takes until ``latest``, by the clock of the loop: a script that integrates will then
        have read out by itself. Otherwise it takes as long as it takes: what was collected stays on the CCD.

        Raises:
            ArchonError: if it is not possible.
        """
        while await self._is_linked(latest):
            try:
                return await self._unless_late(work, latest)
            except LinkError as error:
                log.warning("%s: the link is lost during an exposure: %s", self.name, error)
        return False

    async def _is_linked(self, latest: float) -> bool:
        self.waits_on_ccd = latest == math.inf
        if self.waits_on_ccd and not self.state.is_up:
            self.tell()
        try:
            await self.controller.timing.until_up(max(latest - asyncio.get_running_loop().time(), 0.0))
        except ReadoutError:
            return False
        finally:
            self.waits_on_ccd = False
        return True

    async def _unless_late(self, work: Callable[[], Awaitable[object]], latest: float) -> bool:
        async with self.controller.timing.between_fetches:
            if asyncio.get_running_loop().time() >= latest:
                return False
            await self._require_same_life()
            await work()
            return True

    def resume(self, before: FrameStatus | None, lost: str = "") -> None:
        """Take up an exposure of another life of the program, to be read out: from ``before``, or ``lost`` and why."""
        self._before, self._running, self._lost = before, True, lost

    def leave(self) -> None:
        """Let the script go on as it is: the next program reads out."""
        self._running = False

    async def _require_same_life(self) -> None:
        if self._lost:
            raise ReadoutError(self._lost)
        if (await self.controller.get_frame()).timer < self.start.timer or self.was_restarted:
            raise ReadoutError("the controller was restarted, the image is lost")

    async def prepare_readout(self) -> None:
        """Hold the cores with everything set to read out what was integrated.

        Raises:
            ArchonError: if that is not possible.
        """
        if self._lost:
            raise ReadoutError(self._lost)
        await self.controller.timing.read_early(begins=False)

    async def read_out(self) -> BufferInfo:
        """Wait for the whole frame and return its buffer.

        Raises:
            ArchonError: if it does not come.
        """
        return await self.controller.timing.new_frame(self.start)

    async def rest(self) -> None:
        """Let the CCD be cleared while its image is fetched and saved, and see whether it still has power."""
        self._running = False
        try:
            await self.controller.timing.rest()
        except (LinkError, RejectedError) as error:
            log.warning("%s: idle clearing is not switched on: %s", self.name, error)
            self._unsafe = True
        await self._look_at_power()

    async def fetch(self, info: BufferInfo) -> Frame:
        """Fetch a frame; a link lost meanwhile is waited for: the frame is still in the controller.

        Raises:
            ArchonError: if the frame is gone, or the link is lost again and again.
        """
        self._require_time()
        self._fetches += 1
        try:
            for attempt in range(1, _FETCH_TRIES):
                try:
                    return await self.controller.timing.fetch(info)
                except LinkError as error:
                    log.warning("%s: fetch %d failed: %s", self.name, attempt, error)
                    self._require_time()
                    await self.controller.timing.until_up()
            return await self.controller.timing.fetch(info)
        finally:
            self._fetches -= 1

    def _require_time(self) -> None:
        if self._is_hasty:
            raise LinkError("the program stops; the frame is left in the controller")

    async def stop(self) -> bool:
        """Stop the script if it does something for us, and return whether that was so and worked.

        If it fails, `is_unsafe` and `problem` say so.
        """
        if not self._running and not self._unsafe:
            return False
        self._unsafe = True
        try:
            async with self._patience.limit(_STOP_SECONDS), self._undisturbed():
                await self.controller.timing.make_safe()
        except (LinkError, RejectedError, StateError) as error:
            self._complain(str(error))
        except TimeoutError:
            self._complain("it does not answer in time")
        else:
            self._running = self._unsafe = False
            self._problem = ""
        return not self._unsafe

    @asynccontextmanager
    async def _undisturbed(self) -> AsyncGenerator[None]:
        """Keep fetches away. One that takes long loses its link, and is tried again: the frame is still there."""
        alarm = asyncio.get_running_loop().call_later(_LONGEST_FETCH, self._relink)
        try:
            async with self.controller.timing.between_fetches:
                alarm.cancel()
                if self._is_relinking:
                    await self.controller.timing.until_up()
                    self._is_relinking = False
                yield
        finally:
            alarm.cancel()

    def _relink(self) -> None:
        self._is_relinking = True
        self.controller.reconnect()

    def hurry(self) -> None:
        """The program stops: what is left to be done may take 2 s."""
        self._is_hasty = True
        self._patience.shorten(_HASTY)
        if self._fetches:
            self._relink()  # a fetch may take longer than a stop

    def _complain(self, reason: str) -> None:
        problem = f"the timing script could not be stopped: {reason}"
        if problem != self._problem:
            log.error("%s: %s", self.name, problem)
        self._problem = problem


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
