"""What the tests of the rules share: the demonstration configuration with a change, and what is found then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from archon_ioc.acf.check import check
from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Finding, Rule

DEMO = Path(__file__).parents[3] / "config" / "demo.acf"

Changes = Mapping[str, str | None]
"""Keys and their other values; ``None`` removes the key."""


@dataclass(frozen=True)
class Case:
    """Changes of the demonstration configuration, and the finding that they cause."""

    kind: str
    key: str
    changes: Changes
    why: str = ""
    system: Mapping[str, str] | None = None
    """Changes of the modules that the connected controller tells; None: there is none."""

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@cache
def original() -> Acf:
    return Acf.read(DEMO)


@cache
def known() -> frozenset[tuple[str, str]]:
    return frozenset((finding.kind, finding.key) for finding in check(original()))


def changed(changes: Changes) -> Acf:
    """Return the demonstration configuration with changes, also of its ``[SYSTEM]``."""
    system = {**original().system, **{key: value for key, value in changes.items() if key in original().system}}
    keys = {**original().keys, **{key: value for key, value in changes.items() if key not in original().system}}
    return replace(
        original(),
        keys=MappingProxyType({key: value for key, value in keys.items() if value is not None}),
        system={key: value for key, value in system.items() if value is not None},
    )


def found(changes: Changes, system: Mapping[str, str] | None = None) -> list[Finding]:
    """Return what is found with the changes, and not without them."""
    connected = None if system is None else {**original().system, **system}
    return [finding for finding in check(changed(changes), connected) if (finding.kind, finding.key) not in known()]


def assert_found(case: Case) -> None:
    """Check that the case's finding is there, and says why."""
    findings = found(case.changes, case.system)
    own = [finding for finding in findings if finding.kind == case.kind and finding.key == case.key]
    assert len(own) == 1, [str(finding) for finding in findings]
    assert case.why in own[0].why
    assert own[0].remedy


def assert_all_have_cases(rules: Sequence[Rule], cases: Sequence[Case]) -> None:
    assert {rule.kind for rule in rules} == {case.kind for case in cases}
