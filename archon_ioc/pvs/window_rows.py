"""Rows of the window: which lines and pixels each tap reads, by the names of sdss-archon's commands."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure import windows
from archon_ioc.exposure.operations import Operations
from archon_ioc.pvs.array_rows import READOUT_GROUP, CameraPv
from archon_ioc.pvs.controller_rows import ControllerPv
from archon_ioc.pvs.row import Int, Pv, Text

_FIELDS = (
    ("Lines", "px", "Lines that each tap reads"),
    ("Pixels", "px", "Pixels of a line that each tap reads"),
    ("PreSkipLines", "px", "Lines skipped before them"),
    ("PostSkipLines", "px", "Lines skipped after them"),
    ("PreSkipPixels", "px", "Pixels skipped before them"),
    ("PostSkipPixels", "px", "Pixels skipped after them"),
    ("OverscanLines", "px", "Lines read then beyond the CCD"),
    ("OverscanPixels", "px", "Pixels read then beyond the CCD"),
    ("HBin", "", "Pixels binned in a line"),
    ("VBin", "", "Lines binned"),
)
_MORE = "Unbinned. Refused where the timing script has no such parameter, or its frames would not be whole."


def _field_rows() -> Iterator[ControllerPv]:
    for name, unit, doc in _FIELDS:
        field = name.lower()
        yield Pv(
            name=f"Archon{name}", kind=Int(unit), doc=doc, group=READOUT_GROUP, read=_field(field), put=_set(field),
            linked=True, more="1 is none." if field.endswith("bin") else _MORE,
        )  # fmt: skip


def _field(field: str) -> Callable[[ControllerState], Any]:
    return lambda state: getattr(state.window, field) if state.window else None


def _set(field: str) -> Callable[[Operations, Any], Any]:
    return lambda operations, value: operations.windows.set(**{field: value})


WINDOW_ROWS: tuple[ControllerPv, ...] = (
    *_field_rows(),
    Pv(name="ArchonWindow", kind=Text(256), doc="Any of these together: lines=9, hbin=2", group=READOUT_GROUP,
       read=lambda s: windows.shown(s.window) if s.window else "", put=lambda o, value: o.windows.set_text(value),
       linked=True, more="What is not given stays. All of it is set, or nothing. The readback has all ten."),
)  # fmt: skip

WINDOW_MODE_ROWS: tuple[CameraPv, ...] = (
    Pv(name="ArchonWindowMode", kind=Text(), doc="Window by its name in the site file", group=READOUT_GROUP,
       read=windows.mode, put=lambda o, value: o.windows.choose(value), linked=True,
       more="default is as in the configuration that was loaded; the readback is custom where no name fits."),
    Pv(name="ArchonWindowModes", kind=Text(512), doc="Names that ArchonWindowMode takes", group=READOUT_GROUP,
       read=lambda s: ", ".join((windows.DEFAULT, *s.window_modes))[:511]),
)  # fmt: skip
