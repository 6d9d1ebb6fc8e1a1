"""Digital side of a module: inputs, outputs, and the VCPU with the device that somebody wired to it."""

from collections.abc import Callable, Mapping, Sequence

REGISTERS = 16

Program = Callable[[float, Sequence[int]], Mapping[int, int]]
"""What a VCPU does: seconds since its restart and its input registers to the output registers that it writes."""

_FIRST_ANSWER_SECONDS = 2.0
_COUNTER = REGISTERS - 1
_WORD = 1 << 32


class PressureGauge:
    """A gauge on the serial line of a VCPU: its reading as characters, and a counter that shows that it is alive.

    The characters of ``1.2E-06`` are in the output registers from 0 on; register 15 counts the answers. The
    first answer comes 2 s after a restart, until then the registers keep what they held.
    """

    def __init__(self, mbar: float = 1.2e-6) -> None:
        self.mbar = mbar

    def __call__(self, seconds: float, _registers: Sequence[int]) -> Mapping[int, int]:
        """Return what is written so many seconds after a restart."""
        if seconds < _FIRST_ANSWER_SECONDS:
            return {_COUNTER: 0}
        text = f"{self.mbar:.1E}".ljust(_COUNTER)
        return {n: ord(c) for n, c in enumerate(text[:_COUNTER])} | {_COUNTER: int(seconds) % 65536}


class Vcpu:
    """The registers of one VCPU. What its instructions mean is not published: a ``program`` in Python stands in.

    Where a configuration has a program for it (``VCPU_LINEn``) and nothing else was attached, a pressure gauge
    answers.
    """

    def __init__(self) -> None:
        self.program: Program | None = None
        self._inputs = [0] * REGISTERS
        self._outputs = [0] * REGISTERS
        self._is_programmed = False
        self._started_at = 0.0
        self._gauge = PressureGauge()

    def apply(self, settings: Mapping[str, float | str]) -> None:
        """Take input registers and program over."""
        self._inputs = [_register(settings.get(f"VCPU_INREG{n}", "")) for n in range(REGISTERS)]
        lines = range(_register(settings.get("VCPU_LINES", "")) % 512)
        self._is_programmed = any(str(settings.get(f"VCPU_LINE{n}", "")).strip() for n in lines)

    def restart(self, at: float) -> None:
        """Begin again: the output registers keep what is in them (measured)."""
        self.outputs(at)
        self._started_at = at

    def clear(self) -> None:
        """Forget everything: the controller restarts, and its time begins at 0 again."""
        self._inputs, self._outputs = [0] * REGISTERS, [0] * REGISTERS
        self._is_programmed, self._started_at = False, 0.0

    def outputs(self, at: float) -> Sequence[int]:
        """Return the output registers."""
        program = self.program or (self._gauge if self._is_programmed else None)
        if program:
            for n, value in program(at - self._started_at, tuple(self._inputs)).items():
                self._outputs[n] = value % _WORD
        return self._outputs


class DigitalLines:
    """The DIO lines of a module, counted from 1."""

    def __init__(self, count: int) -> None:
        self._levels = [False] * count
        self._sources = [0] * count
        self._is_output = [False] * count
        self.core = [False] * count
        """What the timing core gives."""
        self.by_vcpu = [False] * count
        """What the VCPU gives."""

    def apply(self, settings: Mapping[str, float | str]) -> None:
        """Take directions and sources over."""
        count = len(self._levels)
        for n in range(count):
            pair = n + 1 - n % 2
            key = f"DIO_DIR{pair}{pair + 1}" if count == 8 else f"DIO_DIR{n + 1}"
            self._is_output[n] = _register(settings.get(key, "")) == 1
            self._sources[n] = _register(settings.get(f"DIO_SOURCE{n + 1}", ""))

    def set_input(self, line: int, level: bool) -> None:
        """Put a level on a line from outside."""
        self._levels[line - 1] = level

    def outputs(self) -> dict[int, bool]:
        """Return the level of each line that is an output: low, high, or what timing core or VCPU give."""
        return {n + 1: self._driven(n) for n, is_output in enumerate(self._is_output) if is_output}

    def text(self) -> str:
        """Return DINPUTS: the level of line 1 first, for outputs what they give."""
        return "".join(
            "1" if (self._driven(n) if is_output else self._levels[n]) else "0"
            for n, is_output in enumerate(self._is_output)
        )

    def _driven(self, n: int) -> bool:
        return (False, True, self.core[n], self.by_vcpu[n])[self._sources[n] & 3]


def _register(value: float | str) -> int:
    try:
        return int(value)
    except ValueError:
        return 0
