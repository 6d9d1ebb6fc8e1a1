"""Timing: what the timing cores are told, what they answer with frames, and fetching those."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from archon_ioc.acf.estimate import Duration, ReadoutTimes, estimate_flush
from archon_ioc.config import ScriptConfig
from archon_ioc.driver.keeper import Keeper
from archon_ioc.driver.memory import FrameMemory
from archon_ioc.driver.script import Script
from archon_ioc.driver.state import Progress, Step
from archon_ioc.errors import ArchonError, ConfigError, LinkError, ReadoutError, RejectedError, StateError
from archon_ioc.protocol import commands
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import TICK, BufferInfo, Frame, FrameStatus
from archon_ioc.protocol.wire import BLOCK_SIZE

log = logging.getLogger(__name__)

_RELINK_SECONDS = 60.0  # that a lost link is waited for when the controller has done what it does without us
_LONG_READOUT = 600.0  # seconds, where nobody knows it: what the link comes back to in its middle is stopped
_PROGRESS_PERIOD = 0.1
_LARGEST_IMAGE = 768 << 20  # bytes: a frame buffer with BIGBUF (manual, FRAME)


Note = Callable[[FrameStatus], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Integration:
    """One integration: its time in seconds, whether the script reads out by itself, whether TRIGIN starts it."""

    seconds: float
    readout: bool = True
    triggered: bool = False


class Timing:
    """Exposures on one controller, as far as its timing script and frame buffers are concerned."""

    def __init__(self, keeper: Keeper, names: ScriptConfig) -> None:
        self._keeper = keeper
        self.names = names
        """Those of the script's parameters, and what it may be told."""
        self._memory = FrameMemory()
        self.between_fetches = asyncio.Lock()  # LOCK of a second fetch would take that of the first away
        """To be held while what is said must not wait for a fetch."""
        self.auto_flush: bool | None = None
        """Whether the CCD is cleared while idle; None: as the configuration has it."""

    @property
    def undisturbed(self) -> asyncio.Lock:
        """To be held while a command must not wait for others: without it STATUS is read, or a line is applied."""
        return self._keeper.undisturbed()

    def script(self) -> Script:
        """Return the loaded timing script's roles.

        Raises:
            StateError: if no configuration is loaded, or its script cannot expose.
        """
        acf = self._keeper.state.acf
        if acf is None:
            raise StateError("no configuration is loaded")
        try:
            return Script.of(acf, self.names)
        except ConfigError as error:
            raise StateError(str(error)) from error

    async def set_parameters(self, values: dict[str, int]) -> None:
        """Load parameters into the timing cores, in the order given; no reply is waited for before the next is sent.

        Raises:
            InputError: if a value is out of range; none is loaded.
            RejectedError: if the controller refuses one; the others are loaded.
            LinkError: if the link is not UP or breaks.
        """
        loads = {name: commands.fast_load_param(name, value) for name, value in values.items()}

        async def load(name: str) -> None:
            await self._keeper.request(loads[name])
            self._keeper.update(parameters={**self._keeper.state.parameters, name: values[name]})

        for outcome in await asyncio.gather(*map(load, loads), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def prepare(self, integration: Integration, note: Note | None = None) -> FrameStatus:
        """Hold the cores with everything set for an exposure, and return the buffers as they are before it.

        ``note`` is told these as soon as they are known, while the parameters are still on their way.

        Raises:
            StateError: if the script cannot do it.
            InputError: if the integration time is out of range.
            LinkError: if the link is not UP or breaks.
        """
        values = self._values(integration)
        await self._keeper.request(commands.hold_timing())
        before = await self._keeper.refresh_frames()
        works = [self.set_parameters(values), *([note(before)] if note else [])]
        for outcome in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return before

    def _values(self, integration: Integration) -> dict[str, int]:
        script = self.script()
        values = script.quiet()
        if script.auto_flush:
            values[script.auto_flush] = 0  # a flush between integration and readout would eat the image
        if script.readout:
            values[script.readout] = int(integration.readout and not integration.triggered)  # see `begin`
        elif not integration.readout:
            raise StateError("this timing script reads out by itself; it has no parameter to hold the readout")
        if script.external_trigger:
            values[script.external_trigger] = int(integration.triggered)
        elif integration.triggered:
            raise StateError(f"this timing script has no parameter {self.names.external_trigger!r}")
        if integration.triggered and self._keeper.state.acf and not self._keeper.state.acf.number("TRIGINENABLE", 0):
            raise StateError("the configuration does not listen to Trigger In: TRIGINENABLE is 0")
        values |= script.times(integration.seconds)
        values[script.exposures] = int(not integration.triggered)
        return values

    async def begin(self, *, triggered: bool = False) -> None:
        """Let the prepared cores run: the exposure starts now, or with the next pulse on Trigger In.

        A pulse restarts the script, which begins with what is due: that is set when the script already waits.
        """
        await self._keeper.request(commands.release_timing())
        if triggered:
            script = self.script()
            await self.set_parameters({name: 1 for name in (script.exposures, script.readout) if name})

    async def read_early(self, *, begins: bool = True) -> None:
        """End the running integration and read out what was collected; unless it ``begins`` the cores stay held.

        Raises:
            StateError: if the script cannot read out without an integration.
            LinkError: if the link is not UP or breaks.
        """
        script = self.script()
        if not script.readout:
            raise StateError("this timing script cannot end an integration early; abort throws the image away")
        await self._keeper.request(commands.hold_timing())
        await self.set_parameters({**script.quiet(), script.readout: 1})
        if begins:
            await self._keeper.request(commands.release_timing())

    async def make_safe(self) -> None:
        """Stop everything that the script does: cores reset, shutter signal low, idle flushing as configured.

        The cores are reset also when there is no configuration or the controller refuses a parameter; a reset that
        is refused is tried once more.

        Raises:
            RejectedError: if the controller refused a parameter or twice the reset.
            LinkError: if the link is not UP or breaks.
        """
        refused: RejectedError | None = None
        # Before the reset: the script looks at them first thing after it.
        for name, value in self._quiet_and_resting().items():
            try:
                await self.set_parameters({name: value})
            except RejectedError as error:
                refused = refused or error
        refused = await self._reset_cores() or refused
        await self._keeper.request(commands.release_timing())
        if refused:
            raise refused

    async def _reset_cores(self) -> RejectedError | None:
        """Reset the cores and return None, or why the controller refuses it."""
        refused: RejectedError | None = None
        for _ in range(2):
            try:
                await self._keeper.request(commands.reset_timing())
                return None
            except RejectedError as error:
                refused = error
        return refused

    async def rest(self) -> None:
        """Let the script idle as the configuration and ``auto_flush`` have it."""
        await self.set_parameters(self._resting(self.script()))

    def _resting(self, script: Script) -> dict[str, int]:
        values = script.resting()
        if script.auto_flush and self.auto_flush is not None:
            values[script.auto_flush] = int(self.auto_flush)
        return values

    def _quiet_and_resting(self) -> dict[str, int]:
        if self._was_restarted:
            return {}  # the cores have no parameters
        try:
            script = self.script()
        except StateError:
            return {}
        return script.quiet() | self._resting(script)

    async def flush(self, count: int) -> float:
        """Start clearing the CCD ``count`` times; return how many seconds that takes, 0 where nobody knows.

        Raises:
            StateError: if the script cannot.
        """
        script = self.script()
        if not script.do_flush:
            raise StateError(f"this timing script has no parameter {self.names.do_flush!r}")
        values = script.quiet()
        if script.flush_count:
            values[script.flush_count] = count
        del values[script.do_flush]
        values[script.do_flush] = 1  # last: the cores run, and take the count when they see it
        counts = {script.flush_count: count} if script.flush_count else {}
        seconds = await asyncio.to_thread(self._flush_seconds, counts)
        await self.set_parameters(values)
        return seconds

    def _flush_seconds(self, changes: dict[str, int]) -> float:
        acf = self._keeper.state.acf
        try:
            return _seconds(estimate_flush(acf, changes, self.names) if acf else None)
        except ArchonError as error:
            log.info("%s: the time of a flush is not known: %s", self._keeper.config.name, error)
            return 0.0

    async def frame_start(self, before: FrameStatus) -> None:
        """Wait, without a limit, until a frame that is not in ``before`` begins.

        Raises:
            ReadoutError: if the controller was restarted.
            LinkError: if nobody keeps the link any more.
        """
        while True:
            if _new_buffer(await self._patiently(before, math.inf), before):
                return
            await asyncio.sleep(self._keeper.config.frame_period)

    async def new_frame(self, before: FrameStatus, *, after: float = 0.0) -> BufferInfo:
        """Wait until a frame that is not in ``before`` is complete, and return its buffer.

        A lost link is waited for: the controller reads out without us, and a minute longer. ``after`` seconds of an
        integration may still be to come.

        Raises:
            ReadoutError: if no frame starts in time, one stops growing, the link does not come back, or the
                controller was restarted.
            LinkError: if nobody keeps the link any more.
        """
        after = max(after, 0.0)
        limit = self.names.readout_start + _seconds(self._predicted and self._predicted.start) + after
        seen, since, begin = None, time.monotonic(), None
        left = after + _seconds(self._predicted and self._predicted.whole)
        try:
            while True:
                patience = _RELINK_SECONDS + max(left, 0.0 if self._predicted else _LONG_READOUT)
                frames = await self._patiently(before, patience)
                begin = frames.timer if begin is None else begin
                current = _new_buffer(frames, before)
                if current and current.complete:
                    return current
                left = self._left(current, (frames.timer - begin) * TICK - after)
                self._show_left(left)
                growth = (current.frame, current.lines, current.pixels) if current else None
                if growth != seen:
                    seen, since = growth, time.monotonic()
                    limit = self.names.readout_stall + _seconds(self._predicted and self._predicted.line)
                if time.monotonic() - since > limit:
                    raise ReadoutError(_stalled(current, limit))
                await asyncio.sleep(_pause(left, self._keeper.config.frame_period))
        finally:
            self._keeper.update(readout_left=0.0)

    @property
    def _predicted(self) -> ReadoutTimes | None:
        return self._keeper.state.readout

    def _left(self, current: BufferInfo | None, since_demand: float) -> float:
        """How long the readout still takes, by the controller's clock; of the frame if it has begun."""
        frames, predicted = self._keeper.state.frames, self._predicted
        if current and frames:
            return _seconds(predicted and predicted.length) - (frames.timer - current.timestamp) * TICK
        return _seconds(predicted and predicted.whole) - since_demand

    def _show_left(self, left: float) -> None:
        if (shown := round(max(left, 0.0), 1)) != self._keeper.state.readout_left:
            self._keeper.update(readout_left=shown)

    async def _patiently(self, before: FrameStatus, seconds: float) -> FrameStatus:
        """Read FRAME; when the link is lost wait for the next one, not longer than so many seconds."""
        while True:
            try:
                frames = await self._keeper.refresh_frames()
            except LinkError as error:
                log.warning("%s: link lost during a readout: %s", self._keeper.config.name, error)
                await self.until_up(seconds)
                continue
            if frames.timer < before.timer or self._was_restarted:
                raise ReadoutError("the controller was restarted, the image is lost")
            return frames

    @property
    def _was_restarted(self) -> bool:
        """Whether no configuration was applied since it was switched on, so that no script can run."""
        return self._keeper.state.power is Power.NOT_CONFIGURED

    async def until_up(self, seconds: float | None = None) -> None:
        """Wait until the link is UP again, for so many seconds, by default a minute.

        Raises:
            ReadoutError: if that takes longer.
            LinkError: if nobody keeps the link any more.
        """
        limit = _RELINK_SECONDS if seconds is None else seconds
        try:
            await self._keeper.until_up(limit)
        except TimeoutError:
            raise ReadoutError(f"the link did not come back within {limit:.3g} s") from None

    async def fetch(self, info: BufferInfo) -> Frame:
        """Read the frame that ``info`` describes, locked, and checked to be the same before and after.

        Raises:
            ReadoutError: if the buffer holds another frame, or was given another one meanwhile.
            LinkError: if the link breaks; the frame is still in the controller.
            RejectedError: if the controller refuses.
        """
        if not 0 < info.image_bytes <= _LARGEST_IMAGE:
            raise ReadoutError(f"frame {info.frame} has {info.width} x {info.height} pixels")
        command = commands.fetch(info.base, info.image_blocks)
        async with self.between_fetches:
            started = time.monotonic()
            pixels = self._memory.lend(info.image_blocks * BLOCK_SIZE)
            try:
                async with self._locked(info), self._keeper.explaining():
                    await self._check_same(info)
                    await self._keeper.connection.fetch(command, pixels, self._reporter(command.blocks))
                    await self._check_same(info)
            finally:
                self._keeper.update(fetch=None)
            self._keeper.update(fetch_seconds=time.monotonic() - started)
            return Frame(info, pixels[: info.image_bytes])

    @asynccontextmanager
    async def _locked(self, info: BufferInfo) -> AsyncGenerator[None]:
        """Keep the controller from writing to the buffer while it is being fetched."""
        try:
            await self._keeper.request(commands.lock(info.number))
            yield
        finally:
            with suppress(LinkError, RejectedError):  # a new link begins unlocked
                await self._keeper.request(commands.unlock())

    async def _check_same(self, info: BufferInfo) -> None:
        now = (await self._keeper.refresh_frames()).buffer(info.number)
        if not now.is_same_frame(info):
            raise ReadoutError(f"frame {info.frame} in buffer {info.number} was replaced by frame {now.frame}")

    def _reporter(self, total: int) -> Callable[[int], None]:
        last = 0.0

        def report(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _PROGRESS_PERIOD:
                last = now
                self._keeper.update(fetch=Progress(Step.FETCHING, done, total))

        return report


def _new_buffer(frames: FrameStatus, before: FrameStatus) -> BufferInfo | None:
    """Return the buffer of the newest frame that is not in ``before``, None if there is none."""
    old = {(buffer.frame, buffer.timestamp) for buffer in before.buffers}
    fresh = [b for b in frames.buffers if b.frame and (b.frame, b.timestamp) not in old]
    return max(fresh, key=lambda b: b.timestamp) if fresh else None


def _seconds(duration: Duration | None) -> float:
    return duration.seconds if duration else 0.0


def _pause(left: float, period: float) -> float:
    """Seconds until FRAME is read again: the end is met closely where it is predicted, and looked for more often."""
    return max(min(left, period), period / 4) if left > -period else period


def _stalled(current: BufferInfo | None, limit: float) -> str:
    if current is None:
        return f"no frame started within {limit:.3g} s"
    return f"frame {current.frame} stopped at line {current.lines} for {limit:.3g} s; does the script clock enough?"
