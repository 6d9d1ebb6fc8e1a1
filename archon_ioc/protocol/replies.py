"""Typed replies. Keys are found by name, in any order; unknown ones are kept or ignored, never fatal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from archon_ioc.errors import ProtocolError
from archon_ioc.protocol.enums import BackplaneType, FrameMode, ModuleType, Power, SampleMode
from archon_ioc.protocol.wire import BLOCK_SIZE

TICK = 1e-8
"""Seconds per tick of the controller's clock."""

RAILS = (
    "P2V5", "P5V", "P6V", "N6V", "P17V", "N17V", "P35V", "N35V", "P100V", "N100V", "USER", "HEATER",
)  # fmt: skip
"""The supply rails, in the order of STATUS."""


def parse_pairs(text: str) -> dict[str, str]:
    """Return the ``KEY=VALUE`` pairs of a reply.

    >>> parse_pairs("VALID=1 COUNT=2156 ")
    {'VALID': '1', 'COUNT': '2156'}

    Raises:
        ProtocolError: if a word has no ``=``.
    """
    pairs: dict[str, str] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise ProtocolError(f"{word[:40]!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """One slot of SYSTEM; ``type_code`` is the number behind ``type``."""

    slot: int
    type: ModuleType
    type_code: int
    revision: int
    version: str
    id: str


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """The reply to SYSTEM: what is installed. ``modules`` has the occupied slots only."""

    backplane_type: BackplaneType
    backplane_revision: int
    backplane_version: str
    backplane_id: str
    power_id: str
    modules: tuple[ModuleInfo, ...]
    fields: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Understand the text of a reply.

        Raises:
            ProtocolError: if a needed number is missing or not one.
        """
        return cls.from_fields(parse_pairs(text))

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """Understand fields that were parsed already, those of an ACF's ``[SYSTEM]`` for instance."""
        slots = sorted({int(m.group(1)) for key in fields if (m := re.fullmatch(r"MOD(\d+)_TYPE", key))})
        modules = tuple(_module_info(fields, slot) for slot in slots if _integer(fields, f"MOD{slot}_TYPE"))
        return cls(
            backplane_type=BackplaneType(_integer(fields, "BACKPLANE_TYPE")),
            backplane_revision=_integer(fields, "BACKPLANE_REV"),
            backplane_version=fields.get("BACKPLANE_VERSION", ""),
            backplane_id=fields.get("BACKPLANE_ID", ""),
            power_id=fields.get("POWER_ID", ""),
            modules=modules,
            fields=MappingProxyType(dict(fields)),
        )

    @property
    def revision_letter(self) -> str:
        """The backplane revision as STA writes it: 0 is A."""
        return chr(ord("A") + self.backplane_revision) if 0 <= self.backplane_revision < 26 else "?"

    def module(self, slot: int) -> ModuleInfo | None:
        """Return the module in ``slot``, None if that is empty."""
        return next((m for m in self.modules if m.slot == slot), None)


@dataclass(frozen=True, slots=True)
class Rail:
    """One supply rail, in V and A."""

    volts: float
    amperes: float


@dataclass(frozen=True, slots=True)
class Bias:
    """One bias channel, in V and mA."""

    volts: float
    milliamperes: float


@dataclass(frozen=True, slots=True)
class HeaterOutput:
    """One heater: its output in V and the three contributions of the control loop (not their gains)."""

    volts: float
    proportional: float
    integral: float
    derivative: float


@dataclass(frozen=True, slots=True)
class ModuleStatus:
    """The readings of one module, temperatures in °C.

    ``biases`` is keyed by ``LVLC1``, ``HVHC6``, ``XVN4``, ``MAG12`` and so on; ``sensors`` and ``heaters`` by
    ``A``, ``B``, ``C``. What this program does not know is in ``other``.
    """

    temperature: float | None = None
    biases: Mapping[str, Bias] = field(default_factory=dict[str, Bias])
    sensors: Mapping[str, float] = field(default_factory=dict[str, float])
    heaters: Mapping[str, HeaterOutput] = field(default_factory=dict[str, HeaterOutput])
    digital_inputs: str = ""
    vcpu: tuple[int, ...] = ()
    other: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The reply to STATUS: the last polled readings. ``count`` grows with each refresh, not each request."""

    valid: bool
    count: int
    log_entries: int
    power: Power
    power_good: bool
    overheat: bool
    backplane_temperature: float | None
    rails: Mapping[str, Rail]
    fan_rpm: float | None
    modules: Mapping[int, ModuleStatus]
    fields: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Understand the text of a reply.

        Raises:
            ProtocolError: if a needed number is missing or not one.
        """
        fields = parse_pairs(text)
        by_slot: dict[int, dict[str, str]] = {}
        for key, value in fields.items():
            if match := re.fullmatch(r"MOD(\d+)/(.+)", key):
                by_slot.setdefault(int(match.group(1)), {})[match.group(2)] = value
        return cls(
            valid=_integer(fields, "VALID") == 1,
            count=_integer(fields, "COUNT"),
            log_entries=_integer(fields, "LOG"),
            power=Power(_integer(fields, "POWER")),
            power_good=_integer(fields, "POWERGOOD") == 1,
            overheat=_integer(fields, "OVERHEAT") == 1,
            backplane_temperature=_optional(fields, "BACKPLANE_TEMP"),
            rails={
                name: Rail(_number(fields, f"{name}_V"), _number(fields, f"{name}_I"))
                for name in RAILS
                if f"{name}_V" in fields and f"{name}_I" in fields
            },
            fan_rpm=_optional(fields, "FANTACH"),
            modules={slot: _module_status(own) for slot, own in by_slot.items()},
            fields=MappingProxyType(fields),
        )


@dataclass(frozen=True, slots=True)
class BufferInfo:
    """One of the three frame buffers. Geometry is that of the moment its frame started."""

    number: int
    sample_mode: SampleMode
    complete: bool
    mode: FrameMode
    base: int
    frame: int
    width: int
    height: int
    pixels: int
    lines: int
    raw_blocks: int
    raw_lines: int
    raw_offset: int
    timestamp: int
    rising_edge: int
    falling_edge: int

    @property
    def bytes_per_pixel(self) -> int:
        """2 or 4 bytes."""
        return self.sample_mode.bytes_per_pixel

    @property
    def image_bytes(self) -> int:
        """Size of the image without the padding of the last block."""
        return self.width * self.height * self.bytes_per_pixel

    @property
    def image_blocks(self) -> int:
        """Blocks to fetch for the whole image."""
        return -(-self.image_bytes // BLOCK_SIZE)

    def is_same_frame(self, other: "BufferInfo") -> bool:
        """Whether the buffer still holds what it held when ``other`` was read."""
        return (self.number, self.frame, self.timestamp) == (other.number, other.frame, other.timestamp)


@dataclass(frozen=True, slots=True)
class FrameStatus:
    """The reply to FRAME: the clock in ticks of 10 ns, the locks and the three buffers."""

    timer: int
    read_buffer: int
    write_buffer: int
    buffers: tuple[BufferInfo, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Understand the text of a reply.

        Raises:
            ProtocolError: if a needed number is missing or not one.
        """
        fields = parse_pairs(text)
        return cls(
            timer=_integer(fields, "TIMER", 16),
            read_buffer=_integer(fields, "RBUF"),
            write_buffer=_integer(fields, "WBUF"),
            buffers=tuple(_buffer_info(fields, n) for n in (1, 2, 3)),
        )

    def buffer(self, number: int) -> BufferInfo:
        """Return frame buffer 1, 2 or 3."""
        return self.buffers[number - 1]

    @property
    def newest(self) -> BufferInfo | None:
        """The complete buffer whose frame started last, None before the first frame."""
        done = [b for b in self.buffers if b.complete and b.frame]
        # By time, not by number: the number starts again at 1 after a reboot.
        return max(done, key=lambda b: b.timestamp) if done else None

    @property
    def writing(self) -> BufferInfo | None:
        """The buffer that is being filled, None between frames (WBUF stays set after a frame is complete)."""
        if not 1 <= self.write_buffer <= len(self.buffers):
            return None
        info = self.buffer(self.write_buffer)
        return None if info.complete or not info.frame else info


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame buffer as fetched: little-endian pixels, rows top to bottom, without padding."""

    info: BufferInfo
    data: memoryview = field(repr=False)


def parse_timer(text: str) -> int:
    """Return the ticks of a TIMER reply.

    >>> parse_timer("TIMER=000000024AFC6CA1")
    9847991457
    """
    return _integer(parse_pairs(text), "TIMER", 16)


def _module_info(fields: Mapping[str, str], slot: int) -> ModuleInfo:
    code = _integer(fields, f"MOD{slot}_TYPE")
    return ModuleInfo(
        slot=slot,
        type=ModuleType(code),
        type_code=code,
        revision=_integer(fields, f"MOD{slot}_REV", default=0),
        version=fields.get(f"MOD{slot}_VERSION", ""),
        id=fields.get(f"MOD{slot}_ID", ""),
    )


_BIAS = re.compile(r"(LVLC|LVHC|HVLC|HVHC|XVP|XVN|MAG|OFS)_V(\d+)")
_KNOWN = re.compile(
    r"TEMP[ABC]?|(LVLC|LVHC|HVLC|HVHC|XVP|XVN|MAG|OFS)_[VI]\d+|HEATER[AB](OUTPUT|P|I|D)|DINPUTS|VCPU_OUTREG\d+"
)


def _module_status(own: dict[str, str]) -> ModuleStatus:
    biases: dict[str, Bias] = {}
    for key in own:
        if match := _BIAS.fullmatch(key):
            kind, channel = match.groups()
            biases[kind + channel] = Bias(_number(own, key), _number(own, f"{kind}_I{channel}"))
    registers = sorted(int(key[11:]) for key in own if re.fullmatch(r"VCPU_OUTREG\d+", key))
    return ModuleStatus(
        temperature=_optional(own, "TEMP"),
        biases=biases,
        sensors={x: _number(own, f"TEMP{x}") for x in "ABC" if f"TEMP{x}" in own},
        heaters={
            x: HeaterOutput(*(_number(own, f"HEATER{x}{part}") for part in ("OUTPUT", "P", "I", "D")))
            for x in "AB"
            if f"HEATER{x}OUTPUT" in own
        },
        digital_inputs=own.get("DINPUTS", ""),
        vcpu=tuple(_integer(own, f"VCPU_OUTREG{n}") for n in registers),
        other={key: value for key, value in own.items() if not _KNOWN.fullmatch(key)},
    )


def _buffer_info(fields: Mapping[str, str], n: int) -> BufferInfo:
    def decimal(key: str) -> int:  # the manual: addresses in decimal, times in hex
        return _integer(fields, f"BUF{n}{key}")

    def ticks(key: str) -> int:
        return _integer(fields, f"BUF{n}{key}", 16, default=0)

    return BufferInfo(
        number=n,
        sample_mode=SampleMode(decimal("SAMPLE")),
        complete=decimal("COMPLETE") == 1,
        mode=FrameMode(decimal("MODE")),
        base=decimal("BASE"),
        frame=decimal("FRAME"),
        width=decimal("WIDTH"),
        height=decimal("HEIGHT"),
        pixels=decimal("PIXELS"),
        lines=decimal("LINES"),
        raw_blocks=decimal("RAWBLOCKS"),
        raw_lines=decimal("RAWLINES"),
        raw_offset=decimal("RAWOFFSET"),
        timestamp=ticks("TIMESTAMP"),
        rising_edge=ticks("RETIMESTAMP"),
        falling_edge=ticks("FETIMESTAMP"),
    )


def _integer(fields: Mapping[str, str], key: str, radix: int = 10, default: int | None = None) -> int:
    text = fields.get(key)
    if text is None:
        if default is None:
            raise ProtocolError(f"the reply has no {key}")
        return default
    try:
        return int(text, radix)
    except ValueError:
        raise ProtocolError(f"{key}={text[:40]!r} is not a whole number") from None


def _number(fields: Mapping[str, str], key: str, default: float = 0.0) -> float:
    text = fields.get(key)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise ProtocolError(f"{key}={text[:40]!r} is not a number") from None


def _optional(fields: Mapping[str, str], key: str) -> float | None:
    return _number(fields, key) if key in fields else None
