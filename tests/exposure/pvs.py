"""Process variables for attributes."""

from typing import Any

PVS: dict[str, tuple[object, str]] = {
    "X:cam1:Gain_RBV": (1.0, "1.0"),
    "X:cam1:FrameType": (1, "Background"),
    "X:cam1:Unknown": (None, ""),
    "M:x.RBV": (2.5, "2.5"),
}


class FakePvs:
    """Has a few of its own, and notes what is followed."""

    def __init__(self) -> None:
        self.followed: dict[str, frozenset[tuple[str, bool]]] = {}

    def reaches(self, name: str) -> bool:
        return name in PVS

    def of_param(self, port: str, param: str) -> str | None:
        return "X:cam1:Gain_RBV" if param == "GAIN" else None

    def follow(self, who: str, names: frozenset[tuple[str, bool]]) -> None:
        self.followed[who] = names

    def read(self, name: str, *, as_text: bool) -> Any:
        return PVS[name][as_text]


def xml(*attributes: str) -> str:
    """Return a file with these attributes."""
    elements = "".join(f"<Attribute {attribute}/>" for attribute in attributes)
    return f"<?xml version='1.0'?>\n<!-- why -->\n<Attributes>{elements}</Attributes>"
