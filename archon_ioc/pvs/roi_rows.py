"""Rows of ROI1 and ROI2: areaDetector's NDROI."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from archon_ioc.plugins.conversion import OUTPUT_TYPES
from archon_ioc.plugins.cutout import Axis
from archon_ioc.plugins.roi import RoiPlugin
from archon_ioc.pvs.array_rows import DISABLE_ENABLE, NO_YES
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Text

DATA_TYPE_OUT = Choice(OUTPUT_TYPES)
_GROUP = "Region of interest"
_LIMITED = "Limited to what the images that come in have; larger ones give what was asked for."
_UNUSED = "Kept, but images have two dimensions only."


def roi_rows(plugin: RoiPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that cuts parts out of images."""
    return (*plugin_rows(plugin), *_setting_rows(), *_axis_rows())


def _setting_rows() -> Iterator[PluginPv]:
    yield _setting("Name", Text(), "Name of the region, for people", "label")
    yield _setting("EnableScale", DISABLE_ENABLE, "Whether pixels are divided by Scale", "enable_scale", bool)
    yield _setting("Scale", Float(precision=3), "What pixels are divided by", "scale",
                   more="After binning: the square of a binning of x and y makes it the mean.")  # fmt: skip
    yield _setting("DataTypeOut", DATA_TYPE_OUT, "Type of the pixels that come out", "data_type",
                   OUTPUT_TYPES.__getitem__, more="Automatic is that of the pixels that come in. What does not fit "
                   "becomes the end of the range.")  # fmt: skip
    yield _setting("CollapseDims", DISABLE_ENABLE, "Whether one column becomes one row", "collapse", bool)


def _axis_rows() -> Iterator[PluginPv]:
    for index, name in enumerate("XYZ"):
        axis = partial(_axis, index=index, more=_LIMITED if index < 2 else _UNUSED)
        yield axis(f"Bin{name}", Int(low=1), f"Pixels summed in {name}", "binnings", lambda a: a.binning)
        yield axis(f"Min{name}", Int("px", low=0), f"First pixel in {name}", "starts", lambda a: a.start)
        yield axis(f"Size{name}", Int("px", low=1), f"Pixels in {name}, unbinned", "sizes", lambda a: a.size)
        yield axis(f"AutoSize{name}", NO_YES, f"Whether all are taken in {name}", "auto_sizes", lambda a: a.auto_size)
        yield axis(f"Reverse{name}", NO_YES, f"Whether {name} is turned round", "reverses", lambda a: a.reverse)
        yield axis(f"Enable{name}", DISABLE_ENABLE, f"Whether {name} is cut, else all of it", "enables",
                   lambda a: a.enabled)  # fmt: skip
        yield Pv(name=f"MaxSize{name}", kind=Int("px"), doc=f"Size in {name} of what comes in", group=_GROUP,
                 read=lambda s, index=index: s.max_size(index))  # fmt: skip
    for index, name in enumerate("XY"):
        read = partial(_max_size, index=index)
        yield Pv(name=f"Max{name}", kind=Int("px"), doc=f"Size in {name} of what comes in", group=_GROUP, read=read,
                 rbv=False)  # fmt: skip
        yield Pv(name=f"Set{name}HOPR", kind=Float("px", 0), doc=f"Limit of Min{name} and Size{name} on screens",
                 group=_GROUP, read=read, rbv=False)  # fmt: skip


def _setting(
    name: str, kind: Kind, doc: str, field: str, convert: Callable[[Any], Any] | None = None, more: str = ""
) -> PluginPv:
    def put(plugin: RoiPlugin, value: Any) -> None:
        plugin.configure(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=_GROUP, read=lambda s: getattr(s.roi, field), put=put, more=more)


def _axis(
    name: str, kind: Kind, doc: str, field: str, read: Callable[[Axis], Any], *, index: int, more: str
) -> PluginPv:
    def put(plugin: RoiPlugin, value: int) -> None:
        plugin.set_axis(field, index, bool(value) if isinstance(kind, Choice) else value)

    return Pv(name=name, kind=kind, doc=doc, group=_GROUP, read=lambda s: read(s.shown(index)), put=put, more=more)


def _max_size(state: Any, index: int) -> int:
    return state.max_size(index)
