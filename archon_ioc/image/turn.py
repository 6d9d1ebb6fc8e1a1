"""How an image is turned: mirrored, then rotated by quarter turns; and what becomes of its parts."""

from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from archon_ioc.config import DetectorConfig

Number = TypeVar("Number", bound="np.generic[Any]")


@dataclass(frozen=True, slots=True)
class Section:
    """A rectangle of pixels; ``x`` and ``y`` count from 0.

    >>> str(Section(0, 10, 4, 2))
    '[1:4,11:12]'
    """

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        """Return it as FITS headers have it: from 1, with both ends."""
        return f"[{self.x + 1}:{self.x + self.width},{self.y + 1}:{self.y + self.height}]"

    def moved(self, x: int, y: int) -> Self:
        """Return one of the same size elsewhere."""
        return type(self)(self.x + x, self.y + y, self.width, self.height)

    def within(self, other: "Section") -> "Section | None":
        """Return the part that both have, None if there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width = min(self.x + self.width, other.x + other.width) - x
        height = min(self.y + self.height, other.y + other.height) - y
        return Section(x, y, width, height) if width > 0 < height else None


@dataclass(frozen=True, slots=True)
class Turn:
    """Mirror columns, rows or both, then rotate by ``quarters`` of a turn.

    Counterclockwise as images are looked at: with the first row at the bottom.
    """

    flip_x: bool = False
    flip_y: bool = False
    quarters: int = 0

    @classmethod
    def of(cls, detector: DetectorConfig) -> "Turn":
        """Return how the images of a CCD are turned."""
        return cls(detector.flip_x, detector.flip_y, detector.rotate // 90)

    def array(self, array: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """Return the array turned, as a view."""
        mirrored = array[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.rot90(mirrored, -self.quarters)  # numpy has the first row at the top

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return columns and rows of what had ``width`` and ``height``."""
        return (height, width) if self.quarters % 2 else (width, height)

    def section(self, section: Section, width: int, height: int) -> Section:
        """Return where a part of an image of ``width`` x ``height`` pixels is afterwards."""
        x = width - section.x - section.width if self.flip_x else section.x
        y = height - section.y - section.height if self.flip_y else section.y
        turned = Section(x, y, section.width, section.height)
        for _ in range(self.quarters):
            turned = Section(height - turned.y - turned.height, turned.x, turned.height, turned.width)
            width, height = height, width
        return turned

    def directions(self, from_right: bool, from_last: bool) -> tuple[bool, bool]:
        """Return whether what begins at the last column, the last row begins there afterwards."""
        right, last = from_right is not self.flip_x, from_last is not self.flip_y
        for _ in range(self.quarters):
            right, last = not last, right
        return right, last
