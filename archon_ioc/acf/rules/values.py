"""Rules on single keys: what the catalogue of keys says of their values, and which are missing or unknown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import product

from archon_ioc.acf.catalogue import CATALOGUE
from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.keys import normal, spec_of
from archon_ioc.acf.keyspec import KeySpec, Kind
from archon_ioc.acf.subject import Subject
from archon_ioc.protocol.enums import ModuleType

_REQUIRED = ("PIXELCOUNT", "LINECOUNT")
_EXPECTED = ("LINES", "STATES", "PARAMETERS", "TAPLINES", "FRAMEMODE", "SAMPLEMODE", "SHP1", "SHP2", "SHD1", "SHD2")
_TOGETHER = (
    ("TRIGOUTFORCE", "TRIGOUTLEVEL", "TRIGOUTINVERT"),
    ("RAWENABLE", "RAWSEL", "RAWSTARTLINE", "RAWENDLINE", "RAWSTARTPIXEL", "RAWSAMPLES"),
)
_MODULE_TOGETHER = (
    ("PREAMPGAIN", "CLAMP1"),
    ("HEATERUPDATETIME", "HEATERAENABLE"),
    ("DIO_POWER", "DIO_SOURCE1"),
    ("VCPU_LINES", "VCPU_INREG0"),
)
_SHOWN = 3


def shown(keys: list[str]) -> str:
    """Return the first keys of a list in words."""
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def _bad_value(subject: Subject) -> Iterator[Found]:
    told = {problem.key for problem in subject.script_problems}
    names = set(subject.constants)
    for key, spec in subject.specs.items():
        value = subject.keys[key]
        why = spec.objection(value, names) if spec and key not in told else None
        if spec and why:
            meaning = spec.meaning[0].lower() + spec.meaning[1:]
            yield Found(key, why if why.startswith("'") else f"{value[:60]!r} ({meaning}) is {why}")


def _constant_range(subject: Subject) -> Iterator[Found]:
    defined = {text.partition("=")[0].strip().upper(): key for key, text in subject.entries("CONSTANT")}
    told: set[str] = set()
    for key, value in subject.keys.items():
        name = value.strip().upper()
        if name not in subject.constants or name in told:
            continue
        spec = subject.specs[key]
        why = spec.objection(str(subject.constants[name])) if spec and spec.may_name_constant else None
        if why:
            told.add(name)
            yield Found(defined[name], f"{value}={subject.constants[name]:g}, which {key} uses, is {why}")


def _unknown_key(subject: Subject) -> Iterator[Found]:
    for key, spec in subject.specs.items():
        if spec is None and spec_of(key) is None:
            own = normal(key)
            like = get_close_matches(own, [other for other in _all_keys(subject) if other != own], 1, 0.8)
            yield Found(key, f"no such key is known to the manual{f', but {like[0]} is' if like else ''}")


def _all_keys(subject: Subject) -> list[str]:
    known = [normal(key) for key, spec in subject.specs.items() if spec]
    return known + [spec.pattern for spec in CATALOGUE if not spec.indices and spec.modules is None]


def _missing_key(subject: Subject) -> Iterator[Found]:
    for key in _EXPECTED:
        if key not in subject.keys:
            yield Found(key, f"there is no {key}; what the controller takes instead is not documented")
    for missing in _missing_of(subject.keys, _TOGETHER):
        yield Found(missing, f"there is no {missing}, but others of its kind")
    for slot, keys in subject.slots.items():
        kind = subject.type_of(f"MOD{slot}/LABEL1")
        for missing in _missing_of(keys, (*_families(kind), *_MODULE_TOGETHER)) if kind else ():
            yield Found(f"MOD{slot}/{missing}", f"there is no MOD{slot}/{missing}, but others of its kind")


def _missing_of(keys: Mapping[str, str], families: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the keys that are not there, of families of which some are."""
    for family in families:
        absent = [name for name in family if name not in keys]
        if len(absent) < len(family):
            yield from absent


@cache
def _families(kind: ModuleType) -> list[list[str]]:
    """Return the keys of each row that a type of module has, names and texts not, without ``MODm/``."""
    rows = (spec for spec in CATALOGUE if spec.modules and kind in spec.modules and spec.kind is not Kind.TEXT)
    return [list(_instances(spec)) for spec in rows]


def _instances(spec: KeySpec) -> Iterator[str]:
    plain = spec.pattern.partition("/")[2]
    letters = "AB" if "x" in plain else "-"
    sensors = "ABC" if "y" in plain else "-"
    for x, y, index in product(letters, sensors, spec.indices or (0,)):
        yield plain.replace("x", x).replace("y", y).replace("i", str(index) if spec.indices else "i")


def _no_geometry(subject: Subject) -> Iterator[Found]:
    for key in _REQUIRED:
        if key not in subject.keys:
            yield Found(key, f"there is no {key}: the size of a frame is not known")


RULES: tuple[Rule, ...] = (
    Rule("bad-value", Severity.ERROR, "A value is not of the form or in the range that the key has.",
         "Correct it; the reference of keys has the ranges.", _bad_value, stops_load=True),
    Rule("constant-range", Severity.ERROR, "A constant is beyond the range of a key that uses it.",
         "Correct the constant, or use another one there.", _constant_range, stops_load=True),
    Rule("no-geometry", Severity.ERROR, "PIXELCOUNT or LINECOUNT is missing.", "Add it.", _no_geometry,
         stops_load=True),
    Rule("missing-key", Severity.WARNING, "A key is missing of which others of the same kind are there.",
         "Add it: what holds without it is not documented.", _missing_key),
    Rule("unknown-key", Severity.WARNING, "The manual does not have the key; the controller ignores it silently.",
         "Correct the key, or remove it.", _unknown_key),
)  # fmt: skip
