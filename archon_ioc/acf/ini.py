r"""Text of an ACF to sections and back: INI as Qt's QSettings writes it, changed only where a value changed.

A key's slash is a backslash in the file. A value stands in double quotes where it has a comma, semicolon or equals
sign or a blank at an end; ``\"``, ``\\`` and ``\x41`` are understood. Lines with ``;`` or ``#`` first are comments.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from archon_ioc.errors import InputError

CONFIG = "CONFIG"
SYSTEM = "SYSTEM"
_BLANKS = " \t\r\n\f\v"
_BYTE_ORDER_MARK = "\xef\xbb\xbf"  # UTF-8, seen as Latin-1
_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")
_ENTRY = re.compile(r"([ \t]*([A-Za-z0-9_][A-Za-z0-9_/\\]*)[ \t]*=[ \t]*)([^\n]*)")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]+)|([abfnrtv0\"\\]))")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_MOST_PROBLEMS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a text; ``key`` is the key of [CONFIG] that it gives, ``start`` where its value begins."""

    text: str
    key: str = ""
    start: int = 0

    @property
    def end(self) -> str:
        """The line feed, with or without a carriage return; nothing where the text ends without."""
        return self.text[len(self.text.rstrip("\r\n")) :]

    def with_value(self, written: str) -> "Row":
        """Return the row with another value, written as the file wants it."""
        return Row(self.text[: self.start] + written + self.end, self.key, self.start)


@dataclass(frozen=True)
class Document:
    """A text and what it says. ``problems`` are the lines that are wrong, one sentence each.

    ``written`` makes a value as it stands in the text, from the old text and the value. Keys that match ``numbered``
    get their numbers from the order of the lines, so that they cannot be added or removed.
    """

    rows: tuple[Row, ...]
    sections: Mapping[str, Mapping[str, str]]
    written: Callable[[str, str], str]
    problems: tuple[str, ...] = ()
    numbered: re.Pattern[str] | None = None
    separator: str = "\\"

    @property
    def config(self) -> Mapping[str, str]:
        """The keys of [CONFIG]."""
        return self.sections[CONFIG]

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """The number of the last line, from 1, that gives each key."""
        return {row.key: number for number, row in enumerate(self.rows, start=1) if row.key}

    @cached_property
    def system_lines(self) -> Mapping[str, int]:
        """The number of the line, from 1, that gives each key of [SYSTEM]."""
        found: dict[str, int] = {}
        section = ""
        for number, row in enumerate(self.rows, start=1):
            section = section_name(row.text) or section
            if section == SYSTEM:
                found[row.text.partition("=")[0].strip(_BLANKS)] = number
        return {key: number for key, number in found.items() if key in self.sections[SYSTEM]}

    def text(self, config: Mapping[str, str]) -> str:
        """Return the text with other keys: lines of equal keys stay as they are, character by character.

        Raises:
            InputError: if this form of file cannot say it.
        """
        self._require_place(config)
        after: dict[str, list[Row]] = {}
        before = ""
        for key, value in config.items():
            if key not in self.config:
                after.setdefault(before, []).append(self._new_row(key, value))
            elif key in self.lines and not self._is_numbered(key):
                before = key
        first = next(n for n, row in enumerate(self.rows, start=1) if section_name(row.text) == CONFIG)
        anchors = {first: after.get("", [])} | {self.lines[key]: rows for key, rows in after.items() if key}
        kept = [(number, self._changed(row, config)) for number, row in enumerate(self.rows, start=1)]
        return _joined([row for number, old in kept for row in (old, *anchors.get(number, ())) if row is not None])

    def _require_place(self, config: Mapping[str, str]) -> None:
        both = {**self.config, **config}
        different = (key for key in both if self.config.get(key) != config.get(key))
        for key in different:
            moved = key not in config or key not in self.config or key not in self.lines
            if moved and self._is_numbered(key):
                raise InputError(f"{key} cannot be added, removed or counted in this form of file; write an .acf")

    def _is_numbered(self, key: str) -> bool:
        return self.numbered is not None and self.numbered.fullmatch(key) is not None

    def _changed(self, row: Row, config: Mapping[str, str]) -> Row | None:
        if not row.key:
            return row
        if row.key not in config:
            return None
        if config[row.key] == self.config[row.key]:
            return row
        return row.with_value(self.written(row.text[row.start :].rstrip("\r\n"), config[row.key]))

    def _new_row(self, key: str, value: str) -> Row:
        name = key.replace("/", self.separator)
        return Row(f"{name}={self.written('', value)}{self._line_end}", key)

    @property
    def _line_end(self) -> str:
        return self.rows[0].end or "\n"


def _joined(rows: list[Row]) -> str:
    """Return the rows as one text; only the last of the old ones may have had no end."""
    last = len(rows) - 1
    ends = (row.end or ("" if n == last else rows[0].end or "\n") for n, row in enumerate(rows))
    return "".join(row.text[: len(row.text) - len(row.end)] + end for row, end in zip(rows, ends, strict=True))


def text_lines(text: str) -> list[str]:
    """Return the lines with their ends; only a line feed ends a line."""
    return _LINES.findall(text)


def section_name(line: str) -> str:
    """Return the name in ``[name]`` in upper case, nothing for other lines."""
    line = _bare(line)
    return line[1:-1].upper() if len(line) > 2 and line[0] == "[" and line[-1] == "]" else ""


def _bare(line: str) -> str:
    """Return a line without blanks around it, and without the mark that some editors put before the first one."""
    return line.removeprefix(_BYTE_ORDER_MARK).strip(_BLANKS)


@dataclass
class _Reader:
    """Reads line by line; ``current`` is None before the first section and in those that are not understood."""

    rows: list[Row] = field(default_factory=list[Row])
    sections: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    problems: list[str] = field(default_factory=list[str])
    name: str = ""

    def take(self, line: str) -> None:
        if name := section_name(line):
            self.name = name
            self.sections.setdefault(name, {})
            self.rows.append(Row(line))
            return
        bare = _bare(line)
        if not bare or bare[0] in ";#" or (self.name and self.name not in (CONFIG, SYSTEM)):
            self.rows.append(Row(line))
        elif not self.name:
            self.problems.append(f"line {len(self.rows) + 1}: before the first [section]")
            self.rows.append(Row(line))
        else:
            self._entry(line, bare)

    def _entry(self, line: str, bare: str) -> None:
        match = _ENTRY.match(line)
        number = len(self.rows) + 1
        if match is None:
            self.problems.append(f"line {number}: {bare[:60]!r} is not KEY=VALUE")
            self.rows.append(Row(line))
            return
        key, value = match.group(2).replace("\\", "/"), unquoted(match.group(3))
        known = self.sections[self.name]
        if known.setdefault(key, value) != value:
            self.problems.append(f"line {number}: {key} was given another value before")
        self.rows.append(Row(line, key if self.name == CONFIG else "", len(match.group(1))))


def parse(text: str) -> Document:
    """Understand an INI file. Sections other than CONFIG and SYSTEM are kept in the text only."""
    reader = _Reader()
    for line in text_lines(text):
        reader.take(line)
        if len(reader.problems) > _MOST_PROBLEMS:
            break  # this is no ACF; the first thousand say so
    sections = {name: MappingProxyType(keys) for name, keys in reader.sections.items()}
    return Document(tuple(reader.rows), sections, _written, tuple(reader.problems))


def fresh(config: Mapping[str, str], system: Mapping[str, str]) -> str:
    """Return a new file with these keys, sorted as Qt does."""
    parts = [_fresh_section(CONFIG, config)]
    if system:
        parts.append(_fresh_section(SYSTEM, system))
    return "\n".join(parts)


def _fresh_section(name: str, keys: Mapping[str, str]) -> str:
    names = {key: key.replace("/", "\\") for key in sorted(keys)}
    return f"[{name}]\n" + "".join(f"{written}={quoted(keys[key])}\n" for key, written in names.items())


def unquoted(value: str) -> str:
    r"""Return what a value of an INI file says.

    >>> unquoted(r'"RD, \"top\""')
    'RD, "top"'
    """
    value = value.strip(_BLANKS)
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPE.sub(_unescaped, value)


def _unescaped(match: re.Match[str]) -> str:
    digits, letter = match.groups()
    if digits is None:
        return _LETTERS.get(letter, letter)
    number = int(digits[:8], 16)
    return chr(number) if number <= 0xFF and len(digits) <= 8 else match.group(0)


def quoted(value: str) -> str:
    r"""Return a value as Qt writes it, in quotes where it needs them.

    >>> quoted("X; CALL Line(Lines)")
    '"X; CALL Line(Lines)"'
    """
    written, after_code = "", False
    for letter in value:
        is_code = ord(letter) < 32 or ord(letter) == 127 or (after_code and letter in "0123456789abcdefABCDEF")
        if is_code:
            written += f"\\x{ord(letter):x}"
        else:
            written += "\\" + letter if letter in '"\\' else letter
        after_code = is_code
    needs_quotes = any(letter in value for letter in ";,=") or value != value.strip(_BLANKS)
    return f'"{written}"' if needs_quotes else written


def _written(old: str, value: str) -> str:
    """Return a value as it takes the place of ``old``, which may have had quotes without need."""
    new = quoted(value)
    return f'"{new}"' if old.startswith('"') and not new.startswith('"') else new
