"""Diff: what differs between two configurations in meaning, not in text.

Neither the order of keys nor quotes nor numbers of entries matter: parameters, constants and states are compared by
name, the timing script line by line without its comments, taps as taps, numbers as numbers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

from archon_ioc.acf.configuration import Configuration
from archon_ioc.acf.keys import apply_for, normal, slot_of, spec_of
from archon_ioc.acf.keyspec import Kind, is_comment
from archon_ioc.protocol import commands

_IN_A_LIST = re.compile(r"(LINE|PARAMETER|CONSTANT|TAPLINE|STATE)(S|\d+(/.*)?)")
_TIGHT = re.compile(r"\s*([;:,()])\s*")


class Part(Enum):
    """What a difference is about."""

    PARAMETER = "Parameters"
    CONSTANT = "Constants"
    SCRIPT = "Timing script"
    STATE = "States"
    TAP = "Taps"
    KEY = "Keys"
    SYSTEM = "[SYSTEM]"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``old`` or ``new`` is None where there is nothing of that name.

    ``name`` is the parameter's, constant's, state's or key's; lines and taps are named after the first key of the
    place. Several lines of the script or several taps are separated by line feeds. ``applies`` are the commands that
    make the new value take effect, none where only a reboot does or nothing does.
    """

    part: Part
    name: str
    old: str | None
    new: str | None
    applies: tuple[str, ...] = ()


def compare(old: Configuration, new: Configuration) -> tuple[Difference, ...]:
    """Return how ``new`` differs from ``old``, part by part."""
    return (
        *_parameters(old, new),
        *_constants(old, new),
        *_script(old, new),
        *_states(old, new),
        *_taps(old, new),
        *_keys(old, new),
        *_system(old, new),
    )


def commands_for(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return the commands that make all differences take effect, each once, the loads last."""
    wanted = dict.fromkeys(command for difference in differences for command in difference.applies)
    timing = commands.load_timing().text
    if timing in wanted:  # it loads the parameters too
        wanted = {command: None for command in wanted if not command.startswith("LOADPARAM")}
    return tuple(sorted(wanted, key=lambda command: (command.startswith("LOAD"), command)))


def _pairs(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the names whose texts differ, in the order of the old ones; case does not matter in names."""
    olds, news = {name.upper(): name for name in old}, {name.upper(): name for name in new}
    for upper in dict.fromkeys((*olds, *news)):
        was = old[olds[upper]] if upper in olds else None
        now = new[news[upper]] if upper in news else None
        if was != now:
            yield news.get(upper) or olds[upper], was, now


def _parameters(old: Configuration, new: Configuration) -> Iterator[Difference]:
    olds, news = ({name: f"{value}" for name, value in acf.parameters.items()} for acf in (old, new))
    for name, was, now in _pairs(olds, news):
        is_new = was is None or now is None
        apply = commands.load_timing().text if is_new else commands.load_param(name).text
        yield Difference(Part.PARAMETER, name, was, now, (apply,))


def _constants(old: Configuration, new: Configuration) -> Iterator[Difference]:
    olds, news = ({name: f"{value:.15g}" for name, value in acf.constants.items()} for acf in (old, new))
    for name, was, now in _pairs(olds, news):
        yield Difference(Part.CONSTANT, name, was, now, (commands.load_timing().text, *_users(new, name)))


def _users(acf: Configuration, constant: str) -> tuple[str, ...]:
    """Return the commands for the modules whose keys name a constant."""
    slots = {slot_of(key) for key, value in acf.keys.items() if value.strip().upper() == constant.upper()}
    return tuple(commands.apply_module(slot).text for slot in sorted(slot for slot in slots if slot))


def _script(old: Configuration, new: Configuration) -> Iterator[Difference]:
    yield from _hunks(_script_lines(old), _script_lines(new), Part.SCRIPT, commands.load_timing().text)


def _script_lines(acf: Configuration) -> list[tuple[str, str]]:
    return [(key, text) for key, text in acf.entries("LINE") if not is_comment(text)]


def _taps(old: Configuration, new: Configuration) -> Iterator[Difference]:
    yield from _hunks(_tap_lines(old), _tap_lines(new), Part.TAP, commands.apply_cds().text)


def _tap_lines(acf: Configuration) -> list[tuple[str, str]]:
    keys = (key for key, text in acf.entries("TAPLINE") if not is_comment(text))
    texts = (f"{tap.name}, {tap.gain:.15g}, {tap.offset:.15g}" for tap in acf.taps)
    return list(zip(keys, texts, strict=True))


def _hunks(old: list[tuple[str, str]], new: list[tuple[str, str]], part: Part, apply: str) -> Iterator[Difference]:
    """Yield where two lists of keys and texts differ; what stands next to each other is one difference."""
    plain = [[_TIGHT.sub(r"\1", text.strip()).upper() for _, text in entries] for entries in (old, new)]
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, *plain, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        was = "\n".join(text for _, text in old[old_from:old_to])
        now = "\n".join(text for _, text in new[new_from:new_to])
        name = new[new_from][0] if new_to > new_from else old[old_from][0]
        yield Difference(part, name, was if old_to > old_from else None, now if new_to > new_from else None, (apply,))


def _states(old: Configuration, new: Configuration) -> Iterator[Difference]:
    for name, was, now in _pairs(_state_texts(old), _state_texts(new)):
        yield Difference(Part.STATE, name, was, now, (commands.load_timing().text,))


def _state_texts(acf: Configuration) -> dict[str, str]:
    """Return the outputs of each state by ``FCLK CONTROL``, ``FCLK MOD3`` …; by its bare name if it has none."""
    found: dict[str, str] = {}
    for n in range(acf.number("STATES", 0)):
        prefix = f"STATE{n}/"
        name = acf.keys.get(f"{prefix}NAME", "").strip() or prefix[:-1]
        own = ("CONTROL", *(f"MOD{slot}" for slot in range(1, 17)))
        texts = {what: acf.keys[prefix + what] for what in own if prefix + what in acf.keys}
        found |= {f"{name} {what}": _TIGHT.sub(r"\1", text.strip()).upper() for what, text in texts.items()}
        if not texts:
            found[name] = ""
    return found


def _keys(old: Configuration, new: Configuration) -> Iterator[Difference]:
    for name, was, now in _pairs(_other_keys(old), _other_keys(new)):
        apply = apply_for(name)
        yield Difference(Part.KEY, name, was, now, (apply.text,) if apply else ())


def _other_keys(acf: Configuration) -> dict[str, str]:
    return {key: _plain(key, value) for key, value in acf.keys.items() if not _IN_A_LIST.fullmatch(normal(key))}


def _plain(key: str, value: str) -> str:
    """Return a number in its shortest form, 0.0 as 0, and other values as they are."""
    spec = spec_of(key)
    if spec is None or spec.kind not in (Kind.INT, Kind.FLOAT, Kind.CHOICE):
        return value
    try:
        return f"{float(value):.15g}"
    except ValueError:
        return value.strip()


def _system(old: Configuration, new: Configuration) -> Iterator[Difference]:
    for name, was, now in _pairs(old.system, new.system):
        yield Difference(Part.SYSTEM, name, was, now)
