"""Outputs: what STATEn/MODm says for each type of module (manual, timing states)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from archon_ioc.protocol.enums import ModuleType

DRIVER_VOLTS = 13.0  # manual: clocks of Driver modules are -13 to 13 V

CLOCKS = {ModuleType.DRIVER: 8, ModuleType.DRIVERX: 12}
"""How many clocks a module has."""

_AD = (ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN, ModuleType.ADQ)
_LV = (ModuleType.LVBIAS, ModuleType.LVXBIAS)
_HV = (ModuleType.HVBIAS, ModuleType.HVXBIAS, ModuleType.HVYBIAS)
_HEATERS = (ModuleType.HEATER, ModuleType.HEATERX)

_SWITCHED = (*_AD, *_LV, *_HEATERS, ModuleType.LVDS)
"""Types whose fields are states and keeps, 0 or 1 each."""

FIELDS: Mapping[ModuleType, tuple[int, ...]] = {
    **{kind: (3 * count,) for kind, count in CLOCKS.items()},
    **dict.fromkeys(_AD, (2,)),
    **dict.fromkeys(_LV, (16, 19)),  # with a change of a bias from 833 on
    **dict.fromkeys(_HEATERS, (16,)),
    **dict.fromkeys(_HV, (3,)),
    ModuleType.XVBIAS: (6,),
    ModuleType.HS: (32,),
    ModuleType.LVDS: (40,),
}
"""How many fields the value may have."""

BIAS_VOLTS: Mapping[ModuleType, tuple[float, float]] = {
    **dict.fromkeys(_LV, (-14, 14)),
    **dict.fromkeys(_HV, (0, 31)),
    ModuleType.XVBIAS: (-95, 95),
}
"""The range to which a state can change a bias."""


class Clock(NamedTuple):
    """One clock of a Driver in a state, as it is written."""

    channel: int
    level: str
    slew: str
    keep: str


class BiasChange(NamedTuple):
    """The change of one bias in a state, as it is written; command 0 changes nothing."""

    command: str
    channel: str
    level: str


@dataclass(frozen=True, slots=True)
class Fields:
    """The value of a STATEn/MODm; ``flags`` are the fields that are 0 or 1.

    Of a wrong number of fields only ``count`` is known.
    """

    count: int
    clocks: tuple[Clock, ...] = ()
    flags: tuple[str, ...] = ()
    bias_changes: tuple[BiasChange, ...] = ()


class Output(NamedTuple):
    """What a state says for one module: key, number and name of the state, slot and type of the module."""

    key: str
    number: int
    state: str
    slot: int
    kind: ModuleType
    fields: Fields

    @property
    def has_all_fields(self) -> bool:
        """Whether the number of fields is right; of unknown types it always is."""
        return self.fields.count in FIELDS.get(self.kind, (self.fields.count,))


@lru_cache(4096)
def parse_fields(text: str, kind: ModuleType) -> Fields:
    """Understand what a state says for a module of a type.

    >>> parse_fields("S_HIGH,1,0" + ",,1,1" * 7, ModuleType.DRIVER).clocks[0]
    Clock(channel=1, level='S_HIGH', slew='1', keep='0')
    """
    fields = tuple(field.strip() for field in text.split(","))
    if len(fields) not in FIELDS.get(kind, ()):
        return Fields(len(fields))
    if kind in CLOCKS:
        clocks = tuple(Clock(i + 1, *fields[3 * i : 3 * i + 3]) for i in range(CLOCKS[kind]))
        return Fields(len(fields), clocks, tuple(flag for clock in clocks for flag in (clock.slew, clock.keep)))
    flags = fields[: 16 if kind in _LV else None] if kind in _SWITCHED else ()
    biases = fields[len(flags) :] if kind in BIAS_VOLTS else ()
    changes = tuple(BiasChange(*biases[i : i + 3]) for i in range(0, len(biases), 3))
    return Fields(len(fields), flags=flags, bias_changes=changes)
