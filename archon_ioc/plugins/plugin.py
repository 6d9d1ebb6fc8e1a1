"""Plugin: what all plugins of areaDetector have in common, NDPluginBase. It takes arrays from a port, one at a time."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, Self, TypeVar

from archon_ioc.errors import ArchonError, InputError
from archon_ioc.exposure.attribute_xml import AttributesStatus
from archon_ioc.live import Live
from archon_ioc.plugins.attribute_list import AttributeList
from archon_ioc.plugins.ndarray import ArrayState, Geometry, NDArray
from archon_ioc.plugins.priority import give_way

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """What clients set; names and meaning are those of NDPluginBase."""

    array_port: str = ""
    array_address: int = 0
    enabled: bool = True
    blocking: bool = False
    array_callbacks: bool = True
    min_callback_seconds: float = 0.0
    max_byte_rate: float = 0.0
    queue_size: int = 20
    is_sorted: bool = False
    sort_seconds: float = 0.1
    sort_size: int = 20
    preallocated: int = 100
    attributes_file: str = ""
    attributes_macros: str = ""

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        times = new.min_callback_seconds, new.max_byte_rate, new.sort_seconds
        if not all(0 <= time < math.inf for time in times):
            raise InputError("a time or a rate is a number from 0 on")
        if min(new.queue_size, new.sort_size) < 1:
            raise InputError("a queue has room for at least one image")
        return new


@dataclass(frozen=True, slots=True)
class PluginState:
    """What is known of a plugin; plugins with results of their own add to it."""

    settings: PluginSettings = field(default_factory=PluginSettings)
    source: Geometry = field(default_factory=Geometry)
    """Of the arrays that come in."""
    array: ArrayState = field(default_factory=ArrayState)
    """Of the arrays that go out."""
    queued: int = 0
    dropped: int = 0
    dropped_outputs: int = 0
    disordered: int = 0
    execution_ms: float = 0.0
    attributes_status: int = 0


S = TypeVar("S", bound=PluginState)


class Port:
    """Where arrays come from: the camera or a plugin. ``behind`` are the plugins that take them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.geometry = Geometry()
        self.behind: list[Plugin[Any]] = []

    async def send(self, array: NDArray) -> None:
        """Give an array to all behind; those that would rather wait than lose it come last."""
        for plugin in sorted(self.behind, key=lambda plugin: plugin.is_patient):
            await plugin.take(array)

    def prime(self, geometry: Geometry) -> None:
        """Say what the next array will be like."""
        self.geometry = geometry
        for plugin in self.behind:
            plugin.prime(geometry)


class Plugin(Generic[S]):
    """One plugin, with a queue, a thread and counters of its own; the owner of its state.

    A subclass says what becomes of an array in `process`, and with `output` how that will look before there is one.
    """

    plugin_type = "NDPluginDriver"
    is_fixed = False
    """Whether it takes arrays of the camera only."""
    keeps_newest = False
    """Whether a full queue drops its oldest array instead of the one that comes."""
    memory_limit = 1 << 30
    """Bytes of arrays that may wait in the queue; two may in any case."""
    kept: tuple[str, ...] = ("settings",)
    """Fields of the state that are kept over restarts: frozen dataclasses of plain values, with a method ``changed``
    like that of `PluginSettings`. Never what captures by itself."""

    def __init__(self, name: str, state: S) -> None:
        self.live: Live[S] = Live(state)
        self.port = Port(name)
        self.ports = (self.port,)
        """By address; all but the first are for what is no image."""
        self.tell: Callable[[str], None] = log.error
        """Called with what went wrong, or was refused."""
        self.accepted: Callable[[], None] = lambda: None
        """Called when something was accepted: a refusal is no longer what happened last."""
        self.connect: Callable[..., None] = self._alone
        """Called with name and address of the port whose arrays are wanted; a chain replaces it."""
        self.attributes = AttributeList(name, self._attributes_asked, self._attributes_told)
        """What is added to each array that goes out."""
        self._queue: deque[NDArray] = deque()
        self._changed = asyncio.Condition()
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=give_way)
        self.last: NDArray | None = None
        """The array that was processed last, kept to be processed again; without it that is not possible."""
        self._last_taken = 0.0
        self._may_send_at = 0.0

    @property
    def name(self) -> str:
        """Name of the port."""
        return self.port.name

    @property
    def state(self) -> S:
        """The state now."""
        return self.live.value

    @property
    def waiting(self) -> tuple[NDArray, ...]:
        """The arrays that are queued or being processed."""
        return tuple(self._queue)

    @property
    def is_patient(self) -> bool:
        """Whether the one who gives an array waits when the queue is full; else the array is dropped and counted."""
        return False

    @property
    def is_busy(self) -> bool:
        """Whether an array is queued or being processed."""
        return bool(self._queue) or self._turn.locked()

    async def process(self, array: NDArray) -> NDArray | None:
        """Return what is given to the plugins behind, or None; called for one array after the other."""
        return array

    def output(self, source: Geometry) -> Geometry:
        """Return the geometry of what goes out for what comes in."""
        return source

    async def run(self) -> None:
        """Process arrays until cancelled."""
        try:
            await self.attributes.load()
            while True:
                await self._next()
        finally:
            await self.stop()
            self._thread.shutdown(wait=False)

    async def stop(self) -> None:
        """Give back what is held outside of this program; called when no more arrays come."""

    async def take(self, array: NDArray) -> None:
        """Take an array from the port in front; with BlockingCallbacks this returns when it was processed."""
        settings = self.state.settings
        if not settings.enabled or not self._is_due(settings):
            return
        if settings.blocking:
            await self.idle()  # what was queued before came before
            await self._process(array)
            return
        async with self._changed:
            if self._is_full(array) and self.is_patient:
                await self._changed.wait_for(lambda: not self._is_full(array))
            if self._is_full(array):
                self.update(dropped=self.state.dropped + 1)
                if not self.keeps_newest or len(self._queue) < 2:
                    return
                del self._queue[-1]
            self._queue.append(array)
            self.update(queued=len(self._queue))
            self._changed.notify_all()

    async def idle(self) -> None:
        """Wait until nothing is queued or being processed."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._queue)
        async with self._turn:
            pass

    async def again(self) -> None:
        """Process the last array once more: ProcessPlugin.

        Raises:
            InputError: if there was none.
        """
        if self.last is None:
            raise InputError(f"{self.name} has had no array to process")
        await self._process(self.last)

    def prime(self, source: Geometry) -> None:
        """Expect arrays of this geometry."""
        expected = self.output(source)
        self.update(source=source, array=replace(self.state.array, geometry=expected))
        self.port.prime(expected)

    def update(self, **changes: object) -> None:
        """Change the state."""
        self.live.set(replace(self.state, **changes))

    def change(self, **settings: object) -> None:
        """Change settings.

        Raises:
            InputError: if a value makes no sense.
        """
        self.update(settings=self.state.settings.changed(**settings))

    def refused(self, message: str) -> None:
        """Tell why something that a client wanted could not be done."""
        self.tell(f"{self.name}: {message}")

    async def in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``work`` returns, done in the thread of this plugin."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def _next(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._queue)
        array = self._queue[0]  # it is counted until it is processed
        await self._process(array)
        async with self._changed:
            self._queue.popleft()
            self.update(queued=len(self._queue))
            self._changed.notify_all()

    async def _process(self, array: NDArray) -> None:
        async with self._turn:
            began = time.perf_counter()
            if self.last and array.unique_id < self.last.unique_id:
                self.update(disordered=self.state.disordered + 1)
            self.last = array
            if array.geometry != self.state.source:
                self.prime(array.geometry)
            try:
                result = await self.process(array)
            except ArchonError as error:
                log.error("%s: %s", self.name, error)
                self.refused(str(error))
                return
            except Exception as error:
                # One plugin's bug must cost neither the exposure nor the other plugins.
                log.exception("%s cannot process array %d", self.name, array.unique_id)
                self.refused(f"internal error: {error!r}")
                return
            self.update(execution_ms=1000 * (time.perf_counter() - began))
            if result is not None:
                await self._send(self.attributes.added_to(result))

    async def _send(self, result: NDArray) -> None:
        self.update(array=self.state.array.of(result))
        if not self.state.settings.array_callbacks:
            return
        if self._is_too_much(result):
            self.update(dropped_outputs=self.state.dropped_outputs + 1)
            return
        await self.port.send(result)

    def _attributes_asked(self) -> tuple[str, str]:
        return self.state.settings.attributes_file, self.state.settings.attributes_macros

    def _attributes_told(self, status: AttributesStatus, message: str) -> None:
        self.update(attributes_status=int(status))
        if message:
            self.refused(message)

    def _alone(self, port: str, address: int = 0) -> None:
        raise InputError(f"there is no port {port}, address {address}")

    def _is_too_much(self, array: NDArray) -> bool:
        """Whether so many bytes a second have gone out that this array does not; the first one always does."""
        now, rate = time.monotonic(), self.state.settings.max_byte_rate
        if not rate:
            return False
        if now < self._may_send_at:
            return True
        self._may_send_at = now + array.pixels.nbytes / rate
        return False

    def _is_due(self, settings: PluginSettings) -> bool:
        now = time.monotonic()
        if now - self._last_taken < settings.min_callback_seconds:
            return False
        self._last_taken = now
        return True

    def _is_full(self, array: NDArray) -> bool:
        places = max(2, min(self.state.settings.queue_size, self.memory_limit // max(array.pixels.nbytes, 1)))
        return len(self._queue) >= places
