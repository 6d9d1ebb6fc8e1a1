"""Shutter: moved by the Archon's trigger output, by another IOC's PVs, or by nobody."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError, SaveError, StateError
from archon_ioc.exposure.patience import Patience
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode, TriggerMode
from archon_ioc.exposure.shutter_note import ShutterNote
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.exposure.together import finished
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_HASTY = 0.8
"""Seconds for closing when the program stops: the timing script has to be stopped as well, within 3 s."""
_OUTPUT = ("TRIGOUTFORCE", "TRIGOUTLEVEL")


class PvShutter(Protocol):
    """A shutter that another IOC moves. Both methods return when it was told so, or raise `StateError`."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Shutter:
    """The shutter of one camera; the owner of what its state says of the shutter.

    The Archon's trigger output follows the script's INT signal unless it is forced to a level. A change of that
    takes one APPLYSYSTEM of 0.23 s, so nothing is sent when nothing changes (manual, TRIGOUTFORCE). Whether it is
    forced open is read from the configuration: an earlier life of this program may have left it so.
    """

    def __init__(
        self,
        controller: ArchonController,
        pv_shutter: PvShutter | None,
        live: Live[CameraState],
        note: ShutterNote,
    ) -> None:
        self.controller = controller
        """The one whose trigger output moves it."""
        self.failure: StateError | None = None
        """Why it did not close at the end of the last integration."""
        self.is_stuck = False
        """Whether it is open because it could not be closed; `close_left_open` then tries again."""
        self.left_open = ""
        """What is to be said of a shutter that a program left open that died."""
        self._pv_shutter = pv_shutter
        self._live = live
        self.note = note
        """That it is open, for the next program."""
        self._patience = Patience()
        self._follows_script = False  # which integrates
        self._output_by_hand = False  # the trigger output was opened by hand
        self._output_is_open = False  # it holds a shutter open
        self._pv_is_open = False  # as far as anybody knows
        self._problem = ""  # … and why it was not

    def check(self, settings: ExposureSettings) -> None:
        """Refuse settings that need what is not there.

        Raises:
            StateError: if the site file names no PVs for "EPICS PV", or the exposure could not wait for these.
        """
        if not settings.host_moves_shutter:
            return
        self._require_pv_shutter()
        if settings.trigger_mode is TriggerMode.EXTERNAL:
            raise StateError("a shutter of another IOC cannot follow Trigger In; choose another ShutterMode")
        if self.controller.timing.script().readout is None:
            raise StateError("this timing script reads out by itself, it cannot wait for the shutter of another IOC")

    async def look_back(self) -> None:
        """Find out whether a program that died has left that of another IOC open. Nobody but the user closes it."""
        try:
            since = await asyncio.to_thread(self.note.read) if self._pv_shutter else ""
        except SaveError as error:
            log.error("it is not known whether the shutter was left open: %s", error)
            return
        if since:
            self.left_open = f"the shutter was opened at {since} and may still be open: close it"
            log.warning("%s", self.left_open)
            self._pv_is_open = True
            self.look()
            update(self._live, message=self.left_open)

    async def prepare(self, settings: ExposureSettings) -> None:
        """Before an exposure: close what was left open, then let the script move it, or hold it closed for a dark.

        Raises:
            StateError: if it cannot be closed, or not be held closed.
        """
        self.failure = None
        if self._pv_is_open:
            await self._move_by_pv(False)
        if settings.shutter_mode is ShutterMode.DETECTOR and settings.takes_light:
            await self._follow_script()
        elif settings.shutter_mode is ShutterMode.DETECTOR or self._output_may_be_open():
            await self._force(False)
        self._output_by_hand = False
        self.look()

    @asynccontextmanager
    async def opened(self, settings: ExposureSettings) -> AsyncGenerator[None]:
        """Keep the shutter open for the length of the block; a script that is cut short closes it when it `stopped`.

        When it does not close after the block, `failure` tells: what was collected can still be read out.

        Raises:
            StateError: if a shutter of another IOC does not say that it opened, or closed after an error.
        """
        if settings.host_moves_shutter:
            async with self._opened_by_pv(settings):
                yield
            return
        self._follows_script = settings.takes_light and settings.shutter_mode is ShutterMode.DETECTOR
        self.look()
        yield
        self.stopped()

    async def shut(self, settings: ExposureSettings) -> None:
        """Close it for a pause, within `opened`.

        Raises:
            StateError: if a shutter of another IOC does not say that it moved.
        """
        if not settings.host_moves_shutter:
            self.stopped()
            return
        try:
            await self._move_by_pv(False)
        except StateError as error:
            self.failure = error
            raise
        await asyncio.sleep(settings.shutter_close_delay)

    async def reopen(self, settings: ExposureSettings) -> None:
        """Open it after a pause; returns and raises as `shut` does."""
        if not settings.host_moves_shutter:
            self._follows_script = settings.takes_light and settings.shutter_mode is ShutterMode.DETECTOR
            self.look()
            return
        await self._move_by_pv(True)
        await asyncio.sleep(settings.shutter_open_delay)

    def stopped(self) -> None:
        """The script does not integrate any more."""
        self._follows_script = False
        self.look()

    @asynccontextmanager
    async def _opened_by_pv(self, settings: ExposureSettings) -> AsyncGenerator[None]:
        is_over = False
        try:
            await self._move_by_pv(True)
            await asyncio.sleep(settings.shutter_open_delay)
            yield
            is_over = True
        finally:
            try:
                await self._close_by_pv()
            except StateError as error:
                log.error("after an exposure: %s", error)
                self.failure = error
                await self._remember(self.note.write)
                if not is_over:
                    raise
        await asyncio.sleep(settings.shutter_close_delay)

    async def _close_by_pv(self) -> None:
        self.is_stuck = True
        try:
            async with self._patience.limit(None):
                await self._move_by_pv(False)
        except TimeoutError:
            raise StateError(f"the shutter was told to close but is not closed after {_HASTY:g} s") from None
        self.is_stuck = False

    async def set(self, mode: ShutterMode, is_open: bool) -> None:
        """Open or close it by hand.

        Raises:
            StateError: if there is none.
        """
        if mode is ShutterMode.DETECTOR:
            self._output_by_hand = True
            await self._force(is_open)
        elif mode is ShutterMode.EPICS_PV:
            if is_open and self._pv_shutter:
                await self._remember(self.note.write)
            await self._move_by_pv(is_open)
        else:
            raise StateError("ShutterMode is None: there is no shutter to move")
        self.is_stuck = False
        self.look()

    def hurry(self) -> None:
        """The program stops: from now on closing may take 0.8 s only."""
        self._patience.shorten(_HASTY)

    async def close_after_crash(self) -> None:
        """Close that of another IOC, which a program that died may have left open; `is_stuck` if that fails."""
        if self._pv_shutter is not None:
            self._pv_is_open = self.is_stuck = True
            await self.close_left_open()

    async def close_left_open(self) -> None:
        """Close it if it is open; when that fails, say so in the log."""
        try:
            async with self._patience.limit(None):
                if self._pv_is_open:
                    await self._move_by_pv(False)
                if self._output_may_be_open():
                    await self._force(False)
            self.is_stuck, self._problem = False, ""
        except (ArchonError, TimeoutError) as error:
            self._complain(str(error) or f"not closed after {_HASTY:g} s")
        self.look()

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            log.error("the shutter may be open: %s", problem)
        self._problem = problem

    def look(self) -> None:
        """Show whether it is open, as far as anybody knows."""
        if self._is_sure:
            self._output_is_open = self._has_output and self._forced() is True
        is_open = self._follows_script or self._pv_is_open or self._output_is_open
        if is_open is not self._live.value.shutter_open:
            update(self._live, shutter_open=is_open)

    async def _move_by_pv(self, is_open: bool) -> None:
        shutter = self._require_pv_shutter()
        update(self._live, shutter_told=is_open)
        self._pv_is_open = True  # from the first word to open to the end of a closing
        await (shutter.open() if is_open else shutter.close())
        self._pv_is_open = is_open
        self.look()
        if not is_open and self.note.is_there:
            self.left_open = ""
            await self._remember(self.note.remove)

    async def _remember(self, change: Callable[[], None]) -> None:
        try:
            await finished(asyncio.to_thread(change))
        except SaveError as error:
            log.error("the next program may not know how the shutter is: %s", error)

    @property
    def _has_output(self) -> bool:
        """Whether a shutter is said to be at the trigger output; what else is there is not ours to move."""
        return self._live.value.settings.shutter_mode is ShutterMode.DETECTOR or self._output_by_hand

    def _output_may_be_open(self) -> bool:
        self.look()
        return self._output_is_open or (self._has_output and not self._is_sure)

    def _forced(self) -> bool | None:
        """True when forced open, False when forced closed, None when it follows the script."""
        acf = self.controller.status.acf
        if acf is None or acf.keys.get("TRIGOUTFORCE", "0") != "1":
            return None
        return acf.keys.get("TRIGOUTLEVEL", "0") == "1"

    @property
    def _is_sure(self) -> bool:
        """Whether the output does what the configuration says: a broken link or a cancellation leaves doubts."""
        return self.controller.status.doubtful.isdisjoint(_OUTPUT)

    async def _follow_script(self) -> None:
        if self._forced() is not None or not self._is_sure:
            await self.controller.write_line("TRIGOUTFORCE", 0)

    async def _force(self, is_open: bool) -> None:
        acf = self.controller.status.acf
        if acf is None or any(key not in acf for key in _OUTPUT):
            raise StateError("the configuration has no TRIGOUTFORCE and TRIGOUTLEVEL to move the shutter with")
        if self._forced() is not is_open or not self._is_sure:
            await self.controller.write_line("TRIGOUTLEVEL", int(is_open), apply=False)
            await self.controller.write_line("TRIGOUTFORCE", 1)

    def _require_pv_shutter(self) -> PvShutter:
        if self._pv_shutter is None:
            raise StateError("the site file names no PVs of a shutter")
        return self._pv_shutter
