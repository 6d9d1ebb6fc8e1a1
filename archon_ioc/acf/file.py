"""Acf: a configuration file as Qt writes it, and what its keys say about geometry and parameters."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self

from archon_ioc.acf.taps import Tap, parse_tap
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.commands import CONFIG_LINE_LENGTH, CONFIG_LINES
from archon_ioc.protocol.enums import FrameMode, SampleMode

_LARGEST_FILE = 4 << 20
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/]*")
_PARAMETER = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*", re.ASCII)
_RANGES: Mapping[str, tuple[int, int]] = {  # manual, limits; newer firmware has more tap lines and frame modes
    "PARAMETERS": (0, 255),
    "CONSTANTS": (0, 255),
    "LINES": (0, 2048),
    "STATES": (0, 2047),
    "TAPLINES": (0, 255),
    "PIXELCOUNT": (1, 65535),
    "LINECOUNT": (1, 65535),
    "FRAMEMODE": (0, 3),
    "SAMPLEMODE": (0, 1),
    "BIGBUF": (0, 1),
}
_COUNTER_LIMIT = (1 << 20) - 1  # counters of the timing core have 20 bits
_SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class Acf:
    """A configuration: ``keys`` as the controller is sent them, ``system`` as the file's ``[SYSTEM]`` has it.

    Keys use ``/`` where the file has a backslash, values have no quotes. The order is that of the file; the
    position of a key is its line number in the controller's memory after an upload.
    """

    keys: Mapping[str, str]
    system: Mapping[str, str] = field(default_factory=dict[str, str])
    path: str = ""

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file.

        Raises:
            ConfigError: if the file cannot be read or is not an ACF; the message names each wrong line.
        """
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(error.strerror or str(error), path=str(path)) from error
        if len(raw) > _LARGEST_FILE:
            raise ConfigError(f"{len(raw)} bytes are too many for an ACF", path=str(path))
        return cls.parse(raw.decode("latin-1"), str(path))

    @classmethod
    def parse(cls, text: str, path: str = "") -> Self:
        """Understand the text of a file.

        Raises:
            ConfigError: if it is not an ACF; the message names each wrong line.
        """
        sections, problems = _read_sections(text)
        if "CONFIG" not in sections:
            raise ConfigError("not an ACF: there is no [CONFIG] section", path=path)
        if not sections["CONFIG"] and not problems:
            raise ConfigError("not an ACF: its [CONFIG] section is empty", path=path)
        acf = cls(MappingProxyType(sections["CONFIG"]), MappingProxyType(sections.get("SYSTEM", {})), path)
        problems += acf.problems()
        if problems:
            shown = "; ".join(problems[:_SHOWN_PROBLEMS])
            more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
            raise ConfigError(f"{len(problems)} bad line(s): {shown}{more}", path=path)
        return acf

    @classmethod
    def from_lines(cls, lines: list[str], path: str = "") -> Self:
        """Make an Acf of what a controller's memory holds, empty lines left out."""
        pairs = (line.partition("=") for line in lines if line)
        return cls(MappingProxyType({key: _unquoted(value) for key, _, value in pairs}), path=path)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The configuration memory's lines, ``KEY=VALUE``."""
        return tuple(f"{key}={value}" for key, value in self.keys.items())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the lines, in hex: equal for equal configurations."""
        return hashlib.sha256("\n".join(self.lines).encode("latin-1", "replace")).hexdigest()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key.upper(): n for n, key in enumerate(self.keys)}

    def find(self, key: str) -> str:
        """Return ``key`` as the configuration spells it; slashes and case of the argument do not matter.

        Raises:
            InputError: if the configuration does not have it.
        """
        return list(self.keys)[self.line_number(key)]

    def line_number(self, key: str) -> int:
        """Return the line of ``key`` in the configuration memory.

        Raises:
            InputError: if the configuration does not have it.
        """
        try:
            return self._positions[key.replace("\\", "/").upper()]
        except KeyError:
            raise InputError(f"the configuration has no key {key!r}") from None

    def __contains__(self, key: str) -> bool:
        return key.replace("\\", "/").upper() in self._positions

    def with_value(self, key: str, value: str) -> Self:
        """Return a copy in which ``key``, which must exist, has another value."""
        return replace(self, keys=MappingProxyType({**self.keys, self.find(key): value}))

    def with_values(self, changes: Mapping[str, str]) -> Self:
        """Return a copy with several other values."""
        found = {self.find(key): value for key, value in changes.items()}
        return replace(self, keys=MappingProxyType({**self.keys, **found}))

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """The timing script's parameters and their stored values, as the file spells them."""
        found: dict[str, int] = {}
        for n in range(self.number("PARAMETERS", 0)):
            if match := _PARAMETER.fullmatch(self.keys.get(f"PARAMETER{n}", "")):
                found[match.group(1)] = int(match.group(2))
        return MappingProxyType(found)

    def parameter_name(self, name: str) -> str | None:
        """Return the parameter's own spelling of ``name`` (the controller ignores case), None if unknown."""
        return next((own for own in self.parameters if own.upper() == name.upper()), None)

    def number(self, key: str, default: int | None = None) -> int:
        """Return the value of ``key`` as a whole number.

        Raises:
            ConfigError: if there is none and no default.
        """
        text = self.keys.get(key, "").strip()
        try:
            return int(text)
        except ValueError:
            if default is not None and not text:
                return default
            raise ConfigError(f"{key}={text!r} is not a whole number", path=self.path) from None

    @cached_property
    def taps(self) -> tuple[Tap, ...]:
        """The taps in the order of their columns; empty entries and comments are left out."""
        texts = (self.keys.get(f"TAPLINE{n}", "") for n in range(self.number("TAPLINES", 0)))
        return tuple(parse_tap(text) for text in texts if text.strip() and not text.startswith("#"))

    @property
    def pixel_count(self) -> int:
        """Pixels per line of one tap."""
        return self.number("PIXELCOUNT")

    @property
    def line_count(self) -> int:
        """Lines of one tap."""
        return self.number("LINECOUNT")

    @property
    def frame_mode(self) -> FrameMode:
        """How the taps are placed."""
        return FrameMode(self.number("FRAMEMODE", 0))

    @property
    def sample_mode(self) -> SampleMode:
        """16 or 32 bits per pixel."""
        return SampleMode(self.number("SAMPLEMODE", 0))

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Rows and columns of a whole frame (manual, section on CDS)."""
        if self.frame_mode is FrameMode.SPLIT:
            return 2 * self.line_count, len(self.taps) // 2 * self.pixel_count
        return self.line_count, len(self.taps) * self.pixel_count

    def problems(self) -> list[str]:
        """Return what is wrong with the values, one sentence each."""
        problems: list[str] = []
        if len(self.keys) > CONFIG_LINES:
            problems.append(f"{len(self.keys)} keys, the controller holds {CONFIG_LINES}")
        for key, value in self.keys.items():
            problems += [f"{key}={value[:60]!r}: {why}" for why in _objections(key, value)]
        return problems


def _objections(key: str, value: str) -> Iterator[str]:
    if len(key) + len(value) + 1 > CONFIG_LINE_LENGTH:
        yield f"longer than {CONFIG_LINE_LENGTH} characters"
        return
    if any(ord(c) < 32 for c in value):
        yield "a control character"
    empty = not value.strip() or value.startswith("#")
    if key in _RANGES:
        yield from _outside(value.strip(), *_RANGES[key])
    elif re.fullmatch(r"PARAMETER\d+", key) and not empty:
        match = _PARAMETER.fullmatch(value)
        if not match:
            yield "not Name=number"
        elif int(match.group(2)) > _COUNTER_LIMIT:
            yield f"above {_COUNTER_LIMIT}, the limit of a counter"
    elif re.fullmatch(r"TAPLINE\d+", key) and not empty:
        try:
            parse_tap(value)
        except ConfigError as error:
            yield str(error)


def _outside(text: str, low: int, high: int) -> Iterator[str]:
    if not text.isdecimal():
        yield "not a whole number"
    elif not low <= int(text) <= high:
        yield f"not from {low} to {high}"


def _read_sections(text: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    sections: dict[str, dict[str, str]] = {}
    problems: list[str] = []
    current: dict[str, str] | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if line[0] == "[" and line[-1] == "]":
            current = sections.setdefault(line[1:-1].upper(), {})
            continue
        key, equals, value = line.partition("=")
        key = key.strip().replace("\\", "/")
        if current is None:
            problems.append(f"line {number}: before the first [section]")
        elif not equals or not _KEY.fullmatch(key):
            problems.append(f"line {number}: {line[:60]!r} is not KEY=VALUE")
        elif key in current and current[key] != _unquoted(value):
            problems.append(f"line {number}: {key} was given another value before")
        else:
            current[key] = _unquoted(value)
        if len(problems) > 1000:
            break  # this is no ACF; the first thousand say so
    return sections, problems


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace(r"\"", '"').replace(r"\\", "\\")
    return value
