"""Part: what one controller has collected of an image."""

import asyncio
from collections.abc import Mapping

from archon_ioc.errors import ReadoutError
from archon_ioc.exposure.moments import Moments
from archon_ioc.exposure.picture import Shot, add
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.header import Value
from archon_ioc.protocol.replies import BufferInfo, Frame


class Part:
    """A frame, or the sum of several."""

    def __init__(self) -> None:
        self.is_handed_out = False
        """Whether it is on its way to clients and files, and not kept here."""
        self._total: PixelArray | None = None
        self._info: BufferInfo | None = None
        self._moments: list[Moments] = []

    @property
    def count(self) -> int:
        """How many frames it has."""
        return len(self._moments)

    async def add(self, frame: Frame, moments: Moments) -> None:
        """Add a frame.

        Raises:
            ReadoutError: if it does not fit.
        """
        self._total = await asyncio.to_thread(add, self._total, frame)
        self._info = frame.info
        self._moments.append(moments)

    def hand_out(self, cards: Mapping[str, tuple[Value, str]], *, powered: bool) -> Shot:
        """Return it as `shot` does, and forget the pixels: they take much memory.

        Raises:
            ReadoutError: if it has no frame.
        """
        shot = self.shot(cards, powered=powered)
        self.is_handed_out, self._total = True, None
        return shot

    def shot(self, cards: Mapping[str, tuple[Value, str]], *, powered: bool = True) -> Shot:
        """Return it with what clients want in the header, and whether the CCD had its voltages to the end.

        Raises:
            ReadoutError: if it has no frame.
        """
        if self._total is None or self._info is None:
            raise ReadoutError("nothing was collected")
        return Shot(self._total, self._info, Moments.spanning(self._moments), self.count, powered, cards)
