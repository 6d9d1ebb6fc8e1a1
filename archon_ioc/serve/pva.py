# pyright: standard
"""The PVAccess server: the same records as over Channel Access, and images as NTNDArray."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from p4p import Value
from p4p.server import Server, ServerOperation, StaticProvider
from p4p.server.raw import SharedPV

from archon_ioc.errors import InputError
from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.pvs.render import Reading, Table
from archon_ioc.pvs.row import Pixels, Pv, Record, Severity
from archon_ioc.serve import nt
from archon_ioc.serve.ntndarray import image_value, no_image
from archon_ioc.serve.publisher import Publisher
from archon_ioc.serve.puts import put

log = logging.getLogger(__name__)


class PvaServer:
    """Records made from tables, served over PVAccess.

    Interfaces and ports are those of the EPICS_PVAS variables of the environment. What is shown comes from the
    publisher, so that both protocols show the same at the same time; puts are checked as those over Channel Access.

    Args:
        prefix: of all names.
        tables: of the records; pixels have no scalar record here, they are images.
        publisher: of the same tables.
        images: names of NTNDArrays, without the prefix.
    """

    def __init__(
        self, prefix: str, tables: Sequence[Table[Any, Any]], publisher: Publisher, images: Sequence[str] = ()
    ) -> None:
        self._prefix = prefix
        self._publisher = publisher
        self._provider = StaticProvider("archon-ioc")
        self._of_row: dict[tuple[int, int], list[_RecordPv]] = {}
        self._images = {name: SharedPV(initial=no_image()) for name in images}
        self._puts: set[asyncio.Task[None]] = set()
        self._listening = asyncio.Event()
        self._port = 0
        for table in tables:
            self._make_records(table)
        for name, pv in self._images.items():
            self._provider.add(prefix + name, pv)
        publisher.outlets.append(self._show)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            RuntimeError: if no port can be opened.
        """
        self._loop = asyncio.get_running_loop()
        server = Server(providers=[self._provider])
        try:
            conf = server.conf()
            self._port = int(conf["EPICS_PVAS_SERVER_PORT"])
            log.info("PVAccess at %s, port %d", conf["EPICS_PVAS_INTF_ADDR_LIST"], self._port)
            self._listening.set()
            await asyncio.Event().wait()
        finally:
            for task in self._puts:
                task.cancel()
            await asyncio.shield(asyncio.to_thread(server.stop))

    @property
    def port(self) -> int:
        """The TCP port that is served; 0 before `started`."""
        return self._port

    async def started(self) -> None:
        """Wait until clients can find the records."""
        await self._listening.wait()

    def post_image(self, name: str, array: NDArray, codec: str = "") -> int:
        """Show an image; blocks, for a thread.

        Args:
            name: one of the images, without the prefix.
            array: what is shown.
            codec: how the pixels are compressed: nothing, ``lz4``, ``bslz4`` or ``blosc``.

        Returns:
            Bytes of the pixels as they are sent.

        Raises:
            InputError: if pixels of this type cannot be sent so.
        """
        value = image_value(array, codec)
        self._images[name].post(value)
        return int(value["compressedSize"])

    def _make_records(self, table: Table[Any, Any]) -> None:
        for row in table.rows:
            if isinstance(row.kind, Pixels):
                continue
            pvs = [_RecordPv(record, self._put_to(table)) for record in row.records()]
            self._of_row[id(table), id(row)] = pvs
            for pv in pvs:
                pv.name = f"{self._prefix}{table.prefix}{pv.record.suffix}"
                self._provider.add(pv.name, pv.shared)

    def _put_to(self, table: Table[Any, Any]) -> "_Begin":
        def begin(pv: _RecordPv, operation: ServerOperation) -> None:
            self._loop.call_soon_threadsafe(start, pv, operation)

        def start(pv: _RecordPv, operation: ServerOperation) -> None:
            task = self._loop.create_task(self._put(table, pv, operation), name=f"PVA put {pv.name}")
            self._puts.add(task)
            task.add_done_callback(self._puts.discard)

        return begin

    async def _put(self, table: Table[Any, Any], pv: "_RecordPv", operation: ServerOperation) -> None:
        """Do what a client wants and show it, before the client is told that it was done."""
        refusal = "the server is stopping"
        try:
            value = nt.put_value(pv.record.row.kind, operation.value())
            refusal = "" if value is None else await put(table, pv.record.row, pv.name, value)
            await self._publisher.flush()
        finally:
            operation.done(error=refusal or None)

    async def _show(
        self, table: Table[Any, Any], row: Pv[Any, Any], reading: Reading, timestamp: float, *, is_news: bool
    ) -> None:
        """Post a reading, in the readback before the setpoint."""
        del is_news
        for pv in self._of_row.get((id(table), id(row)), ()):
            pv.post(reading, timestamp)


_Begin = Any  # Callable[[_RecordPv, ServerOperation], None]


class _RecordPv:
    """One record; `put` is called in a thread of p4p."""

    def __init__(self, record: Record[Any, Any], begin_put: _Begin) -> None:
        self.record = record
        self.name = record.suffix
        self.shared = SharedPV(initial=nt.opening(record), handler=self)
        self._begin_put = begin_put
        self._is_unfit = False

    def put(self, shared: SharedPV, operation: ServerOperation) -> None:
        """A client puts."""
        del shared
        if self.record.writable:
            self._begin_put(self, operation)
        else:
            operation.done(error=f"{self.name} is read-only")

    def post(self, reading: Reading, timestamp: float) -> None:
        """Show a reading; what the row did not promise is shown as an alarm."""
        try:
            value: Value = nt.update(self.record.row.kind, reading, timestamp)
        except (TypeError, ValueError, OverflowError, InputError):
            # One wrong row must not take the other hundreds with it.
            if not self._is_unfit:
                self._is_unfit = True
                log.exception("%s cannot show %r", self.name, reading.value)
            value = nt.update(self.record.row.kind, Reading(None, "CALC", Severity.INVALID), timestamp)
        self.shared.post(value)
