"""What is known of a key: its row of the catalogue, and which APPLY makes it take effect."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache

from archon_ioc.acf.catalogue import CATALOGUE
from archon_ioc.acf.keyspec import Apply, KeySpec
from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command
from archon_ioc.protocol.enums import ModuleType

_MODULE = re.compile(r"MOD([1-9]\d?)/(.+)")
_DIGITS = re.compile(r"\d+")
_COMMANDS: Mapping[Apply, Callable[[], Command]] = {
    Apply.PARAMETERS: commands.load_params,
    Apply.TIMING: commands.load_timing,
    Apply.CDS: commands.apply_cds,
    Apply.SYSTEM: commands.apply_system,
}


def normal(key: str) -> str:
    """Return ``key`` with slashes and in upper case, as the controller compares it."""
    return key.replace("\\", "/").upper()


def spec_of(key: str, module_type: ModuleType | None = None) -> KeySpec | None:
    """Return the row of the catalogue for ``key``, None if there is none.

    With ``module_type`` a key ``MODm/…`` must be one of that type of module; without, any type will do.

    >>> spec_of("MOD3/LABEL12", ModuleType.DRIVERX).meaning
    'Name of a clock'
    >>> spec_of("MOD3/LABEL12", ModuleType.DRIVER) is None
    True
    """
    key = normal(key)
    for spec in _candidates().get(_DIGITS.sub("", key), ()):
        if spec.matches(key) and (module_type is None or spec.modules is None or module_type in spec.modules):
            return spec
    return None


@cache
def _candidates() -> Mapping[str, list[KeySpec]]:
    """Return the rows by their keys without digits: a lookup must not try two hundred expressions."""
    found: defaultdict[str, list[KeySpec]] = defaultdict(list)
    for spec in CATALOGUE:
        plain = re.sub("[mni]", "", spec.pattern)
        for x in "AB" if "x" in plain else "-":
            for y in "ABC" if "y" in plain else "-":
                found[_DIGITS.sub("", plain.replace("x", x).replace("y", y))].append(spec)
    return found


def slot_of(key: str) -> int | None:
    """Return the slot of a key ``MODm/…``, None for other keys."""
    match = _MODULE.fullmatch(normal(key))
    return int(match.group(1)) if match else None


def objection(
    key: str, value: str, module_type: ModuleType | None = None, constants: Collection[str] = ()
) -> str | None:
    """Return why ``value`` cannot be right for ``key``, None if it can or if the key is not known.

    ``constants`` are the names of the configuration's constants; their case does not matter.

    >>> objection("MOD9/HVLC_V1", "32")
    'not from 0 to 31 V'
    """
    spec = spec_of(key, module_type)
    return spec.objection(value, {name.upper() for name in constants}) if spec else None


def apply_for(key: str) -> Command | None:
    """Return the narrowest command that makes ``key`` take effect, None if no safe one does.

    >>> apply_for("MOD11/HEATERATARGET").text
    'APPLYMOD0A'
    >>> apply_for("IP") is None
    True
    """
    key = normal(key)
    if match := _MODULE.fullmatch(key):
        slot, rest = int(match.group(1)), match.group(2)
        return commands.apply_dio(slot) if rest.startswith(("DIO_", "VCPU_")) else commands.apply_module(slot)
    spec = spec_of(key)
    make = _COMMANDS.get(spec.apply) if spec else None
    return make() if make else None


def pattern_of(applies: Iterable[Apply]) -> re.Pattern[str]:
    """Return an expression for all keys outside the modules that these commands apply."""
    wanted = set(applies)
    expressions = (spec.expression for spec in CATALOGUE if spec.modules is None and spec.apply in wanted)
    return re.compile("|".join(re.sub(r"\?P<\w+>", "?:", expression) for expression in expressions))
