"""Timing scripts that the tests share."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from archon_ioc.acf.file import Acf

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "acf"

STATES = {
    "RESET": "0,0",
    "X": "0,3F",
    "INT": "1,3E",
    "NOINT": "0,3E",
    "FCLK": "2,3D",
    "LCLK": "4,3B",
    "PCLK": "8,37",
    "NOPCLK": "0,31",
    "TRIGA": "10,2F",
    "TRIGB": "20,1F",
    "TRIGS": "0,F",
}
"""Names and CONTROL of the states of the scripts made here; the numbers are the positions."""


STOP = "Stop: X; GOTO Stop\n"
PULSE = "Pulse: INT\nNOINT; RETURN Pulse\n"
LARGEST = (1 << 20) - 1


def script(
    text: str,
    parameters: Mapping[str, object] | None = None,
    constants: Mapping[str, object] | None = None,
    states: Mapping[str, str] = STATES,
) -> Acf:
    """Make a configuration of a script, one line of ``text`` per LINEn, without the checks of a file."""
    lines = text.strip("\n").splitlines()
    keys = {f"LINE{n}": line for n, line in enumerate(lines)} | {"LINES": str(len(lines))}
    for n, (name, control) in enumerate(states.items()):
        keys |= {f"STATE{n}/NAME": name, f"STATE{n}/CONTROL": control}
    keys["STATES"] = str(len(states))
    for kind, entries in (("PARAMETER", parameters or {}), ("CONSTANT", constants or {})):
        keys |= {f"{kind}{n}": f"{name}={value}" for n, (name, value) in enumerate(entries.items())}
        keys[f"{kind}S"] = str(len(entries))
    return Acf(keys)


FOR_EVER = """
Main:
FCLK; CALL Line(3)
X; GOTO Main
Line:
LCLK; CALL Pixel(5)
X; RETURN Line
Pixel:
PCLK; X(7)
NOPCLK; X(1)
X; RETURN Pixel
"""
"""Reads one frame of 3 lines and 5 pixels after the other, without being asked."""


def for_ever() -> Acf:
    return Acf(script(FOR_EVER, {"Other": 0}).keys | {"PIXELCOUNT": "5", "LINECOUNT": "3"})


def demo() -> Acf:
    return Acf.read(ROOT / "config" / "demo.acf")


def real(name: str) -> Acf:
    """Return the configuration of a real instrument; skip the test where there is none."""
    path = REAL / f"{name}.acf"
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    return Acf.read(path)
