"""Rules on what a configuration does by itself: when it is loaded, and when the controller boots."""

from collections.abc import Iterator

from archon_ioc.acf.finding import Found, Rule, Severity
from archon_ioc.acf.subject import Subject


def _is_set(subject: Subject, key: str) -> bool:
    return subject.value(key) == 1


def _stored_demands(subject: Subject) -> Iterator[Found]:
    names = subject.names
    roles = (names.exposures, names.continuous, names.readout, names.do_flush, names.abort)
    for key, text in subject.entries("PARAMETER"):
        name, _, value = (part.strip() for part in text.partition("="))
        if name.upper() in (role.upper() for role in roles) and value.strip("0"):
            yield Found(key, f"{name}={value} is stored: each load and LOADPARAMS makes the script begin with it")


def _boot_power(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "POWERON"):
        yield Found("POWERON", "stored in flash, it switches the CCD power on whenever the controller gets power")


def _boot_apply(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "APPLYALL"):
        yield Found("APPLYALL", "stored in flash, it applies this configuration whenever the controller gets power")


def _forced_trigger(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "TRIGOUTFORCE"):
        level = "high" if _is_set(subject, "TRIGOUTLEVEL") else "low"
        inverted = ", inverted" if _is_set(subject, "TRIGOUTINVERT") else ""
        yield Found("TRIGOUTFORCE", f"Trigger Out stays {level}{inverted}: a shutter on it does not follow INT")


def _trigger_in(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "TRIGINENABLE"):
        level = "low" if _is_set(subject, "TRIGININVERT") else "high"
        yield Found("TRIGINENABLE", f"the script stands still while Trigger In is {level}")


def _raw(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "RAWENABLE"):
        first, last = subject.count("RAWSTARTLINE"), subject.count("RAWENDLINE")
        yield Found("RAWENABLE", f"raw samples of the lines {first} to {last} are kept with every frame")


def _network(subject: Subject) -> Iterator[Found]:
    for key in ("IP", "PORT", "GATEWAY", "NETMASK"):
        if key in subject.keys:
            yield Found(key, f"{key}={subject.keys[key]} holds only after APPLYNET or a boot from flash")


def _fan(subject: Subject) -> Iterator[Found]:
    if _is_set(subject, "FANDISABLE"):
        yield Found("FANDISABLE", "the fan is switched off")


RULES: tuple[Rule, ...] = (
    Rule("stored-demand", Severity.WARNING, "A parameter that asks for an exposure, readout or flush is stored as 1.",
         "Store 0; the program sets it when it is asked to.", _stored_demands),
    Rule("boot-power", Severity.WARNING, "POWERON=1: the CCD gets its voltages by itself.",
         "Set POWERON=0, unless that is meant.", _boot_power),
    Rule("boot-apply", Severity.WARNING, "APPLYALL=1: the configuration takes effect by itself.",
         "Set APPLYALL=0, unless that is meant.", _boot_apply),
    Rule("trigger-forced", Severity.WARNING, "TRIGOUTFORCE=1: Trigger Out does not follow INT.",
         "Set TRIGOUTFORCE=0.", _forced_trigger),
    Rule("raw-enabled", Severity.WARNING, "RAWENABLE=1: raw samples are kept with every frame.",
         "Set RAWENABLE=0; switch it on when it is needed.", _raw),
    Rule("trigger-in", Severity.NOTE, "TRIGINENABLE=1: Trigger In holds the timing script.",
         "Nothing, if a trigger is connected.", _trigger_in),
    Rule("network", Severity.NOTE, "The configuration has an address for the controller.",
         "Nothing; this program never applies it.", _network),
    Rule("fan", Severity.NOTE, "FANDISABLE=1.", "Watch the temperatures of the modules.", _fan),
)  # fmt: skip
