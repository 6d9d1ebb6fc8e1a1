"""Rows under whose names a camera with several controllers shows all of them at once: never better than the worst."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archon_ioc.driver.state import ConfigState, ControllerState, Link
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState
from archon_ioc.protocol.enums import Power
from archon_ioc.pvs.array_rows import CameraPv
from archon_ioc.pvs.row import Pv

Readings = Sequence[Any]
"""What a row reads of each controller, None of those whose link is down."""

_FROM_WORST = (
    ConfigState.ERROR, ConfigState.UNLOADED, ConfigState.LOADING, ConfigState.APPLYING, ConfigState.LOADED,
    ConfigState.MODIFIED, ConfigState.APPLIED,
)  # fmt: skip


def shared_rows(rows: Sequence[Pv[ControllerState, Operations]]) -> tuple[CameraPv, ...]:
    """Return those of a controller's rows that can say something of all controllers; their puts are for all.

    Of a controller whose link is down nothing is known: what it could make worse is then not known of all. A put is
    possible as long as one of them is linked, because off must be possible always.
    """
    return tuple(_shared(row, combine) for row in rows if (combine := _COMBINED.get(_key(row))))


def own_rows(rows: Sequence[Pv[ControllerState, Operations]]) -> tuple[Pv[ControllerState, Operations], ...]:
    """Return the other ones, which say something of one controller."""
    return tuple(row for row in rows if _key(row) not in _COMBINED)


def _shared(row: Pv[ControllerState, Operations], combine: Callable[..., Any]) -> CameraPv:
    def known(unit: ControllerState) -> Any:
        return row.read(unit) if unit.is_up or not row.linked else None

    def read(state: CameraState) -> Any:
        units = state.controllers
        return combine(units) if combine is _message else combine([known(unit) for unit in units])

    return replace(row, read=read)  # pyright: ignore[reportArgumentType,reportReturnType]


def _key(row: Pv[Any, Any]) -> tuple[str, bool]:
    """Setpoint and readback of the power are two rows with one name."""
    return row.name, row.put is not None


def _power(readings: Readings) -> int:
    if None in readings:
        return Power.UNKNOWN
    return readings[0] if len(set(readings)) == 1 else Power.INTERMEDIATE


def _is_good(readings: Readings) -> bool | None:
    return _worst(readings, bad=False)


def _is_bad(readings: Readings) -> bool | None:
    return _worst(readings, bad=True)


def _worst(readings: Readings, *, bad: bool) -> bool | None:
    if bad in readings:
        return bad
    return None if None in readings else not bad


def _config(readings: Readings) -> int | None:
    return None if None in readings else min(readings, key=_FROM_WORST.index)


def _least(readings: Readings) -> float | None:
    return min((reading for reading in readings if reading is not None), default=None)


def _message(units: Sequence[ControllerState]) -> str:
    """Say what is known of the links, in few words where all say the same."""
    said = {unit.name: unit.config_message if unit.link is Link.UP else unit.reason for unit in units}
    if len(set(said.values())) == 1:
        return said[units[0].name][:255]
    down = {unit.name: unit.reason for unit in units if not unit.is_up}
    return "; ".join(f"{name}: {text}" for name, text in (down or said).items())[:255]


_COMBINED: Mapping[tuple[str, bool], Callable[..., Any]] = {
    ("ArchonLink", False): all,
    ("ArchonLinkErrors", False): sum,
    ("ArchonMessage", False): _message,
    ("ArchonPowerMode", True): all,
    ("ArchonPowerMode", False): _power,
    ("ArchonPowerStatus", False): _is_good,
    ("ArchonOverheated", False): _is_bad,
    ("ArchonConfigLoad", True): any,
    ("ArchonConfigStatus", False): _config,
    ("ArchonConfigProgress", False): _least,
}
