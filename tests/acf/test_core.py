"""The timing core: every rule of execution, each in a script of a few lines, and the same in the reference.

Scripts at random and real ones are in `test_core_random.py`.
"""

from dataclasses import replace

import pytest

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import NOTHING, Bit, Repeat
from archon_ioc.errors import InputError

from .bench import Bench
from .scripts import script

STOP = "Stop: X; GOTO Stop\n"
PULSE = "Pulse: INT\nNOINT; RETURN Pulse\n"
LARGEST = (1 << 20) - 1


def ran(text: str, until: int = 100, **parameters: int) -> Bench:
    """Run a script from its start."""
    bench = Bench(script(text, parameters))
    bench.advance(until)
    return bench


# States and holds


def test_a_state_lasts_one_tick_and_a_held_one_its_count() -> None:
    bench = ran("X\nINT; X(99)\nNOINT; NOINT(9)", 250)

    assert bench.changes == [(1, 0, 1), (101, 1, 0), (112, 0, 1), (212, 1, 0), (223, 0, 1)]


def test_running_past_the_last_instruction_goes_on_at_the_first() -> None:
    assert ran("X\nINT\nNOINT", 10).rises() == [1, 4, 7]


def test_control_bits_that_a_state_keeps_stay() -> None:
    bench = ran("RESET\nFCLK; LCLK; PCLK\nINT; TRIGA; NOPCLK; NOINT; TRIGB", 9)

    assert [after for _, _, after in bench.changes] == [2, 6, 14, 15, 31, 17, 16, 48]


@pytest.mark.parametrize(
    ("text", "rises"),
    [
        ("X\nINT(P)\nNOINT", [1, 4, 7]),  # begins a line: one tick at least
        ("X; INT(P); NOINT", []),
        ("X\nINT; X(P); NOINT", [1, 4, 7]),
        ("X\nINT; X(P); NOINT(P)\nNOINT", [1, 4, 7]),
    ],
)
def test_a_hold_for_no_ticks(text: str, rises: list[int]) -> None:
    assert ran(text, 9, P=0).rises() == rises


def test_what_a_hold_for_no_ticks_says_is_done_nevertheless() -> None:
    bench = ran("X; INT(P); Q++; GOTO Next\nINT\nNext: NOINT; X(P); IF P GOTO Next; Q--; Q--\n" + STOP, P=0, Q=5)

    assert bench.rises() == []
    assert bench.core.parameters == {"P": 0, "Q": 4}


def test_a_hold_reads_its_count_when_it_begins() -> None:
    bench = Bench(script("X\nINT; X(P)\nNOINT", {"P": 10}))
    bench.advance(2)
    bench.load("P", 5)  # just in time
    bench.advance(4)
    bench.load("P", 100)
    bench.advance(8)
    bench.load("P", 2)
    bench.advance(20)

    assert bench.changes == [(1, 0, 1), (7, 1, 0), (9, 0, 1), (12, 1, 0), (14, 0, 1), (17, 1, 0), (19, 0, 1)]


# CALL and RETURN


@pytest.mark.parametrize(("count", "rises"), [(0, []), (1, [1]), (3, [1, 3, 5])])
def test_a_call_is_repeated_and_skipped_for_zero(count: int, rises: list[int]) -> None:
    assert ran(f"X; CALL Pulse(N)\n{STOP}{PULSE}", N=count).rises() == rises


def test_a_call_without_a_count_is_done_once() -> None:
    assert ran(f"X; CALL Pulse\n{STOP}{PULSE}").rises() == [1]


def test_calls_in_calls_have_counts_of_their_own() -> None:
    bench = ran(f"X; CALL Row(2)\n{STOP}Row: X; CALL Pulse(3)\nX(5); RETURN Row\n{PULSE}")

    assert bench.rises() == [2, 4, 6, 14, 16, 18]


def test_a_call_latches_its_count() -> None:
    bench = Bench(script(f"X; CALL Pulse(N)\n{STOP}{PULSE}", {"N": 3}))
    for tick, value in ((2, 1), (4, 100), (5, 0)):
        bench.advance(tick)
        bench.load("N", value)
    bench.advance(50)

    assert bench.rises() == [1, 3, 5]


def test_return_may_name_another_label_than_the_call() -> None:
    bench = ran("X; CALL Twice(3)\n" + STOP + "Once: INT\nNOINT; RETURN Twice\nTwice: TRIGA\nTRIGS; GOTO Once")
    assert bench.rises() == [3, 7, 11]

    bench = ran("X; CALL First(3)\n" + STOP + "First: TRIGA\nTRIGS\nPulse: INT\nNOINT; RETURN Pulse")
    assert (bench.rises(Bit.TRIGA), bench.rises()) == ([1], [3, 5, 7])

    text = "X; CALL Outer(2)\n" + STOP + "Outer: X; CALL First(3)\nX; RETURN Outer\nFirst: TRIGA\nTRIGS\n" + PULSE
    bench = ran(text)
    assert (bench.rises(Bit.TRIGA), bench.rises()) == ([2, 12], [4, 6, 8, 14, 16, 18])


def test_return_with_nothing_to_return_to_starts_the_script() -> None:
    assert ran("X\nINT; GOTO Sub\n" + STOP + "Sub: NOINT; RETURN Sub", 10).rises() == [1, 4, 7]


@pytest.mark.parametrize(("levels", "rise"), [(15, None), (16, None), (17, 53), (20, 59), (40, 99)])
def test_the_stack_keeps_the_newest_16_entries(levels: int, rise: int | None) -> None:
    deep = "Main: X; CALL Deep\n" + STOP + "Deep: INT; N--\nNOINT; IF N CALL Deep\nX; RETURN Deep"
    bench = ran(deep, 300, N=levels)

    # What was lost is returned to as to nothing: the script starts again, now with N=0.
    assert bench.rises() == [*range(1, 2 * levels, 2), *([rise] if rise else [])]


@pytest.mark.parametrize(("levels", "is_lost"), [(11, False), (13, False), (14, True), (16, True)])
def test_calls_in_calls_on_a_nearly_full_stack(levels: int, is_lost: bool) -> None:
    text = "Main: X; CALL Deep\n" + STOP + "Deep: INT; N--\nNOINT; IF N CALL Deep\nX; CALL A(2)\nX; RETURN Deep\n"
    text += "A: X; CALL B(3)\nX; RETURN A\nB: X; CALL C\nX; RETURN B\nC: TRIGA; TRIGS; RETURN C"

    assert len(ran(text, 1500, N=levels).rises()) == levels + is_lost


def test_leaving_calls_by_goto_leaves_the_count_and_the_stack() -> None:
    text = "Main: X; CALL Outer(3)\nX; GOTO Main\nOuter: X; CALL Inner(5)\nX; RETURN Outer\nInner: INT; P--\n"
    text += "NOINT; IF !P GOTO Main\nX; RETURN Inner"
    bench = ran(text, 3000, P=100)

    assert len(bench.rises()) > 500


def test_a_routine_that_is_entered_by_goto_returns_to_the_start() -> None:
    # As in public scripts: the idle loop clears the CCD so.
    text = "Main: X; IF Auto GOTO FlushOne\nX; GOTO Main\nFlushOne: X; CALL Pulse(2)\nX; RETURN FlushOne\n" + PULSE
    assert ran(text, 16, Auto=1).rises() == [2, 4, 9, 11]


# Conditions and counting


@pytest.mark.parametrize(
    ("jump", "value", "rises"),
    [
        ("IF P GOTO Once", 0, []),
        ("IF P GOTO Once", 2, [1]),
        ("IF !P GOTO Once", 2, []),
        ("IF !P GOTO Once", 0, [1]),
        ("IF P CALL Pulse(3)", 1, [1, 3, 5]),
        ("IF P CALL Pulse(3)", 0, []),
        ("IF !P CALL Pulse", 0, [1]),
        ("IF P CALL Pulse(P)", 2, [1, 3]),
        ("IF !P CALL Pulse(P)", 0, []),
    ],
)
def test_conditions(jump: str, value: int, rises: list[int]) -> None:
    assert ran(f"X; {jump}\n{STOP}Once: INT; NOINT; GOTO Stop\n{PULSE}", P=value).rises() == rises


@pytest.mark.parametrize(("value", "changes"), [(1, [(1, 0, 1), (2, 1, 0)]), (0, [(1, 0, 1), (2, 1, 17), (4, 17, 16)])])
def test_a_conditional_return(value: int, changes: list[tuple[int, int, int]]) -> None:
    text = "X; CALL Sub\nNOINT; GOTO Stop\n" + STOP + "Sub: INT; IF P RETURN Sub\nTRIGA\nX; RETURN Sub"
    assert ran(text, P=value).changes == changes


def test_nothing_is_counted_below_zero_or_above_20_bits() -> None:
    bench = ran("X; P--; Q++; R--\n" + STOP, P=0, Q=LARGEST, R=5)
    assert bench.core.parameters == {"P": 0, "Q": LARGEST, "R": 4}

    bench = ran("X; Q++; Q--; P--; P++\n" + STOP, P=0, Q=LARGEST)
    assert bench.core.parameters == {"P": 1, "Q": LARGEST - 1}


def test_conditions_and_counts_are_read_before_the_same_instruction_counts() -> None:
    assert ran(f"X; P--; IF P GOTO Once\n{STOP}Once: INT; NOINT; GOTO Stop", P=1).rises() == [1]
    assert ran(f"X; P++; IF P GOTO Once\n{STOP}Once: INT; NOINT; GOTO Stop", P=0).rises() == []
    assert ran(f"X; P--; P--; CALL Pulse(P)\n{STOP}{PULSE}", P=3).rises() == [1, 3, 5]
    assert ran(f"X; P++; CALL Pulse(P)\n{STOP}{PULSE}", P=0).rises() == []


def test_the_next_instruction_sees_what_was_counted() -> None:
    bench = ran(f"X\nLoop: INT; P--\nNOINT; IF P GOTO Loop\n{STOP}", P=4)
    assert bench.rises() == [1, 3, 5, 7]
    assert bench.core.parameters == {"P": 0}


def test_a_hold_counts_once_and_at_its_end() -> None:
    bench = Bench(script("X; X(10); P--\n" + STOP, {"P": 5}))
    for until, value in ((1, 5), (10, 5), (11, 4), (50, 4)):
        bench.advance(until)
        assert bench.core.parameters["P"] == value


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
