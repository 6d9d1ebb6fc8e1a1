"""Mistakes planted into real configurations are found: nearly all of them, of each kind."""

import random
import re
from collections.abc import Sequence
from functools import cache

import pytest

from archon_ioc.acf.check import check
from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Finding, Severity

from .mutations import Mutant, Plot
from .mutations_hardware import KINDS
from .scripts import REAL, demo

MUTANTS = 40
"""Of each kind, over all files."""

FOUND = 0.95
"""The share that has to be found."""


@cache
def originals() -> Sequence[Acf]:
    return (demo(), *(Acf.read(path) for path in sorted(REAL.glob("*.acf"))))


@cache
def known(number: int) -> frozenset[tuple[str, str]]:
    """Return what is found in a file as it is."""
    return frozenset((finding.kind, finding.key) for finding in check(originals()[number]))


def is_about(finding: Finding, mutant: Mutant) -> bool:
    """Return whether a finding names what was spoilt."""
    words = set(re.findall(r"[\w/\[\]]+", finding.why))
    return finding.severity > Severity.NOTE and (finding.key in mutant.names or bool(words & mutant.names))


def is_found(mutant: Mutant, before: frozenset[tuple[str, str]]) -> bool:
    findings = check(mutant.acf, mutant.system)
    return any(is_about(finding, mutant) and (finding.kind, finding.key) not in before for finding in findings)


@cache
def misses(kind: str) -> tuple[int, list[str]]:
    """Plant mistakes of a kind, and return how many and which were not found."""
    chance = random.Random(kind)
    count = 0
    missed: list[str] = []
    while count < MUTANTS:
        number = chance.randrange(len(originals()))
        acf = originals()[number]
        mutant = KINDS[kind](Plot(acf, chance))
        if mutant is None:
            continue
        count += 1
        if not is_found(mutant, known(number)):
            missed.append(f"{acf.path.rpartition('/')[2]}: {mutant.what}")
    return count, missed


@pytest.mark.parametrize("kind", KINDS)
def test_planted_mistakes_are_found(kind: str) -> None:
    count, missed = misses(kind)
    assert len(missed) <= (1 - FOUND) * count, "\n".join(missed)


def test_a_configuration_without_a_mistake_has_no_new_finding() -> None:
    for number, acf in enumerate(originals()):
        assert {(finding.kind, finding.key) for finding in check(acf)} == known(number)
