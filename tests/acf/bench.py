"""A timing core and the reference side by side."""

from collections.abc import Mapping

from archon_ioc.acf.core import TimingCore
from archon_ioc.acf.file import Acf
from archon_ioc.acf.script import compile_script
from archon_ioc.acf.trace import Bit, Trace

from .reference import Reference
from .scripts import script


class Bench:
    """Does the same to both, and compares all that can be seen of them after each step."""

    def __init__(self, acf: Acf, parameters: Mapping[str, int] | None = None, *, released: bool = True) -> None:
        self.core = TimingCore(compile_script(acf), parameters)
        self.reference = Reference(acf, parameters)
        self.changes: list[tuple[int, int, int]] = []
        self._agreed = 0
        self._compare()
        if released:
            self.release()

    def rises(self, bit: int = Bit.INT) -> list[int]:
        """Return the ticks at which a bit went up."""
        return [tick for tick, before, after in self.changes if after & ~before & bit]

    def advance(self, until: int) -> Trace:
        start = self.core.tick
        trace = self.core.advance(until)
        self.reference.run(until)
        assert trace.ticks == until - start
        self._note(start, trace)
        return trace

    def settle(self, limit: int) -> Trace:
        start = self.core.tick
        trace = self.core.settle(limit)
        assert trace.ticks == self.core.tick - start <= limit
        self.reference.run(self.core.tick)
        self._note(start, trace)
        return trace

    def load(self, name: str, value: int) -> None:
        self.core.load(name, value)
        self.reference.load(name, value)
        self._compare()

    def reset(self) -> None:
        self._restart(self.core.reset())
        self.reference.reset()
        self._compare()

    def hold(self) -> None:
        self._restart(self.core.hold())
        self.reference.hold()
        self._compare()

    def release(self) -> None:
        self._restart(self.core.release())
        self.reference.release()
        self._compare()

    def _restart(self, trace: Trace) -> None:
        assert trace.ticks == 0
        self.changes += [(c.tick, c.before, c.after) for c in trace.changes(self.core.tick)]

    def _note(self, start: int, trace: Trace) -> None:
        new = [(c.tick, c.before, c.after) for c in trace.changes(start)]
        assert all(start <= tick < start + trace.ticks for tick, _, _ in new)
        self.changes += new
        self._compare()

    def _compare(self) -> None:
        assert self.changes[self._agreed :] == self.reference.changes[self._agreed :]
        self._agreed = len(self.changes)
        assert self.core.control == self.reference.control
        assert self.core.parameters == self.reference.parameters
        assert self.core.tick == self.reference.now
        assert self.core.is_held == self.reference.is_held
        state = self.core.program.states[self.core.state].name
        assert state.upper() == self.reference.instructions[self.reference.address].state


def ran(text: str, until: int = 100, **parameters: int) -> Bench:
    """Run a script from its start."""
    bench = Bench(script(text, parameters))
    bench.advance(until)
    return bench
