"""Header cards of one CCD and of one amplifier: what they are, and which pixels are theirs.

Sections follow the mosaic files of NOAO and IRAF. Where several amplifiers share one image their keywords are numbered
in the order of the site file's taps, the sections with the short names of NOAO's ARCON: DSECn, BSECn, TSECn, CSECn.
"""

from collections.abc import Iterator, Mapping

from archon_ioc.config import DetectorConfig
from archon_ioc.image.header import Card, Facts
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.image.sections import Region

_GAIN, _READ_NOISE = "[electron/adu] Gain", "[electron] Read noise"


def ccd_cards(facts: Facts) -> Iterator[Card]:
    """Yield the cards of an image that holds a whole CCD, that of ``facts.detector``."""
    yield from identity_cards(facts)
    if detector := facts.detector:
        yield from _numbered("GAIN", detector.taps, detector.gain, _GAIN)
        yield from _numbered("RDNOISE", detector.taps, detector.read_noise, _READ_NOISE)
    regions = regions_of(facts)
    if len(regions) == 1:
        yield from _sections(regions[0], facts)
    elif regions:
        yield from _sizes(regions[0], facts)
        for n, region in enumerate(regions, start=1):
            yield from _numbered_sections(region, n)
    yield from _quick_look(facts)


def identity_cards(facts: Facts) -> Iterator[Card]:
    """Yield what tells of the CCD as a whole: its name, how it was binned and which window was read."""
    if detector := facts.detector:
        yield Card("CCD", detector.name, "CCD name")
        yield Card("CCDID", detector.serial, "Serial number of the CCD")
        yield Card("CCDTYPE", detector.type, "CCD type")
        yield Card("TAPS", " ".join(detector.taps), "Taps of this CCD")
    yield _binning(facts)
    if facts.window is not None:
        yield Card("WINDOW", " ".join(map(str, facts.window)), "[pixel] x, y, width, height; unbinned, from 0")


def amplifier_cards(facts: Facts, region: Region) -> Iterator[Card]:
    """Yield the cards of an image that holds what one amplifier has read."""
    detector = facts.detector
    yield Card("AMPNAME", region.tap, "Tap that has read this image")
    if detector:
        yield Card("CCDNAME", detector.name, "CCD name")
        for keyword, numbers, comment in (
            ("GAIN", detector.gain, _GAIN),
            ("RDNOISE", detector.read_noise, _READ_NOISE),
        ):
            by_tap = _by_tap(detector, numbers)
            if region.tap in by_tap:
                yield Card(keyword, by_tap[region.tap], comment)
    yield _binning(facts)
    yield from _sections(region, facts)
    for amplifier in facts.amplifiers:
        if amplifier.tap == region.tap:
            yield from quick_look_cards(amplifier)


def quick_look_cards(amplifier: Amplifier, number: str = "") -> Iterator[Card]:
    """Yield the quick look at one amplifier; ``number`` comes behind the keywords."""
    tap = amplifier.tap
    yield Card(f"BIASLV{number}", round(amplifier.bias, 3), f"[adu] Measured bias level of tap {tap}")
    yield Card(f"NOISE{number}", round(amplifier.noise, 3), f"[adu] Measured read noise of tap {tap}")
    if amplifier.noise_electrons is not None:
        yield Card(f"ENOISE{number}", round(amplifier.noise_electrons, 3), f"[electron] The same, tap {tap}")
    yield Card(f"NSATUR{number}", amplifier.saturated, f"Saturated pixels of tap {tap}")
    yield Card(f"MEDIAN{number}", amplifier.median, f"[adu] Median of the light area, tap {tap}")


def regions_of(facts: Facts) -> tuple[Region, ...]:
    """Return what the amplifiers of an image have read, in the order in which they are numbered."""
    return facts.regions.get(facts.detector.name if facts.detector else "", ())


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
            yield from quick_look_cards(found[tap], str(n))


def _binning(facts: Facts) -> Card:
    horizontal, vertical = facts.binning
    is_upright = facts.detector is not None and facts.detector.rotate % 180 != 0
    columns, rows = (vertical, horizontal) if is_upright else (horizontal, vertical)
    return Card("CCDSUM", f"{columns} {rows}", "Horizontal and vertical binning")


def _numbered(keyword: str, taps: tuple[str, ...], numbers: tuple[float, ...], comment: str) -> Iterator[Card]:
    if len(numbers) == 1:
        yield Card(keyword, numbers[0], comment)
        return
    for n, (tap, number) in enumerate(zip(taps, numbers, strict=False), start=1):
        yield Card(f"{keyword}{n}", number, f"{comment} of tap {tap}")


def _by_tap(detector: DetectorConfig, numbers: tuple[float, ...]) -> Mapping[str, float]:
    every = numbers * len(detector.taps) if len(numbers) == 1 else numbers
    return dict(zip(detector.taps, every, strict=False))


def _sizes(region: Region, facts: Facts) -> Iterator[Card]:
    columns, rows = region.ccd_size
    others = [one for regions in facts.regions.values() for one in regions]
    width = max(one.position[0] + one.ccd_size[0] for one in others)
    height = max(one.position[1] + one.ccd_size[1] for one in others)
    yield Card("CCDSIZE", f"[1:{columns},1:{rows}]", "Unbinned pixels of the CCD")
    yield Card("DETSIZE", f"[1:{width},1:{height}]", "Unbinned pixels of the mosaic of CCDs")


def _sections(region: Region, facts: Facts) -> Iterator[Card]:
    yield from _sizes(region, facts)
    x, y = region.whole.x, region.whole.y  # of a larger image
    light = region.light.moved(-x, -y)
    yield Card("DATASEC", str(light), "Pixels of this image with light")
    yield Card("TRIMSEC", str(light), "Pixels of this image to keep")
    if region.overscan:
        yield Card("BIASSEC", str(region.overscan.moved(-x, -y)), "Overscan in this image")
    yield Card("CCDSEC", str(region.ccd), "Their unbinned pixels of the CCD")
    yield Card("AMPSEC", region.amplifier_section, "Their unbinned pixels as the tap reads them")
    yield Card("DETSEC", str(region.mosaic), "Their unbinned pixels of the mosaic")


def _numbered_sections(region: Region, n: int) -> Iterator[Card]:
    yield Card(f"DSEC{n}", str(region.light), f"Pixels with light of tap {region.tap}")
    yield Card(f"TSEC{n}", str(region.light), f"Pixels to keep of tap {region.tap}")
    if region.overscan:
        yield Card(f"BSEC{n}", str(region.overscan), f"Overscan of tap {region.tap}")
    yield Card(f"CSEC{n}", str(region.ccd), "Unbinned pixels of the CCD")
    yield Card(f"ASEC{n}", region.amplifier_section, "Unbinned pixels as the tap reads them")
