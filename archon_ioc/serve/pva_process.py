# pyright: standard
"""The process that serves PVAccess. It knows nothing but what the IOC tells it, and ends with the IOC.

Arguments: descriptors of a socket to the IOC, and of the memory of each image.
"""

import mmap
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import count

import numpy as np
from p4p.server import Server, ServerOperation, StaticProvider
from p4p.server.raw import SharedPV

from archon_ioc.errors import InputError
from archon_ioc.plugins.priority import give_way
from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Severity
from archon_ioc.serve import nt
from archon_ioc.serve.ntndarray import image_value, no_image
from archon_ioc.serve.pva_messages import (
    SIZE_BYTES,
    Answer,
    Listening,
    Message,
    Put,
    RecordSpec,
    Serve,
    Show,
    ShowImage,
    Shown,
    packed,
    size_of,
    unpacked,
)

_UNFIT = (TypeError, ValueError, OverflowError)
"""What p4p says of values that it cannot send."""


class PvaProcess:
    """The server, with what is still to be answered."""

    def __init__(self, link: socket.socket, memories: Sequence[int]) -> None:
        self._link = link
        self._memories = memories
        self._sending = threading.Lock()
        self._numbers = count(1)
        self._puts: dict[int, ServerOperation] = {}
        self._records: list[_Record] = []
        self._images: list[SharedPV] = []
        self._imaging = ThreadPoolExecutor(1, thread_name_prefix="images", initializer=give_way)

    def run(self) -> None:
        """Serve until the IOC is gone."""
        batches = self._batches()
        first, *shown = next(batches, (None,))
        if not isinstance(first, Serve):
            return
        provider = self._make(first)
        for message in shown:  # clients must not find what was before them
            self._take(message, at_once=True)
        server = Server(providers=[provider])
        try:
            conf = server.conf()
            self.tell(Listening(conf["EPICS_PVAS_INTF_ADDR_LIST"], int(conf["EPICS_PVAS_SERVER_PORT"])))
            for messages in batches:
                for message in messages:
                    self._take(message)
        finally:
            server.stop()

    def tell(self, message: Message) -> None:
        """Tell the IOC something."""
        with self._sending:
            self._link.sendall(packed([message]))

    def begin_put(self, number: int, value: object, operation: ServerOperation) -> None:
        """Let the IOC do what a client wants; it answers."""
        key = next(self._numbers)
        self._puts[key] = operation
        self.tell(Put(key, number, value))

    def _make(self, serve: Serve) -> StaticProvider:
        provider = StaticProvider("archon-ioc")
        for number, spec in enumerate(serve.records):
            self._records.append(_Record(self, number, spec))
            provider.add(spec.name, self._records[-1].shared)
        for name in serve.images:
            self._images.append(SharedPV(initial=no_image()))
            provider.add(name, self._images[-1])
        return provider

    def _batches(self) -> Iterator[Sequence[Message]]:
        with self._link.makefile("rb") as stream:
            while len(head := stream.read(SIZE_BYTES)) == SIZE_BYTES:
                yield unpacked(stream.read(size_of(head)))

    def _take(self, message: Message, *, at_once: bool = False) -> None:
        if isinstance(message, Show):
            self._records[message.number].show(message)
        elif isinstance(message, Answer):
            self._puts.pop(message.operation).done(error=message.refusal or None)
        elif isinstance(message, ShowImage):
            done = self._imaging.submit(self._show_image, message)
            done.add_done_callback(_end_if_failed)
            if at_once:
                wait([done])

    def _show_image(self, message: ShowImage) -> None:
        try:
            byte_count = self._post(message)
        except (InputError, *_UNFIT) as error:
            self.tell(Shown(message.number, 0, str(error)))
        else:
            self.tell(Shown(message.number, byte_count))

    def _post(self, message: ShowImage) -> int:
        descriptor, dtype = self._memories[message.number], np.dtype(message.data_type)
        size = os.fstat(descriptor).st_size
        if not size:
            pixels = np.empty(message.shape, dtype)
        else:
            memory = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
            pixels = np.frombuffer(memory, dtype, int(np.prod(message.shape))).reshape(message.shape)
        value = image_value(replace(message.array, pixels=pixels), message.codec)
        self._images[message.number].post(value)
        return int(value["compressedSize"])


class _Record:
    """One record; `put` is called in a thread of p4p."""

    def __init__(self, process: PvaProcess, number: int, spec: RecordSpec) -> None:
        self._process, self._number, self._spec = process, number, spec
        self.shared = SharedPV(initial=nt.opening(spec.kind, spec.doc), handler=self)

    def put(self, shared: SharedPV, operation: ServerOperation) -> None:
        """A client puts."""
        del shared
        if self._spec.writable:
            self._process.begin_put(self._number, nt.put_value(self._spec.kind, operation.value()), operation)
        else:
            operation.done(error=f"{self._spec.name} is read-only")

    def show(self, message: Show) -> None:
        """Show a reading."""
        try:
            value = nt.update(self._spec.kind, message.reading, message.timestamp)
        except _UNFIT:
            # One wrong value must not take all others with it.
            traceback.print_exc()
            value = nt.update(self._spec.kind, Reading(None, "CALC", Severity.INVALID), message.timestamp)
        self.shared.post(value)


def _end_if_failed(done: Future[None]) -> None:
    """End the process where an image could not be shown for no reason that it foresees: the IOC starts another."""
    if error := done.exception():
        traceback.print_exception(error)
        os._exit(1)


def main() -> None:
    """Serve until the other end of the socket is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a service manager tells all processes; the IOC ends this one
    descriptor, *memories = (int(argument) for argument in sys.argv[1:])
    with socket.socket(fileno=descriptor) as link:
        PvaProcess(link, memories).run()


if __name__ == "__main__":
    main()
