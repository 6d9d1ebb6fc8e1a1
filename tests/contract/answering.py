"""How a client in a process of its own is driven: expressions in, JSON out."""

import json
import os
import sys
import traceback
from typing import Any


def plain(value: Any) -> Any:
    """Return something that JSON can hold."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def answer(names: dict[str, Any]) -> None:
    """Evaluate lines of standard input with these names until it is closed, then end at once."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print
    for line in sys.stdin:
        try:
            value = {"value": eval(line, names)}
        except Exception:  # noqa: BLE001 - the test sees it
            value = {"error": traceback.format_exc()}
        print(json.dumps(value, default=plain), file=answers, flush=True)
    os._exit(0)  # the libraries' threads have nothing to finish
