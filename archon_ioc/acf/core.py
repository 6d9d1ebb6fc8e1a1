"""TimingCore: executes a timing script with 10 ns accounting, loops collapsed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from archon_ioc.acf.script import COUNTER_LIMIT, STACK_LEVELS, Action, Instruction, Program
from archon_ioc.acf.trace import NOTHING, Bit, Trace, TraceBuilder
from archon_ioc.errors import ConfigError, InputError

_LONGEST_BODY = 4096  # instructions of one iteration; a longer one is executed step by step
_MOST_UNEQUAL = 64  # iterations until the control bits come back to what they were


class TooLongError(ConfigError):
    """What a script does cannot be found out in reasonable time."""


@dataclass(frozen=True, slots=True)
class _Body:
    """One iteration of a routine, from an address to its RETURN, calls included, with the parameters as they are."""

    trace: Trace
    control: int
    label: int
    """Where the next iteration starts."""
    levels: int
    """How many stack entries its calls need."""


class TimingCore:
    """The machine that a timing script runs on. Time is counted in ticks of 10 ns.

    It is told how far to run and which parameters are loaded, and tells what the control bits did. Whole
    calls, iterations and idle loops are added up instead of being stepped through; the result is the same to
    the tick. `docs/explanations/timing-core.md` has the rules of execution. What cannot be added up, as counting a
    parameter to a million, is stepped through: after ``most_steps`` instructions that ends with a TooLongError.
    """

    def __init__(
        self, program: Program, parameters: Mapping[str, int] | None = None, *, most_steps: float = math.inf
    ) -> None:
        self.program = program
        self._most_steps = self._steps_left = most_steps
        self.parameters: dict[str, int] = dict(program.parameters)
        """What the script counts with, names in upper case; use `load` to change them."""
        self.tick = 0
        """How long it has been running, holding included."""
        self.control: int = 0
        """The control bits, see `Bit`."""
        self.is_held = True
        self.is_settled = False
        """Whether the last `settle` ended because only a loop is left."""
        self._patience = math.inf
        self._bodies: dict[tuple[int, int], _Body | None] = {}
        for name, value in (parameters or {}).items():
            self.load(name, value)
        self._restart()

    @property
    def line(self) -> int:
        """The n of LINEn that is being executed."""
        return self.program.instructions[self._pc].line if self.program.instructions else 0

    @property
    def routine(self) -> str:
        """The label, in upper case, above the instruction that is being executed; empty if there is none."""
        above = [(at, label) for label, at in self.program.labels.items() if at <= self._pc]
        return max(above)[1] if above else ""

    @property
    def state(self) -> int:
        """The n of STATEn of the instruction that is being executed."""
        return self.program.instructions[self._pc].state if self.program.instructions else 0

    def load(self, name: str, value: int) -> None:
        """Give a parameter another value; the script sees it from now on.

        Raises:
            InputError: if the script does not have it, or a counter cannot hold the value.
        """
        if name.upper() not in self.parameters:
            raise InputError(f"there is no parameter {name!r}")
        if not 0 <= value <= COUNTER_LIMIT:
            raise InputError(f"{name}={value} is not 0 to {COUNTER_LIMIT}")
        self._set(name.upper(), value)

    def reset(self) -> Trace:
        """Start at the first line again; cores that are held stay so."""
        return self._restart()

    def hold(self) -> Trace:
        """Stay in the first state of the script."""
        self.is_held = True
        return self._restart()

    def release(self) -> Trace:
        """Run from the first line."""
        changed = self._restart() if self.is_held else NOTHING
        self.is_held = not self.program.instructions
        return changed

    def advance(self, until: int, *, patience: float = math.inf) -> Trace:
        """Run to tick ``until`` and return what happened from the tick before on.

        It ends early, as `tick` tells, when ``patience`` instructions had to be stepped through.
        """
        run = _Run(until)
        self._run(run, patience)
        if self.is_held:  # held cores wait too
            rest = max(until - self.tick, 0)
            run.trace.wait(rest)
            self.tick += rest
        return run.trace.trace()

    def settle(self, limit: int, *, before_frame: bool = False, patience: float = math.inf) -> Trace:
        """Run until only a loop is left in which the control bits stay as they are, ``limit`` ticks at most.

        With ``before_frame`` it also ends before a state that would raise FRAME, and in any case when ``patience``
        instructions had to be stepped through.
        """
        run = _Run(self.tick + limit, settles=True, before_frame=before_frame)
        self._run(run, patience)
        self.is_settled = run.is_idle or self.is_held
        return run.trace.trace()

    def _restart(self) -> Trace:
        self._pc = 0
        self._count = 0
        self._stack: list[tuple[int, int]] = []
        self._left: int | None = None
        """Ticks that are left of the instruction that has begun."""
        built = TraceBuilder()
        if self.program.instructions:
            first = self.program.states[self.program.instructions[0].state].after(0)  # nothing is kept in reset
            built.change(self.control, first)
            self.control = first
        return built.trace()

    def _set(self, name: str, value: int) -> None:
        if self.parameters[name] != value:
            self.parameters[name] = value
            self._bodies.clear()

    def _run(self, run: "_Run", patience: float) -> None:
        self._patience = patience
        while not self.is_held and not run.is_over and self.tick < run.until and self._patience > 0:
            self._step(run)

    def _step(self, run: "_Run") -> None:
        """Execute one instruction, or what is left of it, or whole iterations after it."""
        self._count_step()
        instruction = self.program.instructions[self._pc]
        if self._left is None:
            if run.before_frame and self._would_raise_frame(instruction):
                run.is_over = True
                return
            self._left = self._begin(instruction, run.trace)
        wait = min(self._left, run.until - self.tick)
        run.trace.wait(wait)
        self.tick += wait
        self._left -= wait
        if not self._left:
            self._left = None
            self._hand_on(instruction, run)

    def _count_step(self) -> None:
        self._steps_left -= 1
        self._patience -= 1
        if self._steps_left < 0:
            raise TooLongError(
                f"the script goes through more than {self._most_steps:g} instructions, none like another"
            )

    def _would_raise_frame(self, instruction: Instruction) -> bool:
        after = self.program.states[instruction.state].after(self.control)
        return bool(self._ticks(instruction) and after & ~self.control & Bit.FRAME)

    def _ticks(self, instruction: Instruction) -> int:
        return max(instruction.ticks.value(self.parameters), instruction.shortest)

    def _begin(self, instruction: Instruction, trace: TraceBuilder) -> int:
        ticks = self._ticks(instruction)
        if ticks:
            self._enter_state(instruction, trace)
        return ticks

    def _enter_state(self, instruction: Instruction, trace: TraceBuilder) -> None:
        after = self.program.states[instruction.state].after(self.control)
        trace.change(self.control, after)
        self.control = after

    def _hand_on(self, instruction: Instruction, run: "_Run") -> None:
        """Do what an instruction does at its end."""
        came_from = self._pc
        following = (came_from + 1) % len(self.program.instructions)
        jumps = instruction.condition is None or instruction.condition.holds(self.parameters)
        action = instruction.action if jumps else Action.NEXT
        times = instruction.count.value(self.parameters) if action is Action.CALL else 0
        for name, step in instruction.steps:
            self._set(name, min(max(self.parameters[name] + step, 0), COUNTER_LIMIT))
        self._pc = following
        if action is Action.GOTO:
            self._pc = instruction.target
        elif action is Action.CALL and times:
            self._stack = [*self._stack[1 - STACK_LEVELS :], (following, self._count)]
            self._pc, self._count = instruction.target, times
            run.trace.shift(times * (instruction.target == self.program.shift_routine))
            self._iterate(run)
        elif action is Action.RETURN:
            self._return(instruction.target, run)
        if self._pc <= came_from:
            self._skip_cycles(run)

    def _return(self, label: int, run: "_Run") -> None:
        self._count = max(self._count - 1, 0)
        self._pc = label
        if self._count:
            self._iterate(run)
        else:
            self._pop()

    def _pop(self) -> None:
        self._pc, self._count = self._stack.pop() if self._stack else (0, 0)

    def _iterate(self, run: "_Run") -> None:
        """Execute the whole iterations that end in time, from the start of one."""
        while (body := self._body(self._pc, self.control)) is not None:
            same = body.control == self.control and body.label == self._pc
            whole = min(run.whole(body.trace.ticks, self.tick), self._count if same else 1)
            if not whole or len(self._stack) + body.levels > STACK_LEVELS:
                return
            run.trace.repeat(body.trace, whole)
            self.tick += whole * body.trace.ticks
            self.control = body.control
            self._count -= whole
            if not self._count:
                self._pop()
                return
            self._pc = body.label

    def _body(self, start: int, control: int, depth: int = 0) -> _Body | None:
        """Return an iteration that starts at an address, None if it can only be stepped through."""
        key = start, control
        if key not in self._bodies:
            self._bodies[key] = None  # a routine that calls itself has no body
            try:
                self._bodies[key] = self._trace_body(start, control, depth)
            except _TooDeepError:
                if depth:  # what calls it is too deep, not it
                    del self._bodies[key]
                    raise
        return self._bodies[key]

    def _trace_body(self, start: int, control: int, depth: int) -> _Body | None:
        if depth > STACK_LEVELS:
            raise _TooDeepError
        program, built, pc, levels = self.program, TraceBuilder(), start, 0
        for _ in range(_LONGEST_BODY):
            self._count_step()
            instruction = program.instructions[pc]
            state = program.states[instruction.state]
            ticks = self._ticks(instruction)
            after = state.after(control) if ticks else control
            if instruction.steps or after & ~control & Bit.FRAME:
                return None  # counts parameters, or `settle` may have to end here
            built.change(control, after)
            built.wait(ticks)
            control = after
            action = self._action(instruction)
            if action is Action.RETURN:
                return _Body(built.trace(), control, instruction.target, levels)
            pc = instruction.target if action is Action.GOTO else (pc + 1) % len(program.instructions)
            if action is Action.CALL and (times := instruction.count.value(self.parameters)):
                built.shift(times * (instruction.target == program.shift_routine))
                called = self._trace_call(instruction.target, times, control, depth + 1)
                if called is None:
                    return None
                built.repeat(called.trace, 1)
                control, levels = called.control, max(levels, called.levels + 1)
        return None

    def _action(self, instruction: Instruction) -> Action:
        if instruction.condition is None or instruction.condition.holds(self.parameters):
            return instruction.action
        return Action.NEXT

    def _trace_call(self, start: int, times: int, control: int, depth: int) -> _Body | None:
        """Return all iterations of a call as one."""
        built, levels = TraceBuilder(), 0
        for _ in range(_MOST_UNEQUAL):
            body = self._body(start, control, depth)
            if body is None:
                return None
            whole = times if body.control == control and body.label == start else 1
            built.repeat(body.trace, whole)
            times -= whole
            start, control, levels = body.label, body.control, max(levels, body.levels)
            if not times:
                return _Body(built.trace(), control, start, levels)
        return None

    def _skip_cycles(self, run: "_Run") -> None:
        """Recognise that the machine goes round in a loop, and execute all of it that ends in time."""
        cycle = run.seen(self._position())
        if cycle is None or not cycle.ticks:
            return
        if run.settles and not cycle.events:
            run.end_idle(self.tick)
            return
        whole = run.whole(cycle.ticks, self.tick)
        run.trace.repeat(cycle, whole)
        self.tick += whole * cycle.ticks

    def _position(self) -> "_Position":
        return self._pc, self._count, tuple(self._stack), self.control, tuple(self.parameters.values())


class _TooDeepError(Exception):
    """Calls in calls need more than the stack has: this iteration can only be stepped through."""


_Position = tuple[int, int, tuple[tuple[int, int], ...], int, tuple[int, ...]]


class _Run:
    """One run of the core: how far it goes, what it did, and where it was (Brent's way to find a cycle)."""

    def __init__(self, until: int, *, settles: bool = False, before_frame: bool = False) -> None:
        self.until = until
        self.settles = settles
        self.before_frame = before_frame
        self.is_over = False
        self.is_idle = False
        self.trace = TraceBuilder()
        self._position: _Position | None = None
        self._mark = self.trace.mark()
        self._steps = 0
        self._power: int = 1

    def whole(self, ticks: int, now: int) -> int:
        """Return how often something can be repeated from ``now`` on.

        It ends before `until`, not at it: a hold for no ticks at its end is for whoever goes on from there, who
        may have loaded a parameter.
        """
        return max(self.until - 1 - now, 0) // ticks

    def end_idle(self, now: int) -> None:
        """Let it end with this tick, because nothing happens any more."""
        self.until = min(self.until, now + 1)
        self.is_idle = True
        self.settles = False

    def seen(self, position: _Position) -> Trace | None:
        """Return what happened since the core was in this position before, None if it is not known that it was."""
        if position == self._position:
            return self.trace.since(self._mark)
        self._steps += 1
        if self._steps == self._power:
            self._position, self._mark = position, self.trace.mark()
            self._steps, self._power = 0, self._power * 2
        return None
