"""How long a controller takes to answer, as measured on real ones."""

from random import Random

BOOT_SECONDS = 5.0  # our choice: that it takes seconds is known …
WARM_BOOT_SECONDS = 2.0  # … and that clients wait 3 s before they try again

_SECONDS = (
    ("APPLYALL", 3.0),  # not published but for "seconds"
    ("APPLYMOD", 1.5),
    ("APPLYDIO", 1.5),
    ("APPLYSYSTEM", 0.229),
    ("APPLYCDS", 0.24),
    ("LOADPARAM", 0.24),
    ("LOADTIMING", 0.25),
    ("RESETTIMING", 0.246),
)
_CONFIG = ("WCONFIG", "RCONFIG")
_CONFIG_SECONDS = 0.002
_UNPOLLED_CONFIG_SECONDS = 0.0005  # our choice: that it is shorter is known, by how much is not
_RESTARTS = ("REBOOT", "WARMBOOT")
_OTHERS = 0.001
_JITTER = 0.02  # APPLYSYSTEM: 232 to 236 ms together with two WCONFIG


class Latency:
    """The times from command to reply of one controller; the same commands take the same times again.

    Without polling (POLLOFF) reading and writing configuration lines takes less time.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self._polls = True

    def seconds(self, command: str) -> float:
        """Return the seconds between a command, the next one that the controller does, and its reply."""
        if command.startswith(_CONFIG):
            return _CONFIG_SECONDS if self._polls else _UNPOLLED_CONFIG_SECONDS
        if command.startswith(("POLLON", "POLLOFF", *_RESTARTS)):
            self._polls = not command.startswith("POLLOFF")
        measured = next((seconds for prefix, seconds in _SECONDS if command.startswith(prefix)), None)
        return measured * self._random.uniform(1 - _JITTER, 1 + _JITTER) if measured else _OTHERS
