"""TimerClock: what the controller's TIMER is in the time of this host."""

from collections import deque
from dataclasses import dataclass

from archon_ioc.protocol.replies import TICK

_LARGEST_RATE = 200e-6
"""By which a crystal differs from the host's clock; where TIMER differs more, it is a fast simulator's and no clock."""
_SPAN = 10.0
"""Seconds of which the pair with the shortest round trip is kept."""
_SPANS = 30
_LEAST = 1.0
"""Seconds that pairs must span before they are trusted …"""
_LEAST_FOR_RATE = 30.0
"""… and before the drift is taken from them."""
_SLACK = 1e-3
"""Seconds by which the host's clock may be corrected between two pairs."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """At ``timer`` seconds the host's clock was ``offset`` ahead of TIMER, give or take ``doubt``."""

    timer: float
    offset: float
    doubt: float


class TimerClock:
    """Tells the host's time of a TIMER from pairs of both, which are noted whenever FRAME is read.

    Each pair is right to half a round trip; the best one of some seconds is kept, and from those of minutes the drift
    of the controller's crystal is known. A restart of the controller and a step of the host's clock begin all anew.
    """

    def __init__(self) -> None:
        self._pairs: deque[_Pair] = deque(maxlen=_SPANS)
        self._last = 0.0
        self._begin = self._end = 0.0  # of the pairs, by the host's clock

    def note(self, ticks: int, sent: float, received: float) -> None:
        """Note that TIMER was ``ticks`` at some moment between two POSIX times."""
        timer = ticks * TICK
        pair = _Pair(timer, (sent + received) / 2 - timer, max(received - sent, 0.0) / 2)
        if self._pairs and not self._fits(pair):
            self._pairs.clear()
        if not self._pairs:
            self._begin = received
        self._last, self._end = timer, received
        if not self._pairs or timer - self._pairs[-1].timer >= _SPAN:
            self._pairs.append(pair)
        elif pair.doubt <= self._pairs[-1].doubt:
            self._pairs[-1] = pair

    def time_of(self, ticks: int) -> float | None:
        """Return the POSIX time of a TIMER, None as long as it is not known well."""
        if not self._pairs or self._end - self._begin < _LEAST:
            return None
        timer = ticks * TICK
        return timer + self._offset(timer)

    def _fits(self, pair: _Pair) -> bool:
        if pair.timer < self._last:
            return False
        last = self._pairs[-1]
        possible = pair.doubt + last.doubt + _SLACK + _LARGEST_RATE * (pair.timer - last.timer)
        return abs(pair.offset - last.offset) <= possible

    def _offset(self, timer: float) -> float:
        """Return the offset at a time: a straight line through the pairs, the sure ones weighing more."""
        if self._pairs[-1].timer - self._pairs[0].timer < _LEAST_FOR_RATE:
            return min(self._pairs, key=lambda pair: pair.doubt).offset
        weights = [1 / (pair.doubt + 1e-5) ** 2 for pair in self._pairs]
        total = sum(weights)
        middle = sum(w * pair.timer for w, pair in zip(weights, self._pairs, strict=True)) / total
        offset = sum(w * pair.offset for w, pair in zip(weights, self._pairs, strict=True)) / total
        spread = sum(w * (pair.timer - middle) ** 2 for w, pair in zip(weights, self._pairs, strict=True))
        rate = sum(
            w * (pair.timer - middle) * (pair.offset - offset) for w, pair in zip(weights, self._pairs, strict=True)
        )
        return offset + rate / spread * (timer - middle)
