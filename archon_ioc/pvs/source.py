"""PvValues: the values of process variables, of this program and of others, by their full names."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from archon_ioc.pvs.render import Reading, Table, reading
from archon_ioc.pvs.row import Array, Choice, Pixels, Pv, Severity

# The words of asyn parameters of areaDetector that are not simply the name of their record.
_PARAMS = {
    "acqtime": "acquiretime", "acqperiod": "acquireperiod", "nimages": "numimages", "nexposures": "numexposures",
    "nimagescounter": "numimagescounter", "nexposurescounter": "numexposurescounter", "status": "detectorstate",
    "portnameself": "portname", "arrayndimensions": "ndimensions", "sigmavalue": "sigma",
    "centroidxvalue": "centroidx", "centroidyvalue": "centroidy", "sigmaxvalue": "sigmax",
    "sigmayvalue": "sigmay", "sigmaxyvalue": "sigmaxy", "skewnessxvalue": "skewx", "skewnessyvalue": "skewy",
    "kurtosisxvalue": "kurtosisx", "kurtosisyvalue": "kurtosisy", "eccentricityvalue": "eccentricity",
    "orientationvalue": "orientation",
}  # fmt: skip


class OtherPvs(Protocol):
    """The values of other programs."""

    def watch(self, names: frozenset[tuple[str, bool]]) -> None:
        """Keep the values of these, names and whether as text, and of no others."""
        ...

    def read(self, name: str, *, as_text: bool) -> str | int | float | None:
        """Return the latest value of one that is watched, None if it is not known."""
        ...


class PvValues:
    """Reads single values; of what is no number, choice or text there is none.

    Args:
        prefix: of this program.
        tables: of its rows.
        ports: the prefix of the records of each port of areaDetector, by its name.
        others: the values of other programs, None if they cannot be had.
    """

    def __init__(
        self,
        prefix: str,
        tables: Sequence[Table[Any, Any]],
        ports: Mapping[str, str] | None = None,
        others: OtherPvs | None = None,
    ) -> None:
        self._prefix = prefix
        self._ports = ports or {}
        self._others = others
        self._asked: dict[str, frozenset[tuple[str, bool]]] = {}
        self._found: dict[str, tuple[Table[Any, Any], Pv[Any, Any]]] = {
            f"{prefix}{table.prefix}{record.suffix}": (table, row)
            for table in tables
            for row in table.rows
            if not isinstance(row.kind, Array | Pixels)
            for record in row.records()
        }

    def reaches(self, name: str) -> bool:
        """Return whether there can be such a process variable: here, or somewhere else."""
        return name in self._found or (self._others is not None and not name.startswith(self._prefix or " "))

    def of_param(self, port: str, param: str) -> str | None:
        """Return the record that shows an asyn parameter of a port, ``ACQ_TIME``; None if there is none."""
        if port not in self._ports:
            return None
        start, word = self._prefix + self._ports[port], param.replace("_", "").lower()
        wanted = {f"{start}{_PARAMS.get(word, word)}{end}".lower(): end for end in ("_RBV", "")}
        found = {name.lower(): name for name in self._found if name.lower() in wanted}
        return next((found[name] for name in wanted if name in found), None)

    def follow(self, who: str, names: frozenset[tuple[str, bool]]) -> None:
        """Have ready what ``who`` will read of other programs, in place of what it wanted before."""
        self._asked[who] = frozenset((name, as_text) for name, as_text in names if name not in self._found)
        if self._others:
            self._others.watch(frozenset(one for asked in self._asked.values() for one in asked))

    def read(self, name: str, *, as_text: bool) -> str | int | float | None:
        """Return its value now, a choice by its index or its word; None if it is not valid."""
        if name not in self._found:
            return self._others.read(name, as_text=as_text) if self._others else None
        table, row = self._found[name]
        state = table.live.value
        shown: Reading = reading(row, state, linked=table.is_linked is None or table.is_linked(state))
        if shown.value is None or shown.severity is Severity.INVALID:
            return None
        if as_text:
            return row.kind.labels[int(shown.value)] if isinstance(row.kind, Choice) else str(shown.value)
        return shown.value
