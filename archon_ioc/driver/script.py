"""Script: which of the roles that an exposure needs the loaded timing script can play."""

from dataclasses import dataclass

from archon_ioc.acf.file import Acf
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.commands import PARAMETER_LIMIT

_UNITS = {"ms": 1000, "cs": 100}
_DEFAULTS = (("IntMS", "ms"), ("IntCS", "cs"))


@dataclass(frozen=True, slots=True)
class Script:
    """The timing script of one configuration. Names are spelled as the ACF does; None: not in this script."""

    exposures: str
    integration: str
    ticks_per_second: int
    continuous: str | None
    readout: str | None
    abort: str | None
    auto_flush: str | None
    auto_flush_value: int
    do_flush: str | None
    flush_count: str | None
    external_trigger: str | None
    external_trigger_value: int

    @classmethod
    def of(cls, acf: Acf, names: ScriptConfig) -> "Script":
        """Find the roles in a configuration.

        Raises:
            ConfigError: if it has no parameter to start an exposure, or none for the integration time.
        """
        exposures = acf.parameter_name(names.exposures)
        if exposures is None:
            raise ConfigError(f"the script has no parameter {names.exposures!r} to start exposures", path=acf.path)
        integration, unit = _integration(acf, names)
        auto_flush = acf.parameter_name(names.auto_flush)
        external_trigger = acf.parameter_name(names.external_trigger)
        return cls(
            exposures=exposures,
            integration=integration,
            ticks_per_second=_UNITS[unit],
            continuous=acf.parameter_name(names.continuous),
            readout=acf.parameter_name(names.readout),
            abort=acf.parameter_name(names.abort),
            auto_flush=auto_flush,
            auto_flush_value=acf.parameters[auto_flush] if auto_flush else 0,
            do_flush=acf.parameter_name(names.do_flush),
            flush_count=acf.parameter_name(names.flush_count),
            external_trigger=external_trigger,
            external_trigger_value=acf.parameters[external_trigger] if external_trigger else 0,
        )

    def ticks(self, seconds: float) -> int:
        """Return the value of the integration parameter, rounded to its unit.

        Raises:
            InputError: if the time is negative or too long for a counter.
        """
        ticks = seconds * self.ticks_per_second
        if not 0 <= ticks <= PARAMETER_LIMIT:  # not a number is not in there either
            longest = PARAMETER_LIMIT / self.ticks_per_second
            raise InputError(f"{seconds:g} s: {self.integration} allows 0 to {longest:g} s")
        return round(ticks)

    def quiet(self) -> dict[str, int]:
        """Return the parameters with which the script does nothing but wait."""
        names = (self.continuous, self.exposures, self.readout, self.abort, self.do_flush)
        return {name: 0 for name in names if name}

    def resting(self) -> dict[str, int]:
        """Return the parameters that decide how the script waits, as the configuration has them."""
        flush = {self.auto_flush: self.auto_flush_value} if self.auto_flush else {}
        trigger = {self.external_trigger: self.external_trigger_value} if self.external_trigger else {}
        return flush | trigger


def _integration(acf: Acf, names: ScriptConfig) -> tuple[str, str]:
    if wanted := names.integration.parameter:
        name = acf.parameter_name(wanted)
        if name is None:
            raise ConfigError(f"the script has no parameter {wanted!r} for the integration time", path=acf.path)
        return name, names.integration.unit
    for wanted, unit in _DEFAULTS:
        if name := acf.parameter_name(wanted):
            return name, unit
    raise ConfigError("the script has neither IntMS nor IntCS; name its parameter in the site file", path=acf.path)
