"""OwnPvs: the values of this program's own process variables, by their full names."""

from collections.abc import Sequence
from typing import Any

from archon_ioc.pvs.render import Reading, Table, reading
from archon_ioc.pvs.row import Array, Choice, Pixels, Pv, Severity


class OwnPvs:
    """Reads single values from tables; what is no number, choice or text is left out."""

    def __init__(self, prefix: str, tables: Sequence[Table[Any, Any]]) -> None:
        self._found: dict[str, tuple[Table[Any, Any], Pv[Any, Any]]] = {
            f"{prefix}{table.prefix}{record.suffix}": (table, row)
            for table in tables
            for row in table.rows
            if not isinstance(row.kind, Array | Pixels)
            for record in row.records()
        }

    def knows(self, name: str) -> bool:
        """Return whether there is such a process variable."""
        return name in self._found

    def read(self, name: str, *, as_text: bool) -> str | int | float | None:
        """Return its value now, a choice by its index or its word; None if it is not valid."""
        table, row = self._found[name]
        state = table.live.value
        shown: Reading = reading(row, state, linked=table.is_linked is None or table.is_linked(state))
        if shown.value is None or shown.severity is Severity.INVALID:
            return None
        if as_text:
            return row.kind.labels[int(shown.value)] if isinstance(row.kind, Choice) else str(shown.value)
        return shown.value
