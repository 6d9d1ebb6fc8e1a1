"""Rehearsal: runs the timing script of a configuration, to see when it does what."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.edges import Edges
from archon_ioc.acf.file import Acf
from archon_ioc.acf.roles import DEFAULT_NAMES, Roles
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import Trace
from archon_ioc.config import ScriptConfig

LONGEST = 10**14
"""Ticks after which nothing more is waited for: the longest counts of two loops, one in the other."""

_MOST_STEPS = 100_000
"""Instructions that are executed one by one before it is given up; the scripts known to us need some thousand."""

Values = Mapping[str | None, int]
"""Parameters and their values; a role that the script lacks is None and left out."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A script whose parameters are set to do nothing but wait, neither flushing nor armed for a trigger."""

    core: TimingCore
    roles: Roles

    @classmethod
    def of(cls, acf: Acf, changes: Mapping[str, int], names: ScriptConfig = DEFAULT_NAMES) -> "Rehearsal":
        """Compile the script of ``acf``; ``changes`` are values of parameters other than the stored ones.

        Raises:
            ScriptError: if the script is wrong.
            InputError: if a parameter does not exist, or its counter cannot hold the value.
        """
        roles = Roles.of(acf, names)
        still = {**roles.quiet(), **dict.fromkeys(roles.resting(), 0)}
        return cls(TimingCore(compile_script(acf), {**changes, **still}), roles)

    def start(self, values: Values) -> TimingCore:
        """Return cores that start now, at tick 0, with these values."""
        core = TimingCore(self.core.program, self.core.parameters, most_steps=_MOST_STEPS)
        _load(core, values)
        core.release()
        return core

    def run(self, values: Values) -> Trace:
        """Return what the script does with these values until it only waits again.

        Raises:
            TooLongError: if that takes too long to find out.
        """
        return self.start(values).settle(LONGEST)

    def reaction(self, values: Values, at: int, then: Values, edges: Edges) -> int | None:
        """Return the tick of the first edge after ``then`` is loaded at tick ``at``; None if there is none."""
        core = self.start(values)
        core.advance(at)
        _load(core, then)
        after = edges.first(core.settle(LONGEST))
        return None if after is None else at + after


def looks(reaction: Callable[[int], int | None], at: int) -> Iterator[tuple[int, int]]:
    """Yield, for one look at a parameter after the other, the first load that is too late for it and its reaction.

    Between two looks all loads have the same ``reaction``: that is how they are found, from tick ``at`` on.
    """
    lag, following = 0, reaction(at)
    while following is not None:
        late = _first_too_late(reaction, at, following, following - lag)
        at, lag, following = late, following - late, reaction(late)
        if following is not None:
            yield late, following


def _first_too_late(reaction: Callable[[int], int | None], at: int, early: int, guess: int) -> int:
    """Return the first load after tick ``at`` with another reaction than ``early``; ``guess`` is tried first."""

    def is_late(load: int) -> bool:
        return reaction(load) != early

    if at < guess and is_late(guess) and not is_late(guess - 1):
        return guess
    return at + 1 + bisect_left(range(at + 1, early + 1), True, key=is_late)


def _load(core: TimingCore, values: Values) -> None:
    for name, value in values.items():
        if name is not None:
            core.load(name, value)
