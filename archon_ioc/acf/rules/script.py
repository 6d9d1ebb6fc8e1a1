"""Rules on the timing script: what its compiler refuses, and where its flow is doubtful."""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.keyspec import parse_constant
from archon_ioc.acf.script import STACK_LEVELS, Action, Instruction, ScriptProblem
from archon_ioc.acf.subject import Subject

_QUOTED = re.compile(r"'(\w+)'")
_WORD = re.compile(r"\w+")
_LABEL = re.compile(r"\s*(\w+)\s*:")
_TARGET = re.compile(r"\b(?:GOTO|CALL|RETURN)\s+(\w+)", re.IGNORECASE)


def _problems(kind: str) -> Callable[[Subject], Iterator[Found]]:
    """Return the rule that tells the compiler's problems of one kind."""

    def look(subject: Subject) -> Iterator[Found]:
        for problem in subject.script_problems:
            if problem.kind == kind:
                yield Found(problem.key, f"{problem.text[:60]!r}: {problem.why}", _suggestion(subject, problem))

    return look


def _suggestion(subject: Subject, problem: ScriptProblem) -> str:
    """Return the defined name that is most like the one that is not, as a remedy; empty if none is like it."""
    words: list[str] = _QUOTED.findall(problem.why) if problem.kind in ("state", "label", "parameter") else []
    if not words:
        return ""
    defined = {"state": _state_names, "label": _label_names}.get(problem.kind, _count_names)
    known = {name.upper(): name for name in defined(subject)}
    like: list[str] = get_close_matches(words[0].upper(), list(known), 1, 0.7)
    return f"Perhaps {known[like[0]]} is meant; otherwise define {words[0]}." if like else ""


def _state_names(subject: Subject) -> Iterator[str]:
    return (subject.keys.get(f"STATE{n}/NAME", "") for n in range(min(subject.count("STATES"), len(subject.keys))))


def _label_names(subject: Subject) -> Iterator[str]:
    return (match.group(1) for text in subject.script_lines.values() if (match := _LABEL.match(text)))


def _count_names(subject: Subject) -> Iterator[str]:
    for kind in ("PARAMETER", "CONSTANT"):
        yield from (text.partition("=")[0].strip() for _, text in subject.entries(kind))


def _unreachable(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        dead = set(range(len(flow.instructions))) - flow.reachable
        for start in sorted(at for at in dead if at - 1 not in dead):
            count = next(n for n in range(len(dead) + 1) if start + n not in dead)
            what = f"instruction {flow.key(start)}" if count == 1 else f"{count} instructions from {flow.key(start)} on"
            label = flow.name(start)
            yield Found(flow.key(start), f"nothing leads to {label and f'{label}, '}the {what}")


def _other_return(subject: Subject) -> Iterator[Found]:
    flow = subject.flow
    ends = ((routine.start, at) for routine in flow.routines.values() for at in routine.returns) if flow else ()
    for start, at in ends:
        if flow and flow.instructions[at].target != start:
            own, other = flow.label(start), flow.label(flow.instructions[at].target)
            yield Found(flow.key(at), f"RETURN {other} ends a call of {own}, so that {own} is not repeated")


def _no_return(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        for routine in flow.routines.values():
            if not routine.returns and not flow.abandons(routine.start):
                label = flow.label(routine.start)
                yield Found(flow.key(routine.start), f"{label} is called, but no RETURN {label} can be reached in it")


def _abandons(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        for routine in flow.routines.values():
            if not routine.returns and flow.abandons(routine.start):
                label = flow.label(routine.start)
                yield Found(flow.key(routine.start), f"{label} is called, and always goes elsewhere without a RETURN")


def _falls_through(subject: Subject) -> Iterator[Found]:
    flow = subject.flow
    if flow is None:
        return
    into_routines = {at for at in flow.reachable if flow.next_of(at) in flow.called - {0}}
    endless = (routine for routine in flow.routines.values() if not routine.returns)
    for at in sorted(into_routines.union(*(routine.runs_on for routine in endless))):
        following = flow.label(flow.next_of(at) or 0)
        yield Found(flow.key(at), f"without a jump control runs on into {following}")


def _past_the_end(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        last = len(flow.instructions) - 1
        if last in flow.reachable and flow.next_of(last) is not None:
            yield Found(flow.key(last), "after the last line the script begins again at its first one")


def _goto_routine(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        for at in sorted(flow.main):
            instruction = flow.instructions[at]
            if instruction.action is Action.GOTO and instruction.target in flow.routines:
                label = flow.label(instruction.target)
                yield Found(flow.key(at), f"GOTO {label}, which is a routine: its RETURN goes to the first line")


def _call_depth(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        chain = flow.deepest()
        if len(chain) > STACK_LEVELS:
            names = ", ".join(flow.label(at) for at in chain)
            yield Found(flow.key(chain[0]), f"{len(chain)} routines call each other: {names}")


def _recursion(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        for at in flow.recursive():
            yield Found(flow.key(at), f"{flow.label(at)} can come to call itself")


def _unused_state(subject: Subject) -> Iterator[Found]:
    if program := subject.program:
        used = {instruction.state for instruction in program.instructions}
        for state in program.states.values():
            if state.number not in used:
                yield Found(f"STATE{state.number}/NAME", f"no line uses the state {state.name}")


def _unused_label(subject: Subject) -> Iterator[Found]:
    targets = {name.upper() for text in subject.script_lines.values() for name in _TARGET.findall(text)}
    flow = subject.flow
    for key, text in subject.script_lines.items():
        match = _LABEL.match(text)
        if flow and match and match.group(1).upper() not in targets:
            address = flow.program.labels[match.group(1).upper()] % len(flow.instructions)
            if address and address in flow.reachable:
                yield Found(key, f"no line jumps to {match.group(1)}")


def _parameters_of(instruction: Instruction) -> Iterator[str]:
    yield from (instruction.ticks.parameter, instruction.count.parameter)
    yield from (name for name, _ in instruction.steps)
    if instruction.condition:
        yield instruction.condition.parameter


def _unused_parameter(subject: Subject) -> Iterator[Found]:
    if flow := subject.flow:
        used = {name for at in flow.reachable for name in _parameters_of(flow.instructions[at])}
        for key, text in subject.entries("PARAMETER"):
            name = text.partition("=")[0].strip()
            if name.upper() not in used:
                yield Found(key, f"no line that can be reached uses {name}")


def _constant_names(subject: Subject) -> Iterator[tuple[str, str]]:
    for key, text in subject.entries("CONSTANT"):
        if entry := parse_constant(text):
            yield key, entry[0]


def _unused_constant(subject: Subject) -> Iterator[Found]:
    users = ("LINE", "STATE", "MOD")
    texts = (text for key, text in subject.keys.items() if key.startswith(users) and "LABEL" not in key)
    words = set(_WORD.findall("\n".join(text for text in texts if text[:1] != "#").upper()))
    for key, name in _constant_names(subject):
        if name.upper() not in words:
            yield Found(key, f"nothing uses the constant {name}")


def _shadowed_constant(subject: Subject) -> Iterator[Found]:
    parameters = {text.partition("=")[0].strip().upper() for _, text in subject.entries("PARAMETER")}
    for key, name in _constant_names(subject):
        if name.upper() in parameters:
            yield Found(key, f"{name} is a parameter too; in the script it is the parameter's value that counts")


def _control_bits(subject: Subject) -> Iterator[Found]:
    for state in subject.program.states.values() if subject.program else ():
        key = f"STATE{state.number}/CONTROL"
        if both := state.clocks & state.keep:
            yield Found(key, f"{state.name} sets the bits {both:X}, and keeps them as they are")
        if beyond := (state.clocks | state.keep) & ~0x3F:
            yield Found(key, f"{state.name} has the bits {beyond:X}; there are six: INT to TRIGB are 1 to 20")


def _compiler_rule(problem: str, kind: str, meaning: str, remedy: str) -> Rule:
    return Rule(kind, Severity.ERROR, meaning, remedy, _problems(problem), stops_load=True)


RULES: tuple[Rule, ...] = (
    _compiler_rule("syntax", "syntax", "A line or an entry is not written as the controller reads it.",
                   "Correct it; the manual's section on timing scripts has the forms."),
    _compiler_rule("state", "unknown-state", "A line names a state that no STATEn/NAME has.",
                   "Correct the name, or define the state."),
    _compiler_rule("label", "unknown-label", "A GOTO, CALL or RETURN names a label that no line has.",
                   "Correct the name, or put the label before the line that is meant."),
    _compiler_rule("parameter", "unknown-parameter", "A count or a condition names nothing that is defined.",
                   "Correct the name, or define the parameter or constant."),
    _compiler_rule("count", "count-range", "A count is zero, not whole, or beyond 20 bits.",
                   "Use a number from 1 to 1048575; call twice for more."),
    _compiler_rule("duplicate", "duplicate-name", "A label, state, parameter or constant is defined twice.",
                   "Remove one, or give it another name."),
    _compiler_rule("control", "control-syntax", "A STATEn/CONTROL is not two hexadecimal numbers.",
                   "Write clocks,keep: 8,37 sets PIXEL and keeps all else."),
    _compiler_rule("limit", "script-limit", "The script has more lines, states, instructions or parameters than fit.",
                   "Shorten it: 2048 lines, states and instructions, 64 parameters."),
    Rule("control-bits", Severity.WARNING, "A state sets a bit that it keeps, or one that does not exist.",
         "Correct STATEn/CONTROL: a bit that is set must not be kept.", _control_bits),
    Rule("unreachable", Severity.WARNING, "Lines that the script never comes to.",
         "Remove them, or add the jump that leads there.", _unreachable),
    Rule("other-return", Severity.WARNING, "A routine ends with the RETURN of another one.",
         "Name the routine's own label in its RETURN.", _other_return),
    Rule("no-return", Severity.WARNING, "A routine is called, but cannot return.",
         "End it with RETURN and its own label.", _no_return),
    Rule("falls-through", Severity.WARNING, "Without a jump control runs on into a routine, or out of one.",
         "End what is before with RETURN or GOTO.", _falls_through),
    Rule("past-the-end", Severity.WARNING, "The last line does not jump.",
         "End the script with RETURN or GOTO.", _past_the_end),
    Rule("call-depth", Severity.ERROR, "More than 16 routines call each other: the first one never returns.",
         "Call fewer levels.", _call_depth),
    Rule("recursion", Severity.WARNING, "A routine can call itself; the stack has 16 levels.",
         "Repeat it with a count, or jump.", _recursion),
    Rule("shadowed-constant", Severity.WARNING, "A constant has the name of a parameter.",
         "Give one of them another name.", _shadowed_constant),
    Rule("abandoned-call", Severity.NOTE, "A routine is called that never returns, but jumps elsewhere.",
         "Nothing, if that is meant: the stack is circular, and forgets the oldest of 16 calls.", _abandons),
    Rule("goto-routine", Severity.NOTE, "A routine is entered by GOTO: its RETURN restarts the script.",
         "Nothing, if that is meant; CALL returns to the next line.", _goto_routine),
    Rule("unused-state", Severity.NOTE, "No line uses the state.", "Nothing, or remove it.", _unused_state),
    Rule("unused-label", Severity.NOTE, "No line jumps to the label.", "Nothing, or remove it.", _unused_label),
    Rule("unused-parameter", Severity.NOTE, "No line uses the parameter: to set it changes nothing.",
         "Nothing, or remove it.", _unused_parameter),
    Rule("unused-constant", Severity.NOTE, "Nothing uses the constant.", "Nothing, or remove it.", _unused_constant),
)  # fmt: skip
