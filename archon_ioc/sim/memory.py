"""The configuration memory, and what may be applied from it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Self

from archon_ioc.acf.file import Acf
from archon_ioc.acf.keys import normal, pattern_of, slot_of, spec_of
from archon_ioc.acf.keyspec import Apply
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.commands import CONFIG_LINE_LENGTH, CONFIG_LINES
from archon_ioc.protocol.enums import ModuleType
from archon_ioc.sim.shot import Geometry

_FIRST_BOOT_BUILD = 1054  # manual, APPLYALL and POWERON as keys
_SHOWN_PROBLEMS = 10
_BOOT_KEYS = re.compile("APPLYALL|POWERON")


class Part(Enum):
    """The keys that one narrow command applies, as the catalogue says."""

    CDS = pattern_of([Apply.CDS])
    SYSTEM = pattern_of([Apply.SYSTEM])
    TIMING = pattern_of([Apply.TIMING, Apply.PARAMETERS])
    PARAMETERS = pattern_of([Apply.PARAMETERS])


def module_keys(slot: int, *, only_dio: bool = False) -> re.Pattern[str]:
    """Return the keys that APPLYMOD or APPLYDIO takes for a module."""
    return re.compile(rf"MOD{slot}/(DIO_|VCPU_).*" if only_dio else rf"MOD{slot}/.*")


class ConfigMemory:
    """The volatile configuration memory: 16384 lines of text, without effect until they are applied.

    ``installed`` tells which keys ``MODm/…`` there are: those of another type of module are ignored. Without it
    any type will do.
    """

    def __init__(self, flash: Acf | None = None, installed: Mapping[int, ModuleType] | None = None) -> None:
        self._lines = dict(enumerate(flash.lines)) if flash else {}
        self._installed = installed

    def write(self, number: int, text: str) -> None:
        """Store a line.

        Raises:
            ConfigError: if there is no such line, or the text is too long for it.
        """
        if number >= CONFIG_LINES:
            raise ConfigError(f"there is no configuration line {number:04X}")
        if len(text) > CONFIG_LINE_LENGTH:
            raise ConfigError(f"{len(text)} characters are too many for configuration line {number:04X}")
        self._lines[number] = text

    def read(self, number: int) -> str:
        """Return a line; one that was never written is empty.

        Raises:
            ConfigError: if there is no such line.
        """
        if number >= CONFIG_LINES:
            raise ConfigError(f"there is no configuration line {number:04X}")
        return self._lines.get(number, "")

    def empty(self) -> Self:
        """Return another memory without any line."""
        return type(self)(None, self._installed)

    def copy(self) -> Self:
        """Return another memory with the same lines."""
        other = self.empty()
        for number, line in self._lines.items():
            other.write(number, line)
        return other

    def clear(self) -> None:
        """Empty every line."""
        self._lines.clear()

    def whole(self) -> Acf:
        """Return the whole memory as a configuration.

        Raises:
            ConfigError: if something in it is wrong.
        """
        acf = _literal(self._lines)
        self._check(acf, acf.keys)
        return acf

    def update(self, applied: Acf, keys: re.Pattern[str]) -> Acf:
        """Return ``applied`` with the keys that match taken from the memory.

        Raises:
            ConfigError: if one of the values is wrong, or the two do not go together.
        """
        kept = {key: value for key, value in applied.keys.items() if not keys.fullmatch(key)}
        changes = self.part(keys)
        acf = Acf(MappingProxyType({**kept, **changes}))
        self._check(acf, changes)
        return acf

    def part(self, keys: re.Pattern[str]) -> Mapping[str, str]:
        """Return those keys of the memory that match, with their values.

        Raises:
            ConfigError: if one of the values is wrong.
        """
        return _literal({n: line for n, line in self._lines.items() if keys.fullmatch(line.partition("=")[0])}).keys

    def _check(self, acf: Acf, keys: Iterable[str]) -> None:
        Geometry.of(acf)
        known = constants(acf)
        for key in keys:
            if acf.keys[key].strip() and (why := self._objection(key, acf.keys[key], known)):
                raise ConfigError(f"{key}={acf.keys[key][:60]!r}: {why}")

    def _objection(self, key: str, value: str, known: Mapping[str, str]) -> str | None:
        """Return why a value is refused; a key that is not known is ignored, and a module clips to its ranges."""
        if key != normal(key):
            return None  # a backslash, as in a file: not known on the wire
        slot = slot_of(key)
        kind = None
        if slot is not None and self._installed is not None:
            kind = self._installed.get(slot, ModuleType.NONE)
        spec = spec_of(key, kind)
        why = spec.objection(value, known) if spec else None
        is_clipped = spec is not None and spec.modules is not None and why == f"not {spec.range}"
        return None if is_clipped else why


def stored_commands(memory: ConfigMemory, version: str) -> Iterator[str]:
    """Yield what the firmware does by itself at power-up: APPLYALL and POWERON if the stored keys say so."""
    build = version.rpartition(".")[2]
    if build.isdecimal() and int(build) >= _FIRST_BOOT_BUILD:
        stored = memory.part(_BOOT_KEYS)
        yield from (key for key in ("APPLYALL", "POWERON") if stored.get(key, "").strip() == "1")


def constants(acf: Acf) -> dict[str, str]:
    """Return the constants of a configuration: names in upper case to numbers."""
    return {name.upper(): f"{value:.15g}" for name, value in acf.constants.items()}


def _literal(lines: Mapping[int, str]) -> Acf:
    """Take lines as they are: neither quotes nor backslashes nor sections mean anything on the wire."""
    keys: dict[str, str] = {}
    for number, line in sorted(lines.items()):
        key, equals, value = line.partition("=")
        if line and not equals:
            raise ConfigError(f"configuration line {number:04X}: {line[:60]!r} is not KEY=VALUE")
        if line and keys.setdefault(key, value) != value:
            raise ConfigError(f"configuration line {number:04X}: {key} was given another value before")
    acf = Acf(MappingProxyType(keys))
    if problems := acf.problems():
        raise ConfigError("; ".join(problems[:_SHOWN_PROBLEMS]))
    return acf
