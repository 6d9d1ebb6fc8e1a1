"""Configurations to measure with, made of the demonstration ACF."""

import re
from collections.abc import Mapping
from pathlib import Path

from archon_ioc.acf.file import Acf
from archon_ioc.app import demo_acf


def padded(lines: int) -> Acf:
    """Return the demonstration ACF with comments added to its timing script, ``lines`` keys in all."""
    acf = Acf.read(demo_acf())
    keys, first = dict(acf.keys), acf.number("LINES")
    for n in range(lines - len(keys)):
        keys[f"LINE{first + n}"] = f"# line {first + n} makes this configuration as long as those in use"
        keys["LINES"] = str(first + n + 1)
    return Acf(keys, acf.system)


def with_geometry(pixels: int, lines: int, taps: int, *, split: bool) -> Acf:
    """Return the demonstration ACF with ``taps`` taps of ``pixels`` columns and ``lines`` rows each."""
    acf = Acf.read(demo_acf())
    keys = {key: value for key, value in acf.keys.items() if not key.startswith("TAPLINE")}
    keys |= {f"TAPLINE{n}": f"AD{n % 8 + 1}{'LR'[n // 8]},1,1000" for n in range(taps)}
    # Without overscan, so that the timing script clocks exactly what a frame has.
    counts = {"Lines": lines, "Pixels": pixels, "OverscanLines": 0, "OverscanPixels": 0}
    keys |= {key: _with_count(value, counts) for key, value in keys.items() if re.match(r"PARAMETER\d", key)}
    keys |= {"TAPLINES": str(taps), "PIXELCOUNT": str(pixels), "LINECOUNT": str(lines), "FRAMEMODE": str(2 * split)}
    return Acf(keys, acf.system)


def _with_count(text: str, counts: Mapping[str, int]) -> str:
    name = text.partition("=")[0]
    return f"{name}={counts[name]}" if name in counts else text


def save(acf: Acf, path: Path) -> Path:
    """Write ``acf`` as a file that every driver understands, and return its path."""
    sections = {"CONFIG": acf.keys, "SYSTEM": acf.system}
    text = ""
    for name, keys in sections.items():
        text += f"[{name}]\n" + "".join(f"{key.replace('/', chr(92))}={_quoted(keys[key])}\n" for key in keys)
    path.write_text(text, encoding="latin-1")
    return path


def _quoted(value: str) -> str:
    return f'"{value}"' if any(c in value for c in ",;= ") else value
