"""More mutations: mistakes in geometry, taps, heaters and modules, and in the flow of the script."""

import re
from collections.abc import Callable

from archon_ioc.acf.taps import parse_tap
from archon_ioc.protocol.enums import ModuleType

from .mutations import (
    Mutant,
    Plot,
    bias,
    clock,
    count_name,
    count_range,
    counter,
    label,
    removed_entry,
    state,
    state_text,
)

_RETURN = r"; RETURN (\w+)"
_SURPLUS = 1  # pixels per line that the scripts of our files clock beyond PIXELCOUNT


def geometry(plot: Plot) -> Mutant | None:
    """Ask for more pixels or lines than the script clocks, or let it clock fewer."""
    key, name = plot.chance.choice([("PIXELCOUNT", "Pixels"), ("LINECOUNT", "Lines")])
    count = int(plot.acf.keys[key])
    if plot.chance.random() < 0.7:
        return plot.edited(key, str(plot.chance.randint(count + _SURPLUS + 1, 60000)))
    entry = next(own for own, other in plot.defined("PARAMETER", plot.words) if other == name)
    stored = int(plot.acf.keys[entry].partition("=")[2])
    return plot.edited(entry, f"{name}={plot.chance.randint(0, stored - _SURPLUS - 1)}", name, key)


def window(plot: Plot) -> Mutant | None:
    """Write a window that is reversed, in the wrong place, or no number."""
    key = plot.chance.choice(["SHP1", "SHP2", "SHD1", "SHD2"])
    at = {name: int(plot.acf.keys[name]) for name in ("SHP1", "SHP2", "SHD1", "SHD2")}
    wrong = {
        "SHP1": [at["SHP2"] + 1, at["SHD1"], at["SHD2"]],
        "SHP2": [at["SHP1"] - 1, at["SHD1"] + 1, at["SHD2"], 10 * at["SHP2"]],
        "SHD1": [at["SHD2"] + 10, at["SHP1"], at["SHP2"] - 1, 0],
        "SHD2": [at["SHD1"] - 1, at["SHP2"], 10 * at["SHD2"], 20000, 65535],
    }
    value = plot.chance.choice([*map(str, wrong[key]), "65536", "-1", "1O"])
    return plot.edited(key, value, "SHP1", "SHP2", "SHD1", "SHD2")


def taps(plot: Plot) -> Mutant | None:
    """Take a channel twice, or one that is not there, or leave one half with too few."""
    used = [key for key, value in plot.acf.keys.items() if re.fullmatch(r"TAPLINE\d+", key) and value]
    key, other = plot.chance.sample(used, 2)
    text, tap = plot.acf.keys[key], parse_tap(plot.acf.keys[key])
    rest = text.partition(",")[2]
    way = plot.chance.randrange(5)
    if way == 0:
        return plot.edited(key, plot.acf.keys[other].partition(",")[0] + "," + rest, other)
    if way == 1:
        there = [slot for slot, kind in plot.modules.items() if kind is ModuleType.AD]
        absent = [n for n in range(1, 17) if 5 + (n - 1) // 4 not in there]
        wrong = f"AD{plot.chance.choice(absent)}" if absent else f"AM{plot.chance.randint(1, 72)}"
        return plot.edited(key, f"{wrong}{tap.side},{rest}")
    if way == 2:
        return plot.edited(key, text.replace("AD", plot.chance.choice(["DA", "A", "AM", "AC"]), 1))
    if way == 3:
        return plot.edited(key, plot.chance.choice([f"AD17L,{rest}", f"AD0L,{rest}", f"AD{tap.channel},{rest}"]))
    if plot.acf.keys["FRAMEMODE"] != "2":
        return plot.edited("FRAMEMODE", plot.chance.choice(["4", "-1", "split"]))
    return plot.edited(key, "", "TAPLINES", "TAPLINE")


def heater(plot: Plot) -> Mutant | None:
    """Force a heater, or spoil its control."""
    forced = plot.pick(r"MOD\d+/HEATER[AB]FORCE", lambda text: text == "0") or ""
    enabled = plot.pick(r"MOD\d+/HEATER[AB]ENABLE", lambda text: text == "1")
    way = plot.chance.randrange(6)
    if way == 0 or enabled is None:
        plot.changes[forced + "LEVEL"] = plot.chance.choice(["0", "5", "25"])
        return plot.edited(forced, "1")
    own = enabled.removesuffix("ENABLE")
    sensor = plot.acf.keys[own + "SENSOR"]
    limits = f"{own[:-7]}SENSOR{'ABC'[int(sensor)]}"
    if way == 1:
        return plot.edited(own + "TARGET", plot.chance.choice(["51", "-300", "170", "-151", "105", "-1O0"]))
    if way == 2:
        return plot.edited(own + "SENSOR", plot.chance.choice(["3", "-1", "A", "7"]))
    if way == 3:
        plot.changes |= {own + "I": "0", own + "D": "0"}
        return plot.edited(own + "P", "0")
    if way == 4:
        return plot.edited(own + "LIMIT", plot.chance.choice(["0", "26", "80", "-8"]))
    end, value = plot.chance.choice([("LOWERLIMIT", "60"), ("UPPERLIMIT", "-160"), ("CURRENT", "0"), ("TYPE", "9")])
    return plot.edited(limits + end, value, limits + "LOWERLIMIT", own + "TARGET")


def by_itself(plot: Plot) -> Mutant | None:
    """Store what makes the controller do something by itself."""
    if plot.chance.random() < 0.5:
        names = ("Exposures", "ContinuousExposures", "ReadOut", "DoFlush", "AbortExposure")
        key, name = plot.chance.choice(plot.defined("PARAMETER", {name.upper() for name in names}))
        return plot.edited(key, f"{name}={plot.chance.randint(1, 20)}", name)
    keys = ("APPLYALL", "POWERON", "TRIGOUTFORCE", "RAWENABLE")
    return plot.edited(plot.chance.choice(keys), plot.chance.choice(["1", "1", "1", "2"]))


_FAMILIES = (
    {ModuleType.DRIVER},
    {ModuleType.DRIVERX},
    {ModuleType.LVBIAS, ModuleType.LVXBIAS},
    {ModuleType.HVBIAS, ModuleType.HVXBIAS, ModuleType.HVYBIAS},
    {ModuleType.HEATERX},
    {ModuleType.AD, ModuleType.ADF, ModuleType.ADX, ModuleType.ADLN},
    {ModuleType.XVBIAS},
)


def modules(plot: Plot) -> Mutant | None:
    """Have another module in a slot, in the file or in the controller, or the keys of one for another slot."""
    slots = sorted({int(match[1]) for key in plot.acf.keys if (match := re.match(r"MOD(\d+)/", key))})
    slot = plot.chance.choice(slots)
    key, actual = f"MOD{slot}_TYPE", plot.modules[slot]
    own = [name for name in plot.acf.keys if re.match(rf"(STATE\d+/)?MOD{slot}(/|$)", name)]
    way = plot.chance.randrange(3)
    if way == 2:
        empty = [other for other in range(1, 13) if plot.modules.get(other, 0) == 0] or [13, 14]
        name = plot.chance.choice([name for name in own if "LABEL" not in name])
        other = f"MOD{plot.chance.choice(empty)}"
        plot.changes[name] = None
        return plot.edited(re.sub(r"MOD\d+", other, name), plot.acf.keys[name], name)
    strangers = [kind for family in _FAMILIES if actual not in family for kind in sorted(family)]
    wrong = plot.chance.choice([ModuleType.NONE, *strangers])
    system = {**plot.acf.system, key: str(wrong.value)}
    return plot.written(f"{key}: {actual.label} to {wrong.label}", key, *own, system=system, own=way == 0)


def order(plot: Plot) -> Mutant | None:
    """Spoil the order in which biases are switched on."""
    key = plot.pick(r"MOD\d+/(LVLC|LVHC|HVLC|HVHC|XVP|XVN)_ORDER\d+", lambda text: text != "0")
    key = key or plot.pick(r"MOD\d+/(HVHC|XVN)_ORDER[1-3]") or ""
    highest = max(int(value) for name, value in plot.acf.keys.items() if re.search(r"_ORDER\d+$", name))
    return plot.edited(key, plot.chance.choice(["-1", "1.5", "x", "", str(highest + plot.chance.randint(2, 9))]))


def misspelt_key(plot: Plot) -> Mutant | None:
    """Misspell a key, or leave it out."""
    needless = "IP$|BIGBUF|LINESCAN|FANDISABLE|POWERON|APPLYALL|ADX|PCLK|TRIGIN|CONSTANTS"
    key = plot.pick(rf"(?!{needless})[A-Z]+[12]?|MOD\d+/[A-Z_]+\d*|STATE\d+/(?!NAME)\w+", lambda _: True) or ""
    if re.search(r"VCPU_LINE\d|LABEL", key):
        return None
    plot.changes[key] = None
    if plot.chance.random() < 0.3:
        return plot.written(f"{key} is left out", key)
    slash = key.find("/") + 1
    wrong = key[:slash] + plot.misspelt(key[slash:])
    return plot.edited(wrong, plot.acf.keys[key], key)


def flow(plot: Plot) -> Mutant | None:
    """Lose a RETURN or a GOTO, or the condition of one."""
    way = plot.chance.randrange(4)
    called = {match[1] for text in plot.script.values() for match in re.finditer(r"CALL (\w+)", text)}
    returns = [(key, text, m[1]) for key, text in plot.script.items() if (m := re.search(_RETURN, text))]
    key, text, own = plot.chance.choice([entry for entry in returns if entry[2] in called])
    if way == 0:
        return plot.edited(key, plot.chance.choice(["", re.sub(_RETURN, "", text)]), *plot.script, own)
    if way == 1:
        other = plot.chance.choice(sorted(called - {own}))
        return plot.edited(key, re.sub(_RETURN, f"; RETURN {other}", text), own)
    if way == 2:
        found = plot.line(r"IF !?(\w+) GOTO")
        if found is None or ":" in plot.script.get(f"LINE{int(found[0][4:]) + 1}", ""):  # others may come to a label
            return None
        after = [name for name in plot.script if int(name[4:]) > int(found[0][4:])]
        return plot.edited(found[0], found[1].string.replace(found[1][0], "GOTO"), *after)
    key, text, own = plot.chance.choice([entry for entry in returns if entry[2] in called])
    first = next(name for name, line in plot.script.items() if line.upper().startswith(own.upper() + ":"))
    inside = [
        name
        for name in plot.script
        if int(first[4:]) < int(name[4:]) < int(key[4:]) and "CALL" not in plot.script[name]
    ]
    if not inside:
        return None
    line = plot.chance.choice(inside)
    return plot.edited(line, plot.script[line].split(";")[0] + f"; CALL {own}", own)


def duplicate(plot: Plot) -> Mutant | None:
    """Define a label, a state, a parameter or a constant twice."""
    kind = plot.chance.choice(["label", "state", "PARAMETER", "CONSTANT"])
    if kind == "label":
        labels = [(key, match) for key, text in plot.script.items() if (match := re.match(r"(\w+)\s*:", text))]
        (key, match), (_, other) = plot.chance.sample(labels, 2)
        return plot.replaced(key, match, other[1], 1)
    if kind == "state":
        names = [f"STATE{n}/NAME" for n in range(int(plot.acf.keys["STATES"]))]
        key, other_key = plot.chance.sample(names, 2)
        return plot.edited(key, plot.acf.keys[other_key], other_key)
    entries = plot.defined(kind, {name.upper() for name in re.findall(r"\w+", " ".join(plot.acf.keys.values()))})
    if len(entries) < 2:
        return None
    (key, name), (_, other_name) = plot.chance.sample(entries, 2)
    return plot.edited(key, other_name + plot.acf.keys[key][len(name) :], other_name, name)


KINDS: dict[str, Callable[[Plot], Mutant | None]] = {
    make.__name__: make
    for make in (
        label, state, count_name, removed_entry, counter, count_range, bias, clock, state_text, geometry, window, taps,
        heater, by_itself, modules, order, misspelt_key, flow, duplicate,
    )
}  # fmt: skip
