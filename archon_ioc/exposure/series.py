"""Series: the images of one acquisition, one after the other. One image is one coroutine, readable as a recipe."""

import asyncio
import logging
import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from archon_ioc.acf.file import Acf
from archon_ioc.config import SiteConfig
from archon_ioc.errors import ArchonError, ReadoutError, StateError
from archon_ioc.exposure.attributes import Attributes
from archon_ioc.exposure.backlog import Backlog
from archon_ioc.exposure.file_set import FileSet
from archon_ioc.exposure.journal import Entry
from archon_ioc.exposure.ledger import Account, Ledger
from archon_ioc.exposure.light import Integrated
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.part import Part
from archon_ioc.exposure.phase import Phase
from archon_ioc.exposure.picture import Exposure, Shot, develop
from archon_ioc.exposure.publisher import Publisher
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.exposure.shots import Shots
from archon_ioc.exposure.state import CameraState, ImageState, enter, update
from archon_ioc.exposure.unit import Unit
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.live import Live
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)


class Series:
    """Takes images and gives them to clients and to the disk; the owner of what the camera's state says of them."""

    def __init__(
        self, shots: Shots, ledger: Ledger, attributes: Attributes, live: Live[CameraState], site: SiteConfig
    ) -> None:
        self.publisher = Publisher(lambda images: update(live, queued=images))
        self._shots = shots
        self._ledger = ledger
        self._filing = ledger.filing
        self._attributes = attributes
        self._live = live
        self._site = site
        self._backlog = Backlog()
        self._hooking = shots.hooking
        self._unfiled: dict[int, tuple[ExposureSettings, FileSet]] = {}  # images whose files are not all there
        self.at_rest = asyncio.Event()
        """Set when the scripts of an acquisition that is cut short are stopped, as far as possible."""
        self._pending: tuple[_Image, Integrated] | None = None
        self._is_left = False  # an exposure that is on the CCD, to the next program

    @property
    def _state(self) -> CameraState:
        return self._live.value

    async def require_room(self, settings: ExposureSettings) -> None:
        """Check before the first exposure that the files of one image can be written.

        Raises:
            StateError: if a controller is not ready, or another program has it, or the files cannot be written.
        """
        if not settings.readout and (settings.images, settings.num_exposures) != (1, 1):
            raise StateError("without a readout there is one exposure at a time: ArchonReadout is No")
        acfs = await self._shots.check(settings)
        await self._require_unused()
        await self._filing.require_room(sum(_frame_bytes(acf, settings) for acf in acfs.values()))

    async def _require_unused(self) -> None:
        """Refuse what would ruin another program's exposure: one that is taken, or waits on the CCD or for a disk."""
        for unit in self._shots.units:
            if await self._ledger.is_used_elsewhere(unit.name):
                why = "another program exposes with it, or has an exposure that is not on the disk"
                raise StateError(f"{unit.name}: {why}")

    async def take(self, settings: ExposureSettings) -> None:
        """Take all images of an acquisition; each is saved while the next one is exposed.

        Raises:
            ArchonError: if one failed; the scripts are stopped then, as far as possible.
        """
        await self._safely(self._take_all(settings) if settings.readout else self._integrate(settings), settings)

    @property
    def pending(self) -> ExposureSettings | None:
        """The settings of the exposure that is still on the CCD, None if there is none."""
        return self._pending[0].settings if self._pending else None

    async def read(self) -> None:
        """Read out and save what is still on the CCD.

        Raises:
            ArchonError: if it failed; the scripts are stopped then, as far as possible.
        """
        if self._pending is None:
            raise StateError("there is no readout pending")
        image, done = self._pending
        await self._safely(self._read(image, done), image.settings)

    async def discard(self) -> None:
        """Stop the scripts, and forget what is still on the CCD."""
        self._pending = None
        enter(self._live, Phase.ABORTING)
        await self._shots.stop()
        await self._ledger.close(asyncio.CancelledError(), self._stopped)

    def leave(self) -> None:
        """Leave what is still on the CCDs to the next program, where the journal has it."""
        held = next((account for account in self._ledger.running if account.is_held), None)
        if held is None:
            return
        number = held.files.naming.number if held.files.naming else 0
        log.warning("exposure %d stays on the CCD; the next program can read it out", number)
        self._pending, self._is_left = None, True
        for unit in self._shots.units:
            unit.leave()

    def resume(self, left: Sequence[Entry], lost: Mapping[str, str]) -> None:
        """Take up what an earlier program left on the CCDs, for `read` or `discard`.

        Args:
            left: the entries of its journal.
            lost: the controllers that do not have their part any more, and why.
        """
        moment = left[0].moments
        if moment is None:
            raise StateError("nobody knows when it was exposed")
        image = self._new_image(left[0].settings, FileSet(naming=left[0].naming))
        image.account.resume(left)
        before = {entry.controller.name: entry.before for entry in left}
        for unit in self._shots.units:
            unit.resume(before.get(unit.name), lost.get(unit.name, ""))
        self._pending = image, Integrated.before(moment)
        enter(self._live, Phase.PENDING)
        since = f"{moment.ended:%Y-%m-%d %H:%M:%S} UTC"
        update(self._live, message=f"Exposure {image.number} is on the CCD since {since}: read it out, or abort")

    @property
    def _stopped(self) -> list[str]:
        return [unit.name for unit in self._shots.units if not unit.is_unsafe and not self._is_left]

    async def _safely(self, work: Coroutine[Any, Any, None], settings: ExposureSettings) -> None:
        self.at_rest.clear()
        self._unfiled.clear()
        try:
            await work
            self._shots.begun.set()  # nothing more will be
            await self._backlog.empty()
            await self._hooking.settled()
            if settings.array_callbacks:
                await (self.publisher.settled() if settings.wait_for_plugins else self.publisher.until_at_most(1))
        except BaseException as error:  # also cancellation: the hardware comes first
            self._pending = None
            enter(self._live, Phase.ABORTING)
            await self._shots.stop()
            self.at_rest.set()
            self._shots.begun.set()
            try:
                await self._save_all_the_same(error)
            finally:
                await self._ledger.close(error, self._stopped)
                self._process_parts()
            raise
        await self._ledger.close()

    async def _integrate(self, settings: ExposureSettings) -> None:
        image = self._new_image(settings)
        await self._announce(image)
        done = await self._shots.expose(settings, image.account)
        enter(self._live, Phase.PENDING)
        await image.account.hold(done.light)
        self._pending = image, done

    async def _read(self, image: "_Image", done: Integrated) -> None:
        await image.account.demand()
        await self._shots.read(done, image.account, partial(self._collected, image))
        self._pending = None

    async def _take_all(self, settings: ExposureSettings) -> None:
        loop = asyncio.get_running_loop()
        taken = 0
        while not self._shots.is_ending and (settings.images is None or taken < settings.images):
            began = loop.time()
            image = self._new_image(settings.of_image(taken))
            taken += 1
            image.next_due = began + settings.period if taken != settings.images else math.inf
            await self._expose(image)
            if self._backlog.has_failed:
                return
            if settings.array_callbacks:
                await self.publisher.until_at_most(1)
            if taken != settings.images and (pause := began + settings.period - loop.time()) > 0:
                enter(self._live, Phase.WAITING)
                await self._shots.count_down(pause)

    def _new_image(self, settings: ExposureSettings, files: FileSet | None = None) -> "_Image":
        files = files or FileSet()
        account = Account(self._ledger, files, settings, self._attributes.cards())
        files.tell = partial(self._filed, settings)
        if self._filing.is_filing:
            self._unfiled[id(files)] = settings, files
        return _Image(settings, tuple(unit.name for unit in self._shots.units), files, account)

    async def _announce(self, image: "_Image") -> None:
        """Let the site's code prepare an image, or refuse it, before anything is done for it."""
        if self._state.phase is not Phase.PREPARING:  # the first image finds it so
            enter(self._live, Phase.PREPARING)
        await self._hooking.pre_expose(self._hooking.call(image.settings, image.files))

    def _filed(self, settings: ExposureSettings, files: FileSet) -> None:
        """Give an image whose files are all there to the site's code."""
        if files.names.keys() >= {unit.name for unit in self._shots.units}:
            self._unfiled.pop(id(files), None)
            self._hooking.post_process(self._hooking.call(settings, files))

    def _process_parts(self) -> None:
        """Give images to the site's code that some controllers have failed to complete."""
        for settings, files in self._unfiled.values():
            if files.names:
                self._hooking.post_process(self._hooking.call(settings, files))
        self._unfiled.clear()

    async def _save_all_the_same(self, error: BaseException) -> None:
        """Wait for what is being saved, after an error."""
        try:
            await self._backlog.empty()
        except ArchonError:
            log.error("an image could not be saved, and before that: %s", error or "it was aborted")
            raise

    async def _expose(self, image: "_Image") -> None:
        await self._announce(image)
        update(self._live, exposures_done=0)
        for number in range(1, image.settings.num_exposures + 1):
            try:
                await self._shots.take(image.settings, image.account, partial(self._collected, image))
            except ArchonError:
                await self._save_rest(image, number)
                raise
            if self._shots.is_ending:
                await self._save_rest(image, number)
                return

    async def _collected(self, image: "_Image", unit: Unit, info: BufferInfo, moments: Moments) -> None:
        """Add a frame of one controller to its part of the image, which is handed on when it is whole."""
        if self._can_wait(image, unit):
            await self._fetch_later(image, unit, info, moments)
            return
        part = image.parts[unit.name]
        await part.add(await unit.fetch(info), moments)
        update(self._live, exposures_done=min(part.count for part in image.parts.values()))
        powered = unit.has_power
        if part.count == image.settings.num_exposures or not powered:
            await self._save(image, unit)
        if not powered:
            raise ReadoutError("the CCD power failed during the exposure")

    def _can_wait(self, image: "_Image", unit: Unit) -> bool:
        """Whether the next exposure can be begun before the frame of a controller is fetched."""
        is_followed = image.next_due <= asyncio.get_running_loop().time() and not self._shots.is_ending
        is_simple = image.settings.num_exposures == 1 and self._hooking.hooks.pre_expose is None
        is_ready = is_followed and is_simple and unit.has_power and self._shots.lets_time(image.settings)
        return is_ready and image.account.defer(unit)

    async def _fetch_later(self, image: "_Image", unit: Unit, info: BufferInfo, moments: Moments) -> None:
        """Save a frame when the next exposure has begun, with what is known of it now."""
        self._shots.reach(unit, Phase.SAVING)
        deferred = image.account.deferred
        update(self._live, exposures_done=int(len(deferred) == len(image.parts)))
        begun, cards, state = self._shots.begun, self._attributes.cards(), self._state.alone(unit.name)

        async def fetch() -> None:
            await begun.wait()
            part = image.parts[unit.name]
            await part.add(await unit.fetch(info), moments)
            await self._hand_out(image, unit, part.hand_out(cards, powered=True), state)

        await self._backlog.put(unit.name, fetch())

    async def _save_rest(self, image: "_Image", number: int) -> None:
        """Save the sums of those that did not fail in exposure ``number`` of several, or that nobody could recover."""
        for unit in self._shots.units:
            part = image.parts[unit.name]
            is_due = part.count == number or (part.count > 0 and not image.account.protects(unit))
            if is_due and not part.is_handed_out:
                await self._save(image, unit)

    async def _save(self, image: "_Image", unit: Unit) -> None:
        """Begin to save a controller's part of an image, with what is known of it now, when its last one is saved."""
        self._shots.reach(unit, Phase.SAVING)
        shot = image.parts[unit.name].hand_out(self._attributes.cards(), powered=unit.has_power)
        state = self._state.alone(unit.name)
        await self._backlog.put(unit.name, self._hand_out(image, unit, shot, state))

    async def _hand_out(self, image: "_Image", unit: Unit, shot: Shot, state: CameraState) -> None:
        """Give a controller's part of a finished image to clients and to the disk."""
        settings = image.settings
        # Where files go is not a setting of the exposure: it holds at once.
        own = replace(settings, files=self._filing.settings_of(image.files))
        exposure = await asyncio.to_thread(develop, shot, replace(state, settings=own), self._site)
        image.quick_looks[unit.name] = exposure.facts.amplifiers
        update(self._live, quick_look=tuple(one for look in image.quick_looks.values() for one in look))
        if unit is self._shots.units[0]:
            exposure = self._counted(exposure)
            if settings.array_callbacks:
                self.publisher.publish(exposure)
        await self._filing.take(image.files, exposure)

    def _counted(self, exposure: Exposure) -> Exposure:
        """Count an image and return it as it is given to clients."""
        old = self._state.image
        rows, columns = exposure.picture.shape
        since = exposure.timestamp - old.timestamp
        image = ImageState(
            unique_id=old.unique_id + 1,
            timestamp=exposure.timestamp,
            published=time.time(),
            width=columns,
            height=rows,
            data_type="UInt32" if exposure.picture.dtype.itemsize == 4 else "UInt16",
            counter=old.counter + 1,
            rate=1 / since if self._state.images_done and since > 0 else 0.0,
        )
        update(self._live, image=image, images_done=self._state.images_done + 1)
        return replace(exposure, unique_id=image.unique_id, published=image.published)


def _frame_bytes(acf: Acf, settings: ExposureSettings) -> int:
    rows, columns = acf.frame_shape
    return rows * columns * (4 if settings.num_exposures > 1 else acf.sample_mode.bytes_per_pixel)


@dataclass
class _Image:
    """One image on its way: each controller's part, and their files."""

    settings: ExposureSettings
    controllers: tuple[str, ...]
    files: FileSet
    account: Account
    quick_looks: dict[str, tuple[Amplifier, ...]] = field(init=False)
    next_due: float = math.inf  # when the next one may begin, by the clock of the loop

    @property
    def parts(self) -> dict[str, Part]:
        """What each controller has collected."""
        return self.files.parts

    @property
    def number(self) -> int:
        """Its file number, 0 as long as it has none."""
        return self.files.naming.number if self.files.naming else 0

    def __post_init__(self) -> None:
        self.files.parts = {name: Part() for name in self.controllers}
        self.quick_looks = dict.fromkeys(self.controllers, ())
