"""Roles: which parameter of a timing script tells it what to do."""

from dataclasses import dataclass
from typing import Self

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig

_UNITS = {"ms": 1000, "cs": 100, "s": 1}
_DEFAULTS = (("IntMS", "ms"), ("IntCS", "cs"))

DEFAULT_NAMES = ScriptConfig()


@dataclass(frozen=True, slots=True)
class Roles:
    """The parameters' names, spelled as the ACF does; None: not in this script.

    ``ticks_per_second`` is of the integration parameter, of which one count of ``long_integration`` adds
    ``long_ticks``; a ``…_value`` is what the configuration has stored.
    """

    exposures: str | None
    integration: str | None
    ticks_per_second: int
    long_integration: str | None
    long_ticks: int
    multiplier: str | None
    continuous: str | None
    readout: str | None
    abort: str | None
    auto_flush: str | None
    auto_flush_value: int
    do_flush: str | None
    flush_count: str | None
    external_trigger: str | None
    external_trigger_value: int
    pause: str | None

    @classmethod
    def of(cls, acf: Acf, names: ScriptConfig = DEFAULT_NAMES) -> Self:
        """Find the roles in a configuration."""
        integration, unit = _integration(acf, names)
        long, multiplier = names.integration.long, names.integration.multiplier
        auto_flush = acf.parameter_name(names.auto_flush)
        external_trigger = acf.parameter_name(names.external_trigger)
        return cls(
            exposures=acf.parameter_name(names.exposures),
            integration=integration,
            ticks_per_second=_UNITS[unit],
            long_integration=acf.parameter_name(long.parameter) if long else None,
            long_ticks=_UNITS[unit] // _UNITS[long.unit] if long else 0,
            multiplier=acf.parameter_name(multiplier) if multiplier else None,
            continuous=acf.parameter_name(names.continuous),
            readout=acf.parameter_name(names.readout),
            abort=acf.parameter_name(names.abort),
            auto_flush=auto_flush,
            auto_flush_value=acf.parameters[auto_flush] if auto_flush else 0,
            do_flush=acf.parameter_name(names.do_flush),
            flush_count=acf.parameter_name(names.flush_count),
            external_trigger=external_trigger,
            external_trigger_value=acf.parameters[external_trigger] if external_trigger else 0,
            pause=acf.parameter_name(names.pause),
        )

    def quiet(self) -> dict[str, int]:
        """Return the parameters with which the script does nothing but wait."""
        names = (self.continuous, self.exposures, self.readout, self.abort, self.do_flush, self.pause)
        return {name: 0 for name in names if name}

    def resting(self) -> dict[str, int]:
        """Return the parameters that decide how the script waits, as the configuration has them."""
        flush = {self.auto_flush: self.auto_flush_value} if self.auto_flush else {}
        trigger = {self.external_trigger: self.external_trigger_value} if self.external_trigger else {}
        return flush | trigger


def _integration(acf: Acf, names: ScriptConfig) -> tuple[str | None, str]:
    if wanted := names.integration.parameter:
        return acf.parameter_name(wanted), names.integration.unit
    found = ((acf.parameter_name(wanted), unit) for wanted, unit in _DEFAULTS)
    return next((pair for pair in found if pair[0]), (None, "ms"))
