"""Executing whole readouts with the timing core, and how long stepping through every tick takes instead."""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import acfs
from figures import Figure, Settings

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script

sys.path.append(str(Path(__file__).parents[1]))  # the reference lives with the tests
from tests.acf.reference import Reference
from tests.acf.scripts import REAL

_READ_OUT = {"ReadOut": 1, "AutoFlush": 0, "NoIntMS": 0}
_LONGEST_READOUT = 10_000_000_000  # ticks
_REFERENCE_TICKS = 3_000_000


def measure(settings: Settings) -> list[Figure]:
    """Return figures of the demonstration with a large CCD, and of real instruments where their files are."""
    examples = {"demonstration, 2048 x 2048 per tap": acfs.with_geometry(2048, 2048, 4, split=True)}
    paths = [REAL / f"{name}.acf" for name in ("LVM_100kHz", "BOSS_extra")]
    examples |= {path.stem: Acf.read(path) for path in paths if path.exists()}
    return [figure for name, acf in examples.items() for figure in _measure_one(name, acf, settings)]


def _measure_one(name: str, acf: Acf, settings: Settings) -> list[Figure]:
    compiled = [_compile(acf) for _ in range(settings.rounds)]
    rounds = [_read_out(acf) for _ in range(settings.rounds)]
    ticks, seconds = rounds[0][0], median(seconds for _, seconds in rounds)
    reference = _reference_rate(acf, _REFERENCE_TICKS // (100 if settings.small else 1))
    return [
        Figure(f"{name}: readout", ticks / 1e8, "s"),
        Figure(f"{name}: script compiled in", 1e3 * median(compiled), "ms"),
        Figure(f"{name}: readout executed in", 1e3 * seconds, "ms", at_most=50),
        Figure(f"{name}: reference, tick by tick", reference / 1e6, "Mticks/s"),
        Figure(f"{name}: core / reference", ticks / seconds / reference),
    ]


def _compile(acf: Acf) -> float:
    started = perf_counter()
    compile_script(acf)
    return perf_counter() - started


def _read_out(acf: Acf) -> tuple[int, float]:
    """Return the ticks of a readout, and the seconds that executing it took."""
    core = TimingCore(compile_script(acf), _known(acf, _READ_OUT))
    core.release()
    started = perf_counter()
    trace = core.settle(_LONGEST_READOUT)
    return trace.ticks, perf_counter() - started


def _reference_rate(acf: Acf, ticks: int) -> float:
    """Return how many ticks of a readout the reference executes per second."""
    reference = Reference(acf, _known(acf, _READ_OUT))
    reference.release()
    started = perf_counter()
    reference.run(ticks)
    return ticks / (perf_counter() - started)


def _known(acf: Acf, parameters: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in parameters.items() if acf.parameter_name(name)}
