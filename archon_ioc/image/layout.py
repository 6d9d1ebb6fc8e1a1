"""Which images go into which file, and which cards into which header."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from archon_ioc.config import DetectorConfig
from archon_ioc.image import header
from archon_ioc.image.ccd_header import amplifier_cards, ccd_cards, identity_cards, regions_of
from archon_ioc.image.fits import Unit
from archon_ioc.image.geometry import PixelArray
from archon_ioc.image.header import Card, Facts

LAYOUTS = ("ccd", "mef", "controller")
"""A file per CCD, a file per CCD with an extension per amplifier, a file per controller with an extension per CCD."""

_WHOLE = "IMAGE"
"""EXTNAME of what has no name."""
_INHERIT = Card("INHERIT", True, "The primary header holds for this image too")


def units(
    layout: str, images: Mapping[str, PixelArray], facts: Facts, detectors: Sequence[DetectorConfig] = ()
) -> list[Unit]:
    """Return the headers and images of one file.

    Args:
        layout: one of `LAYOUTS`.
        images: by CCD; only ``controller`` has more than one in a file.
        facts: what is known of the exposure; the CCDs are filled in here.
        detectors: the CCDs of the site file.

    Raises:
        ConfigError: if a card of the site or the user cannot be written.
    """
    by_name = {detector.name: detector for detector in detectors}
    if layout == "controller":
        return _controller_units(images, facts, by_name)
    ((ccd, array),) = images.items()
    own = _of_ccd(facts, ccd, by_name.get(ccd))
    return _amplifier_units(array, own) if layout == "mef" else [Unit(image_cards(own), array)]


def image_cards(facts: Facts) -> list[Card]:
    """Return the cards of a file with nothing but the image of ``facts.detector``.

    Raises:
        ConfigError: if a card of the site or the user cannot be written.
    """
    return header.cards(facts, ccd_cards(facts))


def _of_ccd(facts: Facts, ccd: str, detector: DetectorConfig | None) -> Facts:
    return replace(facts, detector=detector, extra={**facts.extra, **facts.extra_of.get(ccd, {})})


def _controller_units(
    images: Mapping[str, PixelArray], facts: Facts, detectors: Mapping[str, DetectorConfig]
) -> list[Unit]:
    found = [Unit(header.cards(facts, _count(len(images))))]
    for ccd, array in images.items():
        own = replace(facts, detector=detectors.get(ccd))
        cards = header.merged([_INHERIT, *ccd_cards(own)], facts.extra_of.get(ccd, {}))
        found.append(Unit(cards, array, ccd or _WHOLE))
    return found


def _amplifier_units(array: PixelArray, facts: Facts) -> list[Unit]:
    extensions = list(_amplifiers(array, facts))
    if not extensions:  # it is not known which pixels are whose
        extensions = [Unit(header.merged([_INHERIT, *ccd_cards(facts)], {}), array, _name(facts))]
    primary = header.cards(facts, chain(_count(len(extensions)), identity_cards(facts)))
    return [Unit(primary), *extensions]


def _amplifiers(array: PixelArray, facts: Facts) -> Iterator[Unit]:
    for region in regions_of(facts):
        part = region.whole
        pixels = array[part.y : part.y + part.height, part.x : part.x + part.width]
        yield Unit(header.merged([_INHERIT, *amplifier_cards(facts, region)], {}), pixels, region.tap)


def _count(extensions: int) -> Iterator[Card]:
    yield Card("NEXTEND", extensions, "Number of extensions")


def _name(facts: Facts) -> str:
    return facts.detector.name if facts.detector else _WHOLE
