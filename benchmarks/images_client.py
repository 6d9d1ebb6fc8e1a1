"""A libca client that does as little as a client in C, and copies nothing. Each line is a JSON list, as is the answer.

``["gets", name, seconds]``, ``["monitor", name, seconds]`` of an image; ``["number", name, seconds]`` gets a scalar
over and over; ``["numbers", [names]]`` subscribes to scalars and ``["seen", value, seconds]`` tells what came, after
waiting for this value in all of them. ``["idle", seconds]`` is no client at all: it tells how busy the machine is.
"""

import ctypes
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import epics
from epics import ca, dbr
from libca_client import silence_libca
from turns import answer, take_turns

_UNTIL_1990 = 631152000
"""Seconds from the epoch of Unix to that of EPICS."""
_TICK = 0.002
_LONGEST = 30.0
"""Seconds after which a value is given up."""


_latencies: list[float] = []
_last: dict[int, float] = {}
"""What came of the scalars that are watched."""


_kept: list[Any] = []
"""The subscriptions to scalars."""
_callbacks: list[Any] = []
"""What libca calls must not be collected."""


def work(line: str) -> dict[str, object]:
    what, *arguments = json.loads(line)
    return _WORK[what](*arguments)


def gets(name: str, seconds: float) -> dict[str, object]:
    """Get an image over and over; return how many bytes came in how many seconds."""
    chid = ca.create_channel(name, connect=True)
    count = 0
    begin = time.perf_counter()
    while (taken := time.perf_counter() - begin) < seconds:
        count += _get(chid, dbr.SHORT)[0]
    return {"bytes": 2 * count, "seconds": taken}


def monitor(name: str, seconds: float) -> dict[str, object]:
    """Watch an image; return how many different ones came in the seconds from the first to the last of them."""
    chid = ca.create_channel(name, connect=True)
    stamps: dict[float, float] = {}

    def see(args: Any) -> None:
        stamp = ctypes.cast(args.raw_dbr, ctypes.POINTER(dbr.time_short)).contents.stamp
        stamps.setdefault(stamp.secs + stamp.nsec / 1e9 + _UNTIL_1990, time.time())

    subscription = _subscribe(chid, dbr.TIME_SHORT, see)
    threading.Event().wait(seconds)
    ca.libca.ca_clear_subscription(subscription)
    ca.flush_io()
    arrivals = sorted(stamps.values())[1:]  # the first one was there before
    latencies = [arrival - stamp for stamp, arrival in stamps.items()][1:]
    return {"images": len(arrivals), "seconds": max(arrivals[-1] - arrivals[0], 1e-9) if arrivals else 0.0,
            "latencies": latencies}  # fmt: skip


def number(name: str, seconds: float) -> dict[str, object]:
    """Get a scalar over and over; return how long each took."""
    chid = ca.create_channel(name, connect=True)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        taken.append(_get(chid, dbr.DOUBLE)[1])
        threading.Event().wait(0.001)
    return {"seconds": taken}


def numbers(names: list[str]) -> dict[str, object]:
    """Watch scalars."""
    _last.clear()

    def watch(index: int) -> None:
        def see(args: Any) -> None:
            value = ctypes.cast(args.raw_dbr, ctypes.POINTER(ctypes.c_double))[0]
            _last[index] = value
            _latencies.append(time.time() - value)

        _kept.append(_subscribe(chids[index], dbr.DOUBLE, see))

    chids = [ca.create_channel(name) for name in names]
    for index, chid in enumerate(chids):
        ca.connect_channel(chid, timeout=5)
        watch(index)
    _wait_for(lambda: len(_last) == len(names), _LONGEST)
    _latencies.clear()
    return {}


def seen(value: float, seconds: float) -> dict[str, object]:
    """Stop watching; tell whether all scalars had this value at last, and the latency of every one that came."""
    arrived = _wait_for(lambda: set(_last.values()) == {value}, seconds)
    for subscription in _kept:
        ca.libca.ca_clear_subscription(subscription)
    ca.flush_io()
    _kept.clear()
    return {"complete": arrived, "latencies": list(_latencies)}


def idle(seconds: float) -> dict[str, object]:
    """Return by how much a process that has nothing to do wakes up late."""
    lags: list[float] = []
    end = time.perf_counter() + seconds
    while (asked := time.perf_counter()) < end:
        time.sleep(_TICK)
        lags.append(time.perf_counter() - asked - _TICK)
    return {"lags": lags}


_WORK: dict[str, Callable[..., dict[str, object]]] = {
    "gets": gets, "monitor": monitor, "number": number, "numbers": numbers, "seen": seen, "idle": idle,
}  # fmt: skip


def _get(chid: int, kind: int) -> tuple[int, float]:
    """Return the number of elements, and the seconds that it took."""
    done = threading.Event()
    count = 0

    def see(args: Any) -> None:
        nonlocal count
        count = args.count
        done.set()

    callback = dbr.make_callback(see, dbr.event_handler_args)
    begin = time.perf_counter()
    ca.libca.ca_array_get_callback(kind, 0, chid, callback, None)
    ca.libca.ca_flush_io()
    if not done.wait(_LONGEST):
        raise TimeoutError(ca.name(chid))
    return count, time.perf_counter() - begin


def _subscribe(chid: int, kind: int, see: Callable[[Any], None]) -> Any:
    callback = dbr.make_callback(see, dbr.event_handler_args)
    _callbacks.append(callback)
    subscription = ctypes.c_void_p()
    ca.libca.ca_create_subscription(kind, 0, chid, dbr.DBE_VALUE, callback, None, ctypes.byref(subscription))
    ca.flush_io()
    return subscription


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.01)
    return True


if __name__ == "__main__":
    silence_libca()
    epics.ca.initialize_libca()
    answer("ready")
    take_turns(work)
