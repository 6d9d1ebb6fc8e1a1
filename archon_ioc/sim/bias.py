"""Bias channels: set points, slew, load, current limit, and what their monitors read."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from archon_ioc.protocol.enums import ModuleType
from archon_ioc.sim.noise import Noise

_SHORT_KILOOHMS = 0.002
_TOLERANCE_VOLTS = 0.25  # how far from its set point a channel may be when its group has come up


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """What the channels of one name have in common.

    Volts are clipped to ``low`` … ``high`` (manual, limits); ``milliamperes`` is the most that one gives.
    ``offset`` and ``noise`` are the monitors' errors in V and mA, as captured from channels without power.
    """

    name: str
    count: int
    low: float
    high: float
    milliamperes: float
    kiloohms: float
    offset: tuple[float, float]
    spread: tuple[float, float]
    noise: tuple[float, float]
    supply: tuple[str, str]
    """The rails that positive and negative channels draw from."""
    volts_per_second: float = 100.0


_LV = ("P17V", "N17V")
_HV = ("P35V", "P35V")
_XV = ("P100V", "N100V")
_LVLC = ChannelKind("LVLC", 24, -14, 14, 10, 20, (0.007, 0.0), (0.007, 0.004), (0.0005, 0.006), _LV)
_LVHC = ChannelKind("LVHC", 6, -14, 14, 500, 0.5, (0.0, 0.0), (0.0003, 0.05), (0.0003, 0.04), _LV)
_HVLC = ChannelKind("HVLC", 24, 0, 31, 10, 20, (0.0205, -0.012), (0.0012, 0.006), (0.0006, 0.006), _HV)
_HVHC = ChannelKind("HVHC", 6, 0, 31, 250, 5, (0.001, -0.055), (0.0002, 0.02), (0.0003, 0.03), _HV)
_XVP = ChannelKind("XVP", 4, 0, 95, 10, 100, (0.02, 0.0), (0.005, 0.005), (0.005, 0.006), _XV)
_XVN = ChannelKind("XVN", 4, -95, 0, 10, 100, (-0.02, 0.0), (0.005, 0.005), (0.005, 0.006), _XV)
_MAG = ChannelKind("MAG", 12, 5, 14, 200, 1, (0.005, 0.0), (0.005, 0.05), (0.001, 0.03), _LV)
_OFS = ChannelKind("OFS", 12, -14, 14, 200, 1, (0.005, 0.0), (0.005, 0.05), (0.001, 0.03), _LV)

CHANNELS: Mapping[ModuleType, tuple[ChannelKind, ...]] = {
    ModuleType.LVBIAS: (_LVLC, _LVHC),
    ModuleType.LVXBIAS: (_LVLC, _LVHC),
    ModuleType.HVBIAS: (_HVLC, _HVHC),
    ModuleType.HVXBIAS: (_HVLC, _HVHC),
    ModuleType.HVYBIAS: (_HVLC, _HVHC),
    ModuleType.XVBIAS: (_XVP, _XVN),
    ModuleType.HS: (_MAG, _OFS),
}
"""The channels of each type of module, in the order of STATUS."""


class Channel:
    """One channel: its output moves from one set point to the next with the slew of its kind."""

    __slots__ = (
        "_from",
        "_since",
        "kiloohms",
        "kind",
        "limit",
        "name",
        "number",
        "offset_milliamperes",
        "offset_volts",
        "order",
        "settled_at",
        "target",
    )  # fmt: skip

    def __init__(self, kind: ChannelKind, number: int, random: Random) -> None:
        self.kind = kind
        self.number = number
        self.name = f"{kind.name}{number}"
        self.order = 0
        self.limit = kind.milliamperes
        self.kiloohms = kind.kiloohms
        self.target = 0.0
        self._from = self._since = self.settled_at = 0.0
        self.offset_volts = random.gauss(kind.offset[0], kind.spread[0])
        self.offset_milliamperes = random.gauss(kind.offset[1], kind.spread[1])

    def apply(self, settings: Mapping[str, float | str], at: float, *, slowly: bool) -> None:
        """Take set point, limit and group over."""
        name, number, highest = self.kind.name, self.number, self.kind.milliamperes
        is_enabled = number_of(settings, f"{name}_ENABLE{number}", 1.0) != 0
        self.aim(number_of(settings, f"{name}_V{number}", 0.0) if is_enabled else 0.0, at, slowly=slowly)
        self.order = int(number_of(settings, f"{name}_ORDER{number}", 0.0))
        self.limit = min(max(number_of(settings, f"{name}_IL{number}", highest), 0.0), highest)

    def aim(self, volts: float, at: float, *, slowly: bool) -> None:
        """Take another set point, which is reached ``slowly`` with the channel's slew, or at once."""
        kind = self.kind
        self._from = self.set_point(at)
        self._since = at
        self.target = min(max(volts, kind.low), kind.high) if volts else 0.0
        self.settled_at = at + abs(self.target - self._from) / kind.volts_per_second if slowly else at

    def set_point(self, at: float) -> float:
        """Return the volts that it should give now, with all its groups up."""
        if at >= self.settled_at or self.settled_at == self._since:
            return self.target
        done = max(at - self._since, 0.0) / (self.settled_at - self._since)  # a reading may be a little old
        return self._from + (self.target - self._from) * done

    def output(self, wanted: float) -> tuple[float, float]:
        """Return V and mA where ``wanted`` V are asked for: in current limit the voltage sags."""
        milliamperes = wanted / self.kiloohms
        if abs(milliamperes) <= self.limit:
            return wanted, milliamperes
        milliamperes = math.copysign(self.limit, wanted)
        return milliamperes * self.kiloohms, milliamperes


class BiasBank:
    """All channels of one module. ``reach`` says how far each power-up group has come."""

    def __init__(self, kind: ModuleType, random: Random) -> None:
        kinds = CHANNELS.get(kind, ())
        self.channels = tuple(Channel(k, n, random) for k in kinds for n in range(1, k.count + 1))
        positive = tuple(c for c in self.channels if c.kind is _XVP)
        self._lists = (positive, self.channels[len(positive) :]) if positive else (self.channels,)
        self.draws: dict[str, float] = {}
        """Amperes that were drawn from each rail at the last reading."""

    def apply(self, settings: Mapping[str, float | str], at: float, *, slowly: bool) -> None:
        """Take set points, limits and groups over; ``slowly`` if there is power on them."""
        for channel in self.channels:
            channel.apply(settings, at, slowly=slowly)

    def change(self, group: int, number: int, volts: str, at: float) -> None:
        """Let the timing script change one set point; LC and HC channels count through, XVP and XVN do not."""
        channels = self._lists[group]
        if 1 <= number <= len(channels):
            channel = channels[number - 1]
            channel.aim(number_of({"": volts}, "", channel.target), at, slowly=True)

    def shorten(self, names: Collection[str]) -> None:
        """Short these channels to ground, and no others."""
        for channel in self.channels:
            channel.kiloohms = _SHORT_KILOOHMS if channel.name in names else channel.kind.kiloohms

    @property
    def orders(self) -> set[int]:
        """The power-up groups of the channels that have a set point."""
        return {channel.order for channel in self.channels if channel.target}

    def failing(self, order: int, at: float) -> Iterator[tuple[str, float]]:
        """Yield name and V of the channels of a group that are not where they should be once it has come up."""
        for channel in self.channels:
            if channel.order == order:
                wanted = channel.set_point(at)
                volts, _ = channel.output(wanted)
                if abs(volts - wanted) > _TOLERANCE_VOLTS:
                    yield channel.name, volts

    def read(self, at: float, reach: Mapping[int, float], noise: Noise) -> list[float]:
        """Return V and mA of each channel in turn, as monitored."""
        values: list[float] = []
        draws = self.draws = dict[str, float]()
        wiggles = noise.take(2 * len(self.channels))
        for channel, volt_noise, current_noise in zip(self.channels, wiggles[::2], wiggles[1::2], strict=True):
            volts = milliamperes = 0.0
            kind = channel.kind
            if channel.target or at < channel.settled_at:
                wanted = channel.set_point(at) * reach.get(channel.order, 1.0)
                volts, milliamperes = channel.output(wanted)
                rail = kind.supply[volts < 0]
                draws[rail] = draws.get(rail, 0.0) + abs(milliamperes) / 1000
            values.append(volts + channel.offset_volts + volt_noise * kind.noise[0])
            values.append(milliamperes + channel.offset_milliamperes + current_noise * kind.noise[1])
        return values


def number_of(settings: Mapping[str, float | str], key: str, default: float) -> float:
    """Return a setting as a number; ``default`` if it is missing or empty, as the hardware does."""
    try:
        return float(settings.get(key, ""))
    except ValueError:
        return default
