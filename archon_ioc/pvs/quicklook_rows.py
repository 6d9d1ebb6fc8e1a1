"""Rows of the quick look: what each amplifier's part of the last frame looks like, one element per tap."""

import math
from collections.abc import Callable
from typing import Any

from archon_ioc.exposure.state import CameraState
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.pvs.array_rows import IMAGE_GROUP, NO_YES, CameraPv
from archon_ioc.pvs.row import Array, Pv, Text

MOST_AMPLIFIERS = 256
"""More than four controllers have."""
_NAMES_LENGTH = 4096


def _names(state: CameraState) -> str:
    several = len({amplifier.controller for amplifier in state.quick_look}) > 1
    shown = state.quick_look[:MOST_AMPLIFIERS]
    return " ".join(f"{one.controller}/{one.tap}" if several else one.tap for one in shown)[: _NAMES_LENGTH - 1]


def _references(state: CameraState) -> str:
    return ", ".join(dict.fromkeys(amplifier.reference for amplifier in state.quick_look))


def _each(
    name: str, doc: str, value: Callable[[Amplifier], float | None], unit: str = "", ftvl: str = "DOUBLE"
) -> CameraPv:
    def read(state: CameraState) -> tuple[Any, ...]:
        values = (value(amplifier) for amplifier in state.quick_look[:MOST_AMPLIFIERS])
        return tuple(math.nan if one is None else one for one in values)

    return Pv(name=name, kind=Array(MOST_AMPLIFIERS, ftvl, unit), doc=doc, group=IMAGE_GROUP, read=read)


QUICK_LOOK_ROWS: tuple[CameraPv, ...] = (
    Pv(name="ArchonQuickLook", kind=NO_YES, doc="Look at the amplifiers of each frame", group=IMAGE_GROUP,
       read=lambda s: s.settings.quick_look, put=lambda o, value: o.camera.change(quick_look=bool(value))),
    Pv(name="ArchonAmpNames", kind=Text(_NAMES_LENGTH), doc="Taps, in the order of the next arrays", group=IMAGE_GROUP,
       read=_names, more="With several controllers: `controller/tap`."),
    Pv(name="ArchonAmpReference", kind=Text(), doc="Where bias and noise are taken from", group=IMAGE_GROUP,
       read=_references, more="`overscan`; where none is known `overscan lines` or `edge lines`."),
    _each("ArchonAmpBias", "Bias level of each amplifier", lambda a: a.bias, "adu"),
    _each("ArchonAmpNoise", "Read noise of each amplifier", lambda a: a.noise, "adu"),
    _each("ArchonAmpNoiseE", "The same, NaN without a gain", lambda a: a.noise_electrons, "electron"),
    _each("ArchonAmpSaturated", "Saturated pixels of each amplifier", lambda a: a.saturated, ftvl="LONG"),
    _each("ArchonAmpSaturation", "Part of the pixels that is saturated", lambda a: 100 * a.saturated_fraction, "%"),
    _each("ArchonAmpMedian", "Median of the light area", lambda a: a.median, "adu"),
)  # fmt: skip
