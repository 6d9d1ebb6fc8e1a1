"""Resumption: what an earlier program left on the CCDs to be read out is taken up by the next one."""

from collections.abc import Mapping, Sequence

from archon_ioc.errors import LinkError, ReadoutError, StateError
from archon_ioc.exposure import salvage
from archon_ioc.exposure.journal import Entry
from archon_ioc.exposure.ledger import Ledger
from archon_ioc.exposure.series import Series
from archon_ioc.exposure.unit import Unit


class Resumption:
    """Takes up a held exposure as soon as all controllers are linked, and sees first whether the CCDs still have it."""

    def __init__(self, ledger: Ledger, units: Sequence[Unit], series: Series) -> None:
        self._ledger = ledger
        self._units: Mapping[str, Unit] = {unit.name: unit for unit in units}
        self._series = series

    @property
    def _held(self) -> list[Entry]:
        return [entry for entry in self._ledger.pending if entry.held]

    @property
    def is_due(self) -> bool:
        """Whether there is one that can be taken up now."""
        return bool(self._held) and all(unit.state.is_up for unit in self._units.values())

    async def resume(self) -> None:
        """Take it up; what a CCD cannot hold any more is lost, and the journal says why."""
        lost: dict[str, str] = {}
        left: list[Entry] = []
        held = self._held
        for entry in held:
            try:
                if entry.naming != held[-1].naming:
                    raise ReadoutError("there was a later exposure")
                await _require_untouched(entry, self._units[entry.controller.name])
                left.append(entry)
            except LinkError:
                return  # it is due again with the next link
            except salvage.OtherControllerError:
                self._ledger.release(entry)  # its controller only has the same name
            except (ReadoutError, StateError) as error:
                lost[entry.controller.name] = str(error)
                await self._ledger.lose(entry, str(error))
        if left:
            found = {entry.controller.name for entry in left}
            missing = self._units.keys() - found - lost.keys()
            self._series.resume(left, lost | dict.fromkeys(missing, "nothing is known of its exposure"))


async def _require_untouched(entry: Entry, unit: Unit) -> None:
    """Refuse an exposure that the CCD cannot hold any more.

    Raises:
        ReadoutError: if it was restarted, read out or configured anew, or has no power.
        StateError: if another controller answers.
        LinkError: if the link breaks.
    """
    frames = await unit.controller.get_frame()
    state = unit.state
    salvage.find(entry, state.system.backplane_id if state.system else "", frames)
    if not state.is_powered:
        raise ReadoutError(f"the CCD power is {state.power.name}")
    if (state.acf.digest if state.acf else "") != entry.controller.acf:
        raise ReadoutError("another configuration is loaded")
