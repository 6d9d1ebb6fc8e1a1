"""Rules on states: what STATEn/MODm says for each type of module (manual, timing states)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.rules.values import shown
from archon_ioc.acf.subject import Subject
from archon_ioc.protocol.enums import ModuleType

DRIVER_VOLTS = 13.0  # manual: clocks of Driver modules are -13 to 13 V

_CLOCKS = {ModuleType.DRIVER: 8, ModuleType.DRIVERX: 12}
_AD = (ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN, ModuleType.ADQ)
_LV = (ModuleType.LVBIAS, ModuleType.LVXBIAS)
_HV = (ModuleType.HVBIAS, ModuleType.HVXBIAS, ModuleType.HVYBIAS)
_HEATERS = (ModuleType.HEATER, ModuleType.HEATERX)

_FIELDS: Mapping[ModuleType, tuple[int, ...]] = {
    **{kind: (3 * count,) for kind, count in _CLOCKS.items()},
    **dict.fromkeys(_AD, (2,)),
    **dict.fromkeys(_LV, (16, 19)),  # with a change of a bias from 833 on
    **dict.fromkeys(_HEATERS, (16,)),
    **dict.fromkeys(_HV, (3,)),
    ModuleType.XVBIAS: (6,),
    ModuleType.HS: (32,),
    ModuleType.LVDS: (40,),
}
"""How many fields the value may have."""

_BIAS_VOLTS: Mapping[ModuleType, tuple[float, float]] = {
    **dict.fromkeys(_LV, (-14, 14)),
    **dict.fromkeys(_HV, (0, 31)),
    ModuleType.XVBIAS: (-95, 95),
}
_KEY = re.compile(r"STATE(\d+)/MOD(\d+)")
_USUAL = 0.5  # a module that more states have than not belongs into all


class _Output(NamedTuple):
    """What a state says for one module."""

    key: str
    state: str
    number: int
    slot: int
    kind: ModuleType
    fields: list[str]

    @property
    def clocks(self) -> Iterator[tuple[int, str, str, str]]:
        """Yield channel, level, slew and keep of each clock of a Driver."""
        for channel in range(_CLOCKS.get(self.kind, 0) if self.has_all_fields else 0):
            level, slew, keep = (field.strip() for field in self.fields[3 * channel : 3 * channel + 3])
            yield channel + 1, level, slew, keep

    @property
    def has_all_fields(self) -> bool:
        return self.kind not in _FIELDS or len(self.fields) in _FIELDS[self.kind]

    @property
    def flags(self) -> Iterator[str]:
        """Yield the fields that are 0 or 1."""
        if self.kind in _CLOCKS:
            yield from (flag for _, _, slew, keep in self.clocks for flag in (slew, keep))
        elif self.kind in (*_AD, *_LV, *_HEATERS):
            yield from (field.strip() for field in self.fields[:16])

    @property
    def bias_changes(self) -> Iterator[list[str]]:
        """Yield command, channel and level of each change of a bias."""
        start = 16 if self.kind in _LV else 0
        if self.kind in _BIAS_VOLTS:
            for at in range(start, len(self.fields) - 2, 3):
                yield [field.strip() for field in self.fields[at : at + 3]]


def _outputs(subject: Subject) -> Iterator[_Output]:
    count = subject.count("STATES")
    for key, value in subject.keys.items():
        match = _KEY.fullmatch(key)
        kind = subject.modules.get(int(match.group(2))) if match else None
        if match and kind is not None and int(match.group(1)) < count:
            name = subject.keys.get(f"STATE{match.group(1)}/NAME", "")
            yield _Output(key, name, int(match.group(1)), int(match.group(2)), kind, value.split(","))


def _field_count(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        if not output.has_all_fields:
            wanted = " or ".join(map(str, _FIELDS[output.kind]))
            count = len(output.fields)
            yield Found(output.key, f"{count} fields in {output.state}, a {output.kind.label} has {wanted}")


def _flags(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        wrong = [flag for flag in output.flags if flag not in ("0", "1")] if output.has_all_fields else []
        if wrong:
            yield Found(output.key, f"{wrong[0]!r} in {output.state}, where only 0 and 1 can be")


def _levels(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        for channel, level, _, _ in output.clocks:
            if level and (why := _level_objection(subject, level, -DRIVER_VOLTS, DRIVER_VOLTS)):
                yield Found(output.key, f"{level!r}, the level of {_clock(subject, output, channel)}, {why}")


def _level_objection(subject: Subject, level: str, low: float, high: float) -> str | None:
    volts = subject.number(level)
    if volts is None:
        return "is neither a number nor a constant"
    return None if low <= volts <= high else f"is {volts:g} V, not from {low:g} to {high:g} V"


def _clock(subject: Subject, output: _Output, channel: int) -> str:
    label = subject.keys.get(f"MOD{output.slot}/LABEL{channel}", "").strip()
    return f"clock {channel}{f' ({label})' if label else ''} in {output.state}"


def _bias_changes(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        for command, channel, level in output.bias_changes if output.has_all_fields else ():
            if not (command.isdecimal() and channel.isdecimal() and 1 <= int(channel) <= 30):
                yield Found(output.key, f"{command},{channel} in {output.state} is not a command and a channel")
            elif int(command) and (why := _level_objection(subject, level, *_BIAS_VOLTS[output.kind])):
                yield Found(output.key, f"{level!r}, to which {output.state} changes a bias, {why}")


def _empty_levels(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        for channel, level, _, keep in output.clocks:
            if keep == "0" and not level:
                yield Found(output.key, f"{_clock(subject, output, channel)} has no level, and is not kept")


def _kept_levels(subject: Subject) -> Iterator[Found]:
    for output in _outputs(subject):
        for channel, level, _, keep in output.clocks:
            if keep == "1" and level:
                yield Found(output.key, f"{_clock(subject, output, channel)} is kept, so that {level} has no effect")


def _missing_outputs(subject: Subject) -> Iterator[Found]:
    outputs = list(_outputs(subject))
    states = {output.number for output in outputs}
    having = Counter(output.slot for output in outputs)
    present = {(output.number, output.slot) for output in outputs}
    for slot, count in having.items():
        if count > _USUAL * len(states):
            for number in sorted(n for n in states if (n, slot) not in present):
                yield Found(f"STATE{number}/MOD{slot}", f"{count} of {len(states)} states have it, state {number} not")


def _set_channels(subject: Subject) -> dict[int, dict[int, list[str]]]:
    """Return by slot and clock the states that set it."""
    found: defaultdict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for output in _outputs(subject):
        for channel, _, _, keep in output.clocks:
            if keep == "0":
                found[output.slot][channel].append(output.state)
    return found


def _driven(subject: Subject, slot: int, keys: Mapping[str, str]) -> set[int]:
    """Return the clocks that enabled outputs follow."""
    outputs = range(1, _CLOCKS[subject.modules[slot]] + 1)
    enabled = [i for i in outputs if keys.get(f"ENABLE{i}", "1").strip() != "0"]
    sources = (keys.get(f"SOURCE{i}", str(i)).strip() for i in enabled)
    return {int(source) for source in sources if source.isdecimal()}


def _disabled_clocks(subject: Subject) -> Iterator[Found]:
    channels = _set_channels(subject)
    for slot, keys in subject.installed(*_CLOCKS):
        for channel in sorted(set(channels.get(slot, {})) - _driven(subject, slot, keys)):
            states = channels[slot][channel]
            label = keys.get(f"LABEL{channel}", "").strip() or f"clock {channel}"
            yield Found(f"MOD{slot}/ENABLE{channel}", f"{shown(states)} set {label}, which is not enabled")


def _idle_clocks(subject: Subject) -> Iterator[Found]:
    channels = _set_channels(subject)
    for slot, keys in subject.installed(*_CLOCKS):
        for channel in sorted(_driven(subject, slot, keys) - set(channels.get(slot, {}))):
            label = keys.get(f"LABEL{channel}", "").strip() or f"clock {channel}"
            yield Found(f"MOD{slot}/ENABLE{channel}", f"{label} is enabled, but no state sets it")


RULES: tuple[Rule, ...] = (
    Rule("state-fields", Severity.ERROR, "STATEn/MODm has the wrong number of fields for the type of module.",
         "Correct it: clocks have level, slew and keep each; biases command, channel and level.", _field_count,
         stops_load=True),
    Rule("state-flag", Severity.ERROR, "A field of STATEn/MODm that can be 0 or 1 is neither.",
         "Write 0 or 1.", _flags, stops_load=True),
    Rule("state-level", Severity.ERROR, "A clock's level is neither a number nor a constant, or beyond ±13 V.",
         "Correct the level or the constant.", _levels, stops_load=True),
    Rule("state-bias", Severity.ERROR, "A state changes a bias that does not exist, or beyond the module's range.",
         "Correct command, channel and level; 0,1,0.0 changes nothing.", _bias_changes, stops_load=True),
    Rule("state-empty", Severity.WARNING, "A state sets a clock, but says no level.",
         "Add the level, or keep the clock with 1 in its last field.", _empty_levels),
    Rule("state-kept", Severity.WARNING, "A state says a level for a clock that it keeps as it is.",
         "Write 0 into the clock's last field, or remove the level.", _kept_levels),
    Rule("state-incomplete", Severity.WARNING, "A state says nothing for a module that most states have.",
         "Add it; to keep all outputs write empty levels with keep 1.", _missing_outputs),
    Rule("clock-disabled", Severity.WARNING, "States set a clock that no enabled output follows.",
         "Enable the output, or remove the clock from the states.", _disabled_clocks),
    Rule("clock-idle", Severity.NOTE, "An output is enabled that no state ever sets.",
         "Nothing, if it is not used.", _idle_clocks),
)  # fmt: skip
