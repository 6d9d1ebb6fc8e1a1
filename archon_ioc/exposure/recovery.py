"""Recovery: fetches and writes what was exposed and is not on the disk, after a crash, a lost link or a full disk."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from archon_ioc.config import SiteConfig
from archon_ioc.errors import ArchonError, ReadoutError, StateError
from archon_ioc.exposure import salvage
from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.hooking import Hooking
from archon_ioc.exposure.journal import Entry
from archon_ioc.exposure.ledger import Ledger
from archon_ioc.exposure.part import Part
from archon_ioc.exposure.phase import Outcome
from archon_ioc.exposure.picture import Exposure, develop
from archon_ioc.exposure.resumption import Resumption
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.shutter import Shutter
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.exposure.unit import Unit
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo, FrameStatus

log = logging.getLogger(__name__)


class Recovery:
    """Recovers what is pending in the ledger.

    Each entry is tried once by itself whenever its controller is linked anew, and again whenever somebody asks.
    """

    def __init__(
        self, ledger: Ledger, units: Sequence[Unit], shutter: Shutter, live: Live[CameraState], site: SiteConfig
    ) -> None:
        self._ledger = ledger
        self._units = {unit.name: unit for unit in units}
        self._filing = ledger.filing
        self._live = live
        self._site = site
        self._shutter = shutter
        self.resumption: Resumption | None = None
        """Takes up what waits on the CCDs."""
        self.hooking: Hooking | None = None
        """Is given the files of each image, when all that can be had of it now is there."""
        self._filed: dict[Naming, tuple[ExposureSettings, FileSet]] = {}  # what it has not been given yet
        self._tried: dict[str, int] = {}  # by entry, on which life of the link
        self._current = ""  # the entry that is being recovered
        self._waiting: asyncio.Task[BufferInfo] | None = None
        self._reason = ""  # why that was given up

    def require_no_wait(self) -> None:
        """Refuse what would have to wait for an exposure of an earlier life that is not read out yet.

        Raises:
            StateError: saying which one.
        """
        if waiting := self._live.value.journal.waiting:
            raise StateError(f"{waiting}; abort throws it away")

    async def run(self, turn: asyncio.Lock) -> None:
        """Recover what can be, again after each new link, until cancelled; ``turn`` keeps exposures away meanwhile."""
        while True:
            async with turn:
                links = self._links
                await self.catch_up()
            await self._live.until(partial(self._is_due, links))

    def _is_due(self, links: list[tuple[bool, int]], _: CameraState) -> bool:
        return links != self._links or bool(self._untried) or bool(self.resumption and self.resumption.is_due)

    async def catch_up(self) -> None:
        """Recover what was not tried yet; what fails stays pending."""
        await self._adopt()
        for entry in self._leader_last(self._untried):
            await self._try(entry)
        self._process()
        if self.resumption and self.resumption.is_due:
            await self.resumption.resume()

    async def _make_safe(self, unit: Unit) -> None:
        """Stop a script; before that of a wired leader those of the others, which it would let run if they are held."""
        if self._is_wired_leader(unit):
            for other in (other for other in self._units.values() if other is not unit):
                await other.controller.timing.make_safe()
        await unit.controller.timing.make_safe()

    def _is_wired_leader(self, unit: Unit) -> bool:
        return self._site.sync == "hardware" and unit is next(iter(self._units.values()))

    def _leader_last(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return them in the order to recover them: cores that were left held may all run when the leader's do."""
        leader = next(iter(self._units))
        return sorted(entries, key=lambda entry: entry.controller.name == leader)

    async def _adopt(self) -> None:
        if any([await self._left_open(entry) for entry in await self._ledger.adopt()]):
            await self._shutter.close_after_crash()

    async def _left_open(self, entry: Entry) -> bool:
        """Whether its program died when it may have had the shutter of another IOC open, and nobody has it now."""
        has_shutter = entry.settings.host_moves_shutter
        return has_shutter and entry.moments is None and not await self._ledger.is_used_elsewhere(entry.controller.name)

    @property
    def _links(self) -> list[tuple[bool, int]]:
        return [(unit.state.is_up, unit.state.link_errors) for unit in self._units.values()]

    async def controllers(self) -> list[str]:
        """Return the name of the controller of each exposure that is pending."""
        await self._adopt()
        return [entry.controller.name for entry in self._ledger.pending]

    def leave(self) -> None:
        """Leave what is pending to the next program."""
        self._ledger.leave()

    async def recover(self) -> tuple[list[str], list[str]]:
        """Recover all that can be; return the names of the files, and what is still pending, with the reason."""
        await self._adopt()
        names: list[str] = []
        problems: list[str] = []
        for entry in self._leader_last(self._ledger.pending):
            outcome = await self._try(entry)
            if isinstance(outcome, ArchonError):
                problems.append(f"{entry}: {outcome}")
            else:
                names += outcome
        self._process()
        if self.hooking:
            await self.hooking.settled()
        return names, problems

    def _process(self) -> None:
        """Give what was recovered to the site's code, as if it had just been taken."""
        for settings, files in self._filed.values():
            if self.hooking:
                self.hooking.post_process(self.hooking.call(settings, files))
        self._filed.clear()

    async def discard(self) -> None:
        """Give up all that is pending, and stop what is still being exposed for it."""
        self.give_up("discarded by the operator")
        for entry in self._ledger.pending:
            if entry.name != self._current:
                await self._ledger.lose(entry, "discarded by the operator")

    def give_up(self, reason: str) -> None:
        """Stop what is being waited for, if anything is."""
        if self._waiting:
            self._reason = reason
            self._waiting.cancel()

    @property
    def _untried(self) -> list[Entry]:
        return [entry for entry in self._ledger.pending if self._is_untried(entry)]

    def _is_untried(self, entry: Entry) -> bool:
        unit = self._units.get(entry.controller.name)
        if entry.held or unit is None or not unit.state.is_up or unit.is_unsafe or self._ledger.is_held(entry):
            return False  # what is in memory waits for the disk, and for somebody who makes room
        if self._is_wired_leader(unit) and not all(other.state.is_up for other in self._units.values()):
            return False
        return self._tried.get(entry.name) != unit.state.link_errors

    async def _try(self, entry: Entry) -> tuple[str, ...] | ArchonError:
        """Recover one entry; return the names of its files, none if it is lost, or why it is still pending."""
        unit = self._units.get(entry.controller.name)
        if unit is None:
            return StateError(f"the site file has no controller {entry.controller.name}")
        if entry.held:
            return StateError("it is still on the CCD; read it out (archon-ioc read), or discard it")
        self._ledger.show(recovering=str(entry))
        self._current = entry.name
        try:
            await self._require_unused(entry)
            names, what = await self._recover(entry, unit) if entry.naming else await self._stop(entry, unit)
        except _LostError as error:
            await self._ledger.lose(entry, str(error))
            self._tell(f"{entry} is lost: {error}")
            return ()
        except salvage.OtherControllerError as error:
            log.warning("%s is left to the program that has its controller: %s", entry, error)
            self._ledger.release(entry)
            return error
        except ArchonError as error:
            self._tried[entry.name] = unit.state.link_errors
            log.error("%s is still pending: %s", entry, error)
            self._tell(f"{entry} is still pending: {error}")
            return error
        finally:
            self._current = ""
            self._ledger.show(recovering="", waiting="")
        log.info("%s: %s", what, ", ".join(names))
        self._tell(what)
        return names

    async def _require_unused(self, entry: Entry) -> None:
        """Leave alone what another program does: waiting for its frames and resetting its script would ruin those."""
        if not self._ledger.is_held(entry) and await self._ledger.is_used_elsewhere(entry.controller.name):
            raise StateError("another program exposes with this controller now; recover it later")

    async def _stop(self, entry: Entry, unit: Unit) -> tuple[tuple[str, ...], str]:
        """End an exposure that nobody wanted in a file: its program died, and has left the controller as it was."""
        await unit.controller.get_frame()  # so that it is known who answers
        salvage.require_same(entry, _backplane(unit))
        if entry.name not in self._ledger.cut_short:
            await self._make_safe(unit)
        await self._ledger.forget(entry.name)
        return (), f"Ended {entry}"

    async def _recover(self, entry: Entry, unit: Unit) -> tuple[tuple[str, ...], str]:
        """Write the files of an entry; return their names, and what was recovered."""
        files = self._ledger.files(entry)
        exposure = next((held for held in files.exposures if held.facts.controller == unit.name), None)
        if exposure is None:
            exposure = await self._fetch(entry, unit, files.parts.get(unit.name) or Part())
            files.exposures.append(exposure)
        count = exposure.facts.summed
        what = f"Recovered {entry}" + (f", {count} of {entry.nth} frames of its sum" if count < entry.nth else "")
        names = await self._filing.restore(files, exposure)
        if entry.naming and files.tell is None:  # else it was told
            _, whole = self._filed.setdefault(entry.naming, (entry.settings, FileSet(files.naming)))
            whole.names[unit.name] = names
        return names, what

    async def _fetch(self, entry: Entry, unit: Unit, part: Part) -> Exposure:
        """Return the image of an entry, of which ``part`` is in memory; of a sum that of what can be had."""
        try:
            if not part.count:
                await self._fetch_earlier(entry, unit, part)
            if part.count < entry.nth:
                await self._fetch_last(entry, unit, part)
        except ReadoutError as error:
            if not unit.state.is_up:  # it is not known what the controller has
                raise
            if not part.count or isinstance(error, _LostError):
                raise _LostError(str(error)) from error
            log.warning("%s: %s; what was read out before is kept", entry, error)
        return await self._developed(entry, part)

    async def _fetch_earlier(self, entry: Entry, unit: Unit, part: Part) -> None:
        """Add to ``part`` what the controller still has of a sum, but for its last exposure."""
        for info, moments in entry.earlier:
            if salvage.has(entry, info, _backplane(unit), await unit.controller.get_frame()):
                await part.add(await unit.fetch(info), moments)

    async def _fetch_last(self, entry: Entry, unit: Unit, part: Part) -> None:
        info = await self._frame_of(entry, unit)
        await self._rest(entry, unit)
        moments = salvage.moments(entry, info)
        await self._ledger.write(replace(entry, frame=info, moments=moments))
        await part.add(await unit.fetch(info), moments)

    async def _developed(self, entry: Entry, part: Part) -> Exposure:
        acf = await self._ledger.acf(entry)
        state = CameraState(
            controllers=(entry.controller.state(acf),),
            settings=entry.settings,
            temperature_sensor=self._site.temperature_sensor,
        )
        missing = entry.nth - part.count
        cards = {**entry.cards, "COADLOST": (missing, "Exposures that were lost")} if missing else entry.cards
        return await asyncio.to_thread(develop, part.shot(cards), state, self._site)

    async def _rest(self, entry: Entry, unit: Unit) -> None:
        """Let the CCD be cleared again: the program that died did not come to that, or had the next exposure begun."""
        if entry.name in self._ledger.cut_short or self._is_followed(entry):
            return
        try:
            await unit.rest()
        except (StateError, ReadoutError) as error:
            log.warning("%s: idle clearing is not switched on: %s", unit.name, error)

    def _is_followed(self, entry: Entry) -> bool:
        """Whether the CCD may already collect a later exposure, which clearing it would ruin."""
        others = [other for other in self._ledger.pending if other.name not in self._ledger.cut_short]
        return any(other.controller.name == entry.controller.name and other.noted > entry.noted for other in others)

    async def _frame_of(self, entry: Entry, unit: Unit) -> BufferInfo:
        """Return the buffer with the whole frame of an entry; while that is being exposed or read out, wait."""
        frames = await unit.controller.get_frame()
        found = salvage.find(entry, _backplane(unit), frames)
        if found and found.complete:
            return found
        try:
            return await self._awaited(entry, unit, frames, found)
        except ReadoutError:
            if entry.name not in self._ledger.cut_short and unit.state.is_up:
                await self._make_safe(unit)  # it may be held, or wait for a trigger or to be read out
            raise

    async def _awaited(self, entry: Entry, unit: Unit, frames: FrameStatus, found: BufferInfo | None) -> BufferInfo:
        left = salvage.seconds_left(entry, frames)
        is_stopped = entry.name in self._ledger.cut_short
        is_over = left < -self._site.script.readout_start and not entry.moments  # else it was told to be read out
        if found is None and (is_over or is_stopped):
            raise ReadoutError("nothing was read out")
        if is_stopped:
            raise ReadoutError("its readout was stopped")
        self._ledger.show(waiting=f"{entry} is still {'read out' if found else 'integrated'}")
        self._tell(f"{self._live.value.journal.waiting}; abort throws it away")
        self._waiting = asyncio.create_task(unit.controller.timing.new_frame(entry.before, after=left))
        try:
            await asyncio.wait([self._waiting])
            if self._waiting.cancelled():
                raise _LostError(self._reason)
            if self._waiting.exception() and entry.moments and not found and unit.state.is_up:
                await self._ledger.write(replace(entry, held=True))
                raise StateError("it was not read out, and is still on the CCD")
            return self._waiting.result()
        finally:
            self._waiting.cancel()
            self._waiting = None

    def _tell(self, message: str) -> None:
        state = self._live.value
        if state.outcome is Outcome.FAILED and state.message:  # why it was to be recovered
            message = f"{state.message}; {message}"
        update(self._live, message=message[:255])


class _LostError(ReadoutError):
    """The controller does not have the frame any more."""


def _backplane(unit: Unit) -> str:
    return unit.state.system.backplane_id if unit.state.system else ""
