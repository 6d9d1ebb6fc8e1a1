"""A libca client that takes many images in one go, and notes what it is told. Argument: prefix. Lines: how many."""

import sys
import time
from typing import Any

import epics
from libca_client import silence_libca
from turns import answer, take_turns

_COUNTERS = ("cam1:ArrayCounter_RBV", "FITS1:ArrayCounter_RBV", "image1:ArrayCounter_RBV", "image1:UniqueId_RBV")
_ACQUIRE = "cam1:Acquire_RBV"
_PATIENCE = 30.0


class Client:
    """Follows counters and the state of an acquisition."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.told: list[tuple[str, float]] = []

    def connect(self) -> None:
        self._pvs = [epics.PV(self._prefix + name, callback=self._note) for name in (*_COUNTERS, _ACQUIRE)]
        if not all(pv.wait_for_connection(_PATIENCE) for pv in self._pvs):
            raise RuntimeError("no connection")

    def _note(self, pvname: str, value: float, **_: Any) -> None:
        self.told.append((pvname.removeprefix(self._prefix), float(value)))

    def series(self, text: str) -> dict[str, object]:
        """Take images; return how long that took, and whether what was told went up only, and Acquire down last."""
        count = int(text)
        settings = {"ImageMode": 1, "NumImages": count, "AcquireTime": 0, "ArrayCounter": 0}
        for name, value in settings.items():
            epics.caput(f"{self._prefix}cam1:{name}", value, wait=True)
        epics.caput(f"{self._prefix}image1:ArrayCounter", 0, wait=True)
        self.told.clear()
        began = time.monotonic()
        done: list[float] = []
        acquire = epics.PV(f"{self._prefix}cam1:Acquire")
        acquire.wait_for_connection(_PATIENCE)
        acquire.put(1, callback=lambda **_: done.append(time.monotonic()))
        while not done:
            epics.ca.poll(0.02)
        told = list(self.told)
        values = {name: [value for one, value in told if one == name] for name in (*_COUNTERS, _ACQUIRE)}
        last = {name: values[name][-1] for name in _COUNTERS}
        return {
            "seconds": done[0] - began,
            "in_order": all(values[name] == sorted(values[name]) for name in _COUNTERS),
            "acquire": values[_ACQUIRE],
            "is_last": told[-1] == (_ACQUIRE, 0.0),
            "counted": last[_COUNTERS[0]],
            "shown": last["image1:ArrayCounter_RBV"],
        }


if __name__ == "__main__":
    silence_libca()
    client = Client(sys.argv[1])
    client.connect()
    answer("ready")
    take_turns(client.series)
