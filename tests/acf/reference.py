"""The judge of the timing core: executes a timing script tick by tick, slowly and obviously.

It shares nothing with `archon_ioc.acf.script` and `archon_ioc.acf.core`: the text of the script is understood here a
second time. One call of `tick` is one tick of 10 ns.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from archon_ioc.acf.file import Acf

LARGEST = (1 << 20) - 1
LEVELS = 16
_JUMP = re.compile(r"(?:IF\s+(!?)\s*(\w+)\s+)?(GOTO|CALL|RETURN)\s+(\w+)(?:\s*\(\s*(\w+)\s*\))?")
_STEP = re.compile(r"(\w+)\s*(--|\+\+)")
_STATE = re.compile(r"(\w+)(?:\s*\(\s*(\w+)\s*\))?")


@dataclass
class Instruction:
    """A state, how long it is held, and what happens at its end; names are upper case."""

    state: str
    ticks: str = "1"
    shortest: int = 1
    unless: bool = False
    condition: str = ""
    jump: str = ""
    label: str = ""
    count: str = "1"
    steps: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


class Reference:
    """A timing core that is held at tick 0, as after a LOADTIMING before it is released.

    ``changes`` gets every change of the control bits: tick, bits before, bits after.
    """

    def __init__(self, acf: Acf, parameters: Mapping[str, int] | None = None) -> None:
        self.parameters = {name.upper(): value for name, value in acf.parameters.items()}
        self.parameters |= {name.upper(): value for name, value in (parameters or {}).items()}
        self.constants = _constants(acf)
        self.states = _states(acf)
        self.instructions, self.labels = _script(acf)
        self.now = 0
        self.control = 0
        self.changes: list[tuple[int, int, int]] = []
        self.is_held = True
        self.reset()
        self.changes.clear()

    # What comes from outside, between two ticks

    def load(self, name: str, value: int) -> None:
        self.parameters[name.upper()] = value

    def hold(self) -> None:
        self.is_held = True
        self.reset()

    def release(self) -> None:
        self.is_held = False

    def reset(self) -> None:
        self.address = 0
        self.count = 0
        self.stack: list[tuple[int, int]] = []
        self.ticks_left = 0
        clocks, keep = self.states[self.instructions[0].state]
        self._put_out(clocks & ~keep)

    # The passing of time

    def run(self, until: int) -> None:
        while self.now < until:
            self.tick()

    def tick(self) -> None:
        if not self.is_held:
            while self.ticks_left == 0:
                self._begin()
            self.ticks_left -= 1
            if self.ticks_left == 0:
                self._end()
        self.now += 1

    def _begin(self) -> None:
        instruction = self.instructions[self.address]
        self.ticks_left = max(self._value(instruction.ticks), instruction.shortest)
        if self.ticks_left == 0:
            self._end()  # takes no time and leaves the outputs as they are; what it says to do is done
        else:
            clocks, keep = self.states[instruction.state]
            self._put_out((self.control & keep) | (clocks & ~keep))

    def _end(self) -> None:
        instruction = self.instructions[self.address]
        is_taken = self._is_true(instruction)
        count = self._value(instruction.count)
        for name, step in instruction.steps:
            self.parameters[name] = min(max(self.parameters[name] + step, 0), LARGEST)
        self.address = (self.address + 1) % len(self.instructions)
        if is_taken and instruction.jump == "GOTO":
            self._go_to(instruction.label)
        elif is_taken and instruction.jump == "CALL" and count > 0:
            self.stack = [*self.stack, (self.address, self.count)][-LEVELS:]
            self.count = count
            self._go_to(instruction.label)
        elif is_taken and instruction.jump == "RETURN":
            self.count = max(self.count - 1, 0)
            if self.count > 0:
                self._go_to(instruction.label)
            else:
                self.address, self.count = self.stack.pop() if self.stack else (0, 0)

    def _is_true(self, instruction: Instruction) -> bool:
        if not instruction.condition:
            return True
        return (self.parameters[instruction.condition] != 0) != instruction.unless

    def _go_to(self, label: str) -> None:
        self.address = self.labels[label] % len(self.instructions)

    def _value(self, count: str) -> int:
        if count in self.parameters:
            return self.parameters[count]
        return self.constants[count] if count in self.constants else int(count)

    def _put_out(self, control: int) -> None:
        if control != self.control:
            self.changes.append((self.now, self.control, control))
        self.control = control


# Reading the script


def _script(acf: Acf) -> tuple[list[Instruction], dict[str, int]]:
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    for n in range(acf.number("LINES")):
        line = acf.keys.get(f"LINE{n}", "").strip().upper()
        if line.startswith("#"):
            continue
        label, colon, rest = line.partition(":")
        if colon:
            labels[label.strip()] = len(instructions)
        statements = rest if colon else line
        if not statements.strip():
            continue
        for position, item in enumerate(statements.split(";")):
            _add(item.strip(), instructions, is_first=position == 0)
    return instructions, labels


def _add(item: str, instructions: list[Instruction], *, is_first: bool) -> None:
    if jump := _JUMP.fullmatch(item):
        last = instructions[-1]
        last.unless, last.condition = jump[1] == "!", jump[2] or ""
        last.jump, last.label, last.count = jump[3], jump[4], jump[5] or "1"
    elif step := _STEP.fullmatch(item):
        instructions[-1].steps.append((step[1], 1 if step[2] == "++" else -1))
    elif state := _STATE.fullmatch(item):
        instructions.append(Instruction(state[1], state[2] or "1", shortest=1 if is_first else 0))
    else:
        raise ValueError(f"not understood: {item!r}")


def _states(acf: Acf) -> dict[str, tuple[int, int]]:
    states: dict[str, tuple[int, int]] = {}
    for n in range(acf.number("STATES")):
        if name := acf.keys.get(f"STATE{n}/NAME", "").strip().upper():
            clocks, keep = acf.keys[f"STATE{n}/CONTROL"].split(",")
            states[name] = (int(clocks, 16), int(keep, 16))
    return states


def _constants(acf: Acf) -> dict[str, int]:
    entries = (acf.keys.get(f"CONSTANT{n}", "") for n in range(acf.number("CONSTANTS", 0)))
    pairs = (entry.split("=") for entry in entries if entry.strip() and not entry.startswith("#"))
    return {name.strip().upper(): int(float(value)) for name, value in pairs}
