"""Shutter: moved by the Archon's trigger output, by another IOC's PVs, or by nobody."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import ArchonError, StateError
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode, TriggerMode
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.live import Live

log = logging.getLogger(__name__)

_HASTY = 0.8
"""Seconds for closing when an exposure was cut short: the timing script has to be stopped as well, within 3 s."""


class PvShutter(Protocol):
    """A shutter that another IOC moves. Both methods return when it was told so, or raise `StateError`."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Shutter:
    """The shutter of one camera; the owner of what its state says of the shutter.

    The Archon's trigger output follows the script's INT signal unless it is forced to a level. A change of that
    takes one APPLYSYSTEM of 0.23 s, so nothing is sent when nothing changes (manual, TRIGOUTFORCE).
    """

    def __init__(self, controller: ArchonController, pv_shutter: PvShutter | None, live: Live[CameraState]) -> None:
        self._controller = controller
        self._pv_shutter = pv_shutter
        self._live = live
        self._left_open: ShutterMode | None = None  # by hand, and how

    def check(self, settings: ExposureSettings) -> None:
        """Refuse settings that need what is not there.

        Raises:
            StateError: if the site file names no PVs for "EPICS PV", or these would have to follow Trigger In.
        """
        if not self.is_moved_by_host(settings):
            return
        self._require_pv_shutter()
        if settings.trigger_mode is TriggerMode.EXTERNAL:
            raise StateError("a shutter of another IOC cannot follow Trigger In; choose another ShutterMode")

    def is_moved_by_host(self, settings: ExposureSettings) -> bool:
        """Whether we open and close it, not the timing script."""
        return settings.shutter_mode is ShutterMode.EPICS_PV and settings.takes_light

    async def prepare(self, settings: ExposureSettings) -> None:
        """Before an exposure: let the script move the shutter, or hold it closed for a dark.

        Raises:
            StateError: if it cannot be held closed.
        """
        if settings.shutter_mode is not ShutterMode.DETECTOR:
            return
        if settings.takes_light:
            await self._follow_script()
        else:
            await self._force(False)
        self._left_open = None
        self._show(False)

    @asynccontextmanager
    async def opened(self, settings: ExposureSettings) -> AsyncGenerator[None]:
        """Keep the shutter open for the length of the block, also when it ends with an error.

        Raises:
            StateError: if a shutter of another IOC does not say that it moved.
        """
        if self.is_moved_by_host(settings):
            async with self._opened_by_pv(settings):
                yield
        elif settings.takes_light and settings.shutter_mode is ShutterMode.DETECTOR:
            self._show(True)
            try:
                yield
            finally:
                self._show(False)
        else:
            yield

    @asynccontextmanager
    async def _opened_by_pv(self, settings: ExposureSettings) -> AsyncGenerator[None]:
        shutter = self._require_pv_shutter()
        patience: float | None = _HASTY
        try:
            await self._tell(shutter, True)
            self._show(True)
            await asyncio.sleep(settings.shutter_open_delay)
            yield
            patience = None
        finally:
            await self._close_by_pv(shutter, patience)
        await asyncio.sleep(settings.shutter_close_delay)

    async def _close_by_pv(self, shutter: PvShutter, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._tell(shutter, False)
        except TimeoutError:
            raise StateError(f"the shutter was told to close but is not closed after {patience:g} s") from None
        self._left_open = None
        self._show(False)

    async def set(self, mode: ShutterMode, is_open: bool) -> None:
        """Open or close it by hand.

        Raises:
            StateError: if there is none.
        """
        if mode is ShutterMode.DETECTOR:
            await self._force(is_open)
        elif mode is ShutterMode.EPICS_PV:
            await self._tell(self._require_pv_shutter(), is_open)
        else:
            raise StateError("ShutterMode is None: there is no shutter to move")
        self._left_open = mode if is_open else None
        self._show(is_open)

    async def close_left_open(self) -> None:
        """Close it if it was left open by hand; when that fails, say so in the log."""
        if self._left_open is None:
            return
        try:
            async with asyncio.timeout(_HASTY):
                await self.set(self._left_open, False)
        except (ArchonError, TimeoutError) as error:
            log.error("the shutter may be open: %s", str(error) or f"not closed after {_HASTY:g} s")

    async def _tell(self, shutter: PvShutter, is_open: bool) -> None:
        update(self._live, shutter_told=is_open)
        await (shutter.open() if is_open else shutter.close())

    def _show(self, is_open: bool) -> None:
        update(self._live, shutter_open=is_open)

    def _forced(self) -> bool | None:
        """True when forced open, False when forced closed, None when it follows the script."""
        acf = self._controller.status.acf
        if acf is None or acf.keys.get("TRIGOUTFORCE", "0") != "1":
            return None
        return acf.keys.get("TRIGOUTLEVEL", "0") == "1"

    async def _follow_script(self) -> None:
        if self._forced() is not None:
            await self._controller.write_line("TRIGOUTFORCE", 0)

    async def _force(self, is_open: bool) -> None:
        acf = self._controller.status.acf
        if acf is None or "TRIGOUTFORCE" not in acf or "TRIGOUTLEVEL" not in acf:
            raise StateError("the configuration has no TRIGOUTFORCE and TRIGOUTLEVEL to move the shutter with")
        if self._forced() is not is_open:
            await self._controller.write_line("TRIGOUTLEVEL", int(is_open), apply=False)
            await self._controller.write_line("TRIGOUTFORCE", 1)

    def _require_pv_shutter(self) -> PvShutter:
        if self._pv_shutter is None:
            raise StateError("the site file names no PVs of a shutter")
        return self._pv_shutter
