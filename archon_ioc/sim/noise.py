"""Noise of readings: the same at the same count of the same seed, whoever looked before."""

from collections.abc import Sequence
from random import Random

_SIZE = 4096
_STRIDE = 977  # shares no factor with the size: counts that follow each other begin far apart


class Noise:
    """Normally distributed numbers of width 1 around 0, drawn once and given out again and again."""

    def __init__(self, seed: int = 0) -> None:
        random = Random(seed)
        once = [random.gauss(0, 1) for _ in range(_SIZE)]
        self._numbers = once + once
        self._at = 0

    def begin(self, count: int) -> None:
        """Go to where refresh ``count`` begins."""
        self._at = count * _STRIDE % _SIZE

    def take(self, count: int) -> Sequence[float]:
        """Return the next ``count`` numbers, at most 4096."""
        start = self._at
        self._at = (start + count) % _SIZE
        return self._numbers[start : start + count]
