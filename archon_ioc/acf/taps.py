"""Where each tap's pixels land in a frame."""

import math
import re
from dataclasses import dataclass

from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import FrameMode

_TAP = re.compile(r"\s*(A[DM])(\d+)([LR])\s*(?:,\s*([-+.\deE]+)\s*(?:,\s*([-+.\deE]+)\s*)?)?")


@dataclass(frozen=True, slots=True)
class Tap:
    """One video channel: pixel = (reset - video) x ``gain`` + ``offset`` (manual, TAPLINE)."""

    kind: str
    channel: int
    side: str
    gain: float = 1.0
    offset: float = 0.0

    @property
    def name(self) -> str:
        """The channel with its readout side, ``AD5L`` for instance."""
        return f"{self.kind}{self.channel}{self.side}"

    @property
    def slot(self) -> int:
        """The slot of its module: four channels per AD module, eighteen per ADM, from slot 5 on."""
        return 5 + (self.channel - 1) // (18 if self.kind == "AM" else 4)


@dataclass(frozen=True, slots=True)
class TapArea:
    """The rectangle of a frame that one tap fills.

    ``x``, ``y``, ``width`` and ``height`` are in pixels, ``y`` counts from the first row. The tap's first pixel
    is at the right edge where ``from_right``, its first line at the lower edge where ``from_bottom``.
    """

    tap: Tap
    index: int
    x: int
    y: int
    width: int
    height: int
    from_right: bool
    from_bottom: bool


def parse_tap(text: str) -> Tap:
    """Understand one TAPLINE.

    >>> parse_tap("AD5L, -1, 1000")
    Tap(kind='AD', channel=5, side='L', gain=-1.0, offset=1000.0)

    Raises:
        ConfigError: if it is not one.
    """
    match = _TAP.fullmatch(text)
    if not match:
        raise ConfigError(f"{text!r} is not a tap such as 'AD5L, 1, 1000'")
    kind, channel, side, gain, offset = match.groups()
    highest = 72 if kind == "AM" else 16
    if not 1 <= int(channel) <= highest:
        raise ConfigError(f"{text!r}: channels are {kind}1 to {kind}{highest}")
    try:
        tap = Tap(kind, int(channel), side, float(gain or 1), float(offset or 0))
    except ValueError:
        raise ConfigError(f"{text!r}: gain and offset are numbers") from None
    if not (math.isfinite(tap.gain) and math.isfinite(tap.offset)):
        raise ConfigError(f"{text!r}: gain and offset are finite numbers")
    return tap


def place(taps: tuple[Tap, ...], mode: FrameMode, pixel_count: int, line_count: int) -> tuple[TapArea, ...]:
    """Return where the taps' pixels are, in the order of the taps.

    The controller de-interlaces: each tap owns ``pixel_count`` adjacent columns. In split mode the first half of
    the taps fills the upper half of the frame, the second half the lower one (manual, FRAMEMODE).

    Raises:
        ConfigError: if split mode has an odd number of taps.
    """
    half = len(taps) // 2
    if mode is FrameMode.SPLIT and 2 * half != len(taps):
        raise ConfigError(f"split mode needs an even number of taps, not {len(taps)}")
    areas: list[TapArea] = []
    for index, tap in enumerate(taps):
        lower = mode is FrameMode.SPLIT and index >= half
        column = index - half if lower else index
        areas.append(
            TapArea(
                tap=tap,
                index=index,
                x=column * pixel_count,
                y=line_count if lower else 0,
                width=pixel_count,
                height=line_count,
                from_right=tap.side == "R",
                from_bottom=lower or mode is FrameMode.BOTTOM,
            )
        )
    return tuple(areas)
