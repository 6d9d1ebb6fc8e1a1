"""The timing core on the scripts of real instruments and on the demonstration: as the reference, to the tick."""

from dataclasses import dataclass, field
from random import Random

import pytest

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import Bit, Change, Trace

from .bench import Bench
from .reference import Reference
from .scripts import demo, real


@dataclass(frozen=True)
class Example:
    """A configuration, how a small CCD is told to it, and what it does with that."""

    name: str
    small: dict[str, int]
    integrate: dict[str, int]
    lines: int
    pixels: int
    """How many times LINE and PIXEL rise in a readout of the small CCD, and PIXEL in each line."""
    reads_at_once: bool = False
    more_frames: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def acf(self) -> Acf:
        return demo() if self.name == "demo" else real(self.name)

    def bench(self) -> Bench:
        bench = Bench(self.acf, released=False)
        for name, value in self.small.items():
            bench.load(name, value)
        bench.release()
        return bench

    @property
    def readout(self) -> dict[str, int]:
        return {"Exposures" if self.reads_at_once else "ReadOut": 1}


EXAMPLES = [
    Example(
        "demo",
        {"Lines": 3, "OverscanLines": 1, "Pixels": 20, "OverscanPixels": 2, "NoIntMS": 0, "ST": 1, "AT": 20}
        | {"AutoFlush": 0, "FlushBin": 1, "SkipLineBinVShift": 5, "PreSkipLines": 1, "PreSkipPixels": 3},
        {"IntMS": 2, "Exposures": 1},
        lines=4,
        pixels=23,
    ),
    Example(
        "LVM_100kHz",
        {"Lines": 3, "OverscanLines": 1, "Pixels": 20, "OverscanPixels": 2, "NoIntMS": 0, "ST": 1, "STM1": 0, "AT": 20}
        | {"AutoFlush": 0, "FlushBin": 1, "SkipLineBinVShift": 5, "PostSkipLines": 1, "WaitCount": 1},
        {"IntCS": 1, "Exposures": 1},
        lines=4,
        pixels=23,
    ),
    Example(
        "BOSS_extra",
        {"Lines": 3, "Pixels": 20, "OverscanPixels": 2, "NoIntMS": 0, "ST": 0, "AT": 3, "HorizontalBinning": 2}
        | {"AutoFlush": 0, "FlushBin": 1, "SkipLineBinVShift": 5, "PreSkipLines": 1, "PostSkipPixels": 4},
        {"IntMS": 2, "Exposures": 1},
        lines=3,
        pixels=23,
    ),
    Example(
        "STA4800",
        {"ExternalTrigger": 0, "Lines": 3, "Pixels": 20, "NoIntMS": 0, "PreSkipLines": 1, "ST": 1, "STM1": 0, "AT": 2}
        | {"IntMS": 1, "PreSweepCount": 1, "HorizontalBinning": 3},
        {"IntMS": 2, "Exposures": 1},
        lines=3,
        pixels=20,
        reads_at_once=True,
        more_frames={"ExternalTrigger": 1, "Exposures": 2, "IdleSweepCount": 1},
    ),
]


@pytest.fixture(
    params=[
        pytest.param(example, id=example.name, marks=() if example.name == "demo" else pytest.mark.needs_shared)
        for example in EXAMPLES
    ]
)
def example(request: pytest.FixtureRequest) -> Example:
    return request.param


def let_pass(bench: Bench, ticks: int) -> list[tuple[int, int, int]]:
    """Let time pass in pieces and return the changes of the control bits."""
    random, seen, end = Random(ticks), len(bench.changes), bench.core.tick + ticks
    while bench.core.tick < end:
        bench.advance(min(end, bench.core.tick + random.choice([1, 7, 100, 3_000, 20_000, 100_000])))
    return bench.changes[seen:]


def tell(bench: Bench, parameters: dict[str, int]) -> None:
    for name, value in parameters.items():
        if name.upper() in bench.core.parameters:
            bench.load(name, value)


def rises(changes: list[tuple[int, int, int]], bit: Bit) -> int:
    return sum(bool(after & ~before & bit) for _, before, after in changes)


def test_idle_and_flush(example: Example) -> None:
    bench = example.bench()
    assert let_pass(bench, 30_000) == []
    tell(bench, {"AutoFlush": 1, "IdleSweepCount": 1})
    let_pass(bench, 100_000)
    tell(bench, {"AutoFlush": 0, "IdleSweepCount": 0, "DoFlush": 1, "FlushCount": 2})
    assert let_pass(bench, 150_000) == []
    assert bench.core.parameters.get("DOFLUSH", 0) == 0


def test_read_out(example: Example) -> None:
    bench = example.bench()
    let_pass(bench, 1_234)
    tell(bench, example.readout)
    changes = let_pass(bench, 450_000)

    assert rises(changes, Bit.FRAME) == 1
    assert rises(changes, Bit.LINE) == example.lines
    assert rises(changes, Bit.PIXEL) == example.lines * example.pixels
    assert let_pass(bench, 5_000) == []


def test_expose_and_abort(example: Example) -> None:
    bench = example.bench()
    tell(bench, example.integrate)
    let_pass(bench, 123_456)
    assert bench.rises(Bit.INT)
    tell(bench, {"AbortExposure": 1})
    let_pass(bench, 300_000)
    bench.reset()
    let_pass(bench, 50_000)
    bench.hold()
    tell(bench, {"Exposures": 0, "AbortExposure": 0})
    let_pass(bench, 1_000)
    bench.release()
    assert rises(let_pass(bench, 150_000), Bit.INT) == 0


def test_continuous_exposures(example: Example) -> None:
    bench = example.bench()
    tell(bench, {"ContinuousExposures": 1, "IntMS": 1, "IntCS": 0})
    changes = let_pass(bench, 900_000)
    assert rises(changes, Bit.FRAME) > 1
    tell(bench, {"ContinuousExposures": 0, **example.more_frames})
    let_pass(bench, 600_000)


# Whole readouts


def total(trace: Trace, bit: Bit) -> int:
    """Return how often a bit rises, without looking at every change."""
    return sum(
        event.rises(bit) if isinstance(event, Change) else event.count * total(event.body, bit)
        for event in trace.events
    )


def size(trace: Trace) -> int:
    """Return how many events a trace is made of, those in loops once."""
    return sum(1 if isinstance(event, Change) else 1 + size(event.body) for event in trace.events)


@pytest.mark.needs_shared
def test_a_whole_readout_is_a_few_loops() -> None:
    acf = real("LVM_100kHz")
    core = TimingCore(compile_script(acf), {"ReadOut": 1, "AutoFlush": 0})
    core.release()
    trace = core.settle(10_000_000_000)

    assert (total(trace, Bit.FRAME), total(trace, Bit.LINE), total(trace, Bit.PIXEL)) == (1, 2040, 2040 * 2061)
    assert trace.shifts == 2040
    assert core.is_settled
    assert size(trace) < 200


def last_change(trace: Trace) -> int:
    event = trace.events[-1]
    if isinstance(event, Change):
        return event.tick
    return event.tick + (event.count - 1) * event.body.ticks + last_change(event.body)


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["LVM_100kHz", "BOSS_extra"])
def test_a_whole_readout_takes_what_its_lines_take(name: str) -> None:
    # The reference executes one and two lines of few pixels; all else is proportional.
    acf = real(name)
    start = {"ReadOut": 1, "AutoFlush": 0, "NoIntMS": 0, "OverscanPixels": 0, "ST": 2, "AT": 100}

    def end(lines: int, pixels: int) -> int:
        reference = Reference(acf, start | {"Lines": lines, "Pixels": pixels})
        reference.release()
        reference.run(250_000)
        return reference.changes[-1][0]

    one = end(1, 10)
    line = end(2, 10) - one
    pixel = end(1, 11) - one
    core = TimingCore(compile_script(acf), start | {"Lines": 2040, "Pixels": 2060})
    core.release()
    trace = core.settle(10_000_000_000)

    assert pixel > 0
    assert last_change(trace) == one + 2039 * line + 2040 * 2050 * pixel


@pytest.mark.parametrize("seed", range(3))
def test_one_big_step_is_as_many_small_ones(seed: int) -> None:
    random = Random(seed)
    cores = [TimingCore(compile_script(demo()), {"ReadOut": 1, "Lines": 4, "NoIntMS": 1}) for _ in range(2)]
    for core in cores:
        core.release()
    changes = list(cores[0].advance(12_000_000).changes())
    pieces: list[Change] = []
    while cores[1].tick < 12_000_000:
        start = cores[1].tick
        step = int(10 ** random.uniform(0, 6))
        pieces += cores[1].advance(min(start + step, 12_000_000)).changes(start)

    assert len(changes) > 10_000
    assert pieces == changes
    assert cores[0].parameters == cores[1].parameters
    assert cores[0].line == cores[1].line
