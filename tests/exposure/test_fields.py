"""What stands in names of folders and files."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from archon_ioc.config import FilesConfig, HeaderConfig, SiteConfig
from archon_ioc.errors import InputError
from archon_ioc.exposure.fields import LATE, dated, filled, night_fields, resolved

NOW = datetime(2026, 11, 3, 23, 5, 6, tzinfo=UTC)
SITE = SiteConfig(
    files=FilesConfig(hemisphere="s", sjd_offset=0.4), header=HeaderConfig(observatory="Las Campanas/LCO")
)


def test_the_fields_of_a_night() -> None:
    assert night_fields(SITE, NOW) == {
        "observatory": "Las_Campanas_LCO",
        "hemisphere": "s",
        "mjd": 61347,
        "sjd": 61348,
        "date": "2026-11-03",
    }


@pytest.mark.parametrize(("offset", "hour", "expected"), [(0.3, 16, 61347), (0.3, 17, 61348), (0.0, 23, 61347)])
def test_the_day_of_a_survey_begins_in_the_afternoon(offset: float, hour: int, expected: int) -> None:
    site = SiteConfig(files=FilesConfig(sjd_offset=offset))
    assert night_fields(site, NOW.replace(hour=hour))["sjd"] == expected


def test_dates_are_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert there.day == 4
    assert dated("/data/%Y%m%d/%j-%y-%H%M%S/100%", there) == "/data/20261103/307-26-230506/100%"
    assert night_fields(SITE, there)["date"] == "2026-11-03"


def test_fields_that_are_known_later_are_left() -> None:
    assert filled("{mjd}-{ccd}-{number:08d}", {"mjd": 61347}, LATE) == "61347-{ccd}-{number:08d}"


@pytest.mark.parametrize(
    "text", ["{night}", "{}", "{mjd:x}", "{date:08d}", "{mjd:999}", "{mjd!r}", "{mjd.real}", "{:3d}"]
)
def test_other_fields_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        filled(text, night_fields(SITE, NOW), LATE)


def test_text_without_fields_stays() -> None:
    assert filled("a}b%d{", {}) == "a}b%d{"


def test_a_folder_as_it_is_called_now() -> None:
    assert resolved("/data/{hemisphere}/", SITE) == "/data/s/"
    assert resolved("/data/%Y", SITE).removeprefix("/data/").isdecimal()
    with pytest.raises(InputError, match="is not one of"):
        resolved("/data/{moon}", SITE)
