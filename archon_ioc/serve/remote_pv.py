# pyright: standard
"""One PV of another IOC: found, written and read over a connection of its own.

caproto has an asyncio client, but it can hang for ever when the other IOC starts again, and a shutter must not.
"""

import asyncio
import contextlib
import getpass
import socket
from collections.abc import AsyncIterator
from typing import Any

import caproto as ca

FIRST_SEARCH_INTERVAL = 0.05
"""Seconds to the second search; each further one comes after twice the time."""

LONGEST_SILENCE = 15.0
"""Seconds without a word after which a server that is watched is asked for one; and in which it must answer."""


class RemotePv:
    """A connected PV; any exception means that it is to be closed and connected anew."""

    def __init__(self, channel: ca.ClientChannel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._channel = channel
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, name: str) -> "RemotePv":
        """Find a PV and connect to it; tries until it is cancelled.

        Raises:
            OSError, CaprotoError: if its server cannot be reached or does not keep to the protocol.
        """
        address = await _search(name)
        circuit = ca.VirtualCircuit(ca.CLIENT, address, 0)
        reader, writer = await asyncio.open_connection(*address)
        pv = cls(ca.ClientChannel(name, circuit), reader, writer)
        try:
            await pv._greet()
        except BaseException:
            pv.close()
            raise
        return pv

    @property
    def native_type(self) -> ca.ChannelType | None:
        """The type that the value has there."""
        return self._channel.native_data_type

    async def write(self, value: str | float) -> None:
        """Put text or a number; returns when the other IOC says that it is done.

        Raises:
            OSError, CaprotoError: if the connection is lost or the other IOC refuses.
        """
        data_type = ca.ChannelType.STRING if isinstance(value, str) else ca.ChannelType.DOUBLE
        request = self._channel.write([value], data_type=data_type, data_count=1, notify=True)
        response = await self._ask(request, ca.WriteNotifyResponse)
        if not response.status.success:
            raise ca.CaprotoRuntimeError(f"{value!r} was refused ({response.status.name})")

    async def read(self, data_type: ca.ChannelType) -> Any:
        """Return the first element of the value: bytes for STRING, else a number.

        Raises:
            OSError, CaprotoError: if the connection is lost or the value cannot be read.
        """
        response = await self._ask(self._channel.read(data_type=data_type, data_count=1), ca.ReadNotifyResponse)
        if not response.status.success:
            raise ca.CaprotoRuntimeError(f"it cannot be read ({response.status.name})")
        return response.data[0]

    async def watch(self, data_type: ca.ChannelType) -> AsyncIterator[Any]:
        """Yield the value now and after each change: an array, of strings or numbers. A server that is silent is lost.

        Raises:
            OSError, CaprotoError: if the connection is lost or the value cannot be read.
        """
        mask = ca.SubscriptionType.DBE_VALUE | ca.SubscriptionType.DBE_ALARM
        self._send(self._channel.subscribe(data_type=data_type, data_count=0, mask=mask))
        while True:
            commands = await self._commands_or_echo()
            for update in (command for command in commands if isinstance(command, ca.EventAddResponse)):
                if not update.status.success:
                    raise ca.CaprotoRuntimeError(f"it cannot be watched ({update.status.name})")
                yield update.data

    def close(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    async def _greet(self) -> None:
        channel = self._channel
        await self._ask(channel.version(), ca.VersionResponse)
        self._send(channel.host_name(socket.gethostname()), channel.client_name(getpass.getuser()))
        await self._ask(channel.create(), ca.CreateChanResponse)

    def _send(self, *commands: Any) -> None:
        self._writer.write(b"".join(self._channel.circuit.send(*commands)))

    async def _ask(self, request: Any, answer: type) -> Any:
        self._send(request)
        ioid = getattr(request, "ioid", None)
        while True:
            for command in await self._commands():
                # A caller that was cancelled leaves an answer behind.
                if isinstance(command, answer) and getattr(command, "ioid", None) == ioid:
                    return command

    async def _commands(self) -> list[Any]:
        """Return what the server sends next, of which nothing is an error."""
        commands, _ = self._channel.circuit.recv(await self._received())
        for command in commands:
            self._channel.circuit.process_command(command)
            if isinstance(command, ca.ErrorResponse | ca.CreateChFailResponse | ca.ServerDisconnResponse):
                raise ca.CaprotoRuntimeError(f"the server answered {command!r}")
        return list(commands)

    async def _commands_or_echo(self) -> list[Any]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SILENCE):
                return await self._commands()
        self._send(ca.EchoRequest())
        async with asyncio.timeout(LONGEST_SILENCE):
            return await self._commands()

    async def _received(self) -> bytes:
        received = await self._reader.read(1 << 16)
        if not received:
            raise ConnectionResetError("the connection was closed")
        return received


async def _search(name: str) -> tuple[str, int]:
    """Return the address of the server that has a PV."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[tuple[str, int]] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _SearchProtocol(found), local_addr=("0.0.0.0", 0), allow_broadcast=True
    )
    request = ca.Broadcaster(ca.CLIENT).send(ca.VersionRequest(0, 13), ca.SearchRequest(name, 1, 13))
    interval = FIRST_SEARCH_INTERVAL
    try:
        while not found.done():
            for address in ca.get_client_address_list():
                transport.sendto(request, address)
            await asyncio.wait([found], timeout=interval)
            interval = min(2 * interval, 1.0)
        return found.result()
    finally:
        transport.close()


class _SearchProtocol(asyncio.DatagramProtocol):
    def __init__(self, found: asyncio.Future[tuple[str, int]]) -> None:
        self._found = found

    def datagram_received(self, data: bytes, addr: Any) -> None:
        commands = ca.Broadcaster(ca.CLIENT).recv(data, addr)
        for command in commands:
            if isinstance(command, ca.SearchResponse) and not self._found.done():
                self._found.set_result(ca.extract_address(command))
