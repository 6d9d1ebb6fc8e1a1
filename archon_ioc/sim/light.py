"""Light: the charge that gathers on the CCD until it is read or flushed."""

from archon_ioc.protocol.replies import TICK


class Light:
    """How long charge gathered since the CCD was cleared, with and without light. Times are ticks of 10 ns.

    Light falls while INT is high (``open_ticks`` is how long it was so far), unless the shutter is forced open or
    shut. Reading a frame clears the CCD, and so does shifting it by all its lines.
    """

    def __init__(self) -> None:
        self.forced: bool | None = None
        """The shutter: open, shut, or following INT with None; `set_shutter` changes it."""
        self.is_powered = False
        """Whether the CCD has its voltages: without them it keeps no charge."""
        self._lines = 1
        self._shifts = 0
        self._light = self._dark = 0
        self._tick = self._open_ticks = 0

    def set_lines(self, lines: int) -> None:
        """Take notice of how many lines the CCD has."""
        self._lines = lines

    def set_shutter(self, forced: bool | None, tick: int, open_ticks: int) -> None:
        """Force the shutter open or shut from now on, or let it follow INT."""
        self.advance(tick, open_ticks)
        self.forced = forced

    def set_powered(self, is_powered: bool, tick: int, open_ticks: int) -> None:
        """Switch the CCD on or off; its charge is lost."""
        self.advance(tick, open_ticks)
        if is_powered != self.is_powered:
            self._clear()
        self.is_powered = is_powered

    def advance(self, tick: int, open_ticks: int) -> None:
        """Let charge gather until ``tick``."""
        if self.is_powered:
            elapsed, opened = tick - self._tick, open_ticks - self._open_ticks
            self._dark += elapsed
            self._light += opened if self.forced is None else elapsed * self.forced
        self._tick, self._open_ticks = tick, open_ticks

    def opened(self) -> None:
        """INT rose: what was shifted before does not carry the new charge away."""
        self._shifts = 0

    def shifted(self, lines: int, tick: int, open_ticks: int) -> None:
        """The CCD was shifted outside a readout."""
        self.advance(tick, open_ticks)
        self._shifts += lines
        if self._shifts >= self._lines:
            self._clear()

    def read_out(self, tick: int, open_ticks: int) -> tuple[float, float]:
        """Return the seconds with light and the seconds altogether, and clear the CCD: a frame starts."""
        self.advance(tick, open_ticks)
        gathered = self._light * TICK, self._dark * TICK
        self._clear()
        return gathered

    def _clear(self) -> None:
        self._shifts = 0
        self._light = self._dark = 0
