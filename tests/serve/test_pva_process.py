"""The process that serves PVAccess, spoken to directly."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from p4p.client.thread import Context

from archon_ioc.plugins.ndarray import NDArray
from archon_ioc.pvs.render import Reading
from archon_ioc.pvs.row import Float, Text
from archon_ioc.serve.pva_messages import (
    SIZE_BYTES,
    Listening,
    Message,
    RecordSpec,
    Serve,
    Show,
    ShowImage,
    Shown,
    packed,
    size_of,
    unpacked,
)

NO_PIXELS = NDArray(np.empty((0, 0)), 1, 0.0, 0.0, ())


class Running:
    """A process, and our end of its socket."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.memory = os.memfd_create("test")
        self.link, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), self.memory)
            command = [sys.executable, "-m", "archon_ioc.serve.pva_process", *map(str, descriptors)]
            self.process = subprocess.Popen(command, pass_fds=descriptors, env=environment)
        self.stream = self.link.makefile("rb")

    def tell(self, *messages: Message) -> None:
        self.link.sendall(packed(messages))

    def hear(self) -> Message:
        (message,) = unpacked(self.stream.read(size_of(self.stream.read(SIZE_BYTES))))
        return message

    def close(self) -> None:
        self.stream.close()
        self.link.close()
        os.close(self.memory)


@pytest.fixture
def running(ca_environment: dict[str, str]) -> Iterator[Running]:
    running = Running(ca_environment)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    running.close()


def test_it_ends_with_the_other_end_and_not_before(running: Running) -> None:
    running.tell(Serve((RecordSpec("T:X", Float(), "An X", writable=False),), ("T:Image",)))
    assert isinstance(running.hear(), Listening)
    running.process.send_signal(signal.SIGTERM)
    running.tell(ShowImage(0, NO_PIXELS, "<u2", (0, 0), ""))
    assert isinstance(running.hear(), Shown)
    running.link.shutdown(socket.SHUT_WR)
    assert running.process.wait(10) == 0


def test_it_ends_without_having_been_told_anything(running: Running) -> None:
    running.link.shutdown(socket.SHUT_WR)
    assert running.process.wait(10) == 0


def test_it_says_when_it_has_taken_an_image_and_why_not(running: Running) -> None:
    running.tell(Serve((), ("T:Image",)))
    assert isinstance(running.hear(), Listening)
    os.pwrite(running.memory, bytes(24), 0)
    running.tell(ShowImage(0, NO_PIXELS, "<u2", (3, 4), ""))
    assert running.hear() == Shown(0, 24)
    running.tell(ShowImage(0, NO_PIXELS, "<u2", (3, 4), "zip"))
    shown = running.hear()
    assert isinstance(shown, Shown)
    assert "not available" in shown.refusal


def test_it_ends_when_an_image_cannot_be_shown_for_another_reason(running: Running) -> None:
    running.tell(Serve((), ("T:Image",)))
    assert isinstance(running.hear(), Listening)
    running.tell(ShowImage(1, NO_PIXELS, "<u2", (3, 4), ""))
    assert running.process.wait(10) == 1


def test_a_value_that_cannot_be_sent_is_an_alarm_and_no_end(running: Running, ca_environment: dict[str, str]) -> None:
    text = RecordSpec("T:X", Text(), "An X", writable=False)
    running.tell(Serve((text,), ()), Show(0, Reading("\udc80"), 0.0))
    listening = running.hear()
    assert isinstance(listening, Listening)
    conf = {**ca_environment, "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{listening.port}"}
    with Context("pva", conf=conf, useenv=False, nt=False) as context:
        assert context.get("T:X")["alarm.message"] == "CALC"
        running.tell(Show(0, Reading("right"), 0.0))
        while (value := context.get("T:X")).value != "right":
            pass
    assert value["alarm.severity"] == 0
