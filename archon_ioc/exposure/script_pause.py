"""ScriptPause: how the timing script of one controller is paused while it integrates."""

import asyncio
import logging
import math
from functools import partial

from archon_ioc.acf.pausing import objection
from archon_ioc.driver.timing import Integration
from archon_ioc.errors import RejectedError, StateError
from archon_ioc.exposure.unit import Unit

log = logging.getLogger(__name__)


class ScriptPause:
    """Pauses one controller's integration: by a parameter for which its script waits, or by holding its cores.

    Held cores forget where they were, so the rest is another integration, without clearing the CCD between.
    """

    def __init__(self, unit: Unit) -> None:
        self.is_by_hold = False
        """Whether the cores are held; `require` finds out."""
        self.since = 0.0
        """When the script was told to wait last, by the clock of the loop."""
        self.refusal: RejectedError | None = None
        """Why the controller did not let it be paused last."""
        self._unit = unit
        self._waits = False

    async def require(self, *, by_hold: bool) -> None:
        """Refuse a pause that the timing script cannot make; ``by_hold``: not by a parameter of its own.

        Raises:
            StateError: if neither is possible.
        """
        timing, acf = self._unit.controller.timing, self._unit.state.acf
        self._waits = False
        self.is_by_hold = by_hold or timing.script().pause is None
        if not self.is_by_hold:
            return
        if not timing.names.pause_by_hold:
            raise StateError(_no_pause(timing.names.pause, is_synchronised=by_hold))
        parameters = self._unit.state.parameters
        if acf and (reason := await asyncio.to_thread(objection, acf, parameters, timing.names)):
            raise StateError(f"{self._unit.name} cannot pause: {reason}")

    async def pause(self, latest: float) -> bool:
        """Keep light from the running integration, and return whether that worked; a lost link is waited for.

        False: it is too late, by ``latest``, or the controller refuses, and the integration goes on as planned.

        Raises:
            ArchonError: if the image is lost.
        """
        self.refusal = None
        if not self._waits:
            try:
                await self._unit.patiently(partial(self._pause, latest), latest)
            except RejectedError as error:  # not worth the exposure
                log.error("%s does not pause: %s", self._unit.name, error)
                self.refusal = error
        return self._waits

    async def _pause(self, latest: float) -> None:
        loop = asyncio.get_running_loop()
        async with self._unit.controller.timing.undisturbed:  # a line that is applied may take a second
            asked = loop.time()
            if asked >= latest:
                return
            await self._tell_to_wait()
        self.since = (asked + loop.time()) / 2
        self._waits = True

    async def _tell_to_wait(self) -> None:
        pause = self._unit.controller.timing.script().pause
        if self.is_by_hold or pause is None:
            await self._unit.controller.hold()
        else:
            await self._unit.controller.timing.set_parameters({pause: 1})

    async def prepare_rest(self, rest: Integration) -> None:
        """Prepare the rest of a paused integration for `go_on`; a lost link is waited for.

        Raises:
            ArchonError: if it is not possible.
        """
        self._waits = False
        await self._unit.patiently(partial(self._prepare_rest, rest), math.inf)

    async def _prepare_rest(self, rest: Integration) -> None:
        if self.is_by_hold:
            await self._unit.controller.timing.prepare(rest)

    async def go_on(self) -> None:
        """Let a paused integration go on.

        Raises:
            ArchonError: if it is not possible.
        """
        pause = self._unit.controller.timing.script().pause
        if self.is_by_hold or pause is None:
            await self._unit.controller.timing.begin()
        else:
            await self._unit.controller.timing.set_parameters({pause: 0})


def _no_pause(parameter: str, *, is_synchronised: bool) -> str:
    allows = "the site file does not allow script.pause_by_hold"
    if is_synchronised:
        return f"controllers that are synchronised by hardware are held to pause, and {allows}"
    return f"this timing script cannot pause: it has no parameter {parameter!r}, and {allows}"
