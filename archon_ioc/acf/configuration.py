"""Configuration: the keys of an Archon, and what they say about geometry, parameters and constants."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from archon_ioc.acf.keys import objection
from archon_ioc.acf.keyspec import is_comment, parse_constant, parse_parameter
from archon_ioc.acf.taps import Tap, parse_tap
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.protocol.commands import CONFIG_LINE_LENGTH, CONFIG_LINES
from archon_ioc.protocol.enums import FrameMode, ModuleType, SampleMode

# Without these no frame can be understood and no list be read; other keys are judged by who checks an ACF.
_MUST_BE_RIGHT = re.compile(
    r"PARAMETERS|CONSTANTS|LINES|STATES|TAPLINES|PIXELCOUNT|LINECOUNT|FRAMEMODE|SAMPLEMODE|BIGBUF"
    r"|PARAMETER\d+|TAPLINE\d+"
)
_UNDOCUMENTED = ("FRAMEMODE", "3")  # no frame of it is understood, but a controller may know it
_TYPE = re.compile(r"MOD([1-9]\d?)_TYPE")


@dataclass(frozen=True)
class Configuration:
    """``keys`` as the controller is sent them, ``system`` as SYSTEM replies them or a file's ``[SYSTEM]`` has them.

    Keys use ``/`` where a file has a backslash, values have no quotes. The order is that of the file; the
    position of a key is its line number in the controller's memory after an upload.
    """

    keys: Mapping[str, str]
    system: Mapping[str, str] = field(default_factory=dict[str, str])
    path: str = ""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The configuration memory's lines, ``KEY=VALUE``."""
        return tuple(f"{key}={value}" for key, value in self.keys.items())

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

    def entries(self, kind: str) -> Iterator[tuple[str, str]]:
        """Yield the entries of the list LINE, PARAMETER, CONSTANT or TAPLINE as it is counted: keys and texts.

        Raises:
            ConfigError: if the count is not a number.
        """
        for n in range(self.number(f"{kind}S", 0)):
            yield f"{kind}{n}", self.keys.get(f"{kind}{n}", "")

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """The timing script's parameters and their stored values, as the file spells them."""
        found = (parse_parameter(text) for _, text in self.entries("PARAMETER"))
        return MappingProxyType(dict(pair for pair in found if pair))

    @cached_property
    def constants(self) -> Mapping[str, float]:
        """The constants: levels in V, slew rates in V/µs and counts, as the file spells them."""
        found = (parse_constant(text) for _, text in self.entries("CONSTANT"))
        return MappingProxyType(dict(pair for pair in found if pair))

    def parameter_name(self, name: str) -> str | None:
        """Return the parameter's own spelling of ``name`` (the controller ignores case), None if unknown."""
        return next((own for own in self.parameters if own.upper() == name.upper()), None)

    def constant_name(self, name: str) -> str | None:
        """Return the constant's own spelling of ``name``, None if unknown."""
        return next((own for own in self.constants if own.upper() == name.upper()), None)

    def parameter_key(self, name: str) -> str:
        """Return the key of the entry of a parameter, ``PARAMETER2`` for instance.

        Raises:
            InputError: if there is no such parameter.
        """
        found = {pair[0].upper(): key for key, text in self.entries("PARAMETER") if (pair := parse_parameter(text))}
        try:
            return found[name.upper()]
        except KeyError:
            raise InputError(f"the configuration has no parameter {name!r}") from None

    def constant_key(self, name: str) -> str:
        """Return the key of the entry of a constant, ``CONSTANT2`` for instance.

        Raises:
            InputError: if there is no such constant.
        """
        found = {pair[0].upper(): key for key, text in self.entries("CONSTANT") if (pair := parse_constant(text))}
        try:
            return found[name.upper()]
        except KeyError:
            raise InputError(f"the configuration has no constant {name!r}") from None

    @cached_property
    def modules(self) -> Mapping[int, ModuleType]:
        """The types of the modules that ``system`` tells of by their slots; empty if it tells of none."""
        texts = {match.group(1): text for key, text in self.system.items() if (match := _TYPE.fullmatch(key))}
        types = {int(slot): int(text) for slot, text in texts.items() if text.isdecimal()}
        return MappingProxyType({slot: ModuleType(number) for slot, number in sorted(types.items()) if number})

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
        return tuple(parse_tap(text) for _, text in self.entries("TAPLINE") if not is_comment(text))

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
        """Return what is so wrong with the values that they can neither be sent nor understood, one sentence each."""
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
    if any(ord(letter) < 32 for letter in value):
        yield "a control character"
    if any(ord(letter) > 255 for letter in key + value):
        yield "a letter that is not in Latin-1"
    is_judged = _MUST_BE_RIGHT.fullmatch(key) and (key, value.strip()) != _UNDOCUMENTED
    if is_judged and (why := objection(key, value)):
        yield why
