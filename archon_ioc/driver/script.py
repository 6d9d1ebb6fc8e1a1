"""Script: a timing script that can expose, and the values its parameters take."""

from dataclasses import asdict, dataclass
from typing import Self

from archon_ioc.acf.file import Acf
from archon_ioc.acf.roles import DEFAULT_NAMES, Roles
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.commands import PARAMETER_LIMIT


@dataclass(frozen=True, slots=True)
class Script(Roles):
    """The roles of a script that has what an exposure needs at least."""

    exposures: str
    integration: str

    @classmethod
    def of(cls, acf: Acf, names: ScriptConfig = DEFAULT_NAMES) -> Self:
        """Find the roles in a configuration.

        Raises:
            ConfigError: if it has no parameter to start an exposure, or none for the integration time.
        """
        roles = Roles.of(acf, names)
        if roles.exposures is None:
            raise ConfigError(f"the script has no parameter {names.exposures!r} to start exposures", path=acf.path)
        if roles.integration is None:
            raise ConfigError(_no_integration(names), path=acf.path)
        for wanted in _second_parameters(names):
            if acf.parameter_name(wanted) is None:
                raise ConfigError(f"the script has no parameter {wanted!r} for long integrations", path=acf.path)
        return cls(**asdict(roles))

    def ticks(self, seconds: float) -> int:
        """Return the integration time in counts of its parameter, rounded to what the script can do.

        Raises:
            InputError: if the time is negative or too long for the counters.
        """
        ticks = seconds * self.ticks_per_second
        if not 0 <= ticks <= self._most_ticks:  # not a number is not in there either
            longest = self._most_ticks / self.ticks_per_second
            raise InputError(f"{seconds:g} s: {self.integration} allows 0 to {longest:g} s")
        factor = self._factor(round(ticks))
        return factor * round(ticks / factor)

    def times(self, seconds: float) -> dict[str, int]:
        """Return the parameters of an integration.

        Raises:
            InputError: if the time is negative or too long for the counters.
        """
        ticks = self.ticks(seconds)
        if self.long_integration:
            long, short = divmod(ticks, self.long_ticks) if ticks > PARAMETER_LIMIT else (0, ticks)
            return {self.long_integration: long, self.integration: short}
        factor = self._factor(ticks)
        return {self.integration: ticks // factor} | ({self.multiplier: factor} if self.multiplier else {})

    @property
    def _most_ticks(self) -> int:
        return PARAMETER_LIMIT * (self.long_ticks or (PARAMETER_LIMIT if self.multiplier else 1))

    def _factor(self, ticks: int) -> int:
        """Return the smallest multiplier with which a counter can hold the time."""
        return max(1, -(-ticks // PARAMETER_LIMIT)) if self.multiplier else 1


def _no_integration(names: ScriptConfig) -> str:
    if wanted := names.integration.parameter:
        return f"the script has no parameter {wanted!r} for the integration time"
    return "the script has neither IntMS nor IntCS; name its parameter in the site file"


def _second_parameters(names: ScriptConfig) -> list[str]:
    long, multiplier = names.integration.long, names.integration.multiplier
    return [name for name in (long.parameter if long else None, multiplier) if name]
