"""How a client in a process of its own is driven: expressions in, JSON out."""

import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """Return something that JSON can hold."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def run_page(name: str, folder: str) -> dict[str, Any]:
    """Execute the examples of a page of the documents, with ``/data`` as a folder; return the names they define."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / name).read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": name}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block.replace("/data", folder), name, "exec"), names)
    return names


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
