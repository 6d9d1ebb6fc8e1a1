"""Measure how fast the program is: ``python benchmarks/run.py [WHAT]``, by default everything.

Prints a table. What the figures mean: docs/reference/performance.md.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import bias
import chain
import fetch
import image
import images
import progress
import pva
import rate
import series
import start
import timing
import upload
from figures import Figure, Settings
from peer import PEER, peer_python

BENCHMARKS: dict[str, Callable[[Settings], list[Figure]]] = {
    "fetch": fetch.measure,
    "upload": upload.measure,
    "start": start.measure,
    "image": image.measure,
    "images": images.measure,
    "pva": pva.measure,
    "bias": bias.measure,
    "series": series.measure,
    "timing": timing.measure,
    "rate": rate.measure,
    "chain": chain.measure,
    "progress": progress.measure,
}
COMPARED = {"fetch", "upload", "image"}
"""Those in which the peer takes part."""


def main() -> None:
    options = _options()
    names = list(BENCHMARKS) if options.what == "all" else [options.what]
    compares = not options.no_peer and not COMPARED.isdisjoint(names)
    settings = Settings(options.rounds, peer_python() if compares else None, options.small)
    print(_machine())
    found: dict[str, list[Figure]] = {}
    for name in names:
        found[name] = BENCHMARKS[name](settings)
        _show(name, found[name], with_goals=not options.small)
    if options.json:
        content = {name: [asdict(figure) for figure in figures] for name, figures in found.items()}
        options.json.write_text(json.dumps({"machine": _machine()} | content, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("what", nargs="?", default="all", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--rounds", type=int, default=11, help="how often each is measured; the median counts")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--no-peer", action="store_true", help=f"do not compare with {PEER}")
    parser.add_argument("--small", action="store_true", help="sizes that only show that it works")
    return parser.parse_args()


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}, load {load:.1f}"


def _show(name: str, figures: list[Figure], *, with_goals: bool) -> None:
    print(f"\n{name}")
    for figure in figures:
        verdict = f"{figure.goal}: {'met' if figure.is_met else 'MISSED'}" if figure.goal and with_goals else ""
        print(f"  {figure.name:<58} {_rounded(figure.value):>9} {figure.unit:<8}{verdict}".rstrip())
    sys.stdout.flush()


def _rounded(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


if __name__ == "__main__":
    main()
