"""A PVAccess client: pvapy, which reads images for the analysis of the APS. Calls in, JSON out."""

import hashlib
import queue
import sys
from typing import Any

import numpy as np
import pvaccess
from answering import answer

PREFIX = sys.argv[1]
KINDS = {"ushortValue": "<u2", "uintValue": "<u4", "ubyteValue": "u1"}
images: "queue.Queue[Any]" = queue.Queue()
channels: dict[str, Any] = {}


def channel(name: str) -> Any:
    return channels.setdefault(name, pvaccess.Channel(PREFIX + name, pvaccess.PVA))


def get(name: str) -> Any:
    """Return the value of a record."""
    return channel(name).get()["value"]


def put(name: str, value: Any) -> None:
    """Put a value and wait until it is done."""
    channel(name).put(value)


def watch(name: str = "Pva1:Image") -> None:
    """Keep the images that come."""
    channel(name).monitor(lambda value: images.put(described(value)), "")


def next_image(after: int = -1) -> dict[str, Any]:
    """Wait for an image with a higher number and return what it says of itself."""
    while (image := images.get(timeout=20))["uniqueId"] <= after:
        pass
    return image


def described(value: Any) -> dict[str, Any]:
    union = value["value"][0]
    field = next(iter(union), "")
    pixels = np.asarray(union[field] if field else [])
    return {
        "uniqueId": value["uniqueId"],
        "dimension": [one["size"] for one in value["dimension"]],
        "field": field,
        "sha256": hashlib.sha256(np.ascontiguousarray(pixels, KINDS.get(field, "u1")).tobytes()).hexdigest(),
        "codec": value["codec"]["name"],
    }


if __name__ == "__main__":
    answer(globals())
