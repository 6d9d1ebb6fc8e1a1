"""A libca client. Each line is a JSON list: "first" or "all", and names of records; the answer is JSON too.

``first`` asks for one record after the other until one answers: each is a new search, as each caget would be. ``all``
reads every record.
"""

import json
import os
import sys
import time

import epics
from turns import answer, take_turns

_PATIENCE = 0.1
"""Seconds after which the next record is asked for."""


def work(line: str) -> dict[str, object]:
    what, names = json.loads(line)
    return first(names) if what == "first" else everything(names)


def first(names: list[str]) -> dict[str, object]:
    """Return when the first get succeeded (the clock of all processes) and its record."""
    for name in names:
        pv = epics.PV(name, auto_monitor=False, connection_timeout=_PATIENCE)
        if pv.wait_for_connection(_PATIENCE) and pv.get(timeout=1.0) is not None:
            return {"at": time.monotonic(), "name": name}
    raise RuntimeError(f"none of {len(names)} records answered")


def everything(names: list[str]) -> dict[str, object]:
    """Return how many records answered."""
    values = epics.caget_many(names, as_string=False, timeout=5.0, connection_timeout=5.0)
    return {"answered": sum(value is not None for value in values)}


def silence_libca() -> None:
    """Let only Python write to standard error: libca asks for a CA repeater, which nobody needs here."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


if __name__ == "__main__":
    silence_libca()
    epics.ca.initialize_libca()
    answer("ready")
    take_turns(work)
