"""The flow of scripts: what can be reached, and who calls whom."""

from archon_ioc.acf.flow import Flow
from archon_ioc.acf.script import compile_script

from .scripts import demo, script

CHAIN = "Main: X; CALL Sub\nX; CALL Deep\nX; GOTO Main\nSub: X; CALL Deep\nX; RETURN Sub\nDeep: X; RETURN Deep"
PARAMETERS = {"P": 0, "N": 3}
LABELS = {"MAIN": "Main", "SUB": "Sub", "DEEP": "Deep", "OUT": "Out"}


def flow(text: str) -> Flow:
    return Flow(compile_script(script(text, PARAMETERS)), LABELS)


def test_everything_can_be_reached_from_the_first_line() -> None:
    found = flow("Main: X; IF P GOTO Out\nX; CALL Sub(N)\nX; GOTO Main\nOut: X; GOTO Main\nSub: X; RETURN Sub\nX")
    assert found.reachable == {0, 1, 2, 3, 4}
    assert found.main == {0, 1, 2, 3}
    assert found.called == {4}


def test_a_return_and_a_goto_have_no_next_but_conditional_ones() -> None:
    found = flow("Main: X; GOTO Main\nSub: X; RETURN Sub\nX; IF P GOTO Main\nX; CALL Sub")
    assert [found.next_of(at) for at in range(4)] == [None, None, 3, 0]


def test_a_routine_ends_where_the_next_begins() -> None:
    found = flow(
        "Main: X; CALL Sub\nX; CALL Deep\nX; GOTO Main\nSub: X; CALL Deep\nX; RETURN Sub\nDeep: X; RETURN Deep"
    )
    sub = found.routines[3]
    assert (sub.returns, sub.leaves, sub.calls) == ((4,), (), {5})


def test_a_routine_can_be_left_by_a_jump_or_by_running_on() -> None:
    found = flow("Main: X; CALL Sub\nX; CALL Deep\nX; GOTO Main\nSub: X; IF P GOTO Main\nX\nDeep: X; RETURN Deep")
    assert found.routines[3].returns == ()
    assert found.routines[3].leaves == (0, 5)


def test_a_routine_that_lost_its_return_runs_on_into_another_label() -> None:
    found = flow("Main: X; CALL Sub\nX; GOTO Main\nSub: X; IF P GOTO Out\nX\nOut: X; GOTO Main")
    assert found.routines[2].runs_on == (3,)
    assert found.abandons(2)


def test_a_loop_in_a_routine_is_not_another_label() -> None:
    found = flow("Main: X; CALL Sub\nX; GOTO Main\nSub: X\nOut: X; GOTO Out")
    assert found.routines[2].runs_on == ()
    assert not found.abandons(2)


def test_a_call_can_be_abandoned_in_a_routine_below() -> None:
    found = flow("Main: X; CALL Sub\nX; GOTO Main\nSub: X; CALL Deep\nX; GOTO Sub\nDeep: X; GOTO Main")
    assert found.abandons(2)


def test_the_longest_chain_of_calls() -> None:
    found = flow(
        "Main: X; CALL Sub\nX; CALL Deep\nX; GOTO Main\nSub: X; CALL Deep\nX; RETURN Sub\nDeep: X; RETURN Deep"
    )
    assert found.deepest() == (3, 5)
    assert list(found.recursive()) == []


def test_routines_that_call_themselves() -> None:
    found = flow(
        "Main: X; CALL Sub\nX; GOTO Main\nSub: X; IF P CALL Deep\nX; RETURN Sub\nDeep: X; CALL Sub\nX; RETURN Deep"
    )
    assert list(found.recursive()) == [2, 4]
    assert found.deepest() == (2, 4)


def test_places_are_called_as_the_script_writes_them() -> None:
    found = flow("Main: X; CALL Sub\nX; GOTO Main\nSub: X; RETURN Sub")
    assert (found.name(2), found.label(2), found.label(1), found.name(1), found.key(2)) == (
        "Sub", "Sub", "LINE1", "", "LINE2",
    )  # fmt: skip


def test_the_demonstration_has_three_levels() -> None:
    found = Flow(compile_script(demo()))
    assert found.reachable == set(range(len(found.instructions)))
    assert len(found.deepest()) == 3
