"""The timing script: its text, compiled into the instructions that the timing core executes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from types import MappingProxyType

from archon_ioc.acf.file import Acf
from archon_ioc.acf.keyspec import is_comment
from archon_ioc.acf.trace import Bit
from archon_ioc.errors import ConfigError

COUNTER_LIMIT = (1 << 20) - 1  # manual: counts and parameters have 20 bits
STACK_LEVELS = 16
_INSTRUCTIONS = 2048
_STATES = 2048
_LINES = 2048
_PARAMETERS = 64
_SHOWN_PROBLEMS = 10

_NAME = r"[A-Za-z_]\w*"
_LABEL = re.compile(rf"\s*({_NAME})\s*:(.*)", re.ASCII)
_JUMP = re.compile(
    rf"(?:IF\s+(?P<not>!?)\s*(?P<condition>{_NAME})\s+)?(?P<action>GOTO|CALL|RETURN)\s+(?P<target>{_NAME})"
    r"\s*(?:\(\s*(?P<count>\w+)\s*\))?",
    re.IGNORECASE | re.ASCII,
)
_STEP = re.compile(rf"({_NAME})\s*(\+\+|--)", re.ASCII)
_STATE = re.compile(rf"({_NAME})\s*(?:\(\s*(\w+)\s*\))?", re.ASCII)
_DEFINITION = re.compile(rf"\s*({_NAME})\s*=\s*(.*?)\s*", re.ASCII)


class Action(Enum):
    """Where an instruction hands control to."""

    NEXT = auto()
    GOTO = auto()
    CALL = auto()
    RETURN = auto()


@dataclass(frozen=True, slots=True)
class Count:
    """A number, or the parameter (in upper case) that holds it."""

    number: int = 1
    parameter: str = ""

    def value(self, parameters: Mapping[str, int]) -> int:
        """Return how often or how long."""
        return parameters[self.parameter] if self.parameter else self.number


ONCE = Count()


@dataclass(frozen=True, slots=True)
class Condition:
    """``IF parameter`` or ``IF !parameter``."""

    parameter: str
    negated: bool

    def holds(self, parameters: Mapping[str, int]) -> bool:
        """Return whether the jump is taken."""
        return bool(parameters[self.parameter]) != self.negated


@dataclass(frozen=True, slots=True)
class Instruction:
    """Stay in a state for some ticks, count parameters up or down, and hand control on.

    ``line`` is n of LINEn, ``state`` n of STATEn, ``target`` an address. It takes ``ticks``, but at least
    ``shortest``: 1 for the first state of a line, so that no loop can take no time.
    """

    line: int
    state: int
    ticks: Count = ONCE
    shortest: int = 1
    action: Action = Action.NEXT
    target: int = 0
    count: Count = ONCE
    condition: Condition | None = None
    steps: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """One ``STATEn``: the control bits it sets (``clocks``) and leaves alone (``keep``), and each slot's text."""

    number: int
    name: str
    clocks: int
    keep: int
    modules: Mapping[int, str] = field(default_factory=dict[int, str])

    def after(self, control: int) -> int:
        """Return the control bits in this state if they were ``control`` before."""
        return control & self.keep | self.clocks & ~self.keep


@dataclass(frozen=True)
class Program:
    """A compiled script. Names are in upper case; parameters have their stored values, in the order of the list.

    ``shift_routine`` is the address of the routine that shifts the CCD by one line, None if it was not found.
    """

    instructions: tuple[Instruction, ...]
    labels: Mapping[str, int]
    states: Mapping[int, State]
    parameters: Mapping[str, int]
    shift_routine: int | None = None


@dataclass(frozen=True, slots=True)
class ScriptProblem:
    """One thing that is wrong with a script: the key, its text, why, and the kind of problem in a word."""

    key: str
    text: str
    why: str
    kind: str

    def __str__(self) -> str:
        return f"{self.key}={self.text[:60]!r}: {self.why}"


class ScriptError(ConfigError):
    """The timing script cannot be compiled; ``problems`` says all that is wrong with it."""

    def __init__(self, problems: tuple[ScriptProblem, ...], path: str = "") -> None:
        more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        super().__init__("; ".join(map(str, problems[:_SHOWN_PROBLEMS])) + more, path=path)
        self.problems = problems


def compile_script(acf: Acf) -> Program:
    """Compile the script of a configuration.

    Raises:
        ScriptError: if something in it is wrong.
    """
    return _Compiler(acf).program()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    items: tuple[str, ...]


class _Compiler:
    def __init__(self, acf: Acf) -> None:
        self._acf = acf
        self._problems: list[ScriptProblem] = []
        self._states = self._read_states()
        self._names = {state.name.upper(): state.number for state in self._states.values()}
        self._parameters = self._read_parameters()
        self._constants = self._read_constants()
        self._labels: dict[str, int] = {}
        self._size = 1  # a label at the very end is the start: the core goes round

    def program(self) -> Program:
        lines = list(self._split())
        instructions = [item for line in lines for item in self._instructions(line)]
        if len(instructions) > _INSTRUCTIONS:
            self._complain("LINES", f"{len(instructions)} instructions, the core holds {_INSTRUCTIONS}", "limit")
        if self._problems:
            raise ScriptError(tuple(self._problems), self._acf.path)
        program = Program(
            tuple(instructions),
            MappingProxyType(self._labels),
            MappingProxyType(self._states),
            MappingProxyType(self._parameters),
        )
        return replace(program, shift_routine=_shift_routine(program))

    def _complain(self, key: str, why: str, kind: str) -> None:
        self._problems.append(ScriptProblem(key, self._acf.keys.get(key, ""), why, kind))

    def _read_states(self) -> dict[int, State]:
        states: dict[int, State] = {}
        seen: set[str] = set()
        count = self._acf.number("STATES", 0)
        if count > _STATES:
            self._complain("STATES", f"the core holds {_STATES} states", "limit")
        for n in range(min(count, _STATES)):
            name = self._acf.keys.get(f"STATE{n}/NAME", "").strip()
            if not name:
                continue
            if name.upper() in seen:
                self._complain(f"STATE{n}/NAME", "there is another state of this name", "duplicate")
                continue
            seen.add(name.upper())
            clocks, keep = self._read_control(n)
            states[n] = State(n, name, clocks, keep, self._module_texts(n))
        return states

    def _read_control(self, n: int) -> tuple[int, int]:
        text = self._acf.keys.get(f"STATE{n}/CONTROL", "0,3F")
        try:
            clocks, keep = (int(part, 16) for part in text.split(","))
        except ValueError:
            self._complain(f"STATE{n}/CONTROL", "not two hexadecimal numbers: clocks,keep", "control")
            return 0, 0x3F
        if clocks < 0 or keep < 0:
            self._complain(f"STATE{n}/CONTROL", "the bits are not negative", "control")
        # Older files know four bits: the others keep what they are if nothing is said about them.
        return clocks, keep

    def _module_texts(self, n: int) -> Mapping[int, str]:
        slots = range(1, 17)
        texts = {slot: self._acf.keys.get(f"STATE{n}/MOD{slot}") for slot in slots}
        return MappingProxyType({slot: text for slot, text in texts.items() if text is not None})

    def _read_parameters(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, name, text in self._definitions("PARAMETER"):
            if name.upper() in found:
                self._complain(key, f"there is another parameter {name}", "duplicate")
            elif not text.isdecimal():
                self._complain(key, "a parameter is a whole number", "syntax")
            elif int(text) > COUNTER_LIMIT:
                self._complain(key, f"above {COUNTER_LIMIT}, the limit of 20 bits", "count")
            found[name.upper()] = int(text) if text.isdecimal() else 0
        if len(found) > _PARAMETERS:
            self._complain("PARAMETERS", f"{len(found)} parameters, the core holds {_PARAMETERS}", "limit")
        return found

    def _read_constants(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for key, name, text in self._definitions("CONSTANT"):
            if name.upper() in found:
                self._complain(key, f"there is another constant {name}", "duplicate")
            try:
                found[name.upper()] = float(text)
            except ValueError:
                self._complain(key, "a constant is a number", "syntax")
        return found

    def _definitions(self, kind: str) -> Iterator[tuple[str, str, str]]:
        for n in range(self._acf.number(f"{kind}S", 0)):
            text = self._acf.keys.get(f"{kind}{n}", "")
            if is_comment(text):
                continue
            if match := _DEFINITION.fullmatch(text):
                yield f"{kind}{n}", match.group(1), match.group(2)
            else:
                self._complain(f"{kind}{n}", "not NAME=number", "syntax")

    def _split(self) -> Iterator[_Line]:
        """Yield the lines that have statements, and settle the labels' addresses."""
        count = self._acf.number("LINES", 0)
        if count > _LINES:
            self._complain("LINES", f"the core holds {_LINES} lines", "limit")
        address = 0
        for n in range(min(count, _LINES)):
            text = self._acf.keys.get(f"LINE{n}", "")
            if is_comment(text):
                continue
            if match := _LABEL.fullmatch(text):
                text = match.group(2)
                self._add_label(f"LINE{n}", match.group(1).upper(), address)
            text = text.rstrip("; \t")  # public scripts have lines that end with a semicolon
            items = tuple(item.strip() for item in text.split(";")) if text else ()
            address += sum(_is_state(item) for item in items)
            if items:
                yield _Line(n, items)
        self._size = max(address, 1)

    def _add_label(self, key: str, label: str, address: int) -> None:
        if label in self._labels:
            self._complain(key, f"there is another label {label}", "duplicate")
        self._labels[label] = address

    def _instructions(self, line: _Line) -> list[Instruction]:
        key = f"LINE{line.number}"
        made: list[Instruction] = []
        for item in line.items:
            if _is_state(item):
                made.append(self._in_state(key, line.number, item, shortest=0 if made else 1))
            elif not made:
                self._complain(key, f"{item!r} is not a state; a line begins with one", "syntax")
            elif step := _STEP.fullmatch(item):
                made[-1] = self._stepping(key, made[-1], step)
            elif jump := _JUMP.fullmatch(item):
                made[-1] = self._jumping(key, made[-1], jump)
            else:
                self._complain(key, f"{item!r} is neither a state nor a directive", "syntax")
        return made

    def _in_state(self, key: str, line: int, item: str, *, shortest: int) -> Instruction:
        match = _STATE.fullmatch(item)
        assert match is not None  # noqa: S101 - _is_state said so
        name, count = match.groups()
        if name.upper() not in self._names:
            self._complain(key, f"there is no state {name!r}", "state")
        ticks = self._count(key, count, least=shortest) if count else ONCE
        return Instruction(line, self._names.get(name.upper(), 0), ticks, shortest if count else 1)

    def _stepping(self, key: str, before: Instruction, step: re.Match[str]) -> Instruction:
        name = step.group(1).upper()
        if name not in self._parameters:
            self._complain(key, f"there is no parameter {step.group(1)!r}", "parameter")
        steps = (*before.steps, (name, 1 if step.group(2) == "++" else -1))
        return replace(before, steps=steps)

    def _jumping(self, key: str, before: Instruction, jump: re.Match[str]) -> Instruction:
        if before.action is not Action.NEXT:
            self._complain(key, "one state can jump only once", "syntax")
        action = Action[jump["action"].upper()]
        if jump["count"] and action is not Action.CALL:
            self._complain(key, f"{jump['action']} has no count", "syntax")
        if jump["target"].upper() not in self._labels:
            self._complain(key, f"there is no label {jump['target']!r}", "label")
        condition = None
        if jump["condition"]:
            condition = Condition(jump["condition"].upper(), bool(jump["not"]))
            if condition.parameter not in self._parameters:
                self._complain(key, f"there is no parameter {jump['condition']!r}", "parameter")
        count = self._count(key, jump["count"], least=1) if jump["count"] else ONCE
        target = self._labels.get(jump["target"].upper(), 0) % self._size
        return replace(before, action=action, target=target, count=count, condition=condition)

    def _count(self, key: str, text: str, *, least: int) -> Count:
        name = text.upper()
        if name in self._parameters:
            return Count(0, name)
        value = float(text) if text.isdecimal() else self._constants.get(name)
        if value is None:
            self._complain(key, f"there is neither a parameter nor a constant {text!r}", "parameter")
        elif not (value.is_integer() and least <= value <= COUNTER_LIMIT):
            self._complain(key, f"{text}: a count is a whole number from {least} to {COUNTER_LIMIT}", "count")
        else:
            return Count(int(value))
        return ONCE


def _is_state(item: str) -> bool:
    return bool(_STATE.fullmatch(item)) and not _JUMP.fullmatch(item)


def _shift_routine(program: Program) -> int | None:
    """Return the routine that the line routine calls first, before LINE rises: the parallel shift.

    The templates of STA, and all public scripts known to us, are built so.
    """
    for address, instruction in enumerate(program.instructions):
        if program.states[instruction.state].after(0) & Bit.LINE:
            start = max((at for at in program.labels.values() if at <= address), default=0)
            before = program.instructions[start : address + 1]
            return next((i.target for i in before if i.action is Action.CALL), None)
    return None
