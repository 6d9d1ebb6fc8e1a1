"""The timing core: every rule of execution, each in a script of a few lines, and the same in the reference.

What comes from outside is in `test_core_outside.py`, scripts at random and real ones in `test_core_random.py` and
`test_core_real.py`.
"""

import pytest

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import Bit
from archon_ioc.errors import ConfigError

from .bench import Bench, ran
from .scripts import LARGEST, PULSE, STOP, script

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


COUNTS_UP = "Loop: X; P++\nX; IF !Q GOTO Loop\nX; GOTO Loop"


def test_a_script_that_counts_a_million_times_is_given_up_where_that_is_wanted() -> None:
    core = TimingCore(compile_script(script(COUNTS_UP, {"P": 0, "Q": 0})), most_steps=1000)
    core.release()
    with pytest.raises(ConfigError, match="more than 1000 instructions"):
        core.settle(10**9)


def test_what_can_be_added_up_is_never_given_up() -> None:
    core = TimingCore(compile_script(script(f"X; CALL Pulse(N)\n{STOP}{PULSE}", {"N": LARGEST})), most_steps=20)
    core.release()
    assert core.settle(10**9).ticks > LARGEST


def test_a_run_ends_early_where_it_would_take_too_long() -> None:
    core = TimingCore(compile_script(script(COUNTS_UP, {"P": 0, "Q": 0})))
    core.release()
    trace = core.advance(10**6, patience=100)
    assert 90 < core.tick == trace.ticks < 110
    assert core.advance(core.tick + 50, patience=100).ticks == 50


DEEP = "\n".join(f"R{n}:\nX; CALL R{n + 1}\nX; RETURN R{n}" for n in range(600)) + "\nR600:\nX; RETURN R600"


def test_calls_nested_far_deeper_than_the_stack_are_stepped_through() -> None:
    core = TimingCore(compile_script(script(f"X; CALL R0\nStop: X; GOTO Stop\n{DEEP}")))
    core.release()
    assert core.advance(10_000).ticks == 10_000
