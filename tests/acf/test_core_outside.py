"""The timing core: parameters that are loaded, reset, hold and release, and what it tells."""

from dataclasses import replace

import pytest

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import NOTHING, Bit, Repeat
from archon_ioc.errors import InputError

from .bench import Bench, ran
from .scripts import LARGEST, PULSE, STOP, script

# Parameters that are loaded while the script runs


@pytest.mark.parametrize(("tick", "rise"), [(0, 10), (9, 10), (10, 20), (19, 20), (20, 30)])
def test_a_load_is_seen_by_what_is_read_afterwards(tick: int, rise: int) -> None:
    bench = Bench(script("Wait: X(10); IF !Go GOTO Wait\nINT", {"Go": 0}))
    bench.advance(tick)
    bench.load("Go", 1)
    bench.advance(100)
    assert bench.rises()[0] == rise


@pytest.mark.parametrize(
    "text", ["X; X(7); INT(P); NOINT(P)", f"Main: X; CALL Sub(9)\n{STOP}Sub: X(8); INT(P); RETURN Sub"]
)
def test_a_load_is_seen_by_a_hold_for_no_ticks_at_the_end_of_a_loop(text: str) -> None:
    for tick in range(20, 60):
        bench = Bench(script(text, {"P": 0}))
        bench.advance(tick)
        bench.load("P", 3)
        bench.advance(100)


def test_a_load_in_the_middle_of_nested_calls() -> None:
    text = f"X; CALL Row(4)\n{STOP}Row: X; CALL Pulse(N)\nX(W); RETURN Row\n{PULSE}"
    bench = Bench(script(text, {"N": 3, "W": 5}))
    bench.advance(5)
    bench.load("N", 2)
    bench.load("W", 1)
    bench.advance(10)
    bench.load("n", 0)
    bench.advance(100)

    assert bench.rises() == [2, 4, 6, 10, 12]


def test_a_load_overrules_what_was_counted() -> None:
    bench = Bench(script("Loop: X; P--\nX; GOTO Loop", {"P": 9}))
    bench.advance(6)
    assert bench.core.parameters["P"] == 6
    bench.load("P", 9)
    bench.advance(10)
    assert bench.core.parameters["P"] == 7


def test_parameters_that_are_not_there_or_do_not_fit() -> None:
    core = TimingCore(compile_script(script("X", {"P": 1})), {"p": 2})
    assert core.parameters == {"P": 2}

    for name, value in (("Q", 1), ("P", -1), ("P", LARGEST + 1)):
        with pytest.raises(InputError, match=name):
            core.load(name, value)
    core.load("p", LARGEST)
    assert core.parameters == {"P": LARGEST}
    with pytest.raises(InputError, match="'Q'"):
        TimingCore(core.program, {"Q": 1})


# Reset, hold and release


def test_a_core_starts_held_in_its_first_state() -> None:
    bench = Bench(script("FCLK; X(4)\nRESET"), released=False)
    assert (bench.core.is_held, bench.core.control) == (True, Bit.FRAME)

    assert bench.advance(1000) == replace(NOTHING, ticks=1000)
    bench.release()
    bench.advance(1007)
    assert bench.changes == [(1005, 2, 0), (1006, 0, 2)]


@pytest.mark.parametrize("tick", [0, 1, 7, 20, 33, 50])
def test_reset_in_the_middle(tick: int) -> None:
    text = f"RESET; CALL Row(N)\n{STOP}Row: X; CALL Pulse(3)\nX(5); N--; RETURN Row\n{PULSE}"
    bench = Bench(script(text, {"N": 4}))
    bench.advance(tick)
    bench.reset()
    assert bench.core.control == 0
    assert not bench.core.is_held
    bench.advance(tick + 100)

    left = bench.core.parameters["N"]
    bench.reset()
    bench.advance(tick + 200)
    assert len([rise for rise in bench.rises() if rise >= tick + 100]) == 3 * left


def test_reset_keeps_no_control_bits_of_before() -> None:
    bench = ran("X\nINT; FCLK; X(10)", 5)
    assert bench.core.control == 3
    bench.reset()
    assert bench.changes[-1] == (5, 3, 0)


def test_reset_empties_the_stack() -> None:
    bench = Bench(script("Main: X; IF P GOTO Out\nX; CALL Main(7)\nOut: INT\nNOINT; RETURN Out", {"P": 0}))
    bench.advance(100)
    bench.load("P", 1)
    bench.reset()
    bench.advance(200)

    assert bench.rises()[:3] == [101, 104, 107]


def test_hold_and_release() -> None:
    bench = ran("RESET\nINT; X(9)\nNOINT; P--; X(9)", 5, P=5)
    bench.hold()
    bench.advance(500)
    assert bench.changes == [(1, 0, 1), (5, 1, 0)]
    bench.reset()  # held all the same
    bench.load("P", 3)
    bench.advance(600)
    assert bench.core.is_held
    bench.release()
    bench.advance(615)
    bench.release()  # runs already
    bench.advance(625)

    assert bench.changes[2:] == [(601, 0, 1), (611, 1, 0), (622, 0, 1)]
    assert bench.core.parameters == {"P": 2}


def test_a_new_core_begins_with_what_the_configuration_has() -> None:
    # That is LOADTIMING: of what was loaded or counted before nothing is left.
    bench = ran("X; P--; CALL Pulse(Q)\n" + STOP + PULSE, 5, P=3, Q=2)
    bench.load("Q", 9)
    core = TimingCore(bench.core.program)

    assert core.parameters == {"P": 3, "Q": 2}
    assert (core.tick, core.control, core.is_held) == (0, 0, True)


def test_without_a_script_nothing_happens() -> None:
    core = TimingCore(compile_script(script("")))
    for trace in (core.release(), core.reset(), core.hold(), core.release()):
        assert trace == NOTHING
    assert core.advance(1000) == replace(NOTHING, ticks=1000)
    assert (core.tick, core.control, core.line, core.state) == (1000, 0, 0, 0)


# What is told


def test_where_the_core_is() -> None:
    core = TimingCore(compile_script(script("# Start\nX\n\nINT; X(5)")))
    core.release()
    assert (core.line, core.state) == (1, 1)
    core.advance(3)
    assert (core.line, core.state) == (3, 1)


def test_loops_stay_loops() -> None:
    text = f"X; CALL Row(100)\n{STOP}Row: X; CALL Pulse(1000)\nX; RETURN Row\n{PULSE}"
    core = TimingCore(compile_script(script(text)))
    core.release()
    trace = core.advance(1 << 40)

    assert trace.ticks == 1 << 40
    assert len(trace.events) < 10
    rows = next(event for event in trace.events if isinstance(event, Repeat))
    assert (rows.count, rows.body.ticks) == (100, 2002)
    assert sum(change.rises(Bit.INT) for change in trace.changes()) == 100_000


SHIFTING = """
Main: X; CALL Line(Lines)
Stop: X; GOTO Stop
Line: X; CALL Shift(Binning)
LCLK; CALL Pixel(5)
X; RETURN Line
Pixel: PCLK; NOPCLK; RETURN Pixel
Shift: X(3); RETURN Shift
"""


@pytest.mark.parametrize(("lines", "binning", "shifts"), [(4, 1, 4), (3, 8, 24), (100, 0, 0), (0, 5, 0)])
def test_parallel_shifts_are_counted(lines: int, binning: int, shifts: int) -> None:
    acf = script(SHIFTING, {"Lines": lines, "Binning": binning})
    assert Bench(acf).advance(5000).shifts == shifts
    bench = Bench(acf)
    assert sum(bench.advance(tick).shifts for tick in range(7, 5000, 7)) == shifts


# Settling


def test_settle_runs_until_nothing_happens_any_more() -> None:
    bench = Bench(script(f"X; CALL Pulse(50)\n{STOP}{PULSE}"))
    trace = bench.settle(10_000)
    assert bench.core.is_settled
    assert len(list(trace.changes())) == 100
    assert 100 < bench.core.tick < 200

    assert bench.advance(20_000).events == ()


def test_settle_gives_up_at_its_limit() -> None:
    bench = Bench(script("X\nINT\nNOINT"))
    assert bench.settle(1000).ticks == 1000
    assert not bench.core.is_settled
    bench = Bench(script("X(1000000)"))
    assert bench.settle(1000).ticks == 1000


def test_settle_does_not_wait_where_nothing_can_happen() -> None:
    assert Bench(script("X; INT"), released=False).settle(1000).ticks == 0
    bench = Bench(script("Main: X(9); IF P GOTO Main\nINT", {"P": 1}))
    bench.settle(1_000_000)
    assert bench.core.tick < 100
    bench.load("P", 0)
    bench.settle(1_000_000)
    assert bench.core.tick < 200
    assert len(bench.rises()) == 1


def test_settle_can_stop_before_a_frame() -> None:
    text = f"X; CALL Pulse(20)\nX(7)\nFCLK; CALL Pulse(2)\n{STOP}{PULSE}"
    core = TimingCore(compile_script(script(text)))
    core.release()
    trace = core.settle(10_000, before_frame=True)
    assert (core.tick, core.is_settled) == (48, False)
    assert not any(change.rises(Bit.FRAME) for change in trace.changes())

    assert next(core.advance(49).changes(48)).rises(Bit.FRAME)


def test_a_frame_that_is_held_for_no_ticks_is_none() -> None:
    core = TimingCore(compile_script(script(f"X; FCLK(P); NOINT\n{STOP}", {"P": 0})))
    core.release()
    core.settle(10_000, before_frame=True)
    assert core.is_settled
