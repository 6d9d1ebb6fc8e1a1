"""Header cards: the whole header against a golden file, then each rule."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_ioc.acf.taps import Tap, place
from archon_ioc.config import DetectorConfig
from archon_ioc.errors import ConfigError
from archon_ioc.image import fits
from archon_ioc.image.header import Card, Facts, Value, check_cards, image_type
from archon_ioc.image.layout import image_cards as cards
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.image.sections import Reading, regions
from archon_ioc.protocol.enums import FrameMode
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, ModuleStatus, SystemInfo

GOLDEN = Path(__file__).parents[1] / "golden"


def reply(name: str) -> str:
    return (GOLDEN / "replies" / f"{name}.txt").read_text(encoding="ascii")


BUFFER = replace(
    FrameStatus.parse(reply("FRAME-revE-876")).buffer(2), frame=1207, timestamp=9_848_008_865, width=4, height=3
)
CCD = DetectorConfig(
    name="b1", taps=("AD9L", "AD10R"), serial="08-1234", type="STA1600", gain=(1.1, 1.2), read_noise=(2.5,)
)
REGIONS = regions(place((Tap("AD", 9, "L"), Tap("AD", 10, "R")), FrameMode.BOTTOM, 2, 3), CCD, Reading(binning=(1, 2)))
STATUS = DeviceStatus.parse(reply("STATUS-revE-876"))
FACTS = Facts(
    number=42,
    image_type="object",
    requested_seconds=900.0,
    exposure_seconds=412.5,
    dark_seconds=413.75,
    started=datetime(2026, 11, 3, 4, 5, 6, 123_456, UTC),
    ended=datetime(2026, 11, 3, 4, 11, 58, 623_456, UTC),
    written=datetime(2026, 11, 3, 4, 12, 40, tzinfo=UTC),
    buffer=BUFFER,
    controller="sp1",
    system=SystemInfo.parse(reply("SYSTEM-revE-876")),
    status=STATUS,
    ccd_temperature=-113.25,
    acf_name="sp1_ccd.acf",
    acf_digest="0123456789abcdef" * 4,
    binning=(1, 2),
    window=(0, 0, 4, 6),
    summed=3,
    observatory="Observatório do Pico dos Dias",
    instrument="SP1",
    detector=CCD,
    regions={"b1": REGIONS},
    file_name="sp1_0042_b1.fits",
    version="1.2.3",
    extra={"observer": ("O'Brien", "Who took it"), "EXPREQ": (901.0, "[s] Another one")},
)
PLAIN = Facts(
    number=1,
    image_type="bias",
    requested_seconds=0.0,
    exposure_seconds=0.0,
    dark_seconds=0.0,
    started=FACTS.started,
    ended=FACTS.started,
    written=FACTS.written,
    buffer=BUFFER,
    controller="archon",
)


def values(facts: Facts) -> dict[str, Value]:
    made = cards(facts)
    assert len({card.keyword for card in made}) == len(made)
    return {card.keyword: card.value for card in made}


def test_the_header_of_a_file_is_the_golden_one(tmp_path: Path) -> None:
    path = tmp_path / "golden.fits"
    fits.write(path, [fits.Unit(cards(FACTS), np.zeros((3, 4), np.uint16))])
    text = path.read_bytes().decode("ascii", "replace").partition("END" + 77 * " ")[0]
    lines = [line.rstrip() for line in re.findall(".{80}", text)]
    structure = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "BSCALE", "BZERO", "CHECKSUM", "DATASUM")  # astropy's own
    ours = [line for line in lines if not line.startswith(structure)]
    assert ours == (GOLDEN / "header" / "exposure.txt").read_text(encoding="ascii").splitlines()


def test_the_keywords_of_sdss_archon_are_there() -> None:
    one_gain = DetectorConfig(name="b1", taps=("AD9L", "AD10R"), gain=(1.1,), read_noise=(2.5, 2.6))
    found = values(replace(FACTS, detector=one_gain))
    assert {
        "V_ARCHON", "FILENAME", "EXPOSURE", "SPEC", "OBSERVAT", "OBSTIME", "MJD", "EXPTIME", "DARKTIME",
        "IMAGETYP", "INTSTART", "INTEND", "CCD", "CCDID", "CCDTYPE", "GAIN", "RDNOISE1", "RDNOISE2", "CCDSUM",
        "ARCHBACK", "ARCHBVER", "ARCHACF", "BUFFER",
    } <= set(found)  # fmt: skip


def test_what_is_not_known_has_no_card() -> None:
    found = values(PLAIN)
    absent = ("CCD", "GAIN", "RDNOISE", "TAPS", "WINDOW", "ARCHBACK", "ARCHPOWR", "CCDTEMP", "BACKTEMP", "TEMP5")
    assert not set(absent) & set(found)
    assert not {"CCDSEC", "DATASEC", "BIASSEC", "DETSEC", "CCDSIZE", "DSEC1"} & set(values(replace(FACTS, regions={})))


def test_times_are_utc_and_rounded() -> None:
    zone = timezone(timedelta(hours=-3))
    start = datetime(2026, 11, 2, 23, 59, 59, 999_600, zone)
    found = values(replace(FACTS, started=start, ended=start + timedelta(seconds=2)))
    assert found["DATE-OBS"] == found["DATE-BEG"] == found["OBSTIME"] == found["INTSTART"] == "2026-11-03T03:00:00.000"
    assert found["DATE-AVG"] == "2026-11-03T03:00:01.000"
    assert found["DATE-END"] == found["INTEND"] == "2026-11-03T03:00:02.000"
    assert found["MJD"] == 61347
    assert found["MJD-OBS"] == pytest.approx(61347.125, abs=1e-8)
    assert found["TIMESYS"] == "UTC"


def test_the_julian_date_is_that_of_astropy() -> None:
    from astropy.time import Time

    expected = Time(FACTS.started).mjd
    found = values(FACTS)
    assert found["MJD-OBS"] == pytest.approx(expected, abs=1e-8)
    assert found["MJD"] == int(expected)


def test_the_controller_clock_can_be_turned_back_into_ticks() -> None:
    seconds = values(replace(FACTS, buffer=replace(BUFFER, timestamp=(1 << 53) - 1)))["ARCHTIME"]
    assert isinstance(seconds, float)
    assert round(float(f"{seconds:.16G}") * 1e8) == (1 << 53) - 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_reading_that_is_no_number_has_no_card(bad: float) -> None:
    broken = replace(STATUS, backplane_temperature=bad, modules={5: ModuleStatus(bad, sensors={"A": bad, "B": 1.5})})
    found = values(replace(FACTS, status=broken, ccd_temperature=bad))
    assert not {"BACKTEMP", "CCDTEMP", "TEMP5", "TEMP5A"} & set(found)
    assert found["TEMP5B"] == 1.5


def test_a_sensor_that_is_not_connected_has_no_card() -> None:
    assert STATUS.modules[2].sensors["A"] < -273
    assert not {"TEMP2A", "TEMP2B", "TEMP2C"} & set(values(FACTS))


def test_modules_without_a_temperature_are_left_out() -> None:
    silent = replace(STATUS, backplane_temperature=None, modules={5: ModuleStatus()})
    assert not [keyword for keyword in values(replace(FACTS, status=silent)) if keyword.startswith(("TEMP", "BACKT"))]


def test_a_keyword_made_twice_is_a_fault_of_ours() -> None:
    twice = replace(STATUS, modules={5: ModuleStatus(20.0, sensors={"": 21.0})})
    with pytest.raises(ValueError, match="made twice"):
        cards(replace(FACTS, status=twice))


@given(st.text(max_size=30))
def test_text_is_printable_ascii(text: str) -> None:
    for card in cards(replace(PLAIN, observatory=text, extra={"NOTE": (text, text)})):
        assert all(" " <= c <= "~" for c in f"{card.value}{card.comment}")


def test_accents_are_taken_off_letters() -> None:
    assert values(replace(PLAIN, observatory="Zürich\n\t→ Ñuñoa "))["OBSERVAT"] == "Zurich  ? Nunoa"


def test_cards_of_the_user_replace_ours_in_place_and_come_last_otherwise() -> None:
    made = cards(replace(PLAIN, extra={"object": ("M31", "What it shows"), "OBSERVAT": ("LCO", "Site")}))
    assert made[-1] == Card("OBJECT", "M31", "What it shows")
    ours = cards(PLAIN)
    place = next(n for n, card in enumerate(ours) if card.keyword == "OBSERVAT")
    assert made[place] == Card("OBSERVAT", "LCO", "Site")
    assert len(made) == len(ours) + 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"BITPIX": (8, "")}, "BITPIX: belongs to the structure"),
        ({"naxis1": (8, "")}, "naxis1: belongs to the structure"),
        ({"CHECKSUM": ("0", "")}, "CHECKSUM: belongs to the structure"),
        ({"COMMENT": ("text", "")}, "COMMENT: belongs to the structure"),
        ({"TOOLONGNAME": (1, "")}, "1 to 8 letters"),
        ({"": (1, "")}, "1 to 8 letters"),
        ({"A B": (1, "")}, "1 to 8 letters"),
        ({"Ä": (1, "")}, "1 to 8 letters"),
        ({"X": (float("nan"), "")}, "X: nan is not a finite number"),
        ({"X": (1 << 63, "")}, "X: more than 64 bits"),
        ({"x": (1, ""), "X": (2, "")}, "differ only in upper and lower case"),
        ({"END": (1, ""), "A.B": (2, "")}, "END: .*; A.B: "),
    ],
)
def test_cards_that_a_header_cannot_hold_are_refused(extra: dict[str, tuple[Value, str]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_cards(extra)
    with pytest.raises(ConfigError, match=message):
        cards(replace(PLAIN, extra=extra))


def test_good_cards_pass() -> None:
    check_cards({"NAXISX": (1, ""), "A-B_1": (True, ""), "BIG": ((1 << 63) - 1, "")})


@pytest.mark.parametrize(
    ("frame_type", "seconds", "word"),
    [
        ("Normal", 1.0, "object"),
        ("Normal", 0.0, "object"),
        ("Background", 1.0, "dark"),
        ("Background", 0.0, "bias"),
        ("FlatField", 1.0, "flat"),
        ("FlatField", 0.0, "flat"),
        ("DblCorrelation", 1.0, "object"),
    ],
)
def test_image_types_are_words_of_astronomers(frame_type: str, seconds: float, word: str) -> None:
    assert image_type(frame_type, seconds) == word


LOOKS = (
    Amplifier("AD9L", 1000.12345, 3.21987, 3, 100, 1010.5, "overscan", gain=1.5),
    Amplifier("AD10R", 900.0, 4.0, 4, 100, 901.0, "overscan"),
    Amplifier("AD11L", 1.0, 1.0, 5, 100, 1.0, "edge lines"),
)


def test_the_quick_look_is_numbered_as_gains_are_and_tells_of_the_own_taps_only() -> None:
    detector = DetectorConfig(name="b1", taps=("AD10R", "AD1L", "AD9L"))
    shown = [card for card in cards(replace(FACTS, amplifiers=LOOKS, detector=detector)) if card.keyword in LOOK_CARDS]
    assert shown == [
        Card("QLREF", "overscan", "Where bias and noise are from"),
        Card("NSATUR", 7, "Saturated pixels"),
        Card("BIASLV1", 900.0, "[adu] Measured bias level of tap AD10R"),
        Card("NOISE1", 4.0, "[adu] Measured read noise of tap AD10R"),
        Card("NSATUR1", 4, "Saturated pixels of tap AD10R"),
        Card("MEDIAN1", 901.0, "[adu] Median of the light area, tap AD10R"),
        Card("BIASLV3", 1000.123, "[adu] Measured bias level of tap AD9L"),
        Card("NOISE3", 3.22, "[adu] Measured read noise of tap AD9L"),
        Card("ENOISE3", 4.83, "[electron] The same, tap AD9L"),
        Card("NSATUR3", 3, "Saturated pixels of tap AD9L"),
        Card("MEDIAN3", 1010.5, "[adu] Median of the light area, tap AD9L"),
    ]


def test_without_ccds_the_quick_look_tells_of_all_taps() -> None:
    shown = {card.keyword: card.value for card in cards(replace(FACTS, amplifiers=LOOKS, detector=None))}
    assert [shown[f"NSATUR{n}"] for n in ("", 1, 2, 3)] == [12, 3, 4, 5]
    assert shown["QLREF"] == "overscan, edge lines"


LOOK_CARDS = {"QLREF"} | {
    f"{name}{n}" for name in ("BIASLV", "NOISE", "ENOISE", "NSATUR", "MEDIAN") for n in ("", *"123")
}
