"""Mutations: plants one mistake of a kind into a configuration, at random and as a person might make it.

A mutation is a fault for sure: it renames what is used, leaves out what is read, writes what is beyond the range.
`names` of a mutant are the keys and names of which one has to appear in a finding.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from archon_ioc.acf.file import Acf
from archon_ioc.protocol.enums import ModuleType

_TARGET = re.compile(r"\b(GOTO|CALL|RETURN)\s+(\w+)")
_LABEL = re.compile(r"(\w+)\s*:")
_COUNT = re.compile(r"\((\w+)\)")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Mutant:
    """A configuration with one mistake, what was done, and what a finding of it has to name."""

    acf: Acf
    what: str
    names: frozenset[str]
    system: Mapping[str, str] | None = None


_WORDS: dict[str, set[str]] = {}


def _words(acf: Acf) -> set[str]:
    """Return every word in the values of a file in upper case."""
    if acf.path not in _WORDS:
        _WORDS[acf.path] = set(re.findall(r"\w+", "\n".join(acf.keys.values()).upper()))
    return _WORDS[acf.path]


@dataclass
class Plot:
    """A configuration that is to get a mistake; ``None`` for a value removes the key."""

    acf: Acf
    chance: random.Random
    changes: dict[str, str | None] = field(default_factory=dict[str, str | None])

    def pick(self, pattern: str, accept: Callable[[str], bool] = bool) -> str | None:
        """Return one of the keys that match, and whose values are accepted."""
        expression = re.compile(pattern)
        keys = [key for key, value in self.acf.keys.items() if expression.fullmatch(key) and accept(value)]
        return self.chance.choice(keys) if keys else None

    def line(self, pattern: str) -> tuple[str, re.Match[str]] | None:
        """Return a line of the script, no comment, that has ``pattern`` somewhere, and where."""
        found = [(key, match) for key, text in self.script.items() for match in re.finditer(pattern, text)]
        return self.chance.choice(found) if found else None

    @property
    def script(self) -> dict[str, str]:
        lines = ((f"LINE{n}", self.acf.keys[f"LINE{n}"]) for n in range(int(self.acf.keys["LINES"])))
        return {key: text for key, text in lines if text and not text.startswith("#")}

    @property
    def words(self) -> set[str]:
        """Every word of the script in upper case."""
        return {word.upper() for text in self.script.values() for word in re.findall(r"\w+", text)}

    @property
    def modules(self) -> dict[int, ModuleType]:
        types = (re.fullmatch(r"MOD(\d+)_TYPE", key) for key in self.acf.system)
        return {int(match[1]): ModuleType(int(self.acf.system[match[0]])) for match in types if match}

    def misspelt(self, name: str) -> str:
        """Return ``name`` with a typing mistake, which is no other word of the configuration."""
        known = _words(self.acf)
        while True:
            at = self.chance.randrange(len(name))
            wrong = self.chance.choice(
                [
                    name[:at] + name[at + 1 :],
                    name[:at] + self.chance.choice(_LETTERS) + name[at:],
                    name[:at] + "_" + name[at:],
                ]
            )
            if wrong and wrong[0].isalpha() and wrong.upper() not in known:
                return wrong

    def defined(self, kind: str, used: set[str]) -> list[tuple[str, str]]:
        """Return keys and names of the parameters or constants that are used."""
        entries = ((f"{kind}{n}", self.acf.keys.get(f"{kind}{n}", "")) for n in range(int(self.acf.keys[f"{kind}S"])))
        pairs = [(key, text.partition("=")[0].strip()) for key, text in entries if "=" in text and text[0] != "#"]
        return [(key, name) for key, name in pairs if name.upper() in used]

    def written(self, what: str, *names: str, system: Mapping[str, str] | None = None, own: bool = False) -> Mutant:
        """Return the mutant; with ``own`` the system is that of the file, else of the connected controller."""
        keys = {**self.acf.keys, **{key: value for key, value in self.changes.items() if value is not None}}
        for key, value in self.changes.items():
            if value is None:
                del keys[key]
        acf = replace(self.acf, keys=MappingProxyType(keys), document=None)
        if system is not None and own:
            acf, system = replace(acf, system=system), None
        return Mutant(acf, what, frozenset(names), system)

    def edited(self, key: str, value: str | None, *names: str) -> Mutant:
        """Return a mutant in which one key is another."""
        old = self.acf.keys.get(key)
        self.changes[key] = value
        return self.written(f"{key}: {old!r} to {value!r}", key, *names)

    def replaced(self, key: str, match: re.Match[str], new: str, group: int, *names: str) -> Mutant:
        """Return a mutant in which a part of a value is another."""
        text = match.string
        return self.edited(key, text[: match.start(group)] + new + text[match.end(group) :], new, *names)


def label(plot: Plot) -> Mutant | None:
    """Misspell a label where it is used, or where it is."""
    if plot.chance.random() < 0.5:
        key, match = plot.line(_TARGET.pattern) or ("", None)
        return plot.replaced(key, match, plot.misspelt(match[2]), 2) if match else None
    used = {match[2].upper() for text in plot.script.values() for match in _TARGET.finditer(text)}
    labels = [(key, m) for key, text in plot.script.items() if (m := _LABEL.match(text)) and m[1].upper() in used]
    key, match = plot.chance.choice(labels)
    return plot.replaced(key, match, plot.misspelt(match[1]), 1, match[1])


def _states(plot: Plot) -> dict[str, str]:
    names = {f"STATE{n}/NAME": plot.acf.keys[f"STATE{n}/NAME"] for n in range(int(plot.acf.keys["STATES"]))}
    return {key: name for key, name in names.items() if name.upper() in plot.words}


def state(plot: Plot) -> Mutant | None:
    """Misspell a state where it is used, or where it is defined."""
    names = _states(plot)
    if plot.chance.random() < 0.5:
        wanted = "|".join(map(re.escape, names.values()))
        key, match = plot.line(rf"(?:^|;\s*)({wanted})(?=\s*(?:;|\(|$))") or ("", None)
        return plot.replaced(key, match, plot.misspelt(match[1]), 1) if match else None
    key = plot.chance.choice(list(names))
    return plot.edited(key, plot.misspelt(names[key]), names[key])


def count_name(plot: Plot) -> Mutant | None:
    """Misspell a parameter or constant of the script where it is used, or where it is defined."""
    if plot.chance.random() < 0.5:
        found = plot.line(r"\(([A-Za-z]\w*)\)|IF !?(\w+)|;\s*(\w+)(?=--|\+\+)")
        if found is None:
            return None
        key, match = found
        group = match.lastindex or 1
        return plot.replaced(key, match, plot.misspelt(match[group]), group)
    key, name = plot.chance.choice(plot.defined("PARAMETER", plot.words) + plot.defined("CONSTANT", plot.words))
    wrong = plot.misspelt(name)
    return plot.edited(key, wrong + plot.acf.keys[key][len(name) :], name)


def removed_entry(plot: Plot) -> Mutant | None:
    """Leave out an entry of a list."""
    lists = [list(plot.script), list(_states(plot)), [k for k in plot.acf.keys if re.fullmatch(r"TAPLINE\d+", k)]]
    lists += [[key for key, _ in plot.defined(kind, plot.words)] for kind in ("PARAMETER", "CONSTANT")]
    key = plot.chance.choice(plot.chance.choice([keys for keys in lists if keys]))
    return plot.edited(key, None)


def counter(plot: Plot) -> Mutant | None:
    """Let a counter be too small for what is used, or too large for what is there."""
    name, entry = plot.chance.choice(
        [("LINES", "LINE{}"), ("STATES", "STATE{}/NAME"), ("PARAMETERS", "PARAMETER{}"), ("CONSTANTS", "CONSTANT{}"),
         ("TAPLINES", "TAPLINE{}")]
    )  # fmt: skip
    count = int(plot.acf.keys[name])
    used = [n for n in range(count) if plot.acf.keys.get(entry.format(n), "")[:1] not in ("", "#")]
    if not used:
        return None
    if plot.chance.random() < 0.5:
        return plot.edited(name, str(count + plot.chance.randint(1, 9)), entry.format(count))
    less = plot.chance.randint(1, min(3, len(used)))
    return plot.edited(name, str(used[-less]), *(entry.format(n) for n in used[-less:]))


def count_range(plot: Plot) -> Mutant | None:
    """Write a count that 20 bits cannot hold, or a call that is made zero times."""
    way = plot.chance.randrange(3)
    too_large = str(plot.chance.randint(1 << 20, 1 << 24))
    if way == 0:
        key, match = plot.line(r"\((\d+)\)") or ("", None)
        return plot.replaced(key, match, too_large, 1) if match else None
    if way == 1:
        key, match = plot.line(r"CALL \w+(?:\((\d+)\))") or ("", None)
        return plot.replaced(key, match, "0", 1) if match else None
    key = plot.pick(r"PARAMETER\d+", lambda text: bool(re.fullmatch(r"\w+=\d+", text)))
    return plot.edited(key, f"{plot.acf.keys[key].partition('=')[0]}={too_large}") if key else None


_VOLTS = {"LVLC": 14, "LVHC": 14, "HVLC": 31, "HVHC": 31, "XVP": 95, "XVN": 0}


def bias(plot: Plot) -> Mutant | None:
    """Write a level or a limit of a bias that the module does not have."""
    key = plot.pick(r"MOD\d+/(LVLC|LVHC|HVLC|HVHC|XVP|XVN)_(V|IL)\d+")
    if key is None:
        return None
    kind = key.partition("/")[2].partition("_")[0]
    if "_IL" in key:
        return plot.edited(key, plot.chance.choice(["-5", "501", "1000", "20mA", "5000"]))
    above = f"{_VOLTS[kind] + plot.chance.uniform(0.1, 60):.1f}"
    return plot.edited(
        key, plot.chance.choice([above, above, f"-{plot.chance.uniform(95.1, 200):.1f}", "5V", "1O", "VDD"])
    )


def clock(plot: Plot) -> Mutant | None:
    """Write a level beyond a Driver's range, a name that is no constant, or disable an output that is used."""
    drivers = [slot for slot, kind in plot.modules.items() if kind in (ModuleType.DRIVER, ModuleType.DRIVERX)]
    clocks = rf"STATE\d+/MOD({'|'.join(map(str, drivers)) or 'x'})"
    way = plot.chance.randrange(5)
    levels = {
        w.upper() for k, v in plot.acf.keys.items() if re.fullmatch(clocks, k) for w in re.findall(r"[A-Z]\w+", v)
    }
    if way == 0 and (constants := plot.defined("CONSTANT", levels)):
        key, name = plot.chance.choice(constants)
        return plot.edited(key, f"{name}={plot.chance.choice(['', '-'])}{plot.chance.uniform(13.1, 80):.1f}", name)
    if way == 1 and (constants := plot.defined("CONSTANT", levels)):
        key, name = plot.chance.choice(constants)
        return plot.edited(key, plot.misspelt(name) + plot.acf.keys[key][len(name) :], name)
    if way == 2 and (key := plot.pick(clocks, lambda text: bool(re.search(r"[A-Z]\w+,\d,0", text)))):
        match = plot.chance.choice(list(re.finditer(r"([A-Z]\w+),\d,0", plot.acf.keys[key])))
        return plot.replaced(key, match, plot.chance.choice([plot.misspelt(match[1]), "14", "-13.5", "50"]), 1)
    if way == 3 and (key := plot.pick(r"MOD\d+/(FAST|SLOW)SLEWRATE\d+|MOD\d+/CLAMP\d", lambda text: text != "1")):
        wrong = [plot.misspelt("SLEW"), "fast", "1001", "-3"]
        return plot.edited(key, plot.chance.choice(wrong))
    key = plot.pick(rf"MOD({'|'.join(map(str, drivers)) or 'x'})/ENABLE\d+", lambda text: text == "1")
    return plot.edited(key, "0") if key else None


def state_text(plot: Plot) -> Mutant | None:
    """Spoil what a state says: fields, flags, control bits."""
    way = plot.chance.randrange(4)
    if way == 0:
        key = plot.pick(r"STATE\d+/CONTROL") or ""
        return plot.edited(key, plot.chance.choice(["8", "8;37", "G,37", "", "8,37,0", "F,3F", "88,77"]))
    key = plot.pick(r"STATE\d+/MOD\d+") or ""
    fields = plot.acf.keys[key].split(",")
    at = plot.chance.randrange(len(fields))
    if way == 1:
        return plot.edited(key, ",".join(fields[:at] + fields[at + 1 :]))
    if way == 2:
        return plot.edited(key, ",".join([*fields[:at], fields[at], *fields[at:]]))
    flags = [n for n, text in enumerate(fields[:16]) if text in ("0", "1")]
    if len(fields) in (3, 6) or not flags:  # commands to biases, not flags
        return None
    at = plot.chance.choice(flags)
    return plot.edited(key, ",".join([*fields[:at], plot.chance.choice(["2", "-1", "x"]), *fields[at + 1 :]]))
