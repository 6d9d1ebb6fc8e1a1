"""Clearing: what empties the CCD between exposures, and throws light away on purpose."""

import asyncio
from collections.abc import Sequence
from enum import IntEnum

from archon_ioc.driver.controller import ArchonController
from archon_ioc.exposure.camera import Camera
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.state import update
from archon_ioc.exposure.together import together


class AutoFlush(IntEnum):
    """Whether the CCD is cleared all the time while nothing is exposed."""

    NO = 0
    YES = 1
    AS_CONFIGURED = 2


class Clearing:
    """Clears the CCDs of some of the camera's controllers."""

    def __init__(self, camera: Camera, controllers: Sequence[ArchonController]) -> None:
        self._camera = camera
        self._controllers = {controller.name: controller for controller in controllers}

    async def flush(self, start: int = 1) -> None:
        """Clear the CCDs as often as the settings say; an exposure that was not read out is thrown away.

        Return when the timing scripts should be done: the time is found by executing them, a controller does not tell.

        Raises:
            StateError: during an acquisition, or if a timing script cannot.
            LinkError: if a link is not UP or breaks.
        """
        if not start:
            return
        if not self._camera.state.acquiring:
            await self._camera.abort("discarded")
        count = self._camera.state.settings.flush_count
        async with self._camera.undisturbed():
            units = self._controllers
            await together({name: _flush(controller, count) for name, controller in units.items()})
        self._camera.show("Flushed")

    async def set_automatic(self, choice: int) -> None:
        """Switch clearing while idle, until the program ends.

        Raises:
            StateError: during an acquisition, or if a timing script cannot.
            LinkError: if a link is not UP or breaks.
        """
        choice = AutoFlush(choice)
        async with self._camera.undisturbed():
            units = self._controllers
            await together({name: _automatic(controller, choice) for name, controller in units.items()})
        update(self._camera.live, auto_flush=choice)

    async def abort(self) -> None:
        """Throw away what is being exposed, or was and is not read out; clear the CCDs where the settings say so."""
        state = self._camera.state
        is_needed = state.acquiring or state.phase is Phase.PENDING
        await self._camera.abort()
        state = self._camera.state
        if is_needed and state.outcome is Outcome.ABORTED and state.settings.abort_flush:
            message = state.message
            await self.flush()
            self._camera.show(f"{message}, and the CCD is flushed")


async def _flush(controller: ArchonController, count: int) -> None:
    await asyncio.sleep(await controller.timing.flush(count))


async def _automatic(controller: ArchonController, choice: AutoFlush) -> None:
    if choice is not AutoFlush.AS_CONFIGURED:
        await controller.set_autoflush(choice is AutoFlush.YES)
        return
    controller.timing.auto_flush = None
    await controller.timing.rest()
