"""Attributes that clients want with each image, as areaDetector's XML names them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

from archon_ioc.errors import InputError

Value = str | int | float | bool

LONGEST_TEXT = 65536
"""Bytes of a file, or of XML that is put in place of a file's name."""

_MACRO = re.compile(r"\$\((?P<round>[^()]*)\)|\$\{(?P<curly>[^{}]*)\}")
_PV_NAME = re.compile(r"[\x21-\x7e]{1,100}")
_LARGEST_INTEGER = (1 << 63) - 1
_OF_DBR = {
    "DBR_CHAR": "Int8", "DBR_SHORT": "Int16", "DBR_ENUM": "Int16", "DBR_INT": "Int32", "DBR_LONG": "Int32",
    "DBR_FLOAT": "Float32", "DBR_DOUBLE": "Float64", "DBR_STRING": "String", "DBR_NATIVE": "",
}  # fmt: skip
_OF_PARAM = {"INT": "Int32", "INT64": "Int64", "DOUBLE": "Float64", "STRING": "String"}


class AttributesStatus(IntEnum):
    """What became of the last file, in the order of ADCore's NDAttributesStatus."""

    OK = 0
    NOT_FOUND = 1
    WRONG_XML = 2
    WRONG_MACRO = 3


class AttributesError(InputError):
    """Attributes cannot be had; a person edits their file, or names another."""

    def __init__(self, status: AttributesStatus, message: str) -> None:
        super().__init__(f"attributes: {message}")
        self.status = status


class PvSource(Protocol):
    """The values of process variables, of this program and of others."""

    def reaches(self, name: str) -> bool:
        """Return whether there can be such a one, by its full name: in this program, or in another."""
        ...

    def of_param(self, port: str, param: str) -> str | None:
        """Return the name of the one that shows an asyn parameter of a port, ``ACQ_TIME``; None if there is none."""
        ...

    def follow(self, who: str, names: frozenset[tuple[str, bool]]) -> None:
        """Have ready what ``who`` will `read`, names and whether as text, in place of what it wanted before."""
        ...

    def read(self, name: str, *, as_text: bool) -> Value | None:
        """Return its value now, None if that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One attribute: a constant ``value``, or the name of the process variable that has it.

    ``data_type`` is areaDetector's name of the type that was asked for, empty for that of the value.
    """

    name: str
    description: str
    source: str
    source_type: str = "Const"
    value: Value = ""
    pv: str = ""
    data_type: str = ""

    @property
    def as_text(self) -> bool:
        """Whether the value is wanted as text."""
        return self.data_type == "String"

    def value_now(self, source: PvSource | None) -> Value | None:
        """Return its value now, None if that is not known."""
        if not self.pv:
            return self.value
        return source.read(self.pv, as_text=self.as_text) if source else None


def wanted(text: str, macros: str, source: PvSource | None, port: str) -> tuple[Wanted, ...]:
    """Understand a file, or XML text in place of its name. Blocks; for use in a thread.

    Args:
        text: the name of a file, or XML with an ``<Attributes>`` element; empty for no attributes.
        macros: what ``$(NAME)`` stands for: ``NAME=value, OTHER=value``.
        source: whose process variables can be named.
        port: whose parameters are meant.

    Raises:
        AttributesError: with the status that areaDetector has for it.
    """
    if not text.strip():
        return ()
    xml = text if "<" in text else _read(text)
    elements = _elements(_expanded(xml, _parsed(macros)))
    found = tuple(_wanted(element, source, port) for element in elements)
    names = [one.name for one in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise wrong(f"two attributes have the name {twice[0]}")
    return found


def wrong(message: str) -> AttributesError:
    """Return the error for XML that cannot be used."""
    return AttributesError(AttributesStatus.WRONG_XML, message)


def _read(path: str) -> str:
    try:
        raw = Path(path).read_bytes()
        return raw.decode()
    except OSError as error:
        raise AttributesError(AttributesStatus.NOT_FOUND, f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise wrong(f"{path}: {error}") from error


def _parsed(macros: str) -> dict[str, str]:
    """The macros of ``A=1, B=2``."""
    pairs = [pair.partition("=") for pair in macros.split(",") if pair.strip()]
    if bad := [name for name, equals, _ in pairs if not equals or not name.strip()]:
        raise AttributesError(AttributesStatus.WRONG_MACRO, f"{bad[0]!r} in the macros is not NAME=value")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _expanded(text: str, macros: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, equals, default = (match["round"] or match["curly"] or "").partition("=")
        if name not in macros and not equals:
            raise AttributesError(AttributesStatus.WRONG_MACRO, f"{match.group()} is not among the macros")
        return macros.get(name, default)

    return _MACRO.sub(value, text)


def _elements(xml: str) -> list[ElementTree.Element]:
    if len(xml) > LONGEST_TEXT or "<!" in re.sub(r"<!--.*?-->", "", xml, flags=re.DOTALL):
        raise wrong(f"longer than {LONGEST_TEXT} characters, or with declarations")  # which could grow without end
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise wrong(str(error)) from error
    if _tag(root) != "Attributes" or any(_tag(element) != "Attribute" for element in root):
        raise wrong("not a list of <Attribute> in <Attributes>")
    return list(root)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]  # without its namespace


def _wanted(element: ElementTree.Element, source: PvSource | None, port: str) -> Wanted:
    name, origin = element.get("name", "").strip(), element.get("source", "").strip()
    if not name:
        raise wrong("an attribute has no name")
    description = element.get("description", "").strip() or name
    kind = element.get("type", "EPICS_PV").upper()
    if kind == "CONST":
        value = _constant(name, element.get("datatype", "STRING"), origin)
        return Wanted(name, description, origin, "Const", value)
    if kind == "PARAM":
        data_type = _type(name, _OF_PARAM, element.get("datatype", "INT"))
        pv = source.of_param(port, origin) if source else None
        if pv is None:
            raise wrong(f"{name}: {port} has no parameter {origin!r}")
        return Wanted(name, description, origin, "Param", pv=pv, data_type=data_type)
    if kind != "EPICS_PV":
        raise wrong(f"{name}: the type {kind} is not possible here, CONST, PARAM and EPICS_PV are")
    if source is None or not _PV_NAME.fullmatch(origin) or not source.reaches(origin):
        raise wrong(f"{name}: {origin!r} is no process variable that can be reached")
    data_type = _type(name, _OF_DBR, element.get("dbrtype", "DBR_NATIVE"))
    return Wanted(name, description, origin, "EPICS PV", pv=origin, data_type=data_type)


def _type(name: str, known: Mapping[str, str], word: str) -> str:
    try:
        return known[word.strip().upper()]
    except KeyError:
        raise wrong(f"{name}: the type {word!r} is not one of {', '.join(known)}") from None


def _whole(text: str) -> int:
    if abs(number := int(text)) > _LARGEST_INTEGER:
        raise ValueError(text)
    return number


_CONSTANTS: Mapping[str, Callable[[str], Value]] = {"INT": _whole, "DOUBLE": float, "STRING": str}


def _constant(name: str, kind: str, text: str) -> Value:
    try:
        return _CONSTANTS[kind](text)
    except (KeyError, ValueError):
        raise wrong(f"{name}: {text!r} is no {kind}") from None
