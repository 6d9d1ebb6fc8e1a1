"""Rows and a state make readings: value, alarm status and severity."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from archon_ioc.live import Live
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pixels, Pv, Severity, Value

log = logging.getLogger(__name__)
_logged: set[str] = set()

S = TypeVar("S")


class Target(Protocol):
    """What puts go to. One of these is called after each put; they must not raise."""

    def refused(self, message: str) -> None: ...

    def accepted(self) -> None: ...


T = TypeVar("T", bound=Target)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a record shows. ``value`` None means: keep what is there."""

    value: Value | None
    status: str = "NO_ALARM"
    severity: Severity = Severity.NO_ALARM


@dataclass(frozen=True)
class Table(Generic[S, T]):
    """Rows with the prefix of their records, the state they show and the target of their puts."""

    prefix: str
    rows: Sequence[Pv[S, T]]
    live: Live[S]
    target: T
    is_linked: Any = None  # Callable[[S], bool]; None: does not depend on a controller

    def render(self, state: S, before: S | None = None) -> Iterator[tuple[Pv[S, T], Reading]]:
        """Yield the reading of a state by every row but images, in the order in which they are to be posted.

        Rows that cannot show anything else than ``before`` are left out.
        """
        linked = self.is_linked is None or self.is_linked(state)
        for row in self.rows:
            if isinstance(row.kind, Pixels) or (before is not None and not self._is_news(row, state, before)):
                continue
            yield row, reading(row, state, linked=linked)

    def _is_news(self, row: Pv[S, T], state: S, before: S) -> bool:
        return (row.linked and self.is_linked is not None) or row.speaks_of(state, before)


def reading(row: Pv[S, Any], state: S, *, linked: bool) -> Reading:
    """Return what ``row`` shows of ``state``; without a link the controller's values are not to be trusted."""
    try:
        value = row.read(state)
        judged = Reading(math.nan) if value is None and row.optional else _judged(row.kind, value)
    except Exception:
        # One wrong row must not take the other hundreds with it.
        if row.name not in _logged:
            _logged.add(row.name)
            log.exception("row %s cannot be rendered", row.name)
        return Reading(None, "CALC", Severity.INVALID)
    return Reading(judged.value, "COMM", Severity.INVALID) if row.linked and not linked else judged


def _judged(kind: Kind, value: Value | None) -> Reading:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Reading(None, "UDF", Severity.INVALID)
    if isinstance(kind, Choice):
        index = kind.accept(value)
        return Reading(index, *kind.judge(index))
    if isinstance(kind, Float | Int) and kind.alarms:
        return Reading(value, *kind.alarms.judge(value))
    return Reading(value)
