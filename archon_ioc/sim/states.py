"""What a state of the timing script tells a module to do, besides clocks and conversions."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from archon_ioc.protocol.enums import ModuleType

# How the text of STATEn/MODm is made: pairs of clocks, digital lines, bias changes (protocol sheet, state formats).
_FORMS: dict[ModuleType, tuple[int, int, int]] = {
    ModuleType.HEATER: (0, 8, 0), ModuleType.HEATERX: (0, 8, 0),
    ModuleType.LVBIAS: (0, 8, 1), ModuleType.LVXBIAS: (0, 8, 1),
    ModuleType.HVBIAS: (0, 0, 1), ModuleType.HVXBIAS: (0, 0, 1), ModuleType.HVYBIAS: (0, 0, 1),
    ModuleType.XVBIAS: (0, 0, 2),
    ModuleType.HS: (12, 4, 0), ModuleType.LVDS: (16, 4, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Orders:
    """What a state wants: ``lines`` are digital lines from 0 and their levels.

    ``biases`` are changes on the fly: which of the module's lists of channels (an XVBias has two), which channel
    from 1, and the set point as it is written, which may be a constant.
    """

    lines: tuple[tuple[int, bool], ...] = ()
    biases: tuple[tuple[int, int, str], ...] = ()


_NOTHING = Orders()


@lru_cache(maxsize=4096)
def orders_of(kind: ModuleType, text: str) -> Orders:
    """Return what the text of ``STATEn/MODm`` says to a module of this type; fields that are missing say nothing."""
    if kind not in _FORMS:
        return _NOTHING
    clocks, lines, biases = _FORMS[kind]
    fields = [field.strip() for field in text.split(",")]
    first, end = 2 * clocks, 2 * (clocks + lines)
    levels, keeps = fields[first:end:2], fields[first + 1 : end : 2]
    return Orders(
        tuple((n, level == "1") for n, (level, keep) in enumerate(zip(levels, keeps, strict=False)) if keep == "0"),
        tuple(_changes(fields[end : end + 3 * biases])),
    )


def _changes(fields: list[str]) -> Iterator[tuple[int, int, str]]:
    for group, (command, channel, volts) in enumerate(zip(*(fields[n::3] for n in range(3)), strict=False)):
        if command not in ("", "0") and channel.isdecimal() and volts:
            yield group, int(channel), volts
