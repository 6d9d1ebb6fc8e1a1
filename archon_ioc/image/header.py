"""Header cards of one image, from facts. Keywords: FITS standard 4.0 and those of the sdss-archon files."""

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from archon_ioc import __version__
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.protocol.replies import BufferInfo, DeviceStatus, SystemInfo

Value = str | int | float | bool

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_TICKS_PER_SECOND = 100_000_000
_LARGEST_INTEGER = (1 << 63) - 1
_NO_SENSOR = -273.0  # a sensor that is not connected reads absolute zero
_STRUCTURE = {
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "BSCALE", "BZERO", "BLANK", "PCOUNT", "GCOUNT", "GROUPS",
    "CHECKSUM", "DATASUM", "CONTINUE", "COMMENT", "HISTORY", "HIERARCH", "END",
}  # fmt: skip
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
    extra: Mapping[str, tuple[Value, str]] = field(default_factory=dict[str, tuple[Value, str]])
    """Cards of the site and the user: keyword to value and comment; they replace ours of the same keyword."""


def image_type(frame_type: str, seconds: float) -> str:
    """Return the word of IMAGETYP for areaDetector's FrameType; a Background of no time is a bias.

    >>> image_type("Background", 0.0), image_type("Background", 1.0), image_type("Normal", 0.0)
    ('bias', 'dark', 'object')
    """
    if frame_type == "Background" and seconds == 0:
        return "bias"
    return _IMAGE_TYPES.get(frame_type, "object")


def cards(facts: Facts) -> list[Card]:
    """Return all cards but those of the file's structure, each keyword once, in the order of the header.

    Text is printable ASCII and numbers are finite. What is not known has no card.

    Raises:
        ConfigError: if a card of ``facts.extra`` cannot be written, see `check_cards`.
    """
    check_cards(facts.extra)
    extra = {keyword.upper(): Card(keyword.upper(), *rest) for keyword, rest in facts.extra.items()}
    ours = [
        *_exposure(facts), *_times(facts), *_detector(facts), *_quick_look(facts), *_controller(facts),
        *_temperatures(facts),
    ]  # fmt: skip
    merged = {card.keyword: card for card in ours}
    if len(merged) != len(ours):
        raise ValueError("a keyword is made twice")
    return [_clean(card) for card in (merged | extra).values() if _is_finite(card.value)]


def check_cards(extra: Mapping[str, tuple[Value, str]]) -> None:
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
    elif name in _STRUCTURE or (name.startswith("NAXIS") and name[5:].isdecimal()):
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


def _detector(facts: Facts) -> Iterator[Card]:
    if detector := facts.detector:
        yield Card("CCD", detector.name, "CCD name")
        yield Card("CCDID", detector.serial, "Serial number of the CCD")
        yield Card("CCDTYPE", detector.type, "CCD type")
        yield Card("TAPS", " ".join(detector.taps), "Taps of this CCD")
        yield from _amplifiers("GAIN", detector.taps, detector.gain, "[electron/adu] Gain")
        yield from _amplifiers("RDNOISE", detector.taps, detector.read_noise, "[electron] Read noise")
    horizontal, vertical = facts.binning
    yield Card("CCDSUM", f"{horizontal} {vertical}", "Horizontal and vertical binning")
    if facts.window is not None:
        yield Card("WINDOW", " ".join(map(str, facts.window)), "[pixel] x, y, width, height; unbinned, from 0")


def _amplifiers(keyword: str, taps: tuple[str, ...], numbers: tuple[float, ...], comment: str) -> Iterator[Card]:
    if len(numbers) == 1:
        yield Card(keyword, numbers[0], comment)
        return
    for n, (tap, number) in enumerate(zip(taps, numbers, strict=False), start=1):
        yield Card(f"{keyword}{n}", number, f"{comment} of tap {tap}")


def _quick_look(facts: Facts) -> Iterator[Card]:
    """What the amplifiers of this image look like, numbered as their gains are."""
    found = {amplifier.tap: amplifier for amplifier in facts.amplifiers}
    taps = facts.detector.taps if facts.detector else tuple(found)
    shown = [found[tap] for tap in taps if tap in found]
    if not shown:
        return
    yield Card("QLREF", ", ".join(dict.fromkeys(one.reference for one in shown)), "Where bias and noise are from")
    yield Card("NSATUR", sum(one.saturated for one in shown), "Saturated pixels")
    for n, tap in enumerate(taps, start=1):
        if tap in found:
            yield from amplifier_cards(found[tap], str(n))


def amplifier_cards(amplifier: Amplifier, number: str = "") -> Iterator[Card]:
    """Yield the quick look at one amplifier; ``number`` comes behind the keywords."""
    tap = amplifier.tap
    yield Card(f"BIASLV{number}", round(amplifier.bias, 3), f"[adu] Measured bias level of tap {tap}")
    yield Card(f"NOISE{number}", round(amplifier.noise, 3), f"[adu] Measured read noise of tap {tap}")
    if amplifier.noise_electrons is not None:
        yield Card(f"ENOISE{number}", round(amplifier.noise_electrons, 3), f"[electron] The same, tap {tap}")
    yield Card(f"NSATUR{number}", amplifier.saturated, f"Saturated pixels of tap {tap}")
    yield Card(f"MEDIAN{number}", amplifier.median, f"[adu] Median of the light area, tap {tap}")


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
