"""Prediction: how long a readout will take with the configuration and parameters in force, and how far one is."""

import asyncio
import logging
from collections.abc import Mapping

from archon_ioc.acf.estimate import ReadoutTimes, estimate_readout
from archon_ioc.acf.file import Acf
from archon_ioc.acf.roles import Roles
from archon_ioc.config import ScriptConfig
from archon_ioc.driver.keeper import Keeper
from archon_ioc.driver.state import ControllerState, Progress, Step
from archon_ioc.errors import ArchonError
from archon_ioc.protocol.enums import FrameMode

log = logging.getLogger(__name__)


class Prediction:
    """Follows the state, and keeps ``readout`` in it up to date. It is None as long as nothing is known."""

    def __init__(self, keeper: Keeper, names: ScriptConfig) -> None:
        self._keeper = keeper
        self._names = names
        self._acf: Acf | None = None
        self._parameters: Mapping[str, int] = {}
        self._timed: tuple[Acf | None, Mapping[str, int]] = (None, {})

    async def run(self) -> None:
        """Go on until cancelled."""
        async for state in self._keeper.live.watch():
            if state.acf is not self._acf or state.parameters is not self._parameters:
                self._acf, self._parameters = state.acf, state.parameters
                await self._predict(state)

    async def _predict(self, state: ControllerState) -> None:
        acf = state.acf
        lasting: Mapping[str, int] = self._lasting(acf, state.parameters) if acf else {}
        if acf is self._timed[0] and lasting == self._timed[1]:
            return
        self._timed = acf, lasting
        # Some milliseconds, and more for a long script: too long for the event loop.
        readout = await asyncio.to_thread(self._times, acf, lasting) if acf else None
        self._keeper.update(readout=readout)

    def _lasting(self, acf: Acf, parameters: Mapping[str, int]) -> Mapping[str, int]:
        """Return the parameters without those that each exposure sets."""
        roles = Roles.of(acf, self._names)
        passing = {*roles.quiet(), *roles.resting(), roles.integration, roles.long_integration, roles.flush_count}
        return {name: value for name, value in parameters.items() if name not in passing}

    def _times(self, acf: Acf, parameters: Mapping[str, int]) -> ReadoutTimes | None:
        try:
            return estimate_readout(acf, parameters, self._names)
        except ArchonError as error:
            log.info("%s: the time of a readout is not known: %s", self._keeper.config.name, error)
            return None


def readout_progress(state: ControllerState) -> Progress | None:
    """Return how far the frame that is being written is, None between frames."""
    writing = state.frames.writing if state.frames else None
    if writing is None or not writing.height:
        return None
    split = 2 if writing.mode is FrameMode.SPLIT else 1  # LINES counts per tap, HEIGHT both halves
    return Progress(Step.READING_OUT, writing.lines, writing.height // split)
