"""Channels: what the states of a timing script do to the outputs of the modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from archon_ioc.acf.configuration import Configuration
from archon_ioc.acf.script import Program
from archon_ioc.acf.trace import Bit

_DRIVEN_BY_CORE = "2"  # DIO_SOURCE (manual, section on DIO)
_CONTROL_BITS = 8  # of the control word that are left to the control bits

# Fields of STATEn/MODm by how many there are (protocol sheet, key groups): what they are in their order.
_DIOS = (("DIO", 8, 2),)
_FORMATS: Mapping[int, tuple[tuple[str, int, int], ...]] = {
    2: (("CLAMP", 1, 2),),
    16: _DIOS,
    19: _DIOS,  # and a change of a bias
    24: (("CLOCK", 8, 3),),
    36: (("CLOCK", 12, 3),),
    32: (("HS", 12, 2), ("DIO", 4, 2)),
    40: (("LVDS", 16, 2), ("DIO", 4, 2)),
}
_LABELS = {"CLOCK": "LABEL", "DIO": "DIO_LABEL", "HS": "HS_LABEL", "LVDS": "LVDS_LABEL"}


class Level(NamedTuple):
    """What an output is set to: volts, 0 or 1, or the part of ones in a high-speed pattern; ``slew`` is in V/µs."""

    value: float
    slew: float | None = None


class _Output(NamedTuple):
    slot: int
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Channel:
    """One output, and where in the control word of the widened program it is: the bits of ``mask``.

    ``unit`` is ``V`` or nothing. ``level`` is None as long as no state has set it.
    """

    name: str
    unit: str
    mask: int
    levels: tuple[Level, ...]

    def level(self, word: int) -> Level | None:
        """Return what the output is set to while the control word is ``word``."""
        index = (word & self.mask) // (self.mask & -self.mask)
        return self.levels[index - 1] if index else None


CONTROL = tuple(Channel(bit.name or "", "", bit, (Level(1.0),)) for bit in Bit)


def widen(acf: Configuration, program: Program) -> tuple[Program, tuple[Channel, ...]]:
    """Return the program with a control word in which each output of the modules has a field, and those fields.

    The timing core treats them as control bits, and so tells when each output changes. Outputs that the script never
    sets, that are disabled or that another source drives are left out.
    """
    settings = _settings(acf, program)
    clocks = {number: state.clocks for number, state in program.states.items()}
    keeps = {number: state.keep for number, state in program.states.items()}
    channels: list[Channel] = []
    shift = _CONTROL_BITS
    for output, by_state in settings.items():
        levels = tuple(sorted(set(by_state.values()), key=lambda level: (level.value, level.slew or 0.0)))
        mask = ((1 << len(levels).bit_length()) - 1) << shift
        for number in program.states:
            if level := by_state.get(number):
                clocks[number] |= (levels.index(level) + 1) << shift
            else:
                keeps[number] |= mask
        channels.append(Channel(_name(acf, output), "V" if output.kind == "CLOCK" else "", mask, levels))
        shift += len(levels).bit_length()
    states = {
        number: replace(state, clocks=clocks[number], keep=keeps[number]) for number, state in program.states.items()
    }
    return replace(program, states=states), tuple(channels)


def _settings(acf: Configuration, program: Program) -> dict[_Output, dict[int, Level]]:
    """Return what each output is set to, by the number of the state."""
    found: dict[_Output, dict[int, Level]] = {}
    for number, state in program.states.items():
        outputs = chain.from_iterable(_split(slot, text) for slot, text in sorted(state.modules.items()))
        for output, fields in outputs:
            if _is_driven(acf, output) and (level := _level(acf, output, fields)):
                found.setdefault(output, {})[number] = level
    return found


def _split(slot: int, text: str) -> Iterator[tuple[_Output, list[str]]]:
    fields = [field.strip() for field in text.split(",")]
    first = 0
    for kind, count, width in _FORMATS.get(len(fields), ()):
        for number in range(1, count + 1):
            yield _Output(slot, kind, number), fields[first : first + width]
            first += width


def _is_driven(acf: Configuration, output: _Output) -> bool:
    prefix = f"MOD{output.slot}/"
    if output.kind == "DIO":
        return acf.keys.get(f"{prefix}DIO_SOURCE{output.number}", "").strip() == _DRIVEN_BY_CORE
    return output.kind != "CLOCK" or acf.keys.get(f"{prefix}ENABLE{output.number}", "1").strip() != "0"


def _level(acf: Configuration, output: _Output, fields: list[str]) -> Level | None:
    """Return what the fields set, None if they keep what is there, or cannot be understood."""
    if fields[-1] != "0":
        return None
    if output.kind == "HS":
        return Level(fields[0].count("1") / max(len(fields[0]), 1))
    value = _number(acf, fields[0])
    if value is None or output.kind != "CLOCK":
        return None if value is None else Level(value)
    speed = "FAST" if fields[1] == "1" else "SLOW"
    return Level(value, _number(acf, acf.keys.get(f"MOD{output.slot}/{speed}SLEWRATE{output.number}", "")))


def _number(acf: Configuration, text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        name = acf.constant_name(text)
        return acf.constants[name] if name else None


def _name(acf: Configuration, output: _Output) -> str:
    if output.kind == "CLAMP":
        return f"MOD{output.slot} clamp"
    label = acf.keys.get(f"MOD{output.slot}/{_LABELS[output.kind]}{output.number}", "").strip()
    return label or f"MOD{output.slot}/{output.kind}{output.number}"
