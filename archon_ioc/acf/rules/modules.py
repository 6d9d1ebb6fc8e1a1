"""Rules on modules: whether the keys belong to what is installed, and whether that is what the file says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.keys import spec_of
from archon_ioc.acf.rules.values import shown
from archon_ioc.acf.subject import Subject
from archon_ioc.protocol.enums import BackplaneType, ModuleType

_AD_SLOTS = (5, 6, 7, 8)
_FAST_SLOTS = (3, 4, 9, 10, 11, 12)
_PLACES: Mapping[ModuleType, tuple[int, ...]] = {
    **dict.fromkeys(
        (ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN, ModuleType.ADM, ModuleType.ADQ), _AD_SLOTS
    ),
    **dict.fromkeys((ModuleType.HS, ModuleType.HVXBIAS, ModuleType.LVXBIAS, ModuleType.HVYBIAS), _FAST_SLOTS),
}
"""Types that work in some slots of an X12 only (manual, modules)."""


def _name(kind: ModuleType) -> str:
    return "empty" if kind is ModuleType.NONE else f"of type {kind.label}"


def _keys_of(subject: Subject, slot: int) -> list[str]:
    return [f"MOD{slot}/{name}" for name in subject.slots.get(slot, {})]


def _state_keys(subject: Subject) -> Mapping[int, list[str]]:
    """Return the keys STATEn/MODm by slot."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for key in subject.keys:
        slot = key.partition("/MOD")[2] if key.startswith("STATE") else ""
        if slot.isdecimal():
            found[int(slot)].append(key)
    return found


def _foreign_keys(subject: Subject) -> Iterator[Found]:
    state_keys = _state_keys(subject)
    for slot in sorted({*subject.slots, *state_keys}):
        kind = subject.module(slot)
        if kind is ModuleType.UNKNOWN:
            continue
        keys = _keys_of(subject, slot) + state_keys.get(slot, [])
        if kind is not ModuleType.NONE:
            keys = [key for key in keys if subject.specs[key] is None and spec_of(key)]
        if keys:
            what = "but has keys" if kind is ModuleType.NONE else "but has keys of another type"
            yield Found(keys[0], f"slot {slot} is {_name(kind)}, {what}: {shown(keys)}")


def _other_module(subject: Subject) -> Iterator[Found]:
    for slot, expected, actual in _different(subject):
        keys = _keys_of(subject, slot)
        if any(spec_of(key) and not spec_of(key, actual) for key in keys):
            yield Found(f"MOD{slot}_TYPE", f"slot {slot} is {_name(expected)} in the file, {_name(actual)} here")


def _similar_module(subject: Subject) -> Iterator[Found]:
    for slot, expected, actual in _different(subject):
        keys = _keys_of(subject, slot)
        if keys and all(spec_of(key, actual) or not spec_of(key) for key in keys):
            why = f"slot {slot} is {_name(expected)} in the file, {_name(actual)} here; its keys are known to both"
            yield Found(f"MOD{slot}_TYPE", why)


def _other_spare(subject: Subject) -> Iterator[Found]:
    for slot, expected, actual in _different(subject):
        if not _keys_of(subject, slot):
            why = f"slot {slot} is {_name(expected)} in the file, {_name(actual)} here; no key is for it"
            yield Found(f"MOD{slot}_TYPE", why)


def _different(subject: Subject) -> Iterator[tuple[int, ModuleType, ModuleType]]:
    """Yield the slots in which the connected controller has another type of module than the file says."""
    for slot, expected in subject.file_modules.items() if subject.system else ():
        actual = subject.module(slot)
        if expected is not actual:
            yield slot, expected, actual


def _other_unit(subject: Subject) -> Iterator[Found]:
    own = subject.acf.system
    for ending, what in (("_ID", "serial numbers"), ("_REV", "revisions"), ("_VERSION", "firmware versions")):
        keys = [key for key in own if key.endswith(ending) and key.startswith(("BACKPLANE", "MOD"))]
        different = [key for key in keys if _differs(own[key], (subject.system or {}).get(key))]
        if different and subject.system:
            key = different[0]
            yield Found(
                key, f"the {what} differ in {shown(different)}: {key} is {subject.system[key]} here, {own[key]} there"
            )


def _differs(own: str, other: str | None) -> bool:
    """Return whether both tell something, and not the same: files made by programs have zeros."""
    return other is not None and other != own and bool(own.strip("0."))


def _module_place(subject: Subject) -> Iterator[Found]:
    if subject.acf.system.get("BACKPLANE_TYPE", "").strip() != str(BackplaneType.X12.value):
        return
    for slot, kind in subject.file_modules.items():
        places = _PLACES.get(kind, range(1, 13))
        if slot not in places:
            numbers = ", ".join(map(str, places))
            yield Found(f"MOD{slot}_TYPE", f"slot {slot} is {_name(kind)}, which works in the slots {numbers}")


def _no_keys(subject: Subject) -> Iterator[Found]:
    for slot, kind in subject.modules.items():
        if kind not in (ModuleType.NONE, ModuleType.UNKNOWN, ModuleType.ADM) and slot not in subject.slots:
            yield Found(f"MOD{slot}_TYPE", f"slot {slot} is {_name(kind)}, for which the configuration has no key")


def _unknown_modules(subject: Subject) -> Iterator[Found]:
    if not subject.modules:
        yield Found("[SYSTEM]", "neither the file nor a controller tells which modules there are")


RULES: tuple[Rule, ...] = (
    Rule("other-module", Severity.ERROR, "The controller has another module in a slot than the one the keys are for.",
         "Use the configuration of this controller, or correct the keys of the slot.", _other_module, stops_load=True),
    Rule("foreign-key", Severity.WARNING, "Keys belong to no module: the slot is empty, or of another type.",
         "Correct the slot in the keys, or remove them: the controller ignores them silently.", _foreign_keys),
    Rule("module-place", Severity.WARNING, "[SYSTEM] has a module in a slot in which its type does not work.",
         "Save [SYSTEM] from the controller again.", _module_place),
    Rule("similar-module", Severity.WARNING, "The controller has another type of module that takes the same keys.",
         "Check that this is the controller that is meant.", _similar_module),
    Rule("other-spare", Severity.NOTE, "The controller has another module in a slot for which there are no keys.",
         "Nothing, if the module is not used.", _other_spare),
    Rule("other-unit", Severity.NOTE, "The file was saved on another controller, or before a change of modules.",
         "Check that this is the controller that is meant.", _other_unit),
    Rule("module-without-keys", Severity.NOTE, "A module is installed for which the configuration says nothing.",
         "Nothing, if it is not used.", _no_keys),
    Rule("unknown-modules", Severity.NOTE, "It is not known which modules there are: the rules on them do not hold.",
         "Check with the controller, or add [SYSTEM] from its SYSTEM reply.", _unknown_modules),
)  # fmt: skip
