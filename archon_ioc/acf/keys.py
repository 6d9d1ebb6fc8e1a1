"""Which APPLY makes a configuration key take effect."""

import re
from collections.abc import Callable

from archon_ioc.protocol import commands
from archon_ioc.protocol.commands import Command

# Manual, section on the configuration; first match counts. Keys of the network are applied by nothing here.
_APPLIES: tuple[tuple[str, Callable[[], Command]], ...] = (
    (r"PARAMETER\d+|PARAMETERS", commands.load_params),
    (r"LINE\d+|LINES|STATES|STATE\d+/.*|CONSTANTS?\d*", commands.load_timing),
    (
        r"TAPLINES?\d*|PIXELCOUNT|LINECOUNT|FRAMEMODE|SAMPLEMODE|SH[PD]\d|RAW\w+|LINESCAN|BIGBUF|ADX\w+|PCLKDELAY",
        commands.apply_cds,
    ),
    (r"TRIG\w+|FANDISABLE|EXTCLOCK", commands.apply_system),
)
_MODULE = re.compile(r"MOD(\d+)/(DIO_|VCPU_)?\w+")


def apply_for(key: str) -> Command | None:
    """Return the narrowest command that makes ``key`` take effect, None if no safe one does.

    >>> apply_for("MOD11/HEATERATARGET").text
    'APPLYMOD0A'
    >>> apply_for("IP") is None
    True
    """
    key = key.replace("\\", "/").upper()
    if match := _MODULE.fullmatch(key):
        slot = int(match.group(1))
        return commands.apply_dio(slot) if match.group(2) else commands.apply_module(slot)
    return next((make() for pattern, make in _APPLIES if re.fullmatch(pattern, key)), None)
