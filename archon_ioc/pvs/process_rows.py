"""Rows of Proc1: areaDetector's NDProcess."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.errors import InputError
from archon_ioc.plugins.arithmetic import FILTER_TYPES
from archon_ioc.plugins.conversion import OUTPUT_TYPES
from archon_ioc.plugins.process import ProcessPlugin, ProcessState
from archon_ioc.pvs.array_rows import DISABLE_ENABLE, NO_YES
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Text

_CORRECTION, _SCALE, _FILTER = "Background and flat field", "Scale and limits", "Filter"
_VALID = Choice(("Invalid", "Valid"))
_TYPES = tuple(FILTER_TYPES)
_COEFFICIENTS = ("OC1", "OC2", "OC3", "OC4", "FC1", "FC2", "FC3", "FC4", "RC1", "RC2")


def process_rows(plugin: ProcessPlugin) -> tuple[PluginPv, ...]:
    """Return the rows of a plugin that does arithmetic on images."""
    return (
        *plugin_rows(plugin), *_correction_rows(), *_scale_rows(), *_clip_rows(), *_filter_rows(),
        *_coefficient_rows(), *_sequence_rows(),
    )  # fmt: skip


def _correction_rows() -> Iterator[PluginPv]:
    yield _setting("DataTypeOut", Choice(OUTPUT_TYPES), "Type of the pixels that come out", "data_type", _SCALE,
                   convert=OUTPUT_TYPES.__getitem__)  # fmt: skip
    yield _command("SaveBackground", "Take the last image as background", ProcessPlugin.save_background)
    yield _setting("EnableBackground", DISABLE_ENABLE, "Whether it is subtracted", "enable_background", _CORRECTION)
    yield _show("ValidBackground", _VALID, "Whether there is one of this size", lambda s: s.has_background)
    yield _command("SaveFlatField", "Take the last image as flat field", ProcessPlugin.save_flat_field)
    yield _setting("EnableFlatField", DISABLE_ENABLE, "Whether pixels are divided by it", "enable_flat_field",
                   _CORRECTION)  # fmt: skip
    yield _show("ValidFlatField", _VALID, "Whether there is one of this size", lambda s: s.has_flat_field)
    yield _setting("ScaleFlatField", Float("adu", 3), "What they are multiplied by then", "flat_field_scale",
                   _CORRECTION)  # fmt: skip
    for name in ("ReadBackgroundTIFFSeq", "ReadFlatFieldTIFFSeq"):
        yield Pv(name=name, kind=Int(), doc="Refused: no files are read", group=_CORRECTION, read=lambda _: 0,
                 put=_read_file, rbv=False)  # fmt: skip
    yield Pv(name="PortBackup", kind=Text(), doc="Unused: no files are read", group=_CORRECTION, read=lambda _: "",
             rbv=False)  # fmt: skip


def _scale_rows() -> Iterator[PluginPv]:
    yield _setting("EnableOffsetScale", DISABLE_ENABLE, "Whether (pixel + Offset) * Scale", "enable_offset_scale",
                   _SCALE)  # fmt: skip
    yield _setting("Offset", Float("adu", 2), "Added to pixels", "offset", _SCALE)
    yield _setting("Scale", Float(precision=2), "What they are multiplied by then", "scale", _SCALE)
    yield Pv(name="AutoOffsetScale", kind=Choice(("Done", "Calculating")), doc="Fill the range with the next image",
             group=_SCALE, read=lambda s: s.auto_scaling, put=_scale_automatically, rbv=False,
             more="Sets Offset, Scale and both clips, and enables them. A put with completion waits for the image."
             )  # fmt: skip


def _clip_rows() -> Iterator[PluginPv]:
    for name, side, word in (("Low", "low", "below"), ("High", "high", "above")):
        yield _setting(f"Enable{name}Clip", DISABLE_ENABLE, f"Whether pixels {word} the limit change",
                       f"enable_{side}_clip", _SCALE)  # fmt: skip
        yield _setting(f"{name}ClipThresh", Float("adu", 3), f"Limit, pixels {word} it change", f"{side}_limit", _SCALE)
        yield _setting(f"{name}ClipValue", Float("adu", 3), "What they become", f"{side}_value", _SCALE)
        yield Pv(name=f"{name}Clip", kind=Float("adu", 3), doc="Both of these", group=_SCALE, put=_put_clip(side),
                 read=_of_settings(f"{side}_limit"), more="As before ADCore 3.12.")  # fmt: skip


def _filter_rows() -> Iterator[PluginPv]:
    yield _setting("EnableFilter", DISABLE_ENABLE, "Whether images are filtered in time", "enable_filter", _FILTER)
    yield Pv(name="ResetFilter", kind=NO_YES, doc="Let the next image begin anew", group=_FILTER,
             read=lambda s: s.resetting, put=_reset)  # fmt: skip
    yield _setting("AutoResetFilter", NO_YES, "Whether it begins anew after NumFilter", "auto_reset_filter", _FILTER)
    yield _setting("FilterCallbacks", Choice(("Every array", "Array N only")), "Which images come out", "last_only",
                   _FILTER, more="The second: only after NumFilter images.")  # fmt: skip
    yield _setting("NumFilter", Int(low=1), "Images that make the filter", "filter_length", _FILTER,
                   more="Sets the coefficients of FilterType.")  # fmt: skip
    yield _show("NumFilterRecip", Float(precision=3), "1 / NumFilter", lambda s: 1 / s.process.filter_length, rbv=False)
    yield _show("NumFiltered", Int(), "Images since the filter began", lambda s: s.filtered)
    yield Pv(name="FilterType", kind=Choice(_TYPES), doc="Sets the coefficients", group=_FILTER, rbv=False,
             read=lambda s: _TYPES.index(s.process.filter_type),
             put=lambda plugin, value: plugin.configure(filter_type=_TYPES[value]))  # fmt: skip


def _coefficient_rows() -> Iterator[PluginPv]:
    for name, field, doc in (
        ("OOffset", "output_offset", "Offset of what comes out"),
        ("OScale", "output_scale", "Scale of what comes out"),
        ("FOffset", "filter_offset", "Offset of what is remembered"),
        ("FScale", "filter_scale", "Scale of what is remembered"),
        ("ROffset", "reset_offset", "Offset of what is remembered at a reset"),
    ):
        yield _setting(name, Float(precision=2), doc, field, _FILTER)
    for index, name in enumerate(_COEFFICIENTS):
        yield Pv(name=name, kind=Float(precision=2), doc="Coefficient of the filter", group=_FILTER,
                 read=_coefficient(index), put=_put_coefficient(index))  # fmt: skip


def _sequence_rows() -> Iterator[PluginPv]:
    """Yield areaDetector's sequences of puts, which FilterType starts there."""
    yield _sequence("FilterTypeSeq", lambda plugin: plugin.state.process.filter_type)
    for kind in _TYPES:
        yield _sequence(f"{kind}Seq", lambda _, kind=kind: kind)


def _sequence(name: str, kind_of: Callable[[ProcessPlugin], str]) -> PluginPv:
    def put(plugin: ProcessPlugin, _value: int) -> None:
        plugin.configure(filter_type=kind_of(plugin))

    return Pv(name=name, kind=Int(), doc="Set the coefficients so", group=_FILTER, read=lambda _: 0, put=put, rbv=False)


def _setting(
    name: str,
    kind: Kind,
    doc: str,
    field: str,
    group: str,
    *,
    convert: Callable[[Any], Any] | None = None,
    more: str = "",
) -> PluginPv:
    def put(plugin: ProcessPlugin, value: Any) -> None:
        is_switch = isinstance(kind, Choice) and len(kind.labels) == 2
        plugin.configure(**{field: convert(value) if convert else bool(value) if is_switch else value})

    return Pv(name=name, kind=kind, doc=doc, group=group, read=_of_settings(field), put=put,
              part=lambda s: s.process, more=more)  # fmt: skip


def _of_settings(field: str) -> Callable[[ProcessState], Any]:
    return lambda state: getattr(state.process, field)


def _show(name: str, kind: Kind, doc: str, read: Callable[[ProcessState], Any], *, rbv: bool = True) -> PluginPv:
    group = _FILTER if name.startswith("NumFilter") else _CORRECTION
    return Pv(name=name, kind=kind, doc=doc, group=group, read=read, rbv=rbv)


def _command(name: str, doc: str, command: Callable[[ProcessPlugin], None]) -> PluginPv:
    def put(plugin: ProcessPlugin, value: int) -> None:
        if value:
            command(plugin)

    return Pv(name=name, kind=NO_YES, doc=doc, group=_CORRECTION, read=lambda _: 0, put=put)


def _put_clip(side: str) -> Callable[[ProcessPlugin, float], None]:
    return lambda plugin, value: plugin.configure(**{f"{side}_limit": value, f"{side}_value": value})


def _coefficient(index: int) -> Callable[[ProcessState], float]:
    return lambda state: state.process.coefficients[index]


def _put_coefficient(index: int) -> Callable[[ProcessPlugin, float], None]:
    def put(plugin: ProcessPlugin, value: float) -> None:
        coefficients = list(plugin.state.process.coefficients)
        coefficients[index] = value
        plugin.configure(coefficients=tuple(coefficients))

    return put


def _reset(plugin: ProcessPlugin, value: int) -> None:
    if value:
        plugin.reset_filter()


async def _scale_automatically(plugin: ProcessPlugin, value: int) -> None:
    if value:
        await plugin.scale_automatically()
    else:
        plugin.update(auto_scaling=False)


def _read_file(_plugin: ProcessPlugin, _value: int) -> None:
    raise InputError("files are not read back; take an image, then SaveBackground or SaveFlatField")
