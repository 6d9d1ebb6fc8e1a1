"""A client with libca, in a process of its own: expressions in, JSON out."""

import json
import sys

import epics
import numpy
from epics import ca, dbr

seen = []
"""Everything that clients were told, in the order in which libca told it."""

CTYPES = {"double": dbr.DOUBLE, "long": dbr.LONG, "enum": dbr.ENUM, "string": dbr.STRING, "char": dbr.CHAR}


def get(name, **options):
    return epics.caget(name, **{"use_monitor": False, "timeout": 5, **options})


def put(name, value, **options):
    return epics.caput(name, value, **{"timeout": 30, **options})


def info(name, form="ctrl"):
    pv = epics.PV(name, form=form, auto_monitor=False)
    pv.wait_for_connection(5)
    pv.get_ctrlvars()
    return pv.get_with_metadata(form=form) | {
        "type": pv.type,
        "nelm": pv.nelm,
        "access": pv.access,
        "enum_strs": pv.enum_strs,
    }


def watch(name, **options):
    """Record each monitor."""

    def record(value=None, severity=None, status=None, **_):
        seen.append(["monitor", name, value, severity, status])

    pv = epics.PV(name, form="time", callback=record, auto_monitor=True, **options)
    if not pv.wait_for_connection(5):
        raise TimeoutError(name)
    wait_for(lambda: any(event[:2] == ["monitor", name] for event in seen))


def put_status(name, value, kind="double"):
    """Put with callback; return the status that the callback gets, and record it."""
    chid = ca.create_channel(name, connect=True)
    ftype = CTYPES[kind]
    data = (40 * dbr.ctypes.c_char)() if kind == "string" else (1 * dbr.Map[ftype])()
    if kind == "string":
        data.value = value.encode("latin-1")
    else:
        data[0] = value
    done = []

    def record(args):
        done.append(args.status)
        seen.append(["put", name, args.status])

    callback = dbr.make_callback(record, dbr.event_handler_args)
    ca.libca.ca_array_put_callback(ftype, 1, chid, data, callback, None)
    ca.flush_io()
    wait_for(lambda: done)
    return done[0]


def wait_for(condition, seconds=10):
    end = ca.time.time() + seconds
    while not condition():
        if ca.time.time() > end:
            raise TimeoutError(seen)
        ca.poll(0.001, 0.1)
    return True


def plain(value):
    return value.tolist() if isinstance(value, numpy.ndarray | numpy.generic) else repr(value)


def main():
    # pyepics prints what it cannot do; answers are on a line of their own.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            answer = {"value": eval(line)}
        except Exception as error:  # noqa: BLE001 - the test sees it
            answer = {"error": repr(error)}
        print(json.dumps(answer, default=plain), file=answers, flush=True)


if __name__ == "__main__":
    main()
