"""Rows of ROI1 and ROI2: areaDetector's NDROI."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from archon_ioc.plugins.conversion import OUTPUT_TYPES
from archon_ioc.plugins.cutout import Axis
from archon_ioc.plugins.roi import RoiPlugin, RoiState
from archon_ioc.pvs.array_rows import DISABLE_ENABLE, NO_YES
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Text

DATA_TYPE_OUT = Choice(OUTPUT_TYPES)
_GROUP = "Region of interest"
_LIMITED = "Limited to what the images that come in have; larger ones give what was asked for."
_UNUSED = "Kept, but images have two dimensions only."


@dataclass(frozen=True)
class _AxisFact:
    """A setting that each axis has: ``field`` of `RoiSettings`, and what is shown of the axis."""

    name: str
    kind: Kind
    doc: str
    field: str
    read: Callable[[Axis], Any]


_AXIS_FACTS = (
    _AxisFact("Bin", Int(low=1), "Pixels summed in {}", "binnings", lambda axis: axis.binning),
    _AxisFact("Min", Int("px", low=0), "First pixel in {}", "starts", lambda axis: axis.start),
    _AxisFact("Size", Int("px", low=1), "Pixels in {}, unbinned", "sizes", lambda axis: axis.size),
    _AxisFact("AutoSize", NO_YES, "Whether all are taken in {}", "auto_sizes", lambda axis: axis.auto_size),
    _AxisFact("Reverse", NO_YES, "Whether {} is turned round", "reverses", lambda axis: axis.reverse),
    _AxisFact("Enable", DISABLE_ENABLE, "Whether {} is cut, else all of it", "enables", lambda axis: axis.enabled),
)


def roi_rows(plugin: RoiPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that cuts parts out of images."""
    return (*plugin_rows(plugin), *_setting_rows(), *_axis_rows())


def _setting_rows() -> Iterator[PluginPv]:
    yield _setting("Name", Text(), "Name of the region, for people", "label")
    yield _setting("EnableScale", DISABLE_ENABLE, "Whether pixels are divided by Scale", "enable_scale", convert=bool)
    yield _setting("Scale", Float(precision=3), "What pixels are divided by", "scale",
                   more="After binning: the number of binned pixels makes it the mean.")  # fmt: skip
    yield _setting("DataTypeOut", DATA_TYPE_OUT, "Type of the pixels that come out", "data_type",
                   convert=OUTPUT_TYPES.__getitem__, more="Automatic is that of the pixels that come in. What does not "
                   "fit becomes the end of the range.")  # fmt: skip
    yield _setting("CollapseDims", DISABLE_ENABLE, "Whether one column becomes one row", "collapse", convert=bool)


def _axis_rows() -> Iterator[PluginPv]:
    for index, name in enumerate("XYZ"):
        for fact in _AXIS_FACTS:
            yield _axis(index, fact)
        yield Pv(name=f"MaxSize{name}", kind=Int("px"), doc=f"Size in {name} of what comes in", group=_GROUP,
                 read=partial(_max_size, index=index))  # fmt: skip
    for index, name in enumerate("XY"):
        read = partial(_max_size, index=index)
        yield Pv(name=f"Max{name}", kind=Int("px"), doc=f"Size in {name} of what comes in", group=_GROUP, read=read,
                 rbv=False)  # fmt: skip
        yield Pv(name=f"Set{name}HOPR", kind=Float("px", 0), doc=f"Limit of Min{name} and Size{name} on screens",
                 group=_GROUP, read=read, rbv=False)  # fmt: skip


def _setting(
    name: str, kind: Kind, doc: str, field: str, *, convert: Callable[[Any], Any] | None = None, more: str = ""
) -> PluginPv:
    def put(plugin: RoiPlugin, value: Any) -> None:
        plugin.configure(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=_GROUP, read=lambda s: getattr(s.roi, field), put=put, more=more)


def _axis(index: int, fact: _AxisFact) -> PluginPv:
    def read(state: RoiState) -> Any:
        return fact.read(state.shown(index))

    def put(plugin: RoiPlugin, value: int) -> None:
        plugin.set_axis(fact.field, index, bool(value) if isinstance(fact.kind, Choice) else value)

    letter, more = "XYZ"[index], _LIMITED if index < 2 else _UNUSED
    return Pv(name=fact.name + letter, kind=fact.kind, doc=fact.doc.format(letter), group=_GROUP, read=read, put=put,
              more=more)  # fmt: skip


def _max_size(state: RoiState, index: int) -> int:
    return state.max_size(index)
