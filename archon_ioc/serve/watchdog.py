# pyright: standard
"""The watchdog: tells systemd that the program serves, as long as one of its records can be read like any other."""

import asyncio
import logging
import os
import socket

import caproto as ca

log = logging.getLogger(__name__)

_LONGEST_PERIOD = 10.0


class Watchdog:
    """Reads a record of this program over Channel Access; each answer is reported to systemd.

    Without systemd, or with a unit that asks for no reports, there is nothing to do. A program whose event loop hangs
    cannot report either; systemd then ends and restarts it (``WatchdogSec``).
    """

    def __init__(self, record: str) -> None:
        self._record = record
        self._systemd = os.environ.get("NOTIFY_SOCKET", "")
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        self._period = min(microseconds / 4e6, _LONGEST_PERIOD)

    async def run(self, address: tuple[str, int]) -> None:
        """Report that the program has started, and then that it lives, until cancelled.

        Args:
            address: where the Channel Access server of this program listens.
        """
        self._tell("READY=1")
        while self._systemd and self._period:
            try:
                async with asyncio.timeout(self._period):
                    await read(address, self._record)
            except (OSError, ca.CaprotoError) as error:
                log.warning("%s cannot be read, so systemd is not told that all is well: %r", self._record, error)
            else:
                self._tell("WATCHDOG=1")
            await asyncio.sleep(self._period)

    def _tell(self, text: str) -> None:
        if not self._systemd:
            return
        # A name that begins with @ is not a file.
        path = "\0" + self._systemd[1:] if self._systemd.startswith("@") else self._systemd
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            try:
                connection.sendto(text.encode(), path)
            except OSError as error:
                log.warning("systemd cannot be told %s: %s", text, error)


async def read(address: tuple[str, int], name: str) -> float:
    """Return the number in a record of the server at ``address``.

    Raises:
        OSError: if there is no such server.
        CaprotoError: if it has no such record, or does not follow the protocol.
    """
    reader, writer = await asyncio.open_connection(*address)
    try:
        circuit = ca.VirtualCircuit(ca.CLIENT, address, 0)
        channel = ca.ClientChannel(name, circuit)
        opening = (ca.VersionRequest(0, 13), ca.HostNameRequest("localhost"), ca.ClientNameRequest("watchdog"))
        writer.write(b"".join(circuit.send(*opening, channel.create())))
        await _answer(reader, circuit, ca.CreateChanResponse)
        writer.write(b"".join(circuit.send(channel.read())))
        return float((await _answer(reader, circuit, ca.ReadNotifyResponse)).data[0])
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, circuit: ca.VirtualCircuit, wanted: type) -> ca.ReadNotifyResponse:
    while received := await reader.read(1 << 12):
        for command in circuit.recv(received)[0]:
            circuit.process_command(command)
            if isinstance(command, ca.CreateChFailResponse | ca.ErrorResponse):
                raise ca.RemoteProtocolError(f"the answer is {command}")
            if isinstance(command, wanted):
                return command  # type: ignore[return-value]
    raise ConnectionResetError("the server closed the connection")
