"""Cards of a CCD and of its amplifiers; how they stand in files is in test_layout."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from archon_ioc.acf.taps import Tap, place
from archon_ioc.config import DetectorConfig
from archon_ioc.image.ccd_header import amplifier_cards, ccd_cards, identity_cards, regions_of
from archon_ioc.image.header import Card, Facts
from archon_ioc.image.quicklook import Edges
from archon_ioc.image.sections import Reading, regions
from archon_ioc.protocol.enums import FrameMode, SampleMode
from archon_ioc.protocol.replies import BufferInfo

NOW = datetime(2026, 11, 3, tzinfo=UTC)
TAPS = (Tap("AD", 1, "L"), Tap("AD", 2, "R"))
CCD = DetectorConfig(name="b1", taps=("AD2R", "AD1L"), gain=(1.1, 1.2), read_noise=(2.5,))
FOUND = regions(place(TAPS, FrameMode.TOP, 10, 5), CCD, Reading(Edges(overscan=2)))
FACTS = Facts(
    number=1, image_type="bias", requested_seconds=0.0, exposure_seconds=0.0, dark_seconds=0.0, started=NOW, ended=NOW,
    written=NOW, buffer=BufferInfo(1, SampleMode.BITS16, True, FrameMode.TOP, *[0] * 12), controller="sp1",
    detector=CCD, regions={"b1": FOUND},
)  # fmt: skip


def values(cards: object) -> dict[str, object]:
    return {card.keyword: card.value for card in cards}


def test_several_amplifiers_are_numbered_as_the_site_names_them() -> None:
    found = values(ccd_cards(FACTS))
    expected = {
        "GAIN1": 1.1, "GAIN2": 1.2, "RDNOISE": 2.5, "DSEC1": "[13:20,1:5]", "BSEC1": "[11:12,1:5]",
        "CSEC1": "[9:16,1:5]", "ASEC1": "[8:1,1:5]", "DSEC2": "[1:8,1:5]", "TSEC2": "[1:8,1:5]", "BSEC2": "[9:10,1:5]",
        "CCDSIZE": "[1:16,1:5]",
    }  # fmt: skip
    assert {keyword: found[keyword] for keyword in expected} == expected
    assert "DATASEC" not in found


def test_the_only_amplifier_needs_no_number() -> None:
    ccd = DetectorConfig(name="b1", taps=("AD1L",), gain=(1.1,))
    own = regions(place(TAPS[:1], FrameMode.TOP, 10, 5), ccd, Reading(Edges(overscan=2)))
    found = values(ccd_cards(replace(FACTS, detector=ccd, regions={"b1": own})))
    expected = {
        "GAIN": 1.1, "DATASEC": "[1:8,1:5]", "BIASSEC": "[9:10,1:5]", "TRIMSEC": "[1:8,1:5]", "CCDSEC": "[1:8,1:5]",
        "AMPSEC": "[1:8,1:5]", "DETSEC": "[1:8,1:5]",
    }  # fmt: skip
    assert {keyword: found[keyword] for keyword in expected} == expected
    assert not {"DSEC1", "GAIN1"} & set(found)


def test_an_amplifier_in_an_image_of_its_own_counts_from_its_first_pixel() -> None:
    found = values(amplifier_cards(FACTS, FOUND[0]))
    assert (found["AMPNAME"], found["CCDNAME"], found["GAIN"], found["RDNOISE"]) == ("AD2R", "b1", 1.1, 2.5)
    assert (found["DATASEC"], found["BIASSEC"], found["CCDSEC"]) == ("[3:10,1:5]", "[1:2,1:5]", "[9:16,1:5]")


def test_without_overscan_there_is_no_section_of_it() -> None:
    own = regions(place(TAPS, FrameMode.TOP, 10, 5), CCD, Reading())
    facts = replace(FACTS, regions={"b1": own})
    assert not {"BSEC1", "BSEC2"} & set(values(ccd_cards(facts)))
    assert "BIASSEC" not in values(amplifier_cards(facts, own[0]))


@pytest.mark.parametrize(("rotate", "expected"), [(0, "2 3"), (90, "3 2"), (180, "2 3"), (270, "3 2")])
def test_binning_is_that_of_the_columns_and_rows_of_the_image(rotate: int, expected: str) -> None:
    facts = replace(FACTS, detector=CCD.model_copy(update={"rotate": rotate}), binning=(2, 3))
    assert Card("CCDSUM", expected, "Horizontal and vertical binning") in list(identity_cards(facts))


def test_the_frame_without_ccds_has_regions_without_a_name() -> None:
    assert regions_of(FACTS) == FOUND
    assert regions_of(replace(FACTS, detector=None)) == ()
    assert regions_of(replace(FACTS, detector=None, regions={"": FOUND})) == FOUND
    assert "CCD" not in values(ccd_cards(replace(FACTS, detector=None)))
