"""Text of an ``.ncf`` to the keys that it stands for: the vendor's "nice" form of an ACF, made for reading.

Lists have no numbers: each line of [TIMINGSCRIPT], [PARAMETERS], [CONSTANTS], [TAPLINES] and of [VCPUm] is one entry,
blank lines and comments too; each [STATE] is the next state. Nothing is quoted, keys have slashes. The counts (LINES,
STATES …) are not written. The order of the sections is fixed, [END] ends the file.
"""

import re
from types import MappingProxyType

from archon_ioc.acf.ini import CONFIG, SYSTEM, Document, Row, section_name, text_lines
from archon_ioc.errors import InputError

_LISTS = {"TIMINGSCRIPT": "LINE", "PARAMETERS": "PARAMETER", "CONSTANTS": "CONSTANT", "TAPLINES": "TAPLINE"}
_NUMBERED = re.compile(r"(LINE|PARAMETER|CONSTANT|TAPLINE|STATE)(S|\d+(/.*)?)|MOD\d+/VCPU_LINE(S|\d+)")
_VCPU = re.compile(r"VCPU(\d+)")
_START = "TIMINGSCRIPT"


def is_ncf(text: str) -> bool:
    """Return whether a text is in the "nice" form."""
    return any(section_name(line) == _START for line in text_lines(text))


def parse(text: str) -> Document:
    """Understand an ``.ncf`` file."""
    reader = _Reader()
    for line in text_lines(text):
        reader.take(line)
    reader.leave()
    sections = {name: MappingProxyType(keys) for name, keys in reader.sections.items()}
    return Document(tuple(reader.rows), sections, _written, tuple(reader.problems), _NUMBERED, separator="/")


class _Reader:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.sections: dict[str, dict[str, str]] = {SYSTEM: {}, CONFIG: {}}
        self.problems: list[str] = []
        self._name = ""
        self._list = ""  # the key of an entry without its number
        self._count = 0
        self._states = 0

    def take(self, line: str) -> None:
        if (name := section_name(line)) and self._is_section(name):
            self.leave()
            self._enter(name)
            self.rows.append(Row(line))
        elif self._list:
            self._entry(line)
        else:
            self._pair(line)

    def leave(self) -> None:
        """End a section: count its entries."""
        if self._list:
            self.sections[CONFIG][f"{self._list}S"] = f"{self._count}"
        elif self._name == "STATE":
            self.sections[CONFIG]["STATES"] = f"{self._states}"

    def _is_section(self, name: str) -> bool:
        return name in (SYSTEM, CONFIG, "STATE", "END") or name in _LISTS or _VCPU.fullmatch(name) is not None

    def _enter(self, name: str) -> None:
        slot = _VCPU.fullmatch(name)
        self._name, self._count = name, 0
        self._list = f"MOD{slot.group(1)}/VCPU_LINE" if slot else _LISTS.get(name, "")
        self._states += name == "STATE"

    def _entry(self, line: str) -> None:
        key = f"{self._list}{self._count}"
        self.sections[CONFIG][key] = line.rstrip("\r\n")
        self.rows.append(Row(line, key))
        self._count += 1

    def _pair(self, line: str) -> None:
        key, equals, value = line.rstrip("\r\n").partition("=")
        row = Row(line)
        if self._name in (SYSTEM, CONFIG, "STATE") and line.strip() and line[0] not in ";#":
            prefix = f"STATE{self._states - 1}/" if self._name == "STATE" else ""
            section = SYSTEM if self._name == SYSTEM else CONFIG
            name = prefix + key.strip().replace("\\", "/")
            if not equals or not key.strip():
                self.problems.append(f"line {len(self.rows) + 1}: {line.strip()[:60]!r} is not KEY=VALUE")
            else:
                self.sections[section][name] = value
                row = Row(line, name if section == CONFIG else "", len(key) + 1)
        self.rows.append(row)


def _written(_old: str, value: str) -> str:
    if "\n" in value or "\r" in value or section_name(value):
        raise InputError(f"{value[:60]!r} cannot stand in this form of file; write an .acf")
    return value
