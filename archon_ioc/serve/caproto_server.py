# pyright: standard
"""caproto's asyncio server, in which no client can stop, starve or swell the others.

Nothing installed is changed: these are subclasses of what caproto 1.3.0 has inside, which is why it is pinned.
What is different here:

* An update goes straight into the queue of each client that wants it; no queue is shared, so a client that
  does not read delays nobody.
* That queue never makes the writer wait. Each subscription has a few places in it; the oldest update loses.
* The answer to a put goes through the same queue, so it comes after the monitors of the value put.
* The wire form of a value is made once for all clients; large ones are sent by threads, without copies.
* Whatever a client does wrong ends its own connection only, and everything it held is let go.
"""

import asyncio
import logging
import socket
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import caproto as ca
from caproto.asyncio import server as stock
from caproto.asyncio.utils import _TransportWrapper  # pyright: ignore[reportPrivateUsage]
from caproto.server.common import DisconnectedCircuit, LoopExit

from archon_ioc.serve.sending import Sender, sending_threads
from archon_ioc.serve.updates import PutGate, Update, UpdateQueue
from archon_ioc.serve.wire import Payload, WireReading

log = logging.getLogger(__name__)

_PUT_ONLY = (ca.ChannelType.PUT_ACKT, ca.ChannelType.PUT_ACKS)
_CLIENT_LEFT = (DisconnectedCircuit, LoopExit, OSError)


class Circuit(stock.VirtualCircuit):
    """One client."""

    context: Any

    def __init__(self, circuit: Any, client: _TransportWrapper, context: "Context") -> None:
        super().__init__(circuit, client, context)
        self._own_put = context.own
        self._sender = Sender(client.writer, context.threads)
        self.subscription_queue: Any = UpdateQueue()
        self.write_event: Any = PutGate()

    async def serve(self) -> None:
        """Serve the client until it leaves, breaks the protocol or does not read for ``SEND_TIMEOUT``."""
        self.events_on.set()
        tasks = [
            asyncio.create_task(self._receive(), name="CA receive"),
            asyncio.create_task(self.command_queue_loop(), name="CA commands"),
            asyncio.create_task(self.subscription_queue_loop(), name="CA updates"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await self._on_disconnect()
            try:
                await self._end(tasks)
            finally:
                self._sender.close()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the ends of tasks, even if cancelled meanwhile: they may still use the connection."""
        ended = asyncio.gather(*tasks, return_exceptions=True)
        try:
            results = await asyncio.shield(ended)
        except asyncio.CancelledError:
            await ended
            raise
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, _CLIENT_LEFT):
                log.warning("client %s:%d is dropped", *self.circuit.address, exc_info=result)

    def abort(self) -> None:
        """Drop the client at once."""
        self._sender.abort()

    async def send(self, *commands: Any) -> None:
        """Send commands; answers to puts wait for their turn behind the updates."""
        if not self.connected:
            return
        now: list[Any] = []
        for command in commands:
            if isinstance(command, ca.WriteNotifyResponse):
                await self.subscription_queue.put(lambda command=command: command)
            else:
                now.append(command)
        if now:
            await self._transmit(now)

    async def command_queue_loop(self) -> None:
        """Answer the client's commands, one after the other."""
        while True:
            command = await self.command_queue.get()
            await self.send(*await self._command_queue_iteration(command) or ())  # kept in no variable: it may be large

    async def subscription_queue_loop(self) -> None:
        """Send the updates."""
        while True:
            await self._transmit(await self.subscription_queue.take())

    def offer(self, spec: Any, sub: Any, payload: Payload) -> None:
        """Queue an update; of too many of one subscription the oldest is forgotten."""
        if not self.events_on.is_set():
            self._resend_later(spec, sub)
            return

        def forgotten(_: object) -> None:
            if not self.events_on.is_set():
                self._resend_later(spec, sub)

        waiting = self.unexpired_updates.get(sub.subscriptionid)
        if waiting is None:
            waiting = self.unexpired_updates[sub.subscriptionid] = deque(maxlen=spec.db_entry.max_subscription_backlog)
        update = Update(payload, sub.subscriptionid)
        waiting.append(update)
        self.subscription_queue.add(weakref.ref(update, forgotten))

    def _resend_later(self, spec: Any, sub: Any) -> None:
        """Remember to send the newest value when the client wants events again."""
        subs = self.subscriptions_to_resend.setdefault(spec, [])
        if sub not in subs:
            subs.append(sub)

    async def _receive(self) -> None:
        while chunk := await self.client.recv(1 << 16):
            commands, _ = self.circuit.recv(chunk)
            for command in commands:
                await self.command_queue.put(command)

    def _forget_sent(self, command: Any) -> None:
        waiting = self.unexpired_updates.get(getattr(command, "subscriptionid", -1))
        if waiting and waiting[0] is command:
            waiting.popleft()

    async def _transmit(self, commands: Sequence[Any]) -> None:
        buffers: list[Any] = []
        for command in commands:
            self._forget_sent(command)
            if isinstance(command, Update):
                buffers += command.buffers
                continue
            try:
                buffers += self.circuit.send(command)
            except (ca.LocalProtocolError, KeyError) as error:
                # The client closed the channel while its answer was under way.
                log.debug("%r is not sent: %r", command, error)
        try:
            await self._sender.send(buffers)
        except TimeoutError as error:
            log.info("client %s:%d is dropped: it does not read", *self.circuit.address)
            raise DisconnectedCircuit("it does not read") from error
        except OSError as error:
            raise DisconnectedCircuit(str(error)) from error

    async def _start_write_task(self, handle_write: Callable[[], Any]) -> None:
        # A put goes on when its client leaves: an exposure belongs to the camera.
        self._own_put(handle_write())

    async def _process_command(self, command: Any) -> Any:
        if isinstance(command, ca.EventAddRequest) and command.data_type in _PUT_ONLY:
            raise ca.RemoteProtocolError(f"{command.data_type!r} cannot be read")
        if isinstance(command, ca.ClearChannelRequest):
            await self._cull_subscriptions(None, lambda sub: sub.channel.sid == command.sid)
        return await super()._process_command(command)

    async def _cull_subscriptions(self, db_entry: Any, func: Callable[[Any], bool]) -> tuple[Any, ...]:
        removed = await super()._cull_subscriptions(db_entry, func)
        for _, subscription in removed:
            self.unexpired_updates.pop(subscription.subscriptionid, None)
        return removed

    async def _on_disconnect(self) -> None:
        if not self.connected:
            return
        for subscriptions in self.subscriptions.values():
            for subscription in subscriptions:
                self.context.last_dead_band.pop(subscription, None)
                self.context.last_sync_edge_update.pop(subscription, None)
        await super()._on_disconnect()
        self.abort()
        self.subscription_queue.clear()
        self.unexpired_updates.clear()
        self.subscriptions_to_resend.clear()


class _StraightQueue:
    """Stands where caproto has a queue between the channels and the clients; hands updates on at once."""

    def __init__(self, deliver: Callable[..., Any]) -> None:
        self._deliver = deliver

    async def put(self, update: Any) -> None:
        await self._deliver(*update)


class Context(stock.Context):
    """The server: sockets, searches, beacons and clients."""

    CircuitClass = Circuit

    def __init__(self, channels: dict[str, ca.ChannelData], interfaces: Sequence[str] | None = None) -> None:
        super().__init__(channels, list(interfaces) if interfaces else None)
        self.subscription_queue: Any = _StraightQueue(self._subscription_queue_iteration)
        self.threads = sending_threads()
        self._tasks = asyncio.TaskGroup()
        self._deaf: set[tuple[str, int]] = set()

    def own(self, coroutine: Any) -> None:
        """Run a coroutine until it ends or the server does."""
        self._tasks.create_task(coroutine)

    async def serve(self, listening: asyncio.Event) -> None:
        """Serve until cancelled; ``listening`` is set when clients can find us."""
        records = len(self.pvdb)
        self.port, sockets = await self._bind_tcp_sockets_with_consistent_port_number(_listen)
        servers: list[asyncio.Server] = []
        try:
            async with self._tasks as tasks:
                for tcp_socket in sockets.values():
                    server = await asyncio.start_server(self._accept, sock=tcp_socket)
                    servers.append(server)
                for interface in self.interfaces:
                    self.broadcaster.server_addresses.append((interface, self.port))
                    await self._create_broadcaster_transport(interface)
                tasks.create_task(self.broadcaster_receive_loop(), name="CA search datagrams")
                tasks.create_task(self.broadcaster_queue_loop(), name="CA searches")
                tasks.create_task(self.broadcast_beacon_loop(), name="CA beacons")
                listening.set()
                log.info("%d records at %s, port %d", records, ", ".join(self.interfaces), self.port)
                await asyncio.Event().wait()
        finally:
            for closable in (*servers, *sockets.values(), *self.udp_socks.values()):
                closable.close()
            self.threads.shutdown(wait=False)

    async def broadcast_beacon_loop(self) -> NoReturn:
        """Tell clients and gateways that we live: fast at first, then each EPICS_CAS_BEACON_PERIOD seconds."""
        period = 0.02
        addresses = [await _resolved(*address) for address in ca.get_beacon_address_list()]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beacon_socket:
            beacon_socket.setblocking(False)
            beacon_socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            while True:
                for address in addresses:
                    self._send_beacon(beacon_socket, address)
                self.beacon_count += 1
                await asyncio.sleep(period)
                period = min(2 * period, float(self.environ["EPICS_CAS_BEACON_PERIOD"]))

    def _send_beacon(self, beacon_socket: socket.socket, address: tuple[str, int]) -> None:
        beacon = ca.Beacon(13, self.port, self.beacon_count, self.interfaces[0])
        try:
            beacon_socket.sendto(self.broadcaster.send(beacon), address)
        except OSError as error:
            if address not in self._deaf:
                self._deaf.add(address)
                log.info("no beacons to %s:%d: %s", *address, error)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # asyncio forgets it for sockets of which it does not know that they are TCP's: then updates wait 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.own(self._serve(_TransportWrapper(reader, writer)))

    async def _serve(self, client: _TransportWrapper) -> None:
        circuit = Circuit(ca.VirtualCircuit(ca.SERVER, client.getpeername(), None), client, self)
        self.circuits.add(circuit)
        log.debug("client %s:%d connected", *client.getpeername())
        try:
            await circuit.serve()
        finally:
            self.circuits.discard(circuit)

    async def _broadcaster_recv_datagram(self, bytes_received: bytes, address: tuple[str, int]) -> None:
        try:
            await super()._broadcaster_recv_datagram(bytes_received, address)
        except Exception:
            # Anybody can send anything to this port.
            log.debug("a datagram from %s:%d is not Channel Access", *address, exc_info=True)

    async def _subscription_queue_iteration(
        self, sub_specs: Any, metadata: Any, values: Any, flags: int, sub: Any
    ) -> None:
        """Give an update to one subscription, or to all whose mask asks for such an event."""
        whole = WireReading(values, metadata)
        for spec in sub_specs:
            part = spec.channel_filter.arr
            reading = whole if part is None else WireReading(ca.apply_arr_filter(part, values), metadata)
            if sub is not None:
                await self._give(spec, sub, reading, flags)
            elif spec.mask & flags:
                for each in tuple(self.subscriptions[spec]):
                    await self._give(spec, each, reading, flags)

    async def _give(self, spec: Any, sub: Any, reading: WireReading, flags: int) -> None:
        circuit = sub.circuit
        if not circuit.connected:
            return
        try:
            if spec.channel_filter.dbnd is None and spec.channel_filter.sync is None:
                circuit.offer(spec, sub, reading.payload(sub.data_type, sub.data_count))
            else:
                await self._subscription_queue_send(spec, sub, reading.metadata, reading.values, flags)
        except Exception:
            # What one client asks for must not stop the values of all.
            log.exception("client %s:%d is dropped", *circuit.circuit.address)
            circuit.abort()


async def _listen(interface: str, port: int) -> socket.socket:
    return socket.create_server((interface, port))


async def _resolved(host: str, port: int) -> tuple[str, int]:
    """Return a numeric address, or the one given if its name is not known."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=socket.AF_INET)
    except OSError:
        return host, port
    return str(found[0][4][0]), port
