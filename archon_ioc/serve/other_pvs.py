# pyright: standard
"""OtherPvs: the latest values of process variables of other programs, watched over Channel Access."""

import asyncio
import logging
from typing import Any

import caproto as ca

from archon_ioc.serve.remote_pv import RemotePv
from archon_ioc.serve.wire import ENCODING

log = logging.getLogger(__name__)

_PAUSE = 1.0
"""Seconds before a PV whose connection was lost is looked for again."""

Wanted = tuple[str, bool]


class OtherPvs:
    """Watches what is wanted, names and whether as text, as long as it runs."""

    def __init__(self) -> None:
        self._values: dict[Wanted, str | int | float] = {}
        self._tasks: dict[Wanted, asyncio.Task[None]] = {}
        self._wanted: frozenset[Wanted] = frozenset()
        self._changed = asyncio.Event()

    def watch(self, names: frozenset[Wanted]) -> None:
        """Keep the values of these and of no others."""
        self._wanted = names
        self._changed.set()

    def read(self, name: str, *, as_text: bool) -> str | int | float | None:
        """Return the latest value of one that is watched, None if it is not connected or has no value."""
        return self._values.get((name, as_text))

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for gone in self._tasks.keys() - self._wanted:
                    self._tasks.pop(gone).cancel()
                for new in self._wanted - self._tasks.keys():
                    self._tasks[new] = tasks.create_task(self._keep(new), name=f"watch {new[0]}")
                await self._changed.wait()
                self._changed.clear()

    async def _keep(self, wanted: Wanted) -> None:
        while True:
            try:
                await self._watch(wanted)
            except (OSError, ca.CaprotoError) as error:
                log.warning("%s is not known any more: %s", wanted[0], error)
            finally:
                self._values.pop(wanted, None)
            await asyncio.sleep(_PAUSE)

    async def _watch(self, wanted: Wanted) -> None:
        name, as_text = wanted
        pv = await RemotePv.connect(name)
        try:
            native = pv.native_type or ca.ChannelType.STRING
            data_type = ca.ChannelType.STRING if as_text and native != ca.ChannelType.CHAR else native
            async for data in pv.watch(data_type):
                value = _value(data, data_type, as_text=as_text)
                if value is None:
                    self._values.pop(wanted, None)
                else:
                    self._values[wanted] = value
        finally:
            pv.close()


def _value(data: Any, data_type: Any, *, as_text: bool) -> str | int | float | None:
    if data_type == ca.ChannelType.CHAR and (as_text or len(data) > 1):
        return bytes(data).split(b"\0", 1)[0].decode(ENCODING)
    if len(data) == 0:
        return None
    return data[0].decode(ENCODING) if data_type == ca.ChannelType.STRING else data[0].item()
