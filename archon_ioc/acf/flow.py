"""Flow: where a timing script can come to, and how its routines call each other, without executing it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from archon_ioc.acf.script import Action, Instruction, Program

_LONGEST_CHAIN = 64


@dataclass(frozen=True, slots=True)
class Routine:
    """The code that a CALL of an address executes, up to its RETURNs, as far as it stands together.

    It reaches from its label to the next one that something calls. ``leaves`` are the addresses outside to which
    it jumps, ``calls`` those that it calls, ``runs_on`` the instructions inside from which it comes to another label
    without a jump, loops left out.
    """

    start: int
    returns: tuple[int, ...]
    leaves: tuple[int, ...]
    calls: frozenset[int]
    runs_on: tuple[int, ...]


class Flow:
    """The flow of a compiled script. Every condition may hold or not, every count may be zero or not.

    ``spelling`` gives the labels as the script writes them by their names in upper case.
    """

    def __init__(self, program: Program, spelling: Mapping[str, str] | None = None) -> None:
        self.program = program
        self._spelling = spelling or {}
        self.instructions = program.instructions

    def key(self, address: int) -> str:
        """Return the key of the line of an instruction."""
        return f"LINE{self.instructions[address].line}"

    def name(self, address: int) -> str:
        """Return the label at an address, empty if there is none."""
        names = (name for name, at in self.program.labels.items() if at % len(self.instructions) == address)
        name = next(names, "")
        return self._spelling.get(name, name)

    def label(self, address: int) -> str:
        """Return the label at an address, or what else to call it."""
        return self.name(address) or self.key(address)

    def next_of(self, address: int) -> int | None:
        """Return where control goes without a jump, None if this instruction always jumps."""
        instruction = self.instructions[address]
        if instruction.action in (Action.GOTO, Action.RETURN) and instruction.condition is None:
            return None
        return (address + 1) % len(self.instructions)

    @cached_property
    def called(self) -> frozenset[int]:
        """The addresses that something calls."""
        return frozenset(self._target(i) for i in self.instructions if i.action is Action.CALL)

    @cached_property
    def reachable(self) -> frozenset[int]:
        """The instructions that can be executed."""
        return self._walk(Action.GOTO, Action.CALL)

    @cached_property
    def main(self) -> frozenset[int]:
        """The instructions that can be executed outside of any call."""
        return self._walk(Action.GOTO)

    def _walk(self, *jumps: Action) -> frozenset[int]:
        found: set[int] = set()
        waiting = [0] if self.instructions else []
        while waiting:
            address = waiting.pop()
            if address in found:
                continue
            found.add(address)
            waiting += self._followers(address, jumps)
        return frozenset(found)

    def _followers(self, address: int, jumps: tuple[Action, ...]) -> Iterator[int]:
        following, instruction = self.next_of(address), self.instructions[address]
        if following is not None:
            yield following
        if instruction.action in jumps:
            yield self._target(instruction)

    def _target(self, instruction: Instruction) -> int:
        """Return where a jump leads; a label behind the last instruction is the first one."""
        return instruction.target % len(self.instructions)

    @cached_property
    def routines(self) -> dict[int, Routine]:
        """The routines that reachable code calls, by their addresses."""
        starts = {
            self._target(self.instructions[at]) for at in self.reachable if self.instructions[at].action is Action.CALL
        }
        return {start: self._routine(start) for start in sorted(starts)}

    def _routine(self, start: int) -> Routine:
        end = min((address for address in self.called if address > start), default=len(self.instructions))
        body: set[int] = set()
        leaves: set[int] = set()
        waiting = [start]
        while waiting:
            address = waiting.pop()
            if not start <= address < end:
                leaves.add(address)
            elif address not in body:
                body.add(address)
                waiting += self._followers(address, (Action.GOTO,))
        inside = [(at, self.instructions[at]) for at in sorted(body)]
        return Routine(
            start,
            tuple(at for at, instruction in inside if instruction.action is Action.RETURN),
            tuple(sorted(leaves)),
            frozenset(self._target(i) for _, i in inside if i.action is Action.CALL),
            tuple(at for at, _ in inside if self.next_of(at) == at + 1 and at + 1 in self._blocks),
        )

    @cached_property
    def _blocks(self) -> frozenset[int]:
        """The addresses with labels to which nothing jumps back."""
        jumps = ((at, self._target(i)) for at, i in enumerate(self.instructions) if i.action is Action.GOTO)
        loops = {target for at, target in jumps if target <= at}
        return frozenset(self.program.labels.values()) - loops

    def abandons(self, start: int) -> bool:
        """Return whether a call of a routine can end without a RETURN, in it or in a routine that it calls."""
        seen: set[int] = set()
        waiting = [start]
        while waiting:
            routine = self.routines[waiting.pop()]
            if routine.leaves:
                return True
            seen.add(routine.start)
            waiting += routine.calls - seen
        return False

    def deepest(self) -> tuple[int, ...]:
        """Return the longest chain of calls, as addresses; of routines that call themselves, one round.

        Where it is far longer than the stack of the core it is cut.
        """
        chains: dict[int, tuple[int, ...]] = {}

        def chain(start: int, above: tuple[int, ...]) -> tuple[int, ...]:
            if start in above or len(above) == _LONGEST_CHAIN:
                return ()
            if start not in chains:
                below = (chain(called, (*above, start)) for called in self.routines[start].calls)
                chains[start] = (start, *max(below, key=len, default=()))
            return chains[start]

        return max((chain(start, ()) for start in self.routines), key=len, default=())

    def recursive(self) -> Iterator[int]:
        """Yield the routines that can come to call themselves."""
        for start, routine in self.routines.items():
            seen: set[int] = set()
            waiting = list(routine.calls)
            while waiting:
                called = waiting.pop()
                if called not in seen:
                    seen.add(called)
                    waiting += self.routines[called].calls
            if start in seen:
                yield start
