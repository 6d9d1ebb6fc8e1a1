"""What goes wrong on purpose: a test or an operator sets a field, the simulator obeys."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

from archon_ioc.errors import InputError
from archon_ioc.protocol.replies import RAILS

_SHOWN_PLACES = 6
_YES, _NO = ("", "1", "on", "yes", "true"), ("0", "off", "no", "false")

_PLACES = {
    "bias_short": ("MOD9/HVHC1", r"MOD\d+/(LV[LH]C|HV[LH]C|XV[PN]|MAG|OFS)\d+"),
    "open_sensor": ("MOD2/TEMPA", r"MOD\d+/TEMP[ABC]"),
    "heater_cut": ("MOD2/HEATERA", r"MOD\d+/HEATER[AB]"),
}


@dataclass(slots=True)
class Faults:
    """Faults of a simulated controller. Texts are prefixes of commands, ``"WCONFIG0005"`` for instance.

    Faults of single commands and of a fetch happen once and disarm themselves; the others last until
    `clear`.
    """

    drop_reply: str = ""
    """The next command that begins so is done, but its reply never comes."""
    reject: str = ""
    """The next command that begins so is not done but answered with ``?``."""
    delay_reply: str = ""
    """The reply to the next command that begins so comes ``delay_seconds`` late, by the wall clock."""
    delay_seconds: float = 1.0
    """How late the reply of ``delay_reply`` comes."""
    garbage: str = ""
    """Bytes that no reply begins with are sent in front of the reply to the next command that begins so."""
    reset_link: str = ""
    """The connection is reset (RST) instead of a reply to the next command that begins so, which is done."""
    reboot: str = ""
    """The controller restarts instead of doing the next command that begins so."""
    skip: int = 0
    """How many matching commands pass before one of the faults above strikes."""
    cut_fetch_after_bytes: int | None = None
    """The next fetch ends after so many bytes on the wire, and with it the connection."""
    drop_link_after_blocks: int | None = None
    """The next fetch ends after so many blocks, and with it the connection."""
    end_fetch_after_blocks: int | None = None
    """The next fetch ends after so many blocks; the connection stays, the missing blocks never come."""
    hang: bool = False
    """No command is done or answered."""
    reboot_in_exposure: bool = False
    """The controller restarts once as soon as it integrates."""
    frame_never_completes: bool = False
    """Frames that start now miss their last line."""
    lost_lock: bool = False
    """Locks of frame buffers are accepted and then lost."""
    sync_dead: bool = False
    """SYNCIN has no clock: the timing core stands still, all else works. When it ends the controller restarts."""
    power_stuck: bool = False
    """POWER stays at 3 after POWERON."""
    rail: str = ""
    """This supply rail (``"P5V"``) breaks down: POWERGOOD is 0 and the relays open."""
    overheat: bool = False
    """The controller is 50 °C too hot, and OVERHEAT is 1."""
    bias_short: str = ""
    """This bias channel (``"MOD9/HVHC1"``) is shorted to ground: it is in current limit."""
    open_sensor: str = ""
    """The wire of this temperature sensor (``"MOD2/TEMPA"``) is broken."""
    heater_cut: str = ""
    """This heater (``"MOD2/HEATERA"``) is switched off as by a limit of its sensor, forced or not."""
    cooling_lost: bool = False
    """The coolers of the cryostats stop: everything warms up."""
    adc_latency: int = 0
    """At APPLYALL the log says that the ADCs of this slot have an unexpected latency."""
    status_invalid: bool = False
    """VALID is 0, and the readings of STATUS stay as they are."""
    places: Mapping[str, Collection[str]] = field(
        default_factory=dict[str, Collection[str]], init=False, repr=False, compare=False
    )
    """What is installed, by the name of the fault that can hit it; those that are not named hit anything."""

    def set(self, name: str, value: str = "") -> None:
        """Set a fault as an operator names it: ``set("reject", "STATUS")``, ``set("overheat")``.

        Raises:
            InputError: if there is no such fault, or it cannot have this value, or nothing is installed there.
        """
        _check_name(name)
        parsed = _parsed(name, value)
        places = self.places.get(name)
        if places is not None and parsed != _DEFAULTS[name] and str(parsed) not in places:
            raise InputError(f"{name}: there is no {parsed} installed; there are {_listed(places)}")
        setattr(self, name, parsed)

    def take(self, *texts: str) -> None:
        """Set the faults of an operator's list: ``"drop_reply=WCONFIG0005"``, ``"power_stuck"``.

        Raises:
            InputError: if one of them is wrong.
        """
        for text in texts:
            name, _, value = text.partition("=")
            self.set(name.strip(), value.strip())

    def active(self) -> dict[str, str]:
        """Return what is set, by name, as `set` takes it."""
        values = {name: getattr(self, name) for name, default in _DEFAULTS.items() if getattr(self, name) != default}
        return {name: "1" if value is True else str(value) for name, value in values.items()}

    def clear(self, name: str = "") -> None:
        """Make everything work again, or one thing.

        Raises:
            InputError: if there is no such fault.
        """
        if name:
            _check_name(name)
        for key in [name] if name else _DEFAULTS:
            setattr(self, key, _DEFAULTS[key])

    def strikes(self, name: str, command: str) -> bool:
        """Return whether the fault ``name`` hits this command; if so it is used up."""
        prefix = getattr(self, name)
        if not prefix or not command.startswith(prefix):
            return False
        if self.skip:
            self.skip -= 1
            return False
        setattr(self, name, "")
        return True

    def fetch_limit(self, record_size: int) -> int | None:
        """Return after how many bytes the fetch that begins now is cut, None for never; the fault is used up."""
        limit = self.cut_fetch_after_bytes
        if limit is None and self.drop_link_after_blocks is not None:
            limit = self.drop_link_after_blocks * record_size
        self.cut_fetch_after_bytes = self.drop_link_after_blocks = None
        return limit

    def fetch_end(self, blocks: int) -> int:
        """Return how many of so many blocks of the fetch that begins now are sent; the fault is used up."""
        end, self.end_fetch_after_blocks = self.end_fetch_after_blocks, None
        return blocks if end is None else min(end, blocks)


_DEFAULTS = {item.name: item.default for item in fields(Faults) if item.init}


def _check_name(name: str) -> None:
    if name not in _DEFAULTS:
        raise InputError(f"there is no fault {name!r}; there are {', '.join(_DEFAULTS)}")


def _listed(places: Collection[str]) -> str:
    shown = ", ".join(list(places)[:_SHOWN_PLACES]) or "none"
    return f"{shown}, …" if len(places) > _SHOWN_PLACES else shown


def _parsed(name: str, value: str) -> object:
    default = _DEFAULTS[name]
    if isinstance(default, bool):
        if value.lower() not in (*_YES, *_NO):
            raise InputError(f"{name} is on or off, not {value!r}")
        return value.lower() in _YES
    if isinstance(default, str):
        return _text(name, value)
    try:
        number = float(value) if isinstance(default, float) else int(value)
    except ValueError:
        raise InputError(f"{name} is a number, not {value!r}") from None
    if not 0 <= number < math.inf:
        raise InputError(f"{name} is a number from 0, not {value!r}")
    return number


def _text(name: str, value: str) -> str:
    if name == "rail" and value not in RAILS:
        raise InputError(f"rail is one of {', '.join(RAILS)}, not {value!r}")
    if name in _PLACES:
        example, expression = _PLACES[name]
        if not re.fullmatch(expression, value):
            raise InputError(f"{name} is a place, {example} for instance, not {value!r}")
    elif name != "rail" and not re.match("[A-Z]", value):
        raise InputError(f"{name} is the beginning of a command, WCONFIG0005 for instance, not {value!r}")
    return value
