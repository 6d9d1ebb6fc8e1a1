"""Ledger: keeps the journal while images are taken; what one leaves behind is pending until it is recovered."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from archon_ioc.acf.file import Acf
from archon_ioc.errors import SaveError, StateError
from archon_ioc.exposure import moments, salvage
from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.files import Naming
from archon_ioc.exposure.filing import Filing
from archon_ioc.exposure.journal import Entry, Journal, Snapshot, new_name
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.settings import ExposureSettings, TriggerMode
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.exposure.together import finished
from archon_ioc.exposure.unit import Unit
from archon_ioc.image.header import Value
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

Cards = Mapping[str, tuple[Value, str]]


class Ledger:
    """What is in the journal: the entries of images that are being taken, and those that are pending.

    The owner of ``journal`` of the camera's state.
    """

    def __init__(self, folder: Path, controllers: Sequence[str], filing: Filing, live: Live[CameraState]) -> None:
        self.filing = filing
        self._journal = Journal(folder)
        self._controllers = frozenset(controllers)
        self._live = live
        self.running: list[Account] = []
        """Of the images that are being taken."""
        self._held: dict[str, FileSet] = {}  # what is pending and still in memory, by entry
        self.cut_short: set[str] = set()
        """Names of entries that no script goes on with: those of this life were stopped, or will be."""
        self.is_ending = False
        """The program stops: what is cut short is not thrown away."""

    @property
    def pending(self) -> list[Entry]:
        """What was exposed earlier and is not on the disk, the oldest first."""
        running = {entry.name for account in self.running for entry in account.entries}
        return [entry for entry in self._journal.entries if entry.name not in running]

    async def close(self, error: BaseException | None = None, stopped: Collection[str] = ()) -> None:
        """End all images that are being taken, after an error when everything that can be was stopped.

        What was aborted is forgotten, and so is what the controllers that were ``stopped`` had not read out. What
        else is not on the disk is pending now.
        """
        is_aborted = isinstance(error, asyncio.CancelledError) and not self.is_ending

        def is_unwanted(entry: Entry, account: Account) -> bool:
            name = entry.controller.name
            is_kept = account.files.has_image_of(name) or name in account.deferred
            if error is None or (is_aborted and not is_kept):
                return True
            return entry.frame is None and not entry.earlier and entry.controller.name in stopped

        for account in [account for account in self.running if error is not None or not account.is_waiting]:
            unwanted = [entry for entry in account.entries if is_unwanted(entry, account)]
            for entry in await account.close(unwanted):
                self._leave_behind(entry, account.files)
                if entry.held:  # going on may have been noted, and was cut short
                    await self.write(entry)
        self._show_pending()

    def _leave_behind(self, entry: Entry, files: FileSet) -> None:
        log.warning("%s is not on the disk; it is pending", entry)
        self.cut_short.add(entry.name)
        if files.has_image_of(entry.controller.name) or files.has_part_of(entry.controller.name):
            self._held[entry.name] = files

    async def adopt(self) -> list[Entry]:
        """Take over what programs that died have left of our controllers, and return it."""
        known = {entry.name for entry in self._journal.entries}
        try:
            for problem in await asyncio.to_thread(self._journal.adopt, self._backplanes):
                log.error("moved aside: %s", problem)
        except SaveError as error:
            log.error("the journal cannot be read: %s", error)
        self._show_pending()
        return [entry for entry in self.pending if entry.name not in known]

    @property
    def _backplanes(self) -> dict[str, str]:
        known = {unit.name: unit.system.backplane_id for unit in self._live.value.controllers if unit.system}
        return dict.fromkeys(self._controllers, "") | known

    async def is_used_elsewhere(self, controller: str) -> bool:
        """Return whether another program that lives has an exposure of a controller."""
        backplane = self._backplanes.get(controller, "")
        return await asyncio.to_thread(self._journal.is_used_elsewhere, controller, backplane)

    def release(self, entry: Entry) -> None:
        """Leave an entry to another program: its controller only has the same name as ours."""
        self._journal.release(entry.name)
        self._show_pending()

    def leave(self) -> None:
        """Leave what is pending to the next program."""
        self._journal.close()

    # entries

    async def write(self, entry: Entry, acf: Acf | None = None) -> bool:
        """Write an entry, and return whether that was possible.

        An image is worth more than its safety, and the disk with the images may be another one: the log tells.
        """
        try:
            await finished(asyncio.to_thread(self._journal.write, entry, acf))
        except SaveError as error:
            log.error("%s is not protected against a crash: %s", entry, error)
            return False
        return True

    async def forget(self, name: str) -> None:
        """Remove an entry: its files are on the disk, or nobody wants them."""
        self._held.pop(name, None)
        try:
            await finished(asyncio.to_thread(self._journal.remove, name))
        except SaveError as error:
            log.error("the journal cannot be written: %s", error)  # recovery will find the files
        self._show_pending()

    async def lose(self, entry: Entry, reason: str) -> None:
        """Give an entry up, and say so."""
        log.error("%s is lost: %s", entry, reason)
        self._held.pop(entry.name, None)
        try:
            await asyncio.to_thread(self._journal.lose, entry.name, reason)
        except SaveError as error:
            log.error("it cannot be moved aside: %s", error)
        self._show_pending()

    async def acf(self, entry: Entry) -> Acf | None:
        """Return the configuration that an entry was exposed with.

        Raises:
            SaveError: if it is not there any more.
        """
        return await asyncio.to_thread(self._journal.acf, entry)

    def files(self, entry: Entry) -> FileSet:
        """Return the files that an entry is to have, with the image where that is still in memory."""
        held = self._held.setdefault(entry.name, FileSet())
        held.naming = entry.naming
        held.settle[entry.controller.name] = partial(self.forget, entry.name)
        return held

    def is_held(self, entry: Entry) -> bool:
        """Whether the image of an entry is in memory."""
        held = self._held.get(entry.name)
        return held is not None and bool(held.exposures)

    # state

    def _show_pending(self) -> None:
        self.show(pending=len(self.pending))

    def show(self, **changes: Any) -> None:
        """Show fields of the state's ``journal``."""
        journal = replace(self._live.value.journal, **changes)
        if journal != self._live.value.journal:
            update(self._live, journal=journal)


class Account:
    """The entries of one image that is being taken, one for each controller.

    An entry is written before the timing script is started, completed before the frame is fetched, and removed when
    the files of its controller are on the disk. Without AutoSave it is removed when the image is in memory: nothing
    more is promised, but who starts after a crash must know that the hardware may be in the middle of an exposure.
    """

    def __init__(self, ledger: Ledger, files: FileSet, settings: ExposureSettings, cards: Cards) -> None:
        self.files = files
        self.is_waiting = False
        """The charge stays on the CCD when its acquisition is over."""
        self.deferred: set[str] = set()
        """The controllers whose frame is still to be fetched though the next exposure has begun."""
        self.settings = settings
        """How the image is taken."""
        self._written: set[str] = set()  # the controllers whose entry is in the journal, perhaps an earlier one
        self._kept: set[str] = set()  # … and names their frame
        self._ledger = ledger
        self._cards = cards
        self._entries: dict[str, Entry] = {}  # by controller

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is not on the disk yet."""
        return tuple(self._entries.values())

    async def reserve(self) -> Naming | None:
        """Return what the files of the image will be called, None where there will be none."""
        self._begin()
        filing = self._ledger.filing
        return await filing.reserve(self.files) if filing.is_filing else None

    async def begin(self, unit: Unit, seconds: float) -> None:
        """Write what a controller is to expose, when its timing cores are held for it; also for each shot of a sum.

        Raises:
            StateError: if the exposure would overwrite a frame that is pending.
        """
        self._refuse_overwriting(unit)
        noted = datetime.now(UTC)
        entry = self._entry(unit, seconds, noted, await self.reserve())
        self._entries[unit.name] = entry  # before it can be on the disk: it is not pending
        self.files.settle[unit.name] = partial(self._settle, entry.name, unit.name)
        await self._write(entry, unit.state.acf)

    async def _write(self, entry: Entry, acf: Acf | None = None) -> bool:
        is_written = await self._ledger.write(entry, acf)
        if is_written:
            self._written.add(entry.controller.name)
        return is_written

    def protects(self, unit: Unit) -> bool:
        """Whether what a controller has collected is pending when the image is given up."""
        return unit.name in self._written

    def _refuse_overwriting(self, unit: Unit) -> None:
        own = [entry for entry in self._ledger.pending if entry.controller.name == unit.name]
        if entry := salvage.in_danger(own, unit.start):
            raise StateError(f"the next frame would overwrite {entry}, which is not on the disk: recover or discard it")

    def _entry(self, unit: Unit, seconds: float, noted: datetime, naming: Naming | None) -> Entry:
        earlier = self._entries.get(unit.name)
        return Entry(
            name=earlier.name if earlier else new_name(unit.name, noted),
            noted=noted,
            controller=Snapshot.of(unit.state),
            before=unit.start,
            seconds=seconds,
            settings=self.settings,
            naming=naming,
            pause=moments.pause_of(unit.state),
            triggered=self.settings.trigger_mode is TriggerMode.EXTERNAL,
            cards=self._cards,
            nth=earlier.nth + 1 if earlier else 1,
            earlier=earlier.summed if earlier else (),
        )

    async def read_out(self, unit: Unit, frame: BufferInfo, moment: Moments) -> None:
        """Complete the entry of a controller: its frame is whole, and is going to be fetched.

        If that cannot be written, the entry from before says enough, as long as no other frame is taken.
        """
        if (entry := self._entries.get(unit.name)) and entry.naming:
            entry = replace(entry, controller=Snapshot.of(unit.state), frame=frame, moments=moment)
            self._entries[unit.name] = entry
            if await self._write(entry, unit.state.acf):
                self._kept.add(unit.name)

    def defer(self, unit: Unit) -> bool:
        """Let the frame of a controller be fetched later, and return whether that is safe: a crash cannot lose it."""
        entry = self._entries.get(unit.name)
        frames = unit.state.frames
        if unit.name not in self._kept or entry is None or entry.frame is None or frames is None:
            return False
        if not salvage.survives(entry.frame, frames):
            return False
        self.deferred.add(unit.name)
        return True

    @property
    def is_held(self) -> bool:
        """Whether the next program can read out what stays on the CCDs."""
        return bool(self._entries) and all(entry.held for entry in self._entries.values())

    async def hold(self, moment: Moments) -> None:
        """Note that the charge stays on the CCDs until it is demanded, also when this program ends."""
        self.is_waiting = True
        await self._note(held=True, moments=moment)

    async def integrated(self, moment: Moments) -> None:
        """Note when there was light, where only the shutter knows that: the script waits for us with the readout."""
        await self._note(moments=moment)

    async def demand(self) -> None:
        """Note that the CCDs are going to be read out: a new frame is this one's from now on."""
        self.is_waiting = False
        await self._note(held=False)

    async def go_on(self, paused: float) -> None:
        """Note that an integration that was paused goes on, after so many seconds of pauses altogether."""
        self.is_waiting = False
        await self._note(held=False, moments=None, paused=paused)

    async def _note(self, **changes: Any) -> None:
        wanted = {name: entry for name, entry in self._entries.items() if entry.naming}
        for name, entry in wanted.items():
            noted = replace(entry, **changes)
            if await self._write(noted):
                self._entries[name] = noted

    def resume(self, entries: Sequence[Entry]) -> None:
        """Take over what another life of the program has noted."""
        self.is_waiting = True
        for entry in entries:
            name = entry.controller.name
            self._entries[name] = entry
            self._written.add(name)
            self.files.settle[name] = partial(self._settle, entry.name, name)
        self._begin()

    async def close(self, unwanted: Collection[Entry]) -> list[Entry]:
        """End the image, forget what is ``unwanted``, and return what else is not on the disk."""
        left = [entry for entry in self.entries if entry not in unwanted and entry.controller.name in self._written]
        for entry in unwanted:
            await self._ledger.forget(entry.name)
        if not left and not self.files.names and (unwanted or not self.files.exposures):
            await self._ledger.filing.give_back(self.files)
        self._entries.clear()
        self._end()
        return left

    async def _settle(self, entry: str, controller: str) -> None:
        """The files of a controller are on the disk."""
        await self._ledger.forget(entry)
        self._entries.pop(controller, None)
        if not self._entries:
            self._end()

    def _begin(self) -> None:
        if self not in self._ledger.running:
            self._ledger.running.append(self)

    def _end(self) -> None:
        if self in self._ledger.running:
            self._ledger.running.remove(self)
