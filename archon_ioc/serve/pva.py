"""The PVAccess server: the same records as over Channel Access, and images as NTNDArray. It is a process of its own."""

import asyncio
import logging
import os
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from archon_ioc.errors import InputError, StateError
from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.plugins.ndarray import Pixels as PixelArray
from archon_ioc.plugins.priority import give_way
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Array, Float, Kind, Pixels, Pv, Severity, Text
from archon_ioc.serve.publisher import Publisher
from archon_ioc.serve.puts import put
from archon_ioc.serve.pva_link import PvaLink, pva_process
from archon_ioc.serve.pva_messages import Answer, Listening, Put, RecordSpec, Serve, Show, ShowImage, Shown

log = logging.getLogger(__name__)

_ELEMENTS = {"LONG": np.dtype(np.int32), "DOUBLE": np.dtype(np.float64)}
_RESTART_SECONDS = 1.0
_PATIENCE = 60.0
"""Seconds for one image; nobody waits for ever for a server that hangs."""


class PvaServer:
    """Records made from tables, served over PVAccess.

    Interfaces and ports are those of the EPICS_PVAS variables of the environment. What is shown comes from the
    publisher, so that both protocols show the same at the same time; puts are checked as those over Channel Access.
    The server of p4p runs in a process of its own, which is started anew when it dies: neither copying an image nor a
    fault there can hold up the program that reads the detector.

    Args:
        prefix: of all names.
        tables: of the records; pixels have no scalar record here, they are images.
        publisher: of the same tables.
        images: names of NTNDArrays, without the prefix.
    """

    def __init__(
        self, prefix: str, tables: Sequence[Table[Any, Any]], publisher: Publisher, images: Sequence[str] = ()
    ) -> None:
        self._publisher = publisher
        self._records: list[_Record] = []
        self._of_row: dict[tuple[int, int], list[int]] = {}
        for table in tables:
            self._number_records(prefix, table)
        self._images = {name: _Image(number, prefix + name) for number, name in enumerate(images)}
        self._link: PvaLink | None = None
        self._copying = ThreadPoolExecutor(1, thread_name_prefix="PVA images", initializer=give_way)
        self._puts: set[asyncio.Task[None]] = set()
        self._listening = asyncio.Event()
        self._port = 0
        publisher.outlets.append(self._show)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            RuntimeError: if no port can be opened.
        """
        images = self._images.values()
        with _memories(len(images)) as memories:
            for image, memory in zip(images, memories, strict=True):
                image.memory = memory
            try:
                await self._serve_always(memories)
            finally:
                await asyncio.to_thread(self._copying.shutdown)  # before the memories are somebody else's

    @property
    def port(self) -> int:
        """The TCP port that is served; 0 before `started`."""
        return self._port

    async def started(self) -> None:
        """Wait until clients can find the records."""
        await self._listening.wait()

    async def post_image(self, name: str, array: NDArray, codec: str = "") -> int:
        """Show an image; return when its pixels are on their way to clients.

        Args:
            name: one of the images, without the prefix.
            array: what is shown.
            codec: how the pixels are compressed: nothing, ``lz4``, ``bslz4`` or ``blosc``.

        Returns:
            Bytes of the pixels as they are sent.

        Raises:
            InputError: if pixels of this type cannot be sent so.
            StateError: if the server died meanwhile, or hangs.
        """
        image = self._images[name]
        try:
            async with image.turn, asyncio.timeout(_PATIENCE):
                await self._listening.wait()
                image.message = None  # from here on its memory is not what that says
                await asyncio.get_running_loop().run_in_executor(self._copying, _store, image.memory, array.pixels)
                return await self._tell(image, image.described(array, codec))
        except TimeoutError:
            if self._link:
                self._link.kill()
            self._leave_link()
            raise StateError(f"the PVAccess server takes no image for {_PATIENCE:g} s") from None

    async def _serve_always(self, memories: Sequence[int]) -> None:
        while True:
            try:
                async with pva_process(memories) as link:
                    await self._serve_until_stopped(link)
                reason = "it died"
            except OSError as error:
                reason = str(error)
            if not self._port:
                raise RuntimeError(f"the PVAccess server cannot be started: {reason}")
            log.error("the PVAccess server is started anew: %s", reason)
            await asyncio.sleep(_RESTART_SECONDS)

    async def _serve_until_stopped(self, link: PvaLink) -> None:
        try:
            await self._serve(link)
        except asyncio.CancelledError:
            await self._stop_puts()  # a process that dies stops none: half a configuration would be in a controller
            raise

    async def _serve(self, link: PvaLink) -> None:
        """Tell a process all that it shows, and do what it asks for until it ends."""
        images = self._images.values()
        link.send(Serve(tuple(record.spec for record in self._records), tuple(image.name for image in images)))
        for shown in (*self._records, *images):
            if shown.message:
                link.send(shown.message)
        self._link = link
        try:
            async for message in link.messages():
                if isinstance(message, Listening):
                    self._listens(message)
                elif isinstance(message, Put):
                    self._begin(link, message)
                elif isinstance(message, Shown):
                    next(image for image in images if image.number == message.number).settle(message)
        finally:
            self._leave_link()
            for image in images:
                image.give_up()

    async def _tell(self, image: "_Image", message: ShowImage) -> int:
        if self._link is None:
            raise StateError("the PVAccess server is being started anew")
        image.message = message
        image.shown = asyncio.get_running_loop().create_future()
        self._link.send(message)
        return await image.shown

    async def _stop_puts(self) -> None:
        for task in (tasks := tuple(self._puts)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _leave_link(self) -> None:
        self._link = None
        self._listening.clear()

    def _listens(self, message: Listening) -> None:
        self._port = message.port
        log.info("PVAccess at %s, port %d", message.addresses, message.port)
        self._listening.set()

    def _number_records(self, prefix: str, table: Table[Any, Any]) -> None:
        for row in table.rows:
            if isinstance(row.kind, Pixels):
                continue
            numbers = self._of_row[id(table), id(row)] = list[int]()
            for record in row.records():
                name = f"{prefix}{table.prefix}{record.suffix}"
                numbers.append(len(self._records))
                self._records.append(_Record(RecordSpec(name, row.kind, row.doc, record.writable), table, row))

    def _begin(self, link: PvaLink, message: Put) -> None:
        task = asyncio.create_task(self._put(link, message), name=f"PVA put {self._records[message.number].spec.name}")
        self._puts.add(task)
        task.add_done_callback(self._puts.discard)

    async def _put(self, link: PvaLink, message: Put) -> None:
        """Do what a client wants and show it, before the client is told that it was done."""
        record = self._records[message.number]
        refusal = "the server is stopping"
        try:
            is_empty = message.value is None
            refusal = "" if is_empty else await put(record.table, record.row, record.spec.name, message.value)
            await self._publisher.flush()
        finally:
            link.send(Answer(message.operation, refusal))

    async def _show(
        self, table: Table[Any, Any], row: Pv[Any, Any], reading: Reading, timestamp: float, *, is_news: bool
    ) -> None:
        """Post a reading, in the readback before the setpoint."""
        del is_news
        for number in self._of_row.get((id(table), id(row)), ()):
            record = self._records[number]
            record.message = Show(number, record.encoded(reading), timestamp)
            if self._link:
                self._link.send(record.message)


class _Record:
    """A record, and the last that was shown of it."""

    def __init__(self, spec: RecordSpec, table: Table[Any, Any], row: Pv[Any, Any]) -> None:
        self.spec, self.table, self.row = spec, table, row
        self.message: Show | None = None
        self._value: object = None
        self._is_unfit = False

    def encoded(self, reading: Reading) -> Reading:
        """Return a reading with its value as it is sent; what the row did not promise is shown as an alarm."""
        try:
            if reading.value is not None:
                self._value = encoded(self.spec.kind, reading.value)
        except (TypeError, ValueError, OverflowError):
            # One wrong row must not take the other hundreds with it.
            if not self._is_unfit:
                self._is_unfit = True
                log.exception("%s cannot show %r", self.spec.name, reading.value)
            return Reading(self._value, "CALC", Severity.INVALID)
        return replace(reading, value=self._value)


@dataclass(eq=False)
class _Image:
    """An image: the memory where the process finds its pixels, and the last one that was there."""

    number: int
    name: str
    memory: int = -1

    def __post_init__(self) -> None:
        self.turn = asyncio.Lock()
        self.message: ShowImage | None = None
        self.shown: asyncio.Future[int] | None = None

    def described(self, array: NDArray, codec: str) -> ShowImage:
        """Return what is told of an image whose pixels are in the memory."""
        pixels = array.pixels
        told = replace(array, pixels=np.empty((0, 0), pixels.dtype), attributes=dict(array.attributes))
        return ShowImage(self.number, told, pixels.dtype.str, pixels.shape, codec)

    def settle(self, message: Shown) -> None:
        """The process has shown it, or refuses to."""
        if message.refusal:
            self.message = None
        if self.shown and not self.shown.done():
            if message.refusal:
                self.shown.set_exception(InputError(message.refusal))
            else:
                self.shown.set_result(message.byte_count)

    def give_up(self) -> None:
        """The process is gone. An image that it was busy with is not shown to the next one."""
        if self.shown and not self.shown.done():
            self.message = None
            self.shown.set_exception(StateError("the PVAccess server died"))


def encoded(kind: Kind, value: Any) -> object:
    """Return a value as the record of a kind has it.

    Raises:
        ValueError, TypeError, OverflowError: if it is not of that kind.
    """
    if isinstance(kind, Float):
        return float(value)
    if isinstance(kind, Array):
        return np.asarray(value, _ELEMENTS[kind.ftvl])
    if isinstance(kind, Text):
        return str(value)
    number = int(value)
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError(f"{number} has more than 32 bits")
    return number


@contextmanager
def _memories(count: int) -> Generator[list[int]]:
    """Yield descriptors of so many pieces of memory that another process can have; they are empty at first."""
    with ExitStack() as stack:
        yield [_memory(stack) for _ in range(count)]


def _memory(stack: ExitStack) -> int:
    if sys.platform != "linux":
        return stack.enter_context(TemporaryFile()).fileno()
    descriptor = os.memfd_create("image")  # /dev/shm would be too small: 64 MB in a container
    stack.callback(os.close, descriptor)
    return descriptor


def _store(memory: int, pixels: PixelArray) -> None:
    """Copy pixels to a memory, which gets larger if it must."""
    flat = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data
    done = 0
    while done < len(flat):
        done += os.pwrite(memory, flat[done:], done)
