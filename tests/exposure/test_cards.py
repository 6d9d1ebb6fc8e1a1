"""Cards of the site, the controller and the user."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from archon_ioc.config import DetectorConfig, HeaderConfig, SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.errors import ConfigError, InputError
from archon_ioc.exposure.cards import check_site, extra_cards, parse
from archon_ioc.protocol.replies import DeviceStatus, SystemInfo

REPLIES = Path(__file__).parents[1] / "golden" / "replies"
NAMES = frozenset({"b1", "sp1"})


def reply(name: str) -> str:
    return (REPLIES / f"{name}.txt").read_text(encoding="ascii").splitlines()[0]


STATE = ControllerState(
    name="sp1",
    system=SystemInfo.parse(reply("SYSTEM-revE-876")),
    status=DeviceStatus.parse(reply("STATUS-revE-876")),
)
SITE = SiteConfig(
    header=HeaderConfig(
        cards={"TELESCOP": ("1m", "Telescope")},
        status={"BACKT": ("backplane_temp", "[degC] Backplane", 1), "REV": ("BACKPLANE_REV", "Revision")},
    ),
    controller={"name": "sp1"},
    detectors=(
        DetectorConfig(name="b1", taps=("AD1L",), cards={"SLIT": (1.5, "")}, status={"CNT": ("COUNT", "Counter")}),
        DetectorConfig(name="r1", taps=("AD2L",)),
    ),
)


def test_cards_of_the_site_and_of_what_the_controller_says() -> None:
    common, of_ccds = extra_cards({}, STATE, SITE)
    assert STATE.status
    assert STATE.system
    assert common == {
        "TELESCOP": ("1m", "Telescope"),
        "BACKT": (round(STATE.status.backplane_temperature, 1), "[degC] Backplane"),
        "REV": (STATE.system.backplane_revision, "Revision"),
    }
    assert of_ccds == {"b1": {"SLIT": (1.5, ""), "CNT": (STATE.status.count, "Counter")}}


def test_what_is_not_known_has_no_card() -> None:
    common, of_ccds = extra_cards({}, replace(STATE, status=None, system=None), SITE)
    assert set(common) == {"TELESCOP"}
    assert set(of_ccds["b1"]) == {"SLIT"}


def test_cards_of_clients_go_to_those_they_are_for() -> None:
    theirs = {"TELESCOP": ("2m", ""), "b1.SLIT": (2.5, ""), "sp1.NOTE": ("x", ""), "sp2.NOTE": ("y", "")}
    common, of_ccds = extra_cards(theirs, STATE, SITE)
    assert common["TELESCOP"] == ("2m", "")
    assert common["NOTE"] == ("x", "")
    assert of_ccds["b1"]["SLIT"] == (2.5, "")
    assert "SLIT" not in common


@pytest.mark.parametrize("where", ["header", "ccd"])
@pytest.mark.parametrize("what", [{"cards": {"SIMPLE": (True, "")}}, {"status": {"TOOLONGNAME": ("COUNT", "")}}])
def test_bad_cards_of_the_site_are_found(where: str, what: dict[str, object]) -> None:
    check_site(SITE)
    ccd = DetectorConfig(name="b1", taps=("AD1L",), **(what if where == "ccd" else {}))
    site = SiteConfig(header=HeaderConfig(**(what if where == "header" else {})), detectors=(ccd,))
    with pytest.raises(ConfigError, match=r"SIMPLE|TOOLONGNAME"):
        check_site(site)


def test_json_has_values_with_and_without_comments() -> None:
    text = """{"observer": "Ann", "airmass": [1.5, "Air mass"], "GUIDE": true, "N": [3], "b1": {"slit": 1},
               "sp1": {"SLIT": [2, "of sp1"]}}"""
    assert parse(text, NAMES) == {
        "OBSERVER": ("Ann", ""),
        "AIRMASS": (1.5, "Air mass"),
        "GUIDE": (True, ""),
        "N": (3, ""),
        "b1.SLIT": (1, ""),
        "sp1.SLIT": (2, "of sp1"),
    }
    assert parse(" ", NAMES) == parse("{}", NAMES) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"A": null}', "A is neither a value nor"),
        ('{"A": []}', "A is neither"),
        ('{"A": [1, 2]}', "A is neither"),
        ('{"A": [1, "c", 3]}', "A is neither"),
        ('{"A": NaN}', "NaN is not a number"),
        ('{"A": 1e999}', "not a finite number"),
        ('{"A": 99999999999999999999}', "more than 64 bits"),
        ('{"TOOLONGNAME": 1}', "TOOLONGNAME: a keyword has"),
        ('{"NAXIS1": 1}', "structure of the file"),
        ('{"ZCMPTYPE": 1}', "structure of the file"),
        ('{"b2": {"A": 1}}', "'b2' is neither a CCD nor a controller"),
        ('{"b1": {"A": {}}}', "A is neither"),
        ('{"b1": {"EXTNAME": "x"}}', "structure of the file"),
        ('{"A.B": 1}', "a keyword has"),
    ],
)
def test_what_is_not_a_header_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text, NAMES)


def test_a_number_that_is_none_is_refused() -> None:
    assert math.isinf(1e999)
    with pytest.raises(InputError):
        parse('{"A": -Infinity}', NAMES)
