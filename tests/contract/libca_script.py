"""A client with EPICS base's own library, libca, through pyepics. Calls in, JSON out."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import epics
import libca_client
from answering import answer, run_page
from libca_client import ca, put_status, seen, wait_for, watch

PREFIX, FOLDER = sys.argv[1], Path(sys.argv[2])

done: dict[str, list[int]] = {}
"""Status of the puts that ``start`` began, by name."""
callbacks: list[Any] = []
"""What libca calls must stay alive."""


def connected(names: list[str]) -> dict[str, epics.PV]:
    """Return a PV of each name, without a monitor, when all are connected."""
    pvs = {name: epics.PV(PREFIX + name, auto_monitor=False, connection_timeout=30) for name in names}
    lost = [name for name, pv in pvs.items() if not pv.wait_for_connection(30)]
    if lost:
        raise TimeoutError(f"not connected: {lost}")
    return pvs


def dump(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return what libca knows of each record."""
    return {name: described(pv) for name, pv in connected(names).items()}


def described(pv: epics.PV) -> dict[str, Any]:
    facts = pv.get_ctrlvars(timeout=10) if pv.nelm < 100_000 else {}
    value = pv.get(timeout=10, as_string="char" in pv.type) if pv.nelm < 100_000 else None
    return {
        "type": pv.type.removeprefix("ctrl_").removeprefix("time_"),
        "count": pv.nelm,
        "choices": [word.decode() if isinstance(word, bytes) else word for word in facts.get("enum_strs", ())],
        "egu": facts.get("units", ""),
        "prec": facts.get("precision"),
        "severity": facts.get("severity"),
        "value": value,
        "writable": pv.write_access,
    }


def fields(names: list[str], field: str) -> dict[str, Any]:
    """Return a field of each record."""
    pvs = connected([f"{name}.{field}" for name in names])
    return {name.removesuffix(f".{field}"): pv.get(timeout=10) for name, pv in pvs.items()}


def get(name: str, as_string: bool = False) -> Any:
    return libca_client.get(PREFIX + name, as_string=as_string)


def put(name: str, value: object, wait: bool = True) -> int:
    return libca_client.put(PREFIX + name, value, wait=wait)


def status_of_put(name: str, value: object, kind: str = "long") -> int:
    """Put with callback and return the status that came back: 1 is success."""
    return put_status(PREFIX + name, value, kind)


def start(name: str, value: int = 1) -> None:
    """Put with callback without waiting for it; ``ended`` does."""
    channel = ca.create_channel(PREFIX + name, connect=True)
    done[name] = []
    callback = ca.dbr.make_callback(lambda args: done[name].append(args.status), ca.dbr.event_handler_args)
    number = (1 * ca.dbr.Map[ca.dbr.LONG])(value)
    callbacks.append(callback)
    ca.libca.ca_array_put_callback(ca.dbr.LONG, 1, channel, number, callback, None)
    ca.flush_io()


def ended(name: str) -> int:
    """Wait for the end of the put that ``start`` began and return its status."""
    wait_for(lambda: done[name], 20)
    return done[name][0]


def put_array(name: str, values: list[float]) -> int:
    """Put several numbers with callback and return the status that came back, or that of the call."""
    channel = ca.create_channel(PREFIX + name, connect=True)
    array = (len(values) * ca.dbr.Map[ca.dbr.DOUBLE])(*values)
    done: list[int] = []
    callback = ca.dbr.make_callback(lambda args: done.append(args.status), ca.dbr.event_handler_args)
    made = ca.libca.ca_array_put_callback(ca.dbr.DOUBLE, len(values), channel, array, callback, None)
    if made != 1:
        return made
    ca.flush_io()
    wait_for(lambda: done)
    return done[0]


def until(name: str, value: object, seconds: float = 20) -> bool:
    """Wait until a PV has a value, as text."""
    return wait_for(lambda: get(name, as_string=True) == value, seconds)


def monitor(*names: str) -> None:
    for name in names:
        watch(PREFIX + name)


def events() -> list[list[Any]]:
    """Return all monitors and completed puts in their order, and forget them."""
    told = [[kind, name.removeprefix(PREFIX), *rest] for kind, name, *rest in seen]
    seen.clear()
    return told


def page() -> dict[str, Any]:
    """Execute the page for users of pyepics; return what it defines."""
    names = run_page("pyepics.md", str(FOLDER))
    image = hashlib.sha256(names["image"].astype("<u2").tobytes()).hexdigest()
    return {"image": image, **{name: names[name] for name in ("file", "series", "states")}}


if __name__ == "__main__":
    answer(globals())
