"""KeySpec: what is known of one key, or of a numbered family of keys, of a configuration."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property

from archon_ioc.acf.taps import parse_tap
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import ModuleType

COUNTER_LIMIT = (1 << 20) - 1
"""The largest parameter and the largest count: counters of the timing core have 20 bits (manual, timing core)."""

_PLACEHOLDERS = {"m": r"(?P<slot>[1-9]\d?)", "n": r"(?P<index>\d+)", "i": r"(?P<index>\d+)", "x": "[AB]", "y": "[ABC]"}
_PARAMETER = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*", re.ASCII)
_CONSTANT = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*([^=]+?)\s*", re.ASCII)
_CONTROL = re.compile(r"\s*[0-9A-Fa-f]+\s*,\s*[0-9A-Fa-f]+\s*")
_ADDRESS = re.compile(r"\s*\d{1,3}(\.\d{1,3}){3}\s*")


class Kind(Enum):
    """What the text of a value stands for."""

    INT = "whole number"
    FLOAT = "number"
    CHOICE = "one of some numbers"
    TEXT = "text"
    ADDRESS = "four numbers with dots"
    PARAMETER = "Name=number"
    CONSTANT = "NAME=number"
    CONTROL = "clocks,keep in hex"
    TAP = "tap, gain, offset"


class Apply(StrEnum):
    """The command that makes a key take effect (manual, command list)."""

    PARAMETERS = "LOADPARAMS"
    TIMING = "LOADTIMING"
    CDS = "APPLYCDS"
    SYSTEM = "APPLYSYSTEM"
    MODULE = "APPLYMOD"
    DIO = "APPLYDIO"
    NETWORK = "APPLYNET"
    BOOT = "boot"


@dataclass(frozen=True)
class KeySpec:
    """One row of the catalogue.

    ``pattern`` is in the manual's notation: ``m`` is a slot, ``n`` or ``i`` one of ``indices``, ``x`` stands for A or
    B, ``y`` for A, B or C. ``modules`` are the types of module that have the key, None for a key of no module.
    ``low`` and ``high`` are in ``unit``; a tick is 10 ns. ``may_name_constant``: the name of a constant may stand for
    the number. ``found_in`` are the backplanes and firmware that have the key, empty for all.
    """

    pattern: str
    meaning: str
    kind: Kind
    apply: Apply
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: Mapping[int, str] = field(default_factory=dict[int, str])
    modules: frozenset[ModuleType] | None = None
    indices: Sequence[int] = ()
    may_name_constant: bool = False
    found_in: str = ""

    @cached_property
    def expression(self) -> str:
        """A regular expression for the keys of this row, not looking at ``indices``."""
        return "".join(_PLACEHOLDERS.get(letter, re.escape(letter)) for letter in self.pattern)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.expression)

    def matches(self, key: str) -> bool:
        """Return whether ``key``, with slashes and in upper case, belongs to this row."""
        match = self._compiled.fullmatch(key)
        if match is None:
            return False
        index = match.groupdict().get("index")
        return index is None or int(index) in self.indices

    def objection(self, value: str, constants: Collection[str] = ()) -> str | None:
        """Return why the controller would not take ``value``, None if it would.

        ``constants`` are the names of the configuration's constants in upper case.
        """
        text = value.strip()
        if self.kind is Kind.CHOICE:
            return _choice(text, self.choices)
        if self.kind in (Kind.INT, Kind.FLOAT):
            if self.may_name_constant and text.upper() in constants:
                return None
            return self._number(text)
        return _ENTRIES[self.kind](value) if self.kind in _ENTRIES else None

    def _number(self, text: str) -> str | None:
        try:
            number = int(text) if self.kind is Kind.INT else float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not text.isascii() or "_" in text:
            wanted = "not a whole number" if self.kind is Kind.INT else "not a number"
            return wanted + (" and no constant's name" if self.may_name_constant else "")
        low, high = self.low, self.high
        if (low is not None and number < low) or (high is not None and number > high):
            return f"not {self.range}"
        return None

    @property
    def range(self) -> str:
        """The range in words, ``from 0 to 31 V``; empty if there is none."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"from {self.low:.15g} to {self.high:.15g}{unit}"
        if self.low is not None:
            return f"{self.low:.15g}{unit} or more"
        return "" if self.high is None else f"up to {self.high:.15g}{unit}"


def is_comment(value: str) -> bool:
    """Return whether an entry of a list (parameter, constant, tap, line) is empty or a comment.

    ``#`` is the manual's; ``;`` stands before comments in files of instruments in service.
    """
    text = value.lstrip()
    return not text or text[0] in "#;"


def _choice(text: str, choices: Mapping[int, str]) -> str | None:
    if text.isascii() and text.isdecimal() and int(text[:9]) in choices and len(text) < 9:
        return None
    return "not one of " + ", ".join(f"{number} ({label})" for number, label in choices.items())


def parse_parameter(value: str) -> tuple[str, int] | None:
    """Return name and number of a parameter's entry, None for an empty one, a comment, and what is neither."""
    match = None if is_comment(value) else _PARAMETER.fullmatch(value)
    return (match.group(1), int(match.group(2))) if match else None


def parse_constant(value: str) -> tuple[str, float] | None:
    """Return name and number of a constant's entry, None for an empty one, a comment, and what is neither."""
    match = None if is_comment(value) else _CONSTANT.fullmatch(value)
    if match is None:
        return None
    try:
        number = float(match.group(2))
    except ValueError:
        return None
    return (match.group(1), number) if math.isfinite(number) else None


def _parameter(value: str) -> str | None:
    if is_comment(value):
        return None
    match = _PARAMETER.fullmatch(value)
    if not match:
        return "not Name=number"
    digits = match.group(2).lstrip("0")
    if len(digits) > 7 or int(digits or "0") > COUNTER_LIMIT:
        return f"above {COUNTER_LIMIT}, the limit of a counter"
    return None


def _constant(value: str) -> str | None:
    return None if is_comment(value) or parse_constant(value) else "not NAME=number"


def _control(value: str) -> str | None:
    return None if _CONTROL.fullmatch(value) else "not two hexadecimal numbers 'clocks,keep'"


def _address(value: str) -> str | None:
    if _ADDRESS.fullmatch(value) and all(int(part) <= 255 for part in value.split(".")):
        return None
    return "not an address such as 10.0.0.2"


def _tap(value: str) -> str | None:
    if is_comment(value):
        return None
    try:
        parse_tap(value)
    except ConfigError as error:
        return str(error)
    return None


_ENTRIES = {
    Kind.PARAMETER: _parameter,
    Kind.CONSTANT: _constant,
    Kind.CONTROL: _control,
    Kind.ADDRESS: _address,
    Kind.TAP: _tap,
}
