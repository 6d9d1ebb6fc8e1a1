"""Header cards of one exposure, from facts. Keywords: FITS standard 4.0 and those of the sdss-archon files."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from archon_ioc import __version__
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.image.sections import Region
from archon_ioc.protocol.replies import BufferInfo, DeviceStatus, SystemInfo

Value = str | int | float | bool
ExtraCards = Mapping[str, tuple[Value, str]]
"""Keyword to value and comment."""

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_TICKS_PER_SECOND = 100_000_000
_LARGEST_INTEGER = (1 << 63) - 1
_NO_SENSOR = -273.0  # a sensor that is not connected reads absolute zero
_STRUCTURE = {
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "BSCALE", "BZERO", "BLANK", "PCOUNT", "GCOUNT", "GROUPS",
    "CHECKSUM", "DATASUM", "CONTINUE", "COMMENT", "HISTORY", "HIERARCH", "END", "EXTNAME", "EXTVER", "EXTLEVEL",
    "INHERIT", "TFIELDS", "THEAP", "ZIMAGE", "ZSIMPLE", "ZTENSION", "ZBITPIX", "ZEXTEND", "ZCMPTYPE", "ZPCOUNT",
    "ZGCOUNT", "ZHECKSUM", "ZDATASUM", "ZMASKCMP", "ZQUANTIZ", "ZDITHER0", "ZBLANK", "ZSCALE", "ZZERO",
}  # fmt: skip
_NUMBERED_STRUCTURE = re.compile(r"(NAXIS|ZNAXIS|ZTILE|ZNAME|ZVAL|TFORM|TTYPE|TUNIT|TDIM|TSCAL|TZERO|TNULL|TDISP)\d*")
_IMAGE_TYPES = {"Background": "dark", "FlatField": "flat"}


class Card(NamedTuple):
    """One line of a header; a unit stands in brackets at the start of the comment."""

    keyword: str
    value: Value
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one exposure when its image is written. Times are aware, seconds are of the exposure."""

    number: int
    image_type: str
    """The word of IMAGETYP, see `image_type`."""
    requested_seconds: float
    exposure_seconds: float
    """What it became: shorter than requested after a stop."""
    dark_seconds: float
    """From the last cleaning of the CCD to the readout."""
    started: datetime
    ended: datetime
    """Start and end of the integration."""
    written: datetime
    """Now, for DATE."""
    buffer: BufferInfo
    controller: str
    system: SystemInfo | None = None
    status: DeviceStatus | None = None
    ccd_temperature: float | None = None
    """The sensor that the site file names, in °C."""
    acf_name: str = ""
    acf_digest: str = ""
    binning: tuple[int, int] = (1, 1)
    """Horizontal, vertical."""
    window: tuple[int, int, int, int] | None = None
    """First column, first row, width and height in unbinned pixels, from 0; None for the whole frame."""
    summed: int = 1
    """Exposures that were added up in this image."""
    observatory: str = ""
    instrument: str = ""
    detector: DetectorConfig | None = None
    amplifiers: tuple[Amplifier, ...] = ()
    """The quick look at the frame, of all its taps."""
    file_name: str = ""
    version: str = __version__
    regions: Mapping[str, tuple[Region, ...]] = field(default_factory=dict[str, tuple[Region, ...]])
    """What the amplifiers have read, by CCD; that of the whole frame has no name."""
    extra: ExtraCards = field(default_factory=dict[str, tuple[Value, str]])
    """Cards of the site and the user; they replace ours of the same keyword."""
    extra_of: Mapping[str, ExtraCards] = field(default_factory=dict[str, ExtraCards])
    """The same for the header of one CCD only."""


def image_type(frame_type: str, seconds: float) -> str:
    """Return the word of IMAGETYP for areaDetector's FrameType; a Background of no time is a bias.

    >>> image_type("Background", 0.0), image_type("Background", 1.0), image_type("Normal", 0.0)
    ('bias', 'dark', 'object')
    """
    if frame_type == "Background" and seconds == 0:
        return "bias"
    return _IMAGE_TYPES.get(frame_type, "object")


def cards(facts: Facts, of_image: Iterable[Card] = ()) -> list[Card]:
    """Return the cards of the exposure, in the order of the header; ``of_image`` are those of CCD and amplifiers.

    Raises:
        ConfigError: if a card of ``facts.extra`` cannot be written, see `check_cards`.
    """
    ours = [*_exposure(facts), *_times(facts), *of_image, *_controller(facts), *_temperatures(facts)]
    return merged(ours, facts.extra)


def merged(ours: Sequence[Card], extra: ExtraCards) -> list[Card]:
    """Return all cards but those of the file's structure, each keyword once: those of ``extra`` replace ours.

    Text is printable ASCII and numbers are finite. What is not known has no card.

    Raises:
        ConfigError: if a card of ``extra`` cannot be written, see `check_cards`.
    """
    check_cards(extra)
    theirs = {keyword.upper(): Card(keyword.upper(), *rest) for keyword, rest in extra.items()}
    found = {card.keyword: card for card in ours}
    if len(found) != len(ours):
        raise ValueError("a keyword is made twice")
    return [_clean(card) for card in (found | theirs).values() if _is_finite(card.value)]


def check_cards(extra: ExtraCards) -> None:
    """Check cards that a person wrote; for use when they are loaded.

    Raises:
        ConfigError: naming every card whose keyword or value a header cannot hold.
    """
    problems = [f"{keyword}: {why}" for keyword, (value, _) in extra.items() for why in _objections(keyword, value)]
    if len({keyword.upper() for keyword in extra}) != len(extra):
        problems.append("two keywords differ only in upper and lower case")
    if problems:
        raise ConfigError("header cards: " + "; ".join(problems))


def _objections(keyword: str, value: Value) -> Iterator[str]:
    name = keyword.upper()
    if not 1 <= len(name) <= 8 or not all(c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_" for c in name):
        yield "a keyword has 1 to 8 letters, digits, '-' or '_'"
    elif name in _STRUCTURE or _NUMBERED_STRUCTURE.fullmatch(name):
        yield "belongs to the structure of the file"
    if not _is_finite(value):
        yield f"{value} is not a finite number"
    elif isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        yield "more than 64 bits"


def _exposure(facts: Facts) -> Iterator[Card]:
    yield Card("V_ARCHON", facts.version, "Version of archon-ioc")
    yield Card("CREATOR", f"archon-ioc {facts.version}", "Program that wrote this file")
    yield Card("FILENAME", facts.file_name, "Name of this file")
    yield Card("EXPOSURE", facts.number, "Exposure number")
    yield Card("IMAGETYP", facts.image_type, "Image type")
    yield Card("OBSERVAT", facts.observatory, "Observatory")
    yield Card("INSTRUME", facts.instrument, "Instrument")
    yield Card("SPEC", facts.controller, "Controller name")
    yield Card("EXPTIME", facts.exposure_seconds, "[s] Exposure time")
    yield Card("XPOSURE", facts.exposure_seconds, "[s] Exposure time")
    yield Card("EXPREQ", facts.requested_seconds, "[s] Exposure time that was requested")
    yield Card("DARKTIME", facts.dark_seconds, "[s] Dark time")
    yield Card("COADDS", facts.summed, "Exposures added up in this image")


def _times(facts: Facts) -> Iterator[Card]:
    start, end = _iso(facts.started), _iso(facts.ended)
    length = facts.ended - facts.started
    days = (facts.started - _MJD_ZERO) / timedelta(days=1)
    yield Card("TIMESYS", "UTC", "Time scale of all times")
    yield Card("DATE", _iso(facts.written), "When this file was written")
    yield Card("DATE-OBS", start, "Start of the integration")
    yield Card("DATE-BEG", start, "Start of the integration")
    yield Card("DATE-AVG", _iso(facts.started + length / 2), "Middle of the integration")
    yield Card("DATE-END", end, "End of the integration")
    yield Card("MJD-OBS", round(days, 8), "[d] MJD of the start of the integration")
    yield Card("MJD", math.floor(days), "[d] MJD of the start, whole days")
    yield Card("TELAPSE", round(length.total_seconds(), 6), "[s] From DATE-BEG to DATE-END")
    yield Card("OBSTIME", start, "Start of the observation")
    yield Card("INTSTART", start, "Start of the integration")
    yield Card("INTEND", end, "End of the integration")


def _controller(facts: Facts) -> Iterator[Card]:
    if system := facts.system:
        yield Card("ARCHTYPE", system.backplane_type.name, "Archon backplane type")
        yield Card("ARCHBACK", system.backplane_id, "Archon backplane ID")
        yield Card("ARCHBVER", system.backplane_version, "Archon backplane version")
    yield Card("ARCHACF", facts.acf_name, "Archon configuration file")
    yield Card("ARCHHASH", facts.acf_digest)  # SHA-256 leaves no room for a comment
    yield Card("BUFFER", facts.buffer.number, "Frame buffer that was read")
    yield Card("ARCHFRAM", facts.buffer.frame, "Frame number of the controller")
    ticks = facts.buffer.timestamp / _TICKS_PER_SECOND
    yield Card("ARCHTIME", ticks, "[s] Start of the frame, controller's clock")
    if status := facts.status:
        yield Card("ARCHPOWR", status.power.name, "CCD power")


def _temperatures(facts: Facts) -> Iterator[Card]:
    yield from _temperature("CCDTEMP", facts.ccd_temperature, "CCD")
    if status := facts.status:
        yield from _temperature("BACKTEMP", status.backplane_temperature, "Backplane")
        for slot, module in sorted(status.modules.items()):
            yield from _temperature(f"TEMP{slot}", module.temperature, f"Module in slot {slot}")
            for sensor, celsius in sorted(module.sensors.items()):
                yield from _temperature(f"TEMP{slot}{sensor}", celsius, f"Sensor {sensor} of slot {slot}")


def _temperature(keyword: str, celsius: float | None, what: str) -> Iterator[Card]:
    if celsius is not None and celsius > _NO_SENSOR:
        yield Card(keyword, celsius, f"[degC] {what}")


def _iso(time: datetime) -> str:
    # isoformat cuts, so half of the last digit comes on top.
    rounded = time.astimezone(UTC) + timedelta(microseconds=500)
    return rounded.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _is_finite(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _clean(card: Card) -> Card:
    value = _ascii(card.value) if isinstance(card.value, str) else card.value
    return Card(card.keyword, value, _ascii(card.comment))


def _ascii(text: str) -> str:
    """Letters without their accents, other foreign characters as '?', any white space as a blank."""
    plain = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(" " if c.isspace() else c if " " <= c <= "~" else "?" for c in plain).strip()
