"""Rules on lists: whether the counters fit the entries."""

import re
from collections import defaultdict
from collections.abc import Iterator

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.keyspec import is_comment
from archon_ioc.acf.rules.values import shown
from archon_ioc.acf.subject import Subject

_ENTRY = re.compile(r"((?:MOD\d+/)?[A-Z_]+)(\d+)(|/NAME)")
_LISTS = {
    "LINES": "LINE{}",
    "PARAMETERS": "PARAMETER{}",
    "CONSTANTS": "CONSTANT{}",
    "STATES": "STATE{}/NAME",
    "TAPLINES": "TAPLINE{}",
}
"""Lists of a configuration: the key with their length, and those of their entries."""


def _lists(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield counter and form of the entries of each list, those of the modules' own programs included."""
    yield from _LISTS.items()
    for slot, keys in subject.slots.items():
        if "VCPU_LINES" in keys:
            yield f"MOD{slot}/VCPU_LINES", f"MOD{slot}/VCPU_LINE{{}}"


def _missing_entry(subject: Subject) -> Iterator[Found]:
    for counter, entry in _lists(subject):
        count = subject.count(counter)
        numbers = range(min(count, len(subject.keys) + 1))
        missing = [key for n in numbers if (key := entry.format(n)) not in subject.keys]
        if len(missing) == 1:
            yield Found(missing[0], f"{counter}={count} counts {missing[0]}, which is not there")
        elif missing:
            yield Found(counter, f"{counter}={count} counts {shown(missing)}, which are not there")


def _nameless_state(subject: Subject) -> Iterator[Found]:
    for n in range(min(subject.count("STATES"), len(subject.keys))):
        key = f"STATE{n}/NAME"
        if key in subject.keys and not subject.keys[key].strip():
            yield Found(key, f"state {n} has no name, so that no line can use it")


def _beyond_counter(subject: Subject) -> Iterator[Found]:
    entries = _numbered(subject)
    for counter, entry in _lists(subject):
        count = subject.count(counter)
        unread = [key for key, n in entries.get(entry, ()) if n >= count and not is_comment(subject.keys[key])]
        if counter in subject.keys and unread:
            verb = "is" if len(unread) == 1 else "are"
            yield Found(counter, f"{counter}={count}, so that {shown(unread)} {verb} not read")


def _numbered(subject: Subject) -> dict[str, list[tuple[str, int]]]:
    """Return the entries of all lists and their numbers, by the form of their keys."""
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for key in subject.keys:
        if match := _ENTRY.fullmatch(key):
            found[f"{match.group(1)}{{}}{match.group(3)}"].append((key, int(match.group(2))))
    return found


RULES: tuple[Rule, ...] = (
    Rule("missing-entry", Severity.ERROR, "A list has a counter that is larger than the number of its entries.",
         "Add the entry, an empty one if none is meant, or correct the counter.", _missing_entry, stops_load=True),
    Rule("beyond-counter", Severity.WARNING, "Entries are beyond their list's counter: the controller ignores them.",
         "Correct the counter, or remove the entries.", _beyond_counter),
    Rule("nameless-state", Severity.WARNING, "A state has no name.", "Name it, or remove it.", _nameless_state),
)  # fmt: skip
