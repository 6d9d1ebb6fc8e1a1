"""The simulated time, of one controller or of several that share it."""

import asyncio
import time

from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import TICK


class Clock:
    """Simulated seconds since the clock was made, in whole ticks of 10 ns.

    ``speed`` makes it run faster than the wall clock. With 0 what is simulated takes no time at all, and the clock
    runs as the wall clock does.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._wall = time.monotonic()
        self._seconds = 0.0
        self.lock = asyncio.Lock()
        """Held while a device that has this time is used: some commands are done in a thread."""

    @property
    def now(self) -> float:
        """The time in seconds."""
        return round(self._exact() / TICK) * TICK

    @property
    def speed(self) -> float:
        """How much faster than the wall clock it runs, 0 where nothing takes time."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Run so fast from now on.

        Raises:
            InputError: if time would stand still or already does not count.
        """
        if not speed > 0 or not self._speed:
            raise InputError(f"the speed cannot change from {self._speed:g} to {speed:g}: 0 is for always")
        self._seconds, self._wall = self._exact(), time.monotonic()
        self._speed = speed

    def _exact(self) -> float:
        return self._seconds + (time.monotonic() - self._wall) * (self._speed or 1.0)
