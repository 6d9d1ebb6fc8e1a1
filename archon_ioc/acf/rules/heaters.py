"""Rules on heaters and their sensors (manual, Heater modules)."""

from collections.abc import Iterator
from typing import NamedTuple

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.subject import Subject
from archon_ioc.protocol.enums import ModuleType


class _Heater(NamedTuple):
    subject: Subject
    slot: int
    letter: str

    def key(self, what: str) -> str:
        """Return the key of one property."""
        return f"MOD{self.slot}/HEATER{self.letter}{what}"

    def value(self, what: str) -> float | None:
        return self.subject.value(self.key(what))

    @property
    def name(self) -> str:
        label = self.subject.keys.get(self.key("LABEL"), "").strip()
        return f"heater {self.letter}{f' ({label})' if label else ''}"

    @property
    def sensor(self) -> str:
        """The letter of its sensor, empty if there is none of that number."""
        number = self.value("SENSOR")
        letters = "AB" if self.subject.modules.get(self.slot) is ModuleType.HEATER else "ABC"
        return letters[int(number)] if number is not None and number in range(len(letters)) else ""


def _heaters(subject: Subject) -> Iterator[_Heater]:
    for slot, keys in subject.slots.items():
        for letter in "AB":
            if f"HEATER{letter}ENABLE" in keys:
                yield _Heater(subject, slot, letter)


def _enabled(subject: Subject) -> Iterator[_Heater]:
    return (heater for heater in _heaters(subject) if heater.value("ENABLE") == 1)


def _forced(subject: Subject) -> Iterator[_Heater]:
    return (heater for heater in _heaters(subject) if heater.value("FORCE") == 1)


def _force(subject: Subject) -> Iterator[Found]:
    for heater in _forced(subject):
        level, limit = heater.value("FORCELEVEL") or 0, heater.value("LIMIT")
        if limit is None or level <= limit:
            yield Found(heater.key("FORCE"), f"{heater.name} is forced to {level:g} V at every load, not controlled")


def _force_above_limit(subject: Subject) -> Iterator[Found]:
    for heater in _forced(subject):
        level, limit = heater.value("FORCELEVEL") or 0, heater.value("LIMIT")
        if limit is not None and level > limit:
            yield Found(heater.key("FORCE"), f"{heater.name} is forced to {level:g} V, above its LIMIT of {limit:g} V")


def _sensor(subject: Subject) -> Iterator[Found]:
    for heater in _enabled(subject):
        if not heater.sensor:
            number = subject.keys.get(heater.key("SENSOR"), "")
            yield Found(heater.key("SENSOR"), f"{heater.name} is controlled by sensor {number!r}, which does not exist")
        elif subject.value(f"MOD{heater.slot}/SENSOR{heater.sensor}CURRENT") == 0:
            key = f"MOD{heater.slot}/SENSOR{heater.sensor}CURRENT"
            yield Found(key, f"no current flows through sensor {heater.sensor}, which controls {heater.name}")


def _sensor_limits(subject: Subject) -> Iterator[Found]:
    for slot in subject.slots:
        for letter in "ABC":
            low, high = (subject.value(f"MOD{slot}/SENSOR{letter}{end}LIMIT") for end in ("LOWER", "UPPER"))
            if low is not None and high is not None and low >= high:
                key = f"MOD{slot}/SENSOR{letter}LOWERLIMIT"
                yield Found(key, f"sensor {letter} is within limits nowhere: from {low:g} to {high:g} °C")


def _target(subject: Subject) -> Iterator[Found]:
    for heater in _enabled(subject):
        sensor = f"MOD{heater.slot}/SENSOR{heater.sensor}"
        target, low, high = heater.value("TARGET"), *(subject.value(f"{sensor}{e}LIMIT") for e in ("LOWER", "UPPER"))
        if target is None or low is None or high is None or low <= target <= high:
            continue
        why = f"{heater.name} is to reach {target:g} °C; sensor {heater.sensor} switches it off outside"
        yield Found(heater.key("TARGET"), f"{why} {low:g} to {high:g} °C")


def _gains(subject: Subject) -> Iterator[Found]:
    for heater in _enabled(subject):
        gains = [heater.value(term) for term in "PID"]
        if heater.value("FORCE") != 1 and not any(gains):
            yield Found(heater.key("P"), f"{heater.name} is enabled, but P, I and D are 0: its output stays 0")


def _limit(subject: Subject) -> Iterator[Found]:
    for heater in _enabled(subject):
        if heater.value("LIMIT") == 0:
            yield Found(heater.key("LIMIT"), f"{heater.name} is enabled, but its output is limited to 0 V")


RULES: tuple[Rule, ...] = (
    Rule("force-above-limit", Severity.ERROR, "A heater is forced above its limit: nothing switches it off.",
         "Set HEATERxFORCE=0, or a FORCELEVEL below LIMIT.", _force_above_limit, stops_load=True),
    Rule("heater-forced", Severity.WARNING, "A heater is forced: temperature control and LIMIT have no effect.",
         "Set HEATERxFORCE=0 in the file; force it by hand when it is needed.", _force),
    Rule("heater-sensor", Severity.WARNING, "An enabled heater has a sensor that does not exist or has no current.",
         "Choose the sensor by HEATERxSENSOR, and give it its current.", _sensor),
    Rule("sensor-limits", Severity.WARNING, "A sensor's lower limit is not below its upper one.",
         "Correct the limits: beyond them the heater is off.", _sensor_limits),
    Rule("heater-target", Severity.WARNING, "A heater's target is beyond the limits of its sensor.",
         "Correct the target or the limits.", _target),
    Rule("heater-gains", Severity.WARNING, "A heater is enabled, and P, I and D are 0.",
         "Set the gains, or disable it.", _gains),
    Rule("heater-limit", Severity.WARNING, "A heater is enabled with a limit of 0 V.",
         "Set the limit, or disable it.", _limit),
)  # fmt: skip
