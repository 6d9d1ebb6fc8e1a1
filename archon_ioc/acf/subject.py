"""Subject: a configuration as the rules look at it."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from archon_ioc.acf.core import TooLongError
from archon_ioc.acf.estimate import ReadoutTimes, estimate_readout
from archon_ioc.acf.file import Acf
from archon_ioc.acf.flow import Flow
from archon_ioc.acf.keys import slot_of, spec_of
from archon_ioc.acf.keyspec import KeySpec, is_comment, parse_constant
from archon_ioc.acf.outputs import Output, parse_fields
from archon_ioc.acf.roles import DEFAULT_NAMES, Roles
from archon_ioc.acf.script import Program, ScriptError, ScriptProblem, compile_script
from archon_ioc.acf.taps import Tap, parse_tap
from archon_ioc.config import ScriptConfig
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import BackplaneType, ModuleType

# Most keys of one configuration are those of another.
_slot_of = lru_cache(1 << 15)(slot_of)
_spec_of = lru_cache(1 << 15)(spec_of)

_LABEL = re.compile(r"\s*(\w+)\s*:")
_STATE = re.compile(r"STATE(\d+)/MOD(\d+)")
_TYPE = re.compile(r"MOD(\d+)_TYPE")


class _Rehearsed(NamedTuple):
    is_done: bool = False
    readout: ReadoutTimes | None = None
    too_long: str = ""


class Subject:
    """What is known of a configuration, even where much of it is wrong. Everything is worked out once.

    ``system`` are the fields of the connected controller's SYSTEM reply, None if there is none; ``names`` those
    of the script's parameters.
    """

    def __init__(self, acf: Acf, system: Mapping[str, str] | None = None, names: ScriptConfig = DEFAULT_NAMES) -> None:
        self.acf = acf
        self.keys = acf.keys
        self.system = system
        self.names = names

    @cached_property
    def file_modules(self) -> Mapping[int, ModuleType]:
        """The modules by slot that the file's ``[SYSTEM]`` tells; empty if it does not."""
        return module_types(self.acf.system)

    @cached_property
    def modules(self) -> Mapping[int, ModuleType]:
        """The modules by slot: those of the connected controller, else those of the file."""
        return (module_types(self.system) if self.system else {}) or self.file_modules

    def module(self, slot: int) -> ModuleType:
        """Return the type of module in a slot: ``NONE`` if it is empty or not there, ``UNKNOWN`` if nothing is told.

        Files that a program made often tell only some of the slots.
        """
        backplane = ((self.system or {}).get("BACKPLANE_TYPE") or self.acf.system.get("BACKPLANE_TYPE", "")).strip()
        if backplane.isdecimal() and not 1 <= slot <= BackplaneType(int(backplane)).slots:
            return ModuleType.NONE
        return self.modules.get(slot, ModuleType.UNKNOWN)

    @cached_property
    def slots(self) -> Mapping[int, Mapping[str, str]]:
        """The keys of each slot that has some, without ``MODm/``."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self.keys.items():
            slot = _slot_of(key)
            if slot is not None:
                found.setdefault(slot, {})[key.partition("/")[2]] = value
        return found

    def installed(self, *types: ModuleType) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Yield slot and keys of the modules of some types; without ``[SYSTEM]`` none is known."""
        for slot, kind in self.modules.items():
            if kind in types:
                yield slot, self.slots.get(slot, {})

    @cached_property
    def constants(self) -> Mapping[str, float]:
        """The constants: names in upper case to values; what is no definition is left out."""
        entries = (parse_constant(text) for _, text in self.entries("CONSTANT"))
        return {entry[0].upper(): entry[1] for entry in entries if entry}

    def number(self, text: str) -> float | None:
        """Return the number that ``text`` is or whose constant it names, None if neither."""
        try:
            return float(text)
        except ValueError:
            return self.constants.get(text.strip().upper())

    def value(self, key: str) -> float | None:
        """Return the number at ``key``, None if there is none."""
        return self.number(self.keys.get(key, ""))

    def count(self, key: str) -> int:
        """Return the whole number at ``key``, 0 if there is none."""
        text = self.keys.get(key, "").strip()
        return int(text) if text.isascii() and text.isdecimal() else 0

    def entries(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield keys and texts of a list, ``name`` 0 and on up to its counter; empty ones and comments not."""
        for n in range(min(self.count(f"{name}S"), len(self.keys))):
            text = self.keys.get(f"{name}{n}", "")
            if not is_comment(text):
                yield f"{name}{n}", text

    @cached_property
    def script_lines(self) -> Mapping[str, str]:
        """The lines of the timing script that are no comments, by key."""
        return dict(self.entries("LINE"))

    @cached_property
    def _compiled(self) -> tuple[Program | None, tuple[ScriptProblem, ...]]:
        try:
            return compile_script(self.acf), ()
        except ScriptError as error:
            return None, error.problems
        except ConfigError:  # a counter is not a number: its own rule says so
            return None, ()

    @property
    def program(self) -> Program | None:
        """The compiled script, None if it cannot be compiled."""
        return self._compiled[0]

    @property
    def script_problems(self) -> tuple[ScriptProblem, ...]:
        """Why the script cannot be compiled."""
        return self._compiled[1]

    @property
    def has_geometry(self) -> bool:
        """Whether PIXELCOUNT and LINECOUNT are there."""
        return bool(self.count("PIXELCOUNT") and self.count("LINECOUNT"))

    @property
    def can_be_asked(self) -> bool:
        """Whether there is a script, with a parameter by which it is asked for a frame."""
        if self.program is None:
            return False
        roles = Roles.of(self.acf, self.names)
        return bool(roles.readout or roles.exposures)

    @property
    def readout(self) -> ReadoutTimes | None:
        """How the CCD is read with the stored parameters, None if that is not known or the script starts no frame."""
        return self._rehearsed.readout

    @property
    def is_rehearsed(self) -> bool:
        """Whether it could be found out how the CCD is read."""
        return self._rehearsed.is_done

    @property
    def why_not_rehearsed(self) -> str:
        """Why the script could not be followed although nothing in it is wrong; empty if it could."""
        return self._rehearsed.too_long

    @cached_property
    def _rehearsed(self) -> "_Rehearsed":
        if not self.has_geometry or not self.can_be_asked:
            return _Rehearsed()
        try:
            return _Rehearsed(is_done=True, readout=estimate_readout(self.acf, names=self.names))
        except TooLongError as error:
            return _Rehearsed(too_long=str(error))
        except ConfigError:  # another key is wrong, which its own rule says
            return _Rehearsed()

    @cached_property
    def flow(self) -> Flow | None:
        """Where the script can come to, None if it cannot be compiled or has no instruction."""
        if self.program is None or not self.program.instructions:
            return None
        matches = (_LABEL.match(text) for text in self.script_lines.values())
        return Flow(self.program, {match.group(1).upper(): match.group(1) for match in matches if match})

    @cached_property
    def outputs(self) -> tuple[Output, ...]:
        """What the states say for the modules, those beyond the counter left out."""
        return tuple(self._read_outputs())

    def _read_outputs(self) -> Iterator[Output]:
        count = self.count("STATES")
        for key, value in self.keys.items():
            match = _STATE.fullmatch(key) if key.startswith("STATE") else None
            number, slot = (int(part) for part in match.groups()) if match else (count, 0)
            kind = self.modules.get(slot)
            if number < count and kind is not None:
                name = self.keys.get(f"STATE{number}/NAME", "")
                yield Output(key, number, name, slot, kind, parse_fields(value, kind))

    @cached_property
    def specs(self) -> Mapping[str, KeySpec | None]:
        """What the catalogue says of each key, for the type of module that it is of."""
        return {key: _spec_of(key, self.type_of(key)) for key in self.keys}

    def type_of(self, key: str) -> ModuleType | None:
        """Return the type of the module that a key is of, None where that is not known."""
        found = self.modules.get(_slot_of(key) or 0) if key.startswith("MOD") else None
        return None if found in (ModuleType.NONE, ModuleType.UNKNOWN) else found

    @cached_property
    def taps(self) -> tuple[tuple[str, Tap], ...]:
        """The taps with their keys in the order of their columns; what is no tap is left out."""
        return tuple(self._read_taps())

    def _read_taps(self) -> Iterator[tuple[str, Tap]]:
        for key, text in self.entries("TAPLINE"):
            try:
                yield key, parse_tap(text)
            except ConfigError:  # the rule on values says so
                continue


def module_types(system: Mapping[str, str]) -> dict[int, ModuleType]:
    """Return the type of the module in each slot that ``system`` tells; empty slots are ``NONE``."""
    matches = ((_TYPE.fullmatch(key), value.strip()) for key, value in system.items())
    found = {int(match.group(1)): ModuleType(int(value)) for match, value in matches if match and value.isdecimal()}
    return dict(sorted(found.items()))
