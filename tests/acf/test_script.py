"""Compiling timing scripts, and saying what is wrong with them."""

import re
from collections.abc import Mapping

import pytest

from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import Action, Condition, Count, Instruction, Program, ScriptError, compile_script
from archon_ioc.errors import ConfigError

from .reference import Reference
from .scripts import STATES, demo, real, script

NUMBERS = {name: number for number, name in enumerate(STATES)}


Entries = Mapping[str, object] | None


def compiled(text: str, parameters: Entries = None, constants: Entries = None) -> Program:
    return compile_script(script(text, parameters, constants))


def only(text: str, parameters: Entries = None, constants: Entries = None) -> Instruction:
    """Compile a script of which the last instruction is the one to look at."""
    return compiled(text, parameters, constants).instructions[-1]


def problems(acf: Acf) -> list[tuple[str, str]]:
    """Return the key and the kind of each problem."""
    with pytest.raises(ScriptError) as caught:
        compile_script(acf)
    return [(problem.key, problem.kind) for problem in caught.value.problems]


# Instructions


@pytest.mark.parametrize(
    ("text", "states", "ticks"),
    [
        ("X", ["X"], [1]),
        ("X(99)", ["X"], [99]),
        ("X; X(99)", ["X", "X"], [1, 99]),
        ("INT;X(99)", ["INT", "X"], [1, 99]),
        ("INT; X; NOINT(10000)", ["INT", "X", "NOINT"], [1, 1, 10000]),
        ("INT;", ["INT"], [1]),
        ("  INT ;\tX ( 7 )  ", ["INT", "X"], [1, 7]),
        ("X(1048575)", ["X"], [1048575]),
        ("X(PIXEL_CLOCK)", ["X"], [150]),
        ("X; NOINT(NOTHING)", ["X", "NOINT"], [1, 0]),
        ("X; NOINT(0)", ["X", "NOINT"], [1, 0]),
    ],
)
def test_each_state_is_an_instruction(text: str, states: list[str], ticks: list[int]) -> None:
    program = compiled(text, constants={"PIXEL_CLOCK": "150.0", "NOTHING": 0})

    assert [instruction.state for instruction in program.instructions] == [NUMBERS[name] for name in states]
    assert [instruction.ticks for instruction in program.instructions] == [Count(n) for n in ticks]
    assert {(i.action, i.condition, i.steps, i.line) for i in program.instructions} == {(Action.NEXT, None, (), 0)}


def test_a_hold_that_begins_a_line_takes_at_least_one_tick() -> None:
    program = compiled("Main: X(P)\nX(P); X(P); X\n", parameters={"P": 0})

    assert [i.shortest for i in program.instructions] == [1, 1, 0, 1]


def test_a_parameter_is_a_count_that_is_read_later() -> None:
    hold = only("X; X(Width)", parameters={"WIDTH": 5})

    assert hold.ticks == Count(0, "WIDTH")
    assert hold.ticks.value({"WIDTH": 7}) == 7
    assert Count(4).value({}) == 4


def test_parameters_win_over_constants() -> None:
    assert only("X(W)", parameters={"W": 5}, constants={"w": 6}).ticks.parameter == "W"


@pytest.mark.parametrize(
    ("directives", "action", "count", "condition", "steps"),
    [
        ("GOTO L", Action.GOTO, Count(1), None, ()),
        ("goto l", Action.GOTO, Count(1), None, ()),
        ("RETURN L", Action.RETURN, Count(1), None, ()),
        ("CALL L", Action.CALL, Count(1), None, ()),
        ("CALL L(5)", Action.CALL, Count(5), None, ()),
        ("CALL L (P)", Action.CALL, Count(0, "P"), None, ()),
        ("Call L( C )", Action.CALL, Count(3), None, ()),
        ("IF P GOTO L", Action.GOTO, Count(1), Condition("P", negated=False), ()),
        ("if !p goto L", Action.GOTO, Count(1), Condition("P", negated=True), ()),
        ("IF ! P GOTO L", Action.GOTO, Count(1), Condition("P", negated=True), ()),
        ("IF P CALL L(Q)", Action.CALL, Count(0, "Q"), Condition("P", negated=False), ()),
        ("IF !P CALL L", Action.CALL, Count(1), Condition("P", negated=True), ()),
        ("IF Q RETURN L", Action.RETURN, Count(1), Condition("Q", negated=False), ()),
        ("P--", Action.NEXT, Count(1), None, (("P", -1),)),
        ("q++", Action.NEXT, Count(1), None, (("Q", 1),)),
        ("P --; Q ++", Action.NEXT, Count(1), None, (("P", -1), ("Q", 1))),
        ("P--; P--; IF P GOTO L; Q++", Action.GOTO, Count(1), Condition("P", negated=False), (("P", -1),) * 2),
    ],
)
def test_directives(
    directives: str, action: Action, count: Count, condition: Condition | None, steps: tuple[tuple[str, int], ...]
) -> None:
    program = compiled(f"X\nL: INT; {directives}", parameters={"P": 0, "Q": 1}, constants={"C": 3})
    first, last = program.instructions

    assert first == Instruction(line=0, state=NUMBERS["X"])
    assert (last.line, last.state, last.ticks) == (1, NUMBERS["INT"], Count(1))
    assert (last.action, last.count, last.condition) == (action, count, condition)
    assert last.target == (0 if action is Action.NEXT else 1)
    assert last.steps[: len(steps)] == steps
    assert len(last.steps) == directives.count("--") + directives.count("++")


def test_directives_belong_to_the_state_before_them() -> None:
    program = compiled("Main: X; P--; INT(3); IF P GOTO Main; NOINT", parameters={"P": 0})

    assert [i.steps for i in program.instructions] == [(("P", -1),), (), ()]
    assert [i.action for i in program.instructions] == [Action.NEXT, Action.GOTO, Action.NEXT]


# Lines and labels


def test_labels_comments_and_blank_lines_are_no_instructions() -> None:
    program = compiled("# made by hand\n; with another pen; X\nMain:\n\n  \nX\nEnd : INT\n  # so far\nLast:")

    assert program.labels == {"MAIN": 0, "END": 1, "LAST": 2}
    assert [i.line for i in program.instructions] == [5, 6]


def test_a_label_at_the_very_end_leads_to_the_start() -> None:
    program = compiled("X; GOTO Last\nX; CALL Last\nLast:")

    assert program.labels == {"LAST": 2}
    assert [i.target for i in program.instructions] == [0, 0]


def test_a_label_may_be_used_before_it_is_defined_and_in_any_case() -> None:
    assert only("X; GOTO LATER\nLater:\nX; CALL later").target == 1


def test_lines_beyond_lines_and_missing_ones_are_ignored() -> None:
    acf = script("Main:\nX\nnonsense, nonsense")
    keys = {**acf.keys, "LINES": "2"}
    del keys["LINE0"]

    assert [i.line for i in compile_script(Acf(keys)).instructions] == [1]


def test_states() -> None:
    acf = script("Open; GOTO open", states={"OPEN": "1,3E", "Shut": " 8 , 1f "})
    acf = Acf({**acf.keys, "STATE0/MOD10": "0,1", "STATE0/MOD2": ""})
    with pytest.raises(ScriptError):
        compile_script(acf)

    acf = Acf({**acf.keys, "LINE0": "oPeN"})
    program = compile_script(acf)
    opened, shut = program.states[0], program.states[1]
    assert (opened.name, opened.clocks, opened.keep, opened.modules) == ("OPEN", 1, 0x3E, {2: "", 10: "0,1"})
    assert (shut.number, shut.clocks, shut.keep, shut.modules) == (1, 8, 0x1F, {})
    assert [opened.after(control) for control in (0, 0x22, 1)] == [1, 0x23, 1]
    assert [shut.after(control) for control in (0, 0x28, 0x15)] == [0, 8, 0x15]


def test_parameters_are_those_of_the_list_in_upper_case() -> None:
    program = compiled("X", parameters={"IntMS": 1048575, "Lines": 0})
    assert list(program.parameters.items()) == [("INTMS", 1048575), ("LINES", 0)]

    acf = script("X", parameters={"A": 1, "B": 2, "C": 3})
    keys = {**acf.keys, "PARAMETER0": "# nothing", "PARAMETER1": "", "PARAMETER3": "Beyond=1"}
    assert compile_script(Acf(keys)).parameters == {"C": 3}


def test_comments_and_blanks_among_the_constants() -> None:
    acf = script("X(B)", constants={"A": 1, "B": 2})
    keys = {**acf.keys, "CONSTANT0": "# Levels", "CONSTANT1": "B = 7", "CONSTANT2": "", "CONSTANTS": "3"}
    assert compile_script(Acf(keys)).instructions[0].ticks == Count(7)


# What is wrong


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("GOTO Main", "syntax"),
        ("P--", "syntax"),
        ("X;; X", "syntax"),
        ("X; Main:", "syntax"),
        ("X, GOTO Main", "syntax"),
        ("X GOTO Main", "syntax"),
        ("X; IF P", "syntax"),
        ("X; IF P P--", "syntax"),
        ("X; IF P X", "syntax"),
        ("X; GOTO Main; GOTO Main", "syntax"),
        ("X; GOTO Main(3)", "syntax"),
        ("X; RETURN Main(3)", "syntax"),
        ("X; CALL Main(3", "syntax"),
        ("X; CALL Main()", "syntax"),
        ("X; CALL Main(1.5)", "syntax"),
        ("X(-1)", "syntax"),
        ("X; P-", "syntax"),
        ("X; 2P--", "syntax"),
        ("Elsewhere: GOTO Main", "syntax"),
        ("Y", "state"),
        ("X; Y(5)", "state"),
        ("X; GOTO Nowhere", "label"),
        ("X; IF P CALL Nowhere(2)", "label"),
        ("X; RETURN X", "label"),
        ("X; Q--", "parameter"),
        ("X; C++", "parameter"),
        ("X; IF Q GOTO Main", "parameter"),
        ("X; IF !C GOTO Main", "parameter"),
        ("X(Q)", "parameter"),
        ("X; CALL Main(Q)", "parameter"),
        ("X; CALL Main(2P)", "parameter"),
        ("X; CALL Main(0)", "count"),
        ("X; CALL Main(ZERO)", "count"),
        ("X; CALL Main(LEVEL)", "count"),
        ("X; CALL Main(1048576)", "count"),
        ("X(0)", "count"),
        ("X(ZERO)", "count"),
        ("X; X(LEVEL)", "count"),
        ("X; X(LOW)", "count"),
        ("X; X(1048576)", "count"),
        ("MAIN: X", "duplicate"),
        ("Main:", "duplicate"),
    ],
)
def test_a_wrong_line_is_named(text: str, kind: str) -> None:
    constants = {"C": 3, "ZERO": 0, "LEVEL": 2.5, "LOW": -6}
    acf = script(f"Main: X\n# a comment\n{text}\nX; GOTO Main", {"P": 0}, constants)

    assert problems(acf) == [("LINE2", kind)]
    with pytest.raises(ConfigError, match=re.escape(f"LINE2={text!r}: ")):
        compile_script(acf)


def test_every_problem_is_found() -> None:
    acf = script("Main: Y; GOTO Nowhere\nX; Q--; CALL Main(0)\nMain: X; ?")

    assert sorted(problems(acf)) == [
        ("LINE0", "label"),
        ("LINE0", "state"),
        ("LINE1", "count"),
        ("LINE1", "parameter"),
        ("LINE2", "duplicate"),
        ("LINE2", "syntax"),
    ]


def test_the_message_is_not_endless() -> None:
    with pytest.raises(ScriptError, match=r"LINE9='Y'.*; and 90 more$") as caught:
        compile_script(script("\n".join(["Y"] * 100)))

    assert len(caught.value.problems) == 100
    assert "LINE10=" not in str(caught.value)


@pytest.mark.parametrize("control", ["", "1", "1,2,3", "G,3F", "1;3E", "-1,3F"])
def test_control_that_is_not_two_hexadecimal_numbers(control: str) -> None:
    assert problems(script("X", states={"X": control})) == [("STATE0/CONTROL", "control")]


def test_two_states_of_a_name() -> None:
    assert problems(script("X", states={"X": "0,3F", "x": "0,3F"})) == [("STATE1/NAME", "duplicate")]


@pytest.mark.parametrize("entry", ["P", "P=", "P=x", "P=1.5", "P=-1", "=5", "P Q=5"])
def test_an_entry_that_is_no_parameter(entry: str) -> None:
    acf = script("X", {"A": 1})
    assert problems(Acf({**acf.keys, "PARAMETER0": entry})) == [("PARAMETER0", "syntax")]


@pytest.mark.parametrize("entry", ["C", "C=", "C=x", "=5"])
def test_an_entry_that_is_no_constant(entry: str) -> None:
    acf = script("X", constants={"A": 1})
    assert problems(Acf({**acf.keys, "CONSTANT0": entry})) == [("CONSTANT0", "syntax")]


def test_a_parameter_of_more_than_20_bits() -> None:
    assert problems(script("X", {"P": 1 << 20})) == [("PARAMETER0", "count")]


def test_a_parameter_or_a_constant_that_is_there_twice() -> None:
    assert problems(script("X", {"P": 1, "p": 1})) == [("PARAMETER1", "duplicate")]
    assert problems(script("X", constants={"C": 1, "c": 1})) == [("CONSTANT1", "duplicate")]


# Limits


def test_the_longest_script() -> None:
    acf = script("\n".join(["X"] * 2048), {f"P{n}": n for n in range(64)})
    program = compile_script(acf)
    assert len(program.instructions) == 2048
    assert len(program.parameters) == 64


def test_too_many_lines() -> None:
    assert problems(script("\n".join(["# so long"] * 2048 + ["X"])))[0] == ("LINES", "limit")


def test_too_many_instructions() -> None:
    assert problems(script("\n".join(["X; X"] * 1025))) == [("LINES", "limit")]


def test_too_many_parameters() -> None:
    assert problems(script("X", {f"P{n}": n for n in range(65)})) == [("PARAMETERS", "limit")]


def test_too_many_states() -> None:
    states = {f"S{n}": "0,3F" for n in range(2048)}
    assert len(compile_script(script("S2047", states=states)).states) == 2048
    assert problems(script("S1", states=states | {"MORE": "0,3F"})) == [("STATES", "limit")]


def test_a_configuration_without_a_script() -> None:
    for text in ("", "Main:", "# nothing"):
        assert compile_script(script(text)).instructions == ()
    assert compile_script(Acf({"IP": "10.0.0.2"})).instructions == ()


# Whole configurations


def assert_as_the_reference_reads_it(acf: Acf) -> None:
    """The reference has a parser of its own."""
    program, reference = compile_script(acf), Reference(acf)

    assert program.labels == reference.labels
    assert len(program.instructions) == len(reference.instructions)
    for ours, theirs in zip(program.instructions, reference.instructions, strict=True):
        assert program.states[ours.state].name.upper() == theirs.state
        assert ours.action.name == (theirs.jump or "NEXT")
        assert ours.steps == tuple(theirs.steps)
        assert (ours.condition.parameter if ours.condition else "") == theirs.condition
        assert ours.condition is None or ours.condition.negated == theirs.unless
        assert ours.action is Action.NEXT or ours.target == reference.labels[theirs.label]


def test_the_demonstration_compiles() -> None:
    assert_as_the_reference_reads_it(demo())
    program = compile_script(demo())

    assert program.labels["MAIN"] == 0
    assert program.parameters["PIXELS"] == 512
    assert program.shift_routine == program.labels["PARALLELSHIFT"]


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["LVM_100kHz", "BOSS_extra", "STA4800"])
def test_real_scripts_compile(name: str) -> None:
    assert_as_the_reference_reads_it(real(name))
    program = compile_script(real(name))

    assert program.instructions[0].state == 0
    assert program.shift_routine == program.labels["VERTICALSHIFT"]


@pytest.mark.needs_shared
def test_a_parameter_that_the_script_spells_in_another_way() -> None:
    acf = real("LVM_100kHz")
    program = compile_script(acf)
    assert "OverScanLines" in acf.parameters
    assert any(i.count.parameter == "OVERSCANLINES" for i in program.instructions)
