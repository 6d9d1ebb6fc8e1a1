"""Imager: the CCD and the frame engine, driven by the outputs of the timing core."""

from collections.abc import Mapping

from archon_ioc.acf.file import Acf
from archon_ioc.acf.raster import (
    Event,
    FrameAbandoned,
    FrameCompleted,
    FrameStarted,
    LightChanged,
    PulsesSeen,
    Raster,
    Shifted,
)
from archon_ioc.acf.trace import Trace
from archon_ioc.sim.frames import FrameBuffers
from archon_ioc.sim.light import Light
from archon_ioc.sim.shot import Ccd, Geometry, Shot


class Imager:
    """Lets charge gather, and fills the frame buffers. Ticks are of 10 ns since power-up."""

    def __init__(self, frames: FrameBuffers) -> None:
        self._frames = frames
        self._raster = Raster(1, 1)
        self._light = Light()
        self._ccd = Ccd()
        self._tick = 0
        self._geometry: Geometry | None = None
        self._parameters: Mapping[str, int] = {}

    @property
    def is_powered(self) -> bool:
        """Whether the CCD has its voltages; without them it gathers no charge, and loses what it has."""
        return self._light.is_powered

    @is_powered.setter
    def is_powered(self, is_powered: bool) -> None:
        self._light.set_powered(is_powered, self._tick, self._raster.open_ticks(self._tick))

    @property
    def is_open(self) -> bool:
        """Whether the shutter is open, which Trigger Out drives."""
        return self._raster.is_open if self._light.forced is None else self._light.forced

    def configure(self, acf: Acf) -> None:
        """Take another geometry over; a frame that is being read keeps its own.

        Raises:
            ConfigError: if it is wrong.
        """
        geometry = self._geometry = Geometry.of(acf)
        if geometry is None:
            self.stop()
            return
        self._raster.configure(geometry.format)
        if not self._raster.is_filling:
            self._frames.stop()
        self._ccd.learn(acf, geometry)
        self._light.set_lines(self._ccd.lines)

    def set_shutter(self, forced: bool | None, tick: int) -> None:
        """Force the shutter open or shut from ``tick`` on, or let it follow INT with None (manual, TRIGOUTFORCE)."""
        self._light.set_shutter(forced, tick, self._raster.open_ticks(tick))

    def stop(self) -> None:
        """Abandon the frame that is being read: it stays incomplete for ever."""
        self._raster.stop()
        self._frames.stop()

    def follow(self, trace: Trace, start: int, parameters: Mapping[str, int]) -> None:
        """Let happen what the timing core did from tick ``start`` on; names of parameters are in upper case."""
        self._parameters = parameters
        for event in self._raster.follow(trace, start):
            self._notice(event)
        self._tick = start + trace.ticks
        self._light.advance(self._tick, self._raster.open_ticks(self._tick))
        if self._raster.is_filling:
            self._frames.progress(self._raster.lines, self._raster.pixels)

    def _notice(self, event: Event) -> None:
        match event:
            case FrameStarted():
                self._begin(event)
            case FrameCompleted():
                self._frames.complete()
            case PulsesSeen():
                self._frames.capture(event.pulses)
            case FrameAbandoned():
                self._frames.progress(event.lines, event.pixels)
            case Shifted():
                self._light.shifted(event.lines, event.tick, event.open_ticks)
            case LightChanged() if event.on:
                self._light.opened()
            case _:
                pass  # the frame has the edges of the triggers

    def _begin(self, event: FrameStarted) -> None:
        light_seconds, dark_seconds = self._light.read_out(event.tick, event.open_ticks)
        if self._geometry is None:
            return
        view = self._ccd.view(self._parameters)
        self._frames.begin(event.tick, Shot(0, self._geometry, light_seconds, dark_seconds, view), event.edges)
