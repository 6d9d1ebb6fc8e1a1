"""Shutter: moved by the Archon's trigger output, by another IOC's PVs, or by nobody."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from archon_ioc.driver.controller import ArchonController
from archon_ioc.errors import StateError
from archon_ioc.exposure.settings import ExposureSettings, ShutterMode


class PvShutter(Protocol):
    """A shutter that another IOC moves. Both methods return when it was told so, or raise `StateError`."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Shutter:
    """The shutter of one camera. ``show`` is called with True or False when it is opened or closed.

    The Archon's trigger output follows the script's INT signal unless it is forced to a level. A change of that
    takes one APPLYSYSTEM of 0.23 s, so nothing is sent when nothing changes (manual, TRIGOUTFORCE).
    """

    def __init__(
        self, controller: ArchonController, pv_shutter: PvShutter | None, show: Callable[[bool], None]
    ) -> None:
        self._controller = controller
        self._pv_shutter = pv_shutter
        self._show = show

    def check(self, mode: ShutterMode) -> None:
        """Refuse a mode that needs what is not there.

        Raises:
            StateError: if the site file names no PVs for "EPICS PV".
        """
        if mode is ShutterMode.EPICS_PV:
            self._require_pv_shutter()

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

    @asynccontextmanager
    async def opened(self, settings: ExposureSettings) -> AsyncGenerator[None]:
        """Keep the shutter open for the length of the block, also when it ends with an error."""
        if not self.is_moved_by_host(settings):
            self._show(settings.takes_light and settings.shutter_mode is ShutterMode.DETECTOR)
            try:
                yield
            finally:
                self._show(False)
            return
        shutter = self._require_pv_shutter()
        try:
            await shutter.open()
            self._show(True)
            await asyncio.sleep(settings.shutter_open_delay)
            yield
        finally:
            await shutter.close()
            self._show(False)
        await asyncio.sleep(settings.shutter_close_delay)

    async def set(self, mode: ShutterMode, is_open: bool) -> None:
        """Open or close it by hand.

        Raises:
            StateError: if there is none.
        """
        if mode is ShutterMode.DETECTOR:
            await self._force(is_open)
        elif mode is ShutterMode.EPICS_PV:
            shutter = self._require_pv_shutter()
            await (shutter.open() if is_open else shutter.close())
        else:
            raise StateError("ShutterMode is None: there is no shutter to move")
        self._show(is_open)

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
