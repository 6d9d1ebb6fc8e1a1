"""A PVAccess client: p4p. Calls in, JSON out."""

import hashlib
import queue
import sys
from typing import Any

import numpy as np
from answering import answer
from p4p.client.thread import Context, RemoteError

PREFIX = sys.argv[1]
context = Context("pva", nt=False)
unpacked = Context("pva")
images: "queue.Queue[Any]" = queue.Queue()


def get(name: str) -> Any:
    """Return the value of a record."""
    return context.get(PREFIX + name, timeout=10).todict()["value"]


def structure(name: str) -> dict[str, Any]:
    """Return all of a record, with the name of its type as ``id``."""
    value = context.get(PREFIX + name, timeout=10)
    return {"id": value.getID()} | {key: field for key, field in value.todict().items() if key != "value"}


def put(name: str, value: Any) -> str:
    """Put a value and wait until it is done; return why it was refused, or nothing."""
    try:
        unpacked.put(PREFIX + name, value, timeout=30, wait=True)
    except RemoteError as error:
        return str(error)
    return ""


def watch(name: str = "Pva1:Image") -> None:
    """Keep the images that come."""
    context.monitor(PREFIX + name, images.put)


def next_image(after: int = -1) -> dict[str, Any]:
    """Wait for an image with a higher number and return what it says of itself."""
    while (image := images.get(timeout=20))["uniqueId"] <= after:
        pass
    return described(image)


def image(name: str = "Pva1:Image") -> dict[str, Any]:
    """Return the last image."""
    return described(context.get(PREFIX + name, timeout=10))


def described(value: Any) -> dict[str, Any]:
    facts = value.todict()
    pixels = np.asarray(facts.pop("value"))
    facts["sha256"] = hashlib.sha256(np.ascontiguousarray(pixels, "<u2").tobytes()).hexdigest()
    facts["dtype"] = str(pixels.dtype)
    return facts | {"id": value.getID(), "attributes": {one["name"]: one["value"] for one in facts["attribute"]}}


if __name__ == "__main__":
    answer(globals())
