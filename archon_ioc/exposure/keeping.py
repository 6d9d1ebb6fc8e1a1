"""Keeping: the settings go to the disk whenever they change."""

import asyncio
import logging

from archon_ioc.errors import SaveError
from archon_ioc.exposure.settings import ExposureSettings, SettingsFile
from archon_ioc.exposure.state import CameraState
from archon_ioc.exposure.together import finished
from archon_ioc.live import Live

log = logging.getLogger(__name__)


class Keeping:
    """Keeps the settings of a camera's state in their file, which already has those that it begins with."""

    def __init__(self, file: SettingsFile, live: Live[CameraState]) -> None:
        self._file = file
        self._live = live
        self._stored = live.value.settings
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Store each change, until cancelled; what cannot be stored is told once in the log."""
        async for state in self._live.watch():
            if state.settings != self._stored:
                await finished(self._try_to_store(state.settings))

    async def store(self) -> None:
        """Store the settings now, if they are not.

        Raises:
            SaveError: if the file cannot be written.
        """
        async with self._turn:
            settings = self._live.value.settings
            if settings != self._stored:
                await finished(asyncio.to_thread(self._file.save, settings))
                self._stored = settings

    async def _try_to_store(self, settings: ExposureSettings) -> None:
        try:
            await self.store()
        except SaveError as error:
            self._stored = settings  # once is enough, until they change again
            log.error("settings are not kept: %s", error)
