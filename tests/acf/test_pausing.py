"""Whether the cores can be held to pause an integration, found by executing the script."""

from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.pausing import objection
from archon_ioc.app import demo_acf
from archon_ioc.config import ScriptConfig

from .scripts import script

GOLDEN = Path(__file__).parents[1] / "golden" / "acf"
NAMES = {"Exposures": 0, "IntMS": 0, "Lines": 3}
READ = """
FCLK; CALL Line(Lines)
X; GOTO Main
Line:
X; CALL Shift
LCLK; CALL Pixel(5)
X; RETURN Line
Pixel:
PCLK
NOPCLK; RETURN Pixel
Shift:
X(7)
X; RETURN Shift
"""
EXPOSE = """
Main: {first}; IF Exposures GOTO Expose
X; GOTO Main
Expose: X; Exposures--
{before}
INT; CALL Wait(IntMS)
NOINT
"""
WAIT = """
Wait: X(99)
X; RETURN Wait
"""


def exposing(*, first: str = "RESET", before: str = "X") -> Acf:
    return script(EXPOSE.format(first=first, before=before) + READ + WAIT, NAMES)


@pytest.mark.parametrize("path", [GOLDEN / "small_on_demand.acf", GOLDEN / "small_at_once.acf", demo_acf()], ids=str)
def test_scripts_that_keep_the_charge(path: Path) -> None:
    assert objection(Acf.read(path), {}) == ""


def test_one_that_clears_the_ccd_first() -> None:
    assert objection(exposing(), {}) == ""
    assert "shifts the CCD before it integrates" in objection(exposing(before="X; CALL Shift(Lines)"), {})


def test_parameters_that_are_in_force_count() -> None:
    acf = exposing(before="X; IF Lines CALL Shift")
    assert "shifts the CCD" in objection(acf, {})
    assert objection(acf, {"Lines": 0}) == ""


def test_one_whose_first_state_lets_light_in() -> None:
    assert "INT high" in objection(exposing(first="INT"), {})


def test_one_that_does_not_integrate() -> None:
    names = ScriptConfig(exposures="Lines")
    assert "does not raise INT" in objection(exposing(), {}, names)


def test_one_that_cannot_be_followed() -> None:
    assert "it is not known what the timing script does" in objection(script("Main: NOWHERE", NAMES), {})
