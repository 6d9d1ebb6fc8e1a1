# pyright: standard
"""A shutter that another IOC moves: its PVs, written and read over Channel Access."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import caproto as ca

from archon_ioc.config import ShutterConfig
from archon_ioc.errors import StateError
from archon_ioc.serve.remote_pv import RemotePv

log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds in which the other IOC must be found, must answer and must have moved the shutter."""

T = TypeVar("T")


class PvShutter:
    """The shutter of ShutterMode ``EPICS PV``; connects when it is first used."""

    def __init__(self, config: ShutterConfig) -> None:
        self._config = config
        self._pvs: dict[str, RemotePv] = {}
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Open the shutter; returns when the other IOC says that it is done.

        Raises:
            StateError: if no PV is configured, or it does not take the value within 5 s.
        """
        await self._write("open_pv", self._config.open_pv, self._config.open_value)

    async def close(self) -> None:
        """Close the shutter; returns and raises as `open` does."""
        await self._write("close_pv", self._config.close_pv, self._config.close_value)

    async def status(self) -> bool | None:
        """Tell whether the shutter is open; None if that is not known."""
        if not self._config.status_pv:
            return None
        try:
            shown = await self._use(self._config.status_pv, _all_ways_to_say)
        except StateError as error:
            log.debug("the shutter's state is not known: %s", error)
            return None
        return self._config.status_open in shown

    async def aclose(self) -> None:
        """Let the connections go; the next use makes new ones."""
        async with self._lock:
            for name in tuple(self._pvs):
                self._drop(name)

    async def _write(self, setting: str, name: str, text: str) -> None:
        if not name:
            raise StateError(f"the site file names no {setting} for the shutter")
        await self._use(name, lambda pv: pv.write(_as_sent(text, pv.native_type)))

    async def _use(self, name: str, use: Callable[[RemotePv], Awaitable[T]]) -> T:
        async with self._lock:
            try:
                async with asyncio.timeout(TIMEOUT):
                    return await self._use_connected(name, use)
            except TimeoutError:
                self._drop(name)
                raise StateError(f"the shutter's PV {name} did not answer within {TIMEOUT:g} s") from None
            except (OSError, ca.CaprotoError) as error:
                self._drop(name)
                raise StateError(f"the shutter's PV {name}: {error}") from error

    async def _use_connected(self, name: str, use: Callable[[RemotePv], Awaitable[T]]) -> T:
        if name in self._pvs:
            try:
                return await use(self._pvs[name])
            except OSError:
                self._drop(name)  # the other IOC was started again since the last exposure
        self._pvs[name] = await RemotePv.connect(name)
        return await use(self._pvs[name])

    def _drop(self, name: str) -> None:
        pv = self._pvs.pop(name, None)
        if pv is not None:
            pv.close()


async def _all_ways_to_say(pv: RemotePv) -> tuple[str, ...]:
    """Return the value as text and as a number, so that a choice can be given by its word or its index."""
    text = (await pv.read(ca.ChannelType.STRING)).decode("latin-1")
    if pv.native_type == ca.ChannelType.STRING:
        return (text,)
    return (text, f"{await pv.read(ca.ChannelType.DOUBLE):g}")


def _as_sent(text: str, native: ca.ChannelType | None) -> str | float:
    """Return the value as a number if it is one and the PV is not text: every IOC takes an index for a choice."""
    if native in (ca.ChannelType.STRING, ca.ChannelType.CHAR):
        return text
    try:
        return float(text)
    except ValueError:
        return text
