"""Attributes: values that a client wants in the header of every image, named in areaDetector's XML."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.exposure.state import CameraState, update
from archon_ioc.image import header, layout
from archon_ioc.image.header import Value
from archon_ioc.live import Live
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo

log = logging.getLogger(__name__)

LONGEST_TEXT = 65536
"""Bytes of a file, or of XML that is put in place of a file's name."""

_MACRO = re.compile(r"\$\((?P<round>[^()]*)\)|\$\{(?P<curly>[^{}]*)\}")
_NUMBERED = re.compile(
    r"(GAIN|RDNOISE|[DTBCA]SEC|BIASLV|E?NOISE|NSATUR|MEDIAN)\d*|(DATA|TRIM|BIAS|CCD|AMP|DET)SEC|(CCD|DET)SIZE|QLREF"
    r"|(AMP|CCD)NAME|NEXTEND|TEMP\d+[A-C]?|BACKTEMP|ARCH\w+"
)
_CONSTANTS: Mapping[str, Callable[[str], Value]] = {"INT": int, "DOUBLE": float, "STRING": str}


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
    """The values of this program's own process variables."""

    def knows(self, name: str) -> bool:
        """Return whether there is such a one, by its full name."""
        ...

    def read(self, name: str, *, as_text: bool) -> Value | None:
        """Return its value now, None if that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Attribute:
    """One card: a constant ``value``, or the name of the process variable that has it."""

    keyword: str
    comment: str
    value: Value = ""
    pv: str = ""
    as_text: bool = False


class Attributes:
    """The attributes of one camera; the owner of what its state says of them. ``more`` gives further cards."""

    def __init__(
        self,
        live: Live[CameraState],
        taken: Mapping[str, object],
        more: Callable[[], Mapping[str, tuple[Value, str]]] = dict[str, tuple[Value, str]],
    ) -> None:
        self.source: PvSource | None = None
        """Whose process variables can be named."""
        self._live = live
        self._taken = taken
        self._more = more
        self._loaded: tuple[Attribute, ...] = ()

    async def change(self, **changes: str) -> None:
        """Set ``attributes_file`` or ``attributes_macros`` and load; what is wrong is shown, and there are none."""
        update(self._live, settings=self._live.value.settings.changed(**changes))
        await self.load()

    async def load(self) -> None:
        """Load what the settings name; what is wrong is shown, and there are none."""
        wanted = self._wanted()
        status, message = AttributesStatus.OK, ""
        loaded: tuple[Attribute, ...] = ()
        try:
            loaded = await asyncio.to_thread(load, *wanted, self.source, self._taken)
        except AttributesError as error:
            log.error("%s", error)
            status, message = error.status, str(error)
        if wanted == self._wanted():  # else somebody was faster
            self._loaded = loaded
            update(self._live, attributes_status=int(status))
            if message:
                update(self._live, message=message[:255])

    def cards(self) -> dict[str, tuple[Value, str]]:
        """Return the header cards with the values of now; what is not known has no card."""
        values = {a: self._value(a) for a in self._loaded}
        own = {a.keyword: (value, a.comment) for a, value in values.items() if value is not None}
        return {**own, **self._more()}

    def _wanted(self) -> tuple[str, str]:
        settings = self._live.value.settings
        return settings.attributes_file, settings.attributes_macros

    def _value(self, attribute: Attribute) -> Value | None:
        if not attribute.pv:
            return attribute.value
        return self.source.read(attribute.pv, as_text=attribute.as_text) if self.source else None


def load(text: str, macros: str, source: PvSource | None, taken: Mapping[str, object]) -> tuple[Attribute, ...]:
    """Understand a file, or XML text in place of its name. Blocks; for use in a thread.

    Args:
        text: the name of a file, or XML with an ``<Attributes>`` element; empty for no attributes.
        macros: what ``$(NAME)`` stands for: ``NAME=value, OTHER=value``.
        source: whose process variables can be named.
        taken: header cards of the site.

    Raises:
        AttributesError: with the status that areaDetector has for it.
    """
    if not text.strip():
        return ()
    xml = text if "<" in text else _read(text)
    elements = _elements(_expanded(xml, _parsed(macros)))
    attributes = tuple(_attribute(element, source) for element in elements)
    _check_keywords(attributes, taken)
    return attributes


def _read(path: str) -> str:
    try:
        raw = Path(path).read_bytes()
        return raw.decode()
    except OSError as error:
        raise AttributesError(AttributesStatus.NOT_FOUND, f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise _wrong(f"{path}: {error}") from error


def _parsed(macros: str) -> dict[str, str]:
    """The macros of ``A=1, B=2``."""
    pairs = [pair.partition("=") for pair in macros.split(",") if pair.strip()]
    if wrong := [name for name, equals, _ in pairs if not equals or not name.strip()]:
        raise AttributesError(AttributesStatus.WRONG_MACRO, f"{wrong[0]!r} in the macros is not NAME=value")
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
        raise _wrong(f"longer than {LONGEST_TEXT} characters, or with declarations")  # which could grow without end
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise _wrong(str(error)) from error
    if _tag(root) != "Attributes" or any(_tag(element) != "Attribute" for element in root):
        raise _wrong("not a list of <Attribute> in <Attributes>")
    return list(root)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]  # without its namespace


def _attribute(element: ElementTree.Element, source: PvSource | None) -> Attribute:
    name, origin = element.get("name", "").strip(), element.get("source", "").strip()
    if not name:
        raise _wrong("an attribute has no name")
    keyword = re.sub(r"[^A-Z0-9_-]", "_", name.upper())[:8]
    comment = element.get("description", "").strip() or name
    kind = element.get("type", "EPICS_PV")
    if kind == "CONST":
        return Attribute(keyword, comment, _constant(name, element.get("datatype", "STRING"), origin))
    if kind != "EPICS_PV":
        raise _wrong(f"{name}: the type {kind} is not possible here, CONST and EPICS_PV are")
    if source is None or not source.knows(origin):
        raise _wrong(f"{name}: {origin!r} is no process variable of this program")
    return Attribute(keyword, comment, pv=origin, as_text=element.get("dbrtype") == "DBR_STRING")


def _constant(name: str, kind: str, text: str) -> Value:
    try:
        return _CONSTANTS[kind](text)
    except (KeyError, ValueError):
        raise _wrong(f"{name}: {text!r} is no {kind}") from None


def _check_keywords(attributes: tuple[Attribute, ...], taken: Mapping[str, object]) -> None:
    keywords = [attribute.keyword for attribute in attributes]
    used = _our_keywords() | {keyword.upper() for keyword in taken}
    for attribute in attributes:
        if keywords.count(attribute.keyword) > 1:
            raise _wrong(f"two attributes become the keyword {attribute.keyword}")
        if attribute.keyword in used or _NUMBERED.fullmatch(attribute.keyword):
            raise _wrong(f"the header has a keyword {attribute.keyword} already")
    try:
        header.check_cards({a.keyword: (a.value, a.comment) for a in attributes})
    except ConfigError as error:
        raise _wrong(str(error)) from error


def _our_keywords() -> set[str]:
    """The keywords that are in a header anyway; those with numbers are in `_NUMBERED`."""
    now = datetime.now(UTC)
    buffer = BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, *[0] * 12)
    facts = header.Facts(
        number=1, image_type="", requested_seconds=0.0, exposure_seconds=0.0, dark_seconds=0.0, started=now, ended=now,
        written=now, buffer=buffer, controller="", ccd_temperature=0.0, window=(0, 0, 0, 0),
        detector=DetectorConfig(name="ccd", taps=("AD1L",)),
    )  # fmt: skip
    return {card.keyword for card in layout.image_cards(facts)}


def _wrong(message: str) -> AttributesError:
    return AttributesError(AttributesStatus.WRONG_XML, message)
