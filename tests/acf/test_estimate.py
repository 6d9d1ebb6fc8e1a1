"""Estimated times against paper, and against the tick-by-tick interpreter."""

import time
from collections.abc import Mapping
from itertools import pairwise

import pytest

from archon_ioc.acf.estimate import Duration, estimate, estimate_readout
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import ScriptError
from archon_ioc.errors import InputError

from .reference import Reference
from .scripts import demo, for_ever, real, script

INT, FRAME, LINE, PIXEL = 1, 2, 4, 8

# The demonstration script on paper: every state is 1 tick, NAME(n) n more.
SERIAL_SHIFT = 6 * (1 + 10) + 1
TO_PIXEL_CLOCK = 21 + 1 + 1 + SERIAL_SHIFT
PIXEL_TICKS = TO_PIXEL_CLOCK + 1 + 141 + 11 + 191 + 1
PARALLEL_SHIFT = 6 * (1 + 1500) + 1
AFTER_PIXELS = 5001 + 1 + 1 + 1
LINE_TICKS = 1 + PARALLEL_SHIFT + 1 + 1 + 512 * PIXEL_TICKS + 1 + 1 + 48 * PIXEL_TICKS + 1 + PIXEL_TICKS + AFTER_PIXELS
MILLISECOND = 100_000
CLEARED_LINES = 1 + 64 * PARALLEL_SHIFT + 1 + 600 * SERIAL_SHIFT + 1
CLEARED_ONCE = 1 + 8 * CLEARED_LINES + 1


def test_the_readout_of_the_demonstration_script() -> None:
    readout = estimate(demo()).readout
    assert readout is not None
    to_read, clear = 3, 1 + 1 + 10 * MILLISECOND + 1 + 1
    assert readout.start.ticks == to_read + clear + 1 + 1 + PARALLEL_SHIFT + 1 + 1 + TO_PIXEL_CLOCK
    assert (readout.pixel, readout.line) == (Duration(PIXEL_TICKS), Duration(LINE_TICKS))
    to_overscan_lines = to_overscan_pixels = 2
    assert readout.length.ticks == 527 * LINE_TICKS + 559 * PIXEL_TICKS + to_overscan_lines + to_overscan_pixels
    rest_of_pixel, extra_pixel, to_main = PIXEL_TICKS - TO_PIXEL_CLOCK, 1 + PIXEL_TICKS, 1
    assert readout.recovery == Duration(rest_of_pixel + extra_pixel + AFTER_PIXELS + to_main)
    assert readout.period == Duration(readout.start.ticks + readout.length.ticks + readout.recovery.ticks)
    assert (readout.lines, readout.pixels, readout.completes, readout.is_cut) == (528, 561, True, False)
    assert readout.length.seconds == pytest.approx(1.36236573)


def test_the_integration_of_the_demonstration_script() -> None:
    integration = estimate(demo()).integration
    assert integration is not None
    assert (integration.unit, integration.offset) == (Duration(MILLISECOND), Duration(2))
    assert integration.of(250) == Duration(250 * MILLISECOND + 2)
    assert integration.longest == Duration(1_000_000 * MILLISECOND + 2)
    assert integration.abort == Duration(MILLISECOND)
    assert not integration.reads_by_itself


def test_the_idle_loop_of_the_demonstration_script() -> None:
    idle = estimate(demo()).idle
    assert idle.loop == Duration(7)
    assert idle.deaf == Duration(7 + CLEARED_ONCE)
    assert idle.flush == Duration(4 + 1 + 1 + 2 * CLEARED_ONCE + 1)


def test_other_values_of_parameters() -> None:
    usual, changed = estimate(demo()), estimate(demo(), {"nointms": 0, "Lines": 511, "FLUSHCOUNT": 3, "AutoFlush": 0})
    assert usual.readout is not None
    assert changed.readout is not None
    assert usual.readout.start.ticks - changed.readout.start.ticks == 10 * MILLISECOND
    assert (changed.readout.lines, changed.readout.completes) == (527, False)
    assert usual.idle.flush is not None
    assert changed.idle.flush == Duration(usual.idle.flush.ticks + CLEARED_ONCE)
    with pytest.raises(InputError, match="no parameter 'IntCS'"):
        estimate(demo(), {"IntCS": 1})


def test_a_readout_of_days_is_cut() -> None:
    readout = estimate_readout(demo(), {"Lines": 1_048_575, "Pixels": 1_048_575})
    assert readout is not None
    assert (readout.completes, readout.is_cut, readout.recovery) == (True, True, None)
    assert readout.lines < 1_048_575


def test_a_line_that_is_too_short_is_told() -> None:
    readout = estimate_readout(demo(), {"Pixels": 500})
    assert readout is not None
    assert (readout.pixels, readout.completes) == (549, False)
    assert readout.length.ticks > 527 * (LINE_TICKS - 12 * PIXEL_TICKS)


def test_the_shortest_of_unequal_lines_is_told() -> None:
    text = """
Main:
RESET; IF ReadOut GOTO Read
X; GOTO Main
Read:
FCLK; CALL Line(2)
X; CALL Short
X; ReadOut--
X; GOTO Main
Line:
LCLK; CALL Pixel(5)
X; RETURN Line
Short:
LCLK; CALL Pixel(3)
X; RETURN Short
Pixel:
PCLK; X(7)
NOPCLK; X(1)
X; RETURN Pixel
"""
    acf = script(text, {"ReadOut": 0}).keys | {"PIXELCOUNT": "3", "LINECOUNT": "3"}
    readout = estimate_readout(Acf(acf))
    assert readout is not None
    assert (readout.lines, readout.pixels, readout.completes) == (3, 3, True)
    assert (readout.pause, readout.continuous, readout.recovery) == (None, None, None)


def test_a_script_that_reads_for_ever_is_timed_by_its_first_frame() -> None:
    readout = estimate(for_ever()).readout
    assert readout is not None
    assert (readout.lines, readout.pixels, readout.completes) == (3, 5, True)
    assert (readout.period, readout.line) == (Duration(3 * 57 + 2), Duration(57))


def test_a_script_may_be_able_to_do_nothing() -> None:
    acf = script("Main:\nX; GOTO Main", {"Other": 0})
    found = estimate(Acf(acf.keys | {"PIXELCOUNT": "3", "LINECOUNT": "3"}))
    assert (found.readout, found.integration) == (None, None)
    assert (found.idle.loop, found.idle.deaf, found.idle.flush) == (None, None, None)


def test_a_wrong_script_has_no_times() -> None:
    with pytest.raises(ScriptError, match="no label"):
        estimate(script("X; GOTO Nowhere"))


# Against the interpreter


class Seen:
    """What the interpreter saw of a readout: ticks of the edges, and when it came back to the first instruction."""

    def __init__(self, acf: Acf, parameters: Mapping[str, int], until: int) -> None:
        reference = Reference(acf, parameters)
        reference.release()
        self.back: list[int] = []
        while reference.now < until:
            was = reference.address
            reference.tick()
            if reference.address == 0 and was != 0:
                self.back.append(reference.now)
        changes = reference.changes
        self.pixels = [tick for tick, old, new in changes if new & ~old & PIXEL]
        self.lines = [tick for tick, old, new in changes if new & ~old & PIXEL and new & LINE]
        self.frames = [tick for tick, old, new in changes if new & ~old & PIXEL and new & FRAME]
        self.light = [tick for tick, old, new in changes if (new ^ old) & INT]


SMALLER = {
    "demo": {"Lines": 2, "OverscanLines": 1, "Pixels": 20, "OverscanPixels": 5, "NoIntMS": 0},
    "LVM_100kHz": {"Lines": 3, "Pixels": 100},
    "BOSS_extra": {"Lines": 3, "Pixels": 120, "NoIntMS": 1},
    "STA4800": {"Lines": 3, "PreSkipLines": 2, "Pixels": 21},
}
COUNTS = {"demo": (25, 3), "LVM_100kHz": (120, 3), "BOSS_extra": (120, 3), "STA4800": (20, 3)}
DEMAND = {"demo": "ReadOut", "LVM_100kHz": "ReadOut", "BOSS_extra": "ReadOut", "STA4800": "Exposures"}
QUIET = {"AUTOFLUSH": 0, "EXTERNALTRIGGER": 0}


def smaller(name: str) -> tuple[Acf, dict[str, int]]:
    """Return a configuration with few lines, and the parameters that make it so."""
    pixels, lines = COUNTS[name]
    acf = demo() if name == "demo" else real(name)
    return acf.with_values({"PIXELCOUNT": str(pixels), "LINECOUNT": str(lines)}), SMALLER[name]


def interpreted(acf: Acf, *values: Mapping[str, int], until: int) -> Seen:
    wanted = {name.upper(): value for part in (QUIET, *values) for name, value in part.items()}
    own = {name.upper() for name in acf.parameters}
    return Seen(acf, {name: value for name, value in wanted.items() if name in own}, until)


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", SMALLER)
def test_the_readout_is_exactly_that_of_the_interpreter(name: str) -> None:
    acf, changes = smaller(name)
    readout = estimate_readout(acf, changes)
    assert readout is not None
    assert readout.recovery is not None
    whole = readout.start.ticks + readout.length.ticks + readout.recovery.ticks
    seen = interpreted(acf, changes, {DEMAND[name]: 1, "IntMS": 0}, until=whole + 10)

    assert seen.frames == [readout.start.ticks]
    last = (
        seen.lines[-1] + [tick - seen.lines[-1] for tick in seen.pixels if tick >= seen.lines[-1]][COUNTS[name][0] - 1]
    )
    assert readout.length == Duration(last - seen.frames[0])
    assert next(tick for tick in seen.back if tick > last) == whole
    assert readout.pixel == Duration(seen.pixels[1] - seen.pixels[0])
    assert readout.line == Duration(seen.lines[1] - seen.lines[0])
    per_line = [sum(a <= tick < b for tick in seen.pixels) for a, b in pairwise([*seen.lines, last + 10**9])]
    assert (readout.lines, readout.pixels) == (len(seen.lines), min(per_line))
    assert readout.completes


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["LVM_100kHz", "BOSS_extra"])
def test_whole_lines_are_exactly_those_of_the_interpreter(name: str) -> None:
    acf = real(name).with_value("LINECOUNT", "2")
    changes = {"Lines": 2, "NoIntMS": 0}
    readout = estimate_readout(acf, changes)
    assert readout is not None
    reference = Reference(acf, {**changes, "AutoFlush": 0, "ReadOut": 1})
    reference.release()
    reference.run(readout.start.ticks + readout.length.ticks + 1)
    pixels = [tick for tick, old, new in reference.changes if new & ~old & PIXEL]
    assert (pixels[0], pixels[-1]) == (readout.start.ticks, readout.start.ticks + readout.length.ticks)
    assert len(pixels) == acf.pixel_count + 1 + acf.pixel_count  # one more in the first line than is stored


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", SMALLER)
def test_the_period_is_exactly_that_of_the_interpreter(name: str) -> None:
    acf, changes = smaller(name)
    readout = estimate_readout(acf, changes)
    assert readout is not None
    assert readout.period is not None
    assert readout.continuous is not None
    until = readout.start.ticks + readout.period.ticks + 10
    twice = interpreted(acf, changes, {DEMAND[name]: 2, "IntMS": 0}, until=until)
    assert twice.frames == [readout.start.ticks, readout.start.ticks + readout.period.ticks]
    until = readout.start.ticks + 3 * readout.continuous.ticks
    running = interpreted(acf, changes, {"ContinuousExposures": 1, "IntMS": 0, "IntCS": 0}, until=until)
    assert running.frames[2] - running.frames[1] == readout.continuous.ticks


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", SMALLER)
def test_the_integration_is_exactly_that_of_the_interpreter(name: str) -> None:
    acf, changes = smaller(name)
    times = estimate(acf, changes)
    assert times.integration is not None
    for count in (1, 2):
        length = times.integration.of(count).ticks
        values = {"Exposures": 1, "IntMS": count, "IntCS": count, "NoIntMS": 0}
        seen = interpreted(acf, changes, values, until=length + 100)
        assert seen.light[1] - seen.light[0] == length


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "changes", "resting"),
    [
        ("demo", {"SkipLineBinVShift": 2, "FlushBin": 2}, 1),
        ("LVM_100kHz", {"SkipLineBinVShift": 2}, 1),
        ("BOSS_extra", {"SkipLineBinVShift": 1, "FlushBin": 1}, 1),
    ],
)
def test_flushing_is_exactly_that_of_the_interpreter(name: str, changes: dict[str, int], resting: int) -> None:
    acf, _ = smaller(name)
    idle = estimate(acf, changes).idle
    assert idle.flush is not None
    assert idle.deaf is not None
    assert idle.loop is not None
    seen = interpreted(acf, changes, {"DoFlush": 1}, until=idle.flush.ticks + 100)
    assert seen.back[0] == idle.flush.ticks
    assert seen.back[1] - seen.back[0] == idle.loop.ticks
    seen = interpreted(acf, changes, {"AutoFlush": resting}, until=2 * idle.deaf.ticks + 1)
    assert seen.back[1] - seen.back[0] == idle.deaf.ticks


@pytest.mark.needs_shared
def test_what_the_real_scripts_do() -> None:
    lvm, boss, slac = (estimate(real(name)) for name in ("LVM_100kHz", "BOSS_extra", "STA4800"))
    assert lvm.readout is not None
    assert lvm.readout.length.seconds == pytest.approx(43.71834, abs=1e-5)
    assert lvm.readout.pixel == Duration(1000)  # the 100 kHz of its name
    assert boss.readout is not None
    assert boss.readout.length.seconds == pytest.approx(25.22837, abs=1e-5)
    assert lvm.integration is not None
    assert boss.integration is not None
    assert slac.integration is not None
    assert [times.reads_by_itself for times in (lvm.integration, boss.integration, slac.integration)] == [
        False,
        False,
        True,
    ]
    assert lvm.integration.abort == Duration(100_006)
    assert (boss.integration.abort, slac.integration.abort) == (None, None)
    assert (lvm.integration.unit.ticks, boss.integration.unit.ticks) == (1_000_012, 100_000)


@pytest.mark.needs_shared
def test_the_longest_wait_for_an_abort_is_exactly_that_of_the_interpreter() -> None:
    acf, changes = smaller("LVM_100kHz")
    times = estimate(acf, changes).integration
    assert times is not None

    def dark(load: int) -> int:
        reference = Reference(acf, {**changes, "AutoFlush": 0, "Exposures": 1, "IntCS": 3})
        reference.release()
        reference.run(load)
        reference.load("AbortExposure", 1)
        while reference.control & INT:
            reference.tick()
        return reference.changes[-1][0]

    # The script looks at its parameter each millisecond, and 2 ticks later where it begins with another 10 ms.
    first = dark(900_000)
    last_in_time = next(load for load in range(first - 5, first) if dark(load + 1) > first)
    assert times.abort == Duration(dark(last_in_time + 1) - last_in_time - 1)
    assert times.abort == Duration(100_001 + 2 + 3)


@pytest.mark.needs_shared
def test_it_takes_little_time() -> None:
    acf = real("LVM_100kHz")
    began = time.perf_counter()
    estimate(acf)
    assert time.perf_counter() - began < 1.0  # it is some 15 ms; other programs may want the processor too
