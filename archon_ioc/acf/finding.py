"""Findings: what is wrong, doubtful or worth knowing in a configuration; and the rules that look for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archon_ioc.acf.subject import Subject


class Severity(IntEnum):
    """How bad it is.

    ERROR: the controller refuses it, the detector is endangered, or no frame can complete. WARNING: very probably
    a mistake. NOTE: worth knowing.
    """

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    ``key`` is the key of the configuration that it is about, ``line`` the line of the file where that is known,
    ``kind`` a word that stays the same. ``why`` says the facts in one sentence, ``remedy`` what to do.
    """

    severity: Severity
    key: str
    kind: str
    why: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, {self.key}" if self.line else self.key
        return f"{self.severity.name} {place}: {self.why} [{self.kind}]"


class Found(NamedTuple):
    """What a rule yields: the key, the facts, and a remedy where one can be told better than the rule's own."""

    key: str
    why: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for.

    ``meaning`` and ``remedy`` are for the documentation; ``stops_load`` says that a configuration in which it is
    found should not be loaded: the controller would refuse it, or the detector is endangered.
    """

    kind: str
    severity: Severity
    meaning: str
    remedy: str
    look: Callable[["Subject"], Iterable[Found]]
    stops_load: bool = False
