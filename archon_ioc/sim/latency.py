"""How long a controller takes to answer, as measured on real ones (protocol sheet, section 1.7)."""

_SECONDS = (
    ("WCONFIG", 0.002),
    ("RCONFIG", 0.002),
    ("APPLYALL", 3.0),
    ("APPLYSYSTEM", 0.229),
    ("APPLYCDS", 0.24),
    ("APPLYMOD", 1.5),
    ("APPLYDIO", 1.5),
    ("LOADPARAMS", 0.24),
    ("LOADTIMING", 0.5),
    ("RESETTIMING", 0.246),
)
_OTHERS = 0.001


def latency(command: str) -> float:
    """Return the seconds between a command and its reply."""
    return next((seconds for prefix, seconds in _SECONDS if command.startswith(prefix)), _OTHERS)
