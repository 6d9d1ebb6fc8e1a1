"""A libca client that exposes, and notes what it is told meanwhile. Argument: prefix. Each line is an exposure time."""

import sys
import time
from typing import Any

import epics
from libca_client import silence_libca
from turns import answer, take_turns

_SHOWN = ("TimeRemaining", "ArchonReadoutProgress", "ArchonFetchProgress", "ArchonReadoutTime", "ArchonFetchTime")
_PATIENCE = 90.0
_LONGEST = 110.0


class Client:
    """Follows some records."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.told: list[tuple[float, str, float]] = []

    def connect(self) -> None:
        self._pvs = [epics.PV(f"{self._prefix}{name}_RBV", callback=self._note) for name in _SHOWN]
        end = time.monotonic() + _PATIENCE
        while not any(name == "ArchonReadoutTime" and value for _, name, value in self.told):
            if time.monotonic() > end:
                raise RuntimeError("no readout is predicted")
            epics.ca.poll(0.05)

    def _note(self, pvname: str, value: float, **_: Any) -> None:
        name = pvname.removeprefix(self._prefix).removesuffix("_RBV")
        self.told.append((time.monotonic(), name, float(value)))

    def expose(self, seconds: str) -> dict[str, object]:
        """Expose, and return what was told when."""
        epics.caput(f"{self._prefix}AcquireTime", float(seconds), wait=True)
        predicted = next(value for _, name, value in reversed(self.told) if name == "ArchonReadoutTime")
        self.told.clear()
        if epics.caput(f"{self._prefix}Acquire", 1, wait=True, timeout=_LONGEST) != 1:
            raise RuntimeError("the exposure did not end in time")
        return {"predicted": predicted, "told": list(self.told)}


if __name__ == "__main__":
    silence_libca()
    client = Client(sys.argv[1])
    client.connect()
    answer("ready")
    take_turns(client.expose)
