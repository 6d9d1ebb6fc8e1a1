"""Row: one process variable, declared once. Records, templates, documents and screens are made from rows."""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, TypeVar

from archon_ioc.errors import InputError

S = TypeVar("S")
T = TypeVar("T")

DESCRIPTION_LENGTH = 40
"""Characters of the DESC field of EPICS base."""
STRING_LENGTH = 40
"""Bytes of an EPICS string with its closing zero; longer text is an array of characters."""
CHOICE_LENGTH = 25
"""Characters of one choice of an enumeration; there are at most 16 choices."""

Scalar = float | int | str
Value = Any  # a Scalar, or a one-dimensional numpy array for Array and Pixels


class Severity(IntEnum):
    """Alarm severities of EPICS."""

    NO_ALARM = 0
    MINOR = 1
    MAJOR = 2
    INVALID = 3


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """HIHI and LOLO are MAJOR, HIGH and LOW are MINOR; None is no limit."""

    lolo: float | None = None
    low: float | None = None
    high: float | None = None
    hihi: float | None = None

    def judge(self, value: float) -> tuple[str, Severity]:
        """Return alarm status and severity of a value."""
        if self.hihi is not None and value >= self.hihi:
            return "HIHI", Severity.MAJOR
        if self.lolo is not None and value <= self.lolo:
            return "LOLO", Severity.MAJOR
        if self.high is not None and value >= self.high:
            return "HIGH", Severity.MINOR
        if self.low is not None and value <= self.low:
            return "LOW", Severity.MINOR
        return "NO_ALARM", Severity.NO_ALARM


@dataclass(frozen=True, slots=True)
class Float:
    """A real number. A put beyond ``low`` or ``high`` is clamped, as DRVL and DRVH of a record do."""

    unit: str = ""
    precision: int = 3
    low: float | None = None
    high: float | None = None
    alarms: AlarmLimits | None = None

    def accept(self, value: object) -> float:
        """Return what a put of ``value`` means.

        Raises:
            InputError: if it is not a finite number.
        """
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{value!r} is not a number") from None
        if not math.isfinite(number):
            raise InputError(f"{value!r} is not a finite number")
        return _clamped(number, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number of 32 bits with sign."""

    unit: str = ""
    low: int = -(1 << 31)
    high: int = (1 << 31) - 1
    alarms: AlarmLimits | None = None

    def accept(self, value: object) -> int:
        """Return what a put of ``value`` means.

        Raises:
            InputError: if it is not a whole number of 32 bits.
        """
        number = Float().accept(value)
        if number != int(number) or abs(number) > 1 << 31:
            raise InputError(f"{value!r} is not a whole number of 32 bits")
        return int(_clamped(int(number), self.low, self.high))


@dataclass(frozen=True, slots=True)
class Text:
    """Text of up to ``size`` bytes with the closing zero; 40 makes a string record, more a character array."""

    size: int = STRING_LENGTH

    def accept(self, value: object) -> str:
        """Return what a put of ``value`` means; the empty text is allowed.

        Raises:
            InputError: if it is too long or not text.
        """
        if not isinstance(value, str):
            raise InputError(f"{value!r} is not text")
        if len(value.encode("latin-1", "replace")) >= self.size:
            raise InputError(f"the text has {len(value)} characters, the limit is {self.size - 1}")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; values are the index, ``alarms`` gives some words a severity."""

    labels: tuple[str, ...]
    alarms: Mapping[str, Severity] = field(default_factory=dict[str, Severity])

    def __post_init__(self) -> None:
        if not 2 <= len(self.labels) <= 16 or any(len(label) > CHOICE_LENGTH for label in self.labels):
            raise ValueError(f"2 to 16 choices of at most {CHOICE_LENGTH} characters: {self.labels}")
        if unknown := set(self.alarms) - set(self.labels):
            raise ValueError(f"{unknown} are not among {self.labels}")

    def accept(self, value: object) -> int:
        """Return the index that a put of ``value``, an index or a word, means.

        Raises:
            InputError: if it is neither.
        """
        if isinstance(value, str) and value in self.labels:
            return self.labels.index(value)
        try:
            index = Int().accept(value)
        except InputError:
            index = -1
        if not 0 <= index < len(self.labels):
            raise InputError(f"{value!r} is not one of {', '.join(self.labels)}")
        return index

    def judge(self, index: int) -> tuple[str, Severity]:
        """Return alarm status and severity of a value."""
        severity = self.alarms.get(self.labels[index], Severity.NO_ALARM)
        return ("STATE" if severity else "NO_ALARM"), severity


@dataclass(frozen=True, slots=True)
class Array:
    """Up to ``length`` numbers, ``LONG`` (32 bits with sign) or ``DOUBLE``."""

    length: int
    ftvl: str = "LONG"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixels of an image, flat, fastest axis first; written by the camera, not rendered from a state.

    Channel Access has signed numbers only: ``bits`` 16 is DBR_SHORT, 32 is DBR_LONG, with the bits of unsigned pixels.
    """

    length: int = 0
    bits: int = 16


Kind = Float | Int | Text | Choice | Array | Pixels


@dataclass(frozen=True, kw_only=True)
class Pv(Generic[S, T]):
    """One process variable of a table whose state is an ``S`` and whose puts go to a ``T``.

    Records that come of it:

    ========  ======  ==========================================
    ``put``   ``rbv``  records
    ========  ======  ==========================================
    given     True    setpoint ``X`` and readback ``X_RBV``
    given     False   setpoint ``X``
    None      True    readback ``X_RBV``
    None      False   readback ``X``
    ========  ======  ==========================================

    ``read`` takes the state and returns the value, None for unknown. ``put`` is a method of the target, sync or
    async; the put is complete when it returns. ``linked`` rows come from the controller: INVALID without it. An
    ``optional`` row may have nothing to show, the temperature of an empty slot for instance: NaN, and no alarm.
    ``part`` returns that part of the state of which the row speaks: it is read again only when that is another one.
    """

    name: str
    kind: Kind
    doc: str
    group: str
    read: Callable[[S], Value | None]
    put: Callable[[T, Any], Awaitable[object] | None] | None = None
    rbv: bool = True
    linked: bool = False
    optional: bool = False
    part: Callable[[S], object] | None = None
    more: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.doc) <= DESCRIPTION_LENGTH:
            raise ValueError(f"{self.name}: doc must have 1 to {DESCRIPTION_LENGTH} characters, has {len(self.doc)}")
        low, high = getattr(self.kind, "low", None), getattr(self.kind, "high", None)
        if low is not None and high is not None and low > high:
            raise ValueError(f"{self.name}: low {low} is above high {high}")
        if self.put is not None and isinstance(self.kind, Array | Pixels):
            raise ValueError(f"{self.name}: arrays cannot be put")

    def speaks_of(self, state: S, before: S) -> bool:
        """Tell whether the row may show something else than before, but for its link."""
        if self.part is None:
            return True
        now, then = self.part(state), self.part(before)
        return now is not then and now != then

    def records(self) -> Iterator["Record[S, T]"]:
        """Yield the records of this row: the readback first, as it is to be posted first."""
        if self.rbv:
            yield Record(self, self.name + "_RBV", writable=False)
        if self.put is not None or not self.rbv:
            yield Record(self, self.name, writable=self.put is not None)


_TYPES: Mapping[type, tuple[str, str]] = {
    Float: ("ai", "ao"),
    Int: ("longin", "longout"),
    Array: ("waveform", "waveform"),
    Pixels: ("waveform", "waveform"),
}


@dataclass(frozen=True)
class Record(Generic[S, T]):
    """One EPICS record of a row; ``suffix`` is its name behind the table's prefix."""

    row: Pv[S, T]
    suffix: str
    writable: bool

    @property
    def record_type(self) -> str:
        """The record type an areaDetector IOC has here."""
        kind = self.row.kind
        if isinstance(kind, Choice):
            return ("bi", "bo")[self.writable] if len(kind.labels) == 2 else ("mbbi", "mbbo")[self.writable]
        if isinstance(kind, Text):
            return "waveform" if kind.size > STRING_LENGTH else ("stringin", "stringout")[self.writable]
        return _TYPES[type(kind)][self.writable]


def _clamped(number: float, low: float | None, high: float | None) -> float:
    if low is not None and number < low:
        return low
    if high is not None and number > high:
        return high
    return number
