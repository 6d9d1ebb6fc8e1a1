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
        return cls(**asdict(roles))

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


def _no_integration(names: ScriptConfig) -> str:
    if wanted := names.integration.parameter:
        return f"the script has no parameter {wanted!r} for the integration time"
    return "the script has neither IntMS nor IntCS; name its parameter in the site file"
