"""Every command that this program sends, with its time-out; and those that it never sends.

Arguments in hex have a fixed width and upper-case digits (manual, command list). Time-outs are longer than the
slowest measured answer of real controllers by a factor of at least five.
"""

import re
from dataclasses import dataclass

from archon_ioc.errors import ForbiddenError, InputError

CONFIG_LINES = 16384
"""Lines of the configuration memory."""
CONFIG_LINE_LENGTH = 2048
"""Characters of one configuration line."""
PARAMETER_LIMIT = 1_000_000
"""The largest value of FASTLOADPARAM (manual; the counters have 20 bits)."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its text, how long to wait for (more of) its answer, and how many blocks that has."""

    text: str
    timeout: float = 5.0
    blocks: int = 0


def system() -> Command:
    """Ask for backplane and modules."""
    return Command("SYSTEM")


def status() -> Command:
    """Ask for power, temperatures, rails and bias readings."""
    return Command("STATUS")


def frame() -> Command:
    """Ask for the state of the frame buffers."""
    return Command("FRAME")


def timer() -> Command:
    """Ask for the 64-bit count of 10 ns ticks."""
    return Command("TIMER")


def fetch_log() -> Command:
    """Take the oldest log entry; ``(null)`` when there is none."""
    return Command("FETCHLOG")


def lock(buffer: int) -> Command:
    """Keep the controller from writing to frame buffer 1, 2 or 3."""
    if buffer not in (1, 2, 3):
        raise InputError(f"frame buffers are 1, 2 and 3, not {buffer}")
    return Command(f"LOCK{buffer}")


def unlock() -> Command:
    """Unlock every frame buffer."""
    return Command("LOCK0")


def fetch(address: int, blocks: int) -> Command:
    """Read ``blocks`` blocks of 1024 bytes from ``address``; the time-out is for silence, not for the whole."""
    return Command(f"FETCH{address:08X}{blocks:08X}", timeout=10.0, blocks=blocks)


def write_config(line: int, text: str) -> Command:
    """Write one line of the configuration memory; nothing takes effect until it is applied."""
    _check_line(line)
    if len(text) > CONFIG_LINE_LENGTH:
        raise InputError(f"configuration line {line} has {len(text)} characters, the limit is {CONFIG_LINE_LENGTH}")
    return Command(f"WCONFIG{line:04X}{text}")


def read_config(line: int) -> Command:
    """Read one line of the configuration memory; an unwritten one is empty."""
    _check_line(line)
    return Command(f"RCONFIG{line:04X}")


def clear_config() -> Command:
    """Empty the configuration memory; what was applied keeps running."""
    return Command("CLEARCONFIG")


def apply_all() -> Command:
    """Apply the whole configuration. CCD power is off afterwards."""
    return Command("APPLYALL", timeout=30.0)


def power_on() -> Command:
    """Close the relays and ramp the biases up."""
    return Command("POWERON", timeout=10.0)


def power_off() -> Command:
    """Ramp the biases down and open the relays."""
    return Command("POWEROFF", timeout=10.0)


def load_timing() -> Command:
    """Compile script and parameters, and reset the timing cores."""
    return Command("LOADTIMING", timeout=10.0)


def load_params() -> Command:
    """Load every parameter from the configuration memory, in list order."""
    return Command("LOADPARAMS")


def load_param(name: str) -> Command:
    """Load one parameter from the configuration memory."""
    return Command(f"LOADPARAM {_parameter_name(name)}")


def fast_load_param(name: str, value: int) -> Command:
    """Give a parameter a value at once; the configuration memory keeps the old one."""
    return Command(f"FASTLOADPARAM {_parameter_name(name)} {_parameter_value(value)}")


def fast_prep_param(name: str, value: int) -> Command:
    """Stage a parameter's value for the next load edge of synchronised controllers."""
    return Command(f"FASTPREPPARAM {_parameter_name(name)} {_parameter_value(value)}")


def reset_timing() -> Command:
    """Restart every timing core at the first line of the script."""
    return Command("RESETTIMING")


def hold_timing() -> Command:
    """Hold the timing cores in reset, with the outputs of the script's first state."""
    return Command("HOLDTIMING")


def release_timing() -> Command:
    """Let the held cores start from the first line of the script."""
    return Command("RELEASETIMING")


def apply_module(slot: int) -> Command:
    """Apply the settings of the module in ``slot`` (1 to 16)."""
    return Command(f"APPLYMOD{_module_argument(slot)}", timeout=10.0)


def apply_dio(slot: int) -> Command:
    """Apply digital IO and VCPU of the module in ``slot`` (1 to 16)."""
    return Command(f"APPLYDIO{_module_argument(slot)}", timeout=10.0)


def apply_system() -> Command:
    """Apply triggers and fan; takes 0.23 s and does not disturb the running script."""
    return Command("APPLYSYSTEM")


def apply_cds() -> Command:
    """Apply sampling windows, taps, geometry, frame mode and sample mode."""
    return Command("APPLYCDS")


def poll_on() -> Command:
    """Let the controller refresh STATUS again."""
    return Command("POLLON")


def poll_off() -> Command:
    """Stop the refreshing of STATUS, so that many configuration commands are fast."""
    return Command("POLLOFF")


def raw(text: str) -> Command:
    """Return a command given as text by a person, in upper case as the controller wants it.

    Raises:
        ForbiddenError: for firmware, flash and network commands, and for binary or pushed replies.
        InputError: if it does not begin with a letter, or could be taken for two commands.
    """
    word = text.strip()
    name = re.match(r"[A-Za-z]+", word)
    if not name or ">" in word:  # on the wire '>' begins a command
        raise InputError(f"{word[:60]!r} is not one command")
    reason = _forbidden(name.group().upper())
    if reason:
        raise ForbiddenError(word, reason)
    # WCONFIG carries free text, labels for instance; every other word is upper case on the wire.
    return Command(word if word.startswith("WCONFIG") else word.upper(), timeout=30.0)


_FORBIDDEN = (
    # The firmware compares by prefix, so this does too.
    (("FLASH", "ERASE", "VERIFY"), "it can make the controller unusable; use the vendor's program"),
    (("APPLYNET", "NET"), "it moves the controller to another network address"),
    (("CALAD", "CLEARAD"), "it changes the factory calibration"),
    (("FETCHLOG",), ""),
    (("FETCH",), "its reply is binary; use fetch()"),
    (("AUTOFETCH", "FASTAUTOFETCH"), "pushed frames are not supported"),
)


def _forbidden(word: str) -> str:
    for prefixes, reason in _FORBIDDEN:
        if word.startswith(prefixes):
            return reason
    return ""


def _check_line(line: int) -> None:
    if not 0 <= line < CONFIG_LINES:
        raise InputError(f"configuration lines are 0 to {CONFIG_LINES - 1}, not {line}")


def _module_argument(slot: int) -> str:
    if not 1 <= slot <= 16:
        raise InputError(f"module slots are 1 to 16, not {slot}")
    return f"{slot - 1:02X}"  # manual: slots count from 1, this argument from 0


def _parameter_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise InputError(f"{name!r} is not the name of a parameter")
    return name


def _parameter_value(value: int) -> int:
    if not 0 <= value <= PARAMETER_LIMIT:
        raise InputError(f"a parameter is 0 to {PARAMETER_LIMIT}, not {value}")
    return value
