"""Rules on states: whether STATEn/MODm fits the type of module, and the clocks that are there."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.outputs import BIAS_VOLTS, CLOCKS, DRIVER_VOLTS, FIELDS, Output
from archon_ioc.acf.rules.values import shown
from archon_ioc.acf.subject import Subject

_USUAL = 0.5  # a module that more states have than not belongs into all


def _field_count(subject: Subject) -> Iterator[Found]:
    wrong: defaultdict[tuple[int, int], list[Output]] = defaultdict(list)
    for output in subject.outputs:
        if not output.has_all_fields:
            wrong[output.slot, output.fields.count].append(output)
    for (slot, count), outputs in wrong.items():
        first = outputs[0]
        wanted = " or ".join(map(str, FIELDS[first.kind]))
        states = shown([output.state for output in outputs])
        yield Found(first.key, f"{count} fields in {states}; slot {slot} is of type {first.kind.label} with {wanted}")


def _flags(subject: Subject) -> Iterator[Found]:
    for output in subject.outputs:
        wrong = [flag for flag in output.fields.flags if flag not in ("0", "1")]
        if wrong:
            yield Found(output.key, f"{wrong[0]!r} in {output.state}, where only 0 and 1 can be")


def _levels(subject: Subject) -> Iterator[Found]:
    places: dict[str, list[str]] = {}
    first: dict[str, Output] = {}
    for output in subject.outputs:
        for clock in output.fields.clocks:
            if clock.level and not _is_constant(subject, clock.level):
                places.setdefault(clock.level, []).append(_clock(subject, output, clock.channel))
                first.setdefault(clock.level, output)
    for level, clocks in places.items():
        if why := _level_objection(subject, level, -DRIVER_VOLTS, DRIVER_VOLTS):
            yield Found(first[level].key, f"{level!r}, the level of {shown(clocks)}, {why}")


def _is_constant(subject: Subject, level: str) -> bool:
    return level.upper() in subject.constants


def _constant_levels(subject: Subject) -> Iterator[Found]:
    levels = {clock.level.upper() for output in subject.outputs for clock in output.fields.clocks}
    for key, text in subject.entries("CONSTANT"):
        name = text.partition("=")[0].strip()
        volts = subject.constants.get(name.upper())
        if name.upper() in levels and volts is not None and abs(volts) > DRIVER_VOLTS:
            yield Found(key, f"{name} is {volts:g} V, the level of a clock; those are from -13 to 13 V")


def _level_objection(subject: Subject, level: str, low: float, high: float) -> str | None:
    volts = subject.number(level)
    if volts is None:
        return "is neither a number nor a constant"
    return None if low <= volts <= high else f"is {volts:g} V, not from {low:g} to {high:g} V"


def _clock(subject: Subject, output: Output, channel: int) -> str:
    label = subject.keys.get(f"MOD{output.slot}/LABEL{channel}", "").strip()
    return f"clock {channel}{f' ({label})' if label else ''} in {output.state}"


def _bias_changes(subject: Subject) -> Iterator[Found]:
    for output in subject.outputs:
        for command, channel, level in output.fields.bias_changes:
            if not (command.isdecimal() and channel.isdecimal() and 1 <= int(channel) <= 30):
                yield Found(output.key, f"{command},{channel} in {output.state} is not a command and a channel")
            elif int(command) and (why := _level_objection(subject, level, *BIAS_VOLTS[output.kind])):
                yield Found(output.key, f"{level!r}, to which {output.state} changes a bias, {why}")


def _empty_levels(subject: Subject) -> Iterator[Found]:
    for output in subject.outputs:
        for channel, level, _, keep in output.fields.clocks:
            if keep == "0" and not level:
                yield Found(output.key, f"{_clock(subject, output, channel)} has no level, and is not kept")


def _kept_levels(subject: Subject) -> Iterator[Found]:
    for output in subject.outputs:
        for channel, level, _, keep in output.fields.clocks:
            if keep == "1" and level:
                yield Found(output.key, f"{_clock(subject, output, channel)} is kept, so that {level} has no effect")


def _missing_outputs(subject: Subject) -> Iterator[Found]:
    outputs = subject.outputs
    states = {output.number for output in outputs}
    having = Counter(output.slot for output in outputs)
    present = {(output.number, output.slot) for output in outputs}
    for slot, count in having.items():
        if count > _USUAL * len(states):
            for number in sorted(n for n in states if (n, slot) not in present):
                yield Found(f"STATE{number}/MOD{slot}", f"{count} of {len(states)} states have it, state {number} not")


def _no_control(subject: Subject) -> Iterator[Found]:
    for state in subject.program.states.values() if subject.program else ():
        key = f"STATE{state.number}/CONTROL"
        if key not in subject.keys:
            yield Found(key, f"there is no {key}, so that {state.name} may do anything to FRAME, LINE, PIXEL and INT")


def _set_channels(subject: Subject) -> dict[int, dict[int, list[str]]]:
    """Return by slot and clock the states that set it."""
    found: defaultdict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for output in subject.outputs:
        for channel, _, _, keep in output.fields.clocks:
            if keep == "0":
                found[output.slot][channel].append(output.state)
    return found


def _driven(subject: Subject, slot: int, keys: Mapping[str, str]) -> set[int]:
    """Return the clocks that enabled outputs follow."""
    outputs = range(1, CLOCKS[subject.modules[slot]] + 1)
    enabled = [i for i in outputs if keys.get(f"ENABLE{i}", "1").strip() != "0"]
    sources = (keys.get(f"SOURCE{i}", str(i)).strip() for i in enabled)
    return {int(source) for source in sources if source.isdecimal()}


def _disabled_clocks(subject: Subject) -> Iterator[Found]:
    channels = _set_channels(subject)
    for slot, keys in subject.installed(*CLOCKS):
        for channel in sorted(set(channels.get(slot, {})) - _driven(subject, slot, keys)):
            states = channels[slot][channel]
            label = keys.get(f"LABEL{channel}", "").strip() or f"clock {channel}"
            yield Found(f"MOD{slot}/ENABLE{channel}", f"{shown(states)} set {label}, which is not enabled")


def _idle_clocks(subject: Subject) -> Iterator[Found]:
    channels = _set_channels(subject)
    for slot, keys in subject.installed(*CLOCKS):
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
    Rule("level-constant", Severity.ERROR, "A constant that is a clock's level is beyond ±13 V.",
         "Correct the constant.", _constant_levels, stops_load=True),
    Rule("state-bias", Severity.ERROR, "A state changes a bias that does not exist, or beyond the module's range.",
         "Correct command, channel and level; 0,1,0.0 changes nothing.", _bias_changes, stops_load=True),
    Rule("state-empty", Severity.WARNING, "A state sets a clock, but says no level.",
         "Add the level, or keep the clock with 1 in its last field.", _empty_levels),
    Rule("state-kept", Severity.WARNING, "A state says a level for a clock that it keeps as it is.",
         "Write 0 into the clock's last field, or remove the level.", _kept_levels),
    Rule("state-incomplete", Severity.WARNING, "A state says nothing for a module that most states have.",
         "Add it; to keep all outputs write empty levels with keep 1.", _missing_outputs),
    Rule("state-control", Severity.WARNING, "A state has no CONTROL.", "Add it: 0,3F changes nothing.", _no_control),
    Rule("clock-disabled", Severity.WARNING, "States set a clock that no enabled output follows.",
         "Enable the output, or remove the clock from the states.", _disabled_clocks),
    Rule("clock-idle", Severity.NOTE, "An output is enabled that no state ever sets.",
         "Nothing, if it is not used.", _idle_clocks),
)  # fmt: skip
