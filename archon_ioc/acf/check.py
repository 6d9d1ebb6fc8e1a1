"""Check: what is wrong or doubtful in a configuration, before a controller and a detector find it."""

import re
from collections.abc import Iterable, Mapping

from archon_ioc.acf.file import Acf
from archon_ioc.acf.finding import Finding, Found, Rule
from archon_ioc.acf.roles import DEFAULT_NAMES
from archon_ioc.acf.rules import biases, frames, heaters, lists, modules, script, start, states, values
from archon_ioc.acf.subject import Subject
from archon_ioc.config import ScriptConfig

GROUPS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("Keys", values.RULES),
    ("Lists", lists.RULES),
    ("Modules", modules.RULES),
    ("Timing script", script.RULES),
    ("States", states.RULES),
    ("Frames", frames.RULES),
    ("Biases", biases.RULES),
    ("Heaters", heaters.RULES),
    ("What happens by itself", start.RULES),
)
"""The rules by subject, as the reference page shows them."""

RULES: tuple[Rule, ...] = tuple(rule for _, rules in GROUPS for rule in rules)
"""Every rule, one per kind of finding."""

_NUMBER = re.compile(r"(\d+)")
NOT_FOLLOWED = "not-followed"
"""The kind of finding that a timing script cannot be rehearsed."""
_STOPPING = frozenset(rule.kind for rule in RULES if rule.stops_load)


def check(
    acf: Acf, system: Mapping[str, str] | None = None, names: ScriptConfig = DEFAULT_NAMES
) -> tuple[Finding, ...]:
    """Return what is wrong or doubtful in ``acf``, the worst first, in the order of the file.

    ``system`` are the fields of the connected controller's SYSTEM reply: with them the modules that are really
    there count, and what differs from the file's ``[SYSTEM]`` is told.
    ``names`` are those of the script's parameters.
    """
    return _look(Subject(acf, system, names), RULES)


def refusals(acf: Acf) -> tuple[Finding, ...]:
    """Return only what a configuration should not be loaded for; like `check`, but without running the script."""
    return _look(Subject(acf), (rule for rule in RULES if rule.stops_load))


def reasons_to_refuse(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those for which a configuration should not be loaded.

    These are what the controller would refuse, and what endangers the detector.
    """
    return tuple(finding for finding in findings if finding.kind in _STOPPING)


def frame_problems(acf: Acf, names: ScriptConfig = DEFAULT_NAMES) -> dict[str, str]:
    """Return why no frame of ``acf`` would be whole, by kind of finding; nothing if they are.

    `NOT_FOLLOWED` is the kind where that cannot be found out.
    """
    subject = Subject(acf, None, names)
    rules = (rule for rule in frames.RULES if rule.kind in {*frames.INCOMPLETE, NOT_FOLLOWED})
    return {rule.kind: found.why for rule in rules for found in rule.look(subject)}


def _look(subject: Subject, rules: Iterable[Rule]) -> tuple[Finding, ...]:
    findings = {_finding(subject.acf, rule, found): None for rule in rules for found in rule.look(subject)}
    return tuple(sorted(findings, key=_place))


def _finding(acf: Acf, rule: Rule, found: Found) -> Finding:
    line = acf.source_line(found.key)
    return Finding(rule.severity, found.key, rule.kind, found.why, found.remedy or rule.remedy, line)


def _place(finding: Finding) -> tuple[int, int, list[str | int], str]:
    """Return what to sort by: keys in the order of their numbers, LINE9 before LINE10."""
    natural = [int(part) if part.isdecimal() else part for part in _NUMBER.split(finding.key)]
    return -finding.severity, finding.line or 0, natural, finding.kind
