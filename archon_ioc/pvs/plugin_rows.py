"""Rows of areaDetector's NDPluginBase: what every plugin shows and takes."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from archon_ioc.exposure.attribute_xml import LONGEST_TEXT
from archon_ioc.plugins.ndarray import Pool
from archon_ioc.plugins.plugin import Plugin, PluginState
from archon_ioc.pvs.array_rows import (
    ATTRIBUTES_STATUS,
    DATA_TYPE,
    DISABLE_ENABLE,
    DONE_ACQUIRE,
    DONE_ACQUIRING,
    IMAGE_GROUP,
    NO_YES,
    array_rows,
    never,
    require,
)
from archon_ioc.pvs.pool_rows import pool_rows
from archon_ioc.pvs.row import AlarmLimits, Choice, Float, Int, Kind, Pv, Text

PluginPv = Pv[Any, Any]
"""A row whose state is that of a plugin, and whose puts go to the plugin."""

PLUGIN_GROUP = "Plugin"
_MANUFACTURER = "archon-ioc"


def plugin_rows(plugin: Plugin[Any], group: str = IMAGE_GROUP) -> tuple[PluginPv, ...]:
    """Return the rows that a plugin has like all others; ``group`` is the heading over those of its images.

    They read the plugin's state, and puts go to the plugin itself.
    """
    return (
        *_identity_rows(plugin), *array_rows(_array, group), *_type_rows(group),
        *pool_rows(_pool_of(plugin), _empty, _preallocate, group), *_queue_rows(plugin), *_counter_rows(group),
        *_setting_rows(), *_attribute_rows(), *_idle_rows(),
    )  # fmt: skip


def setting_row(name: str, kind: Kind, doc: str, field: str, convert: Callable[[Any], Any] | None = None) -> PluginPv:
    """Return the row of a field of `PluginSettings`."""

    def put(plugin: Plugin[Any], value: Any) -> None:
        plugin.change(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=PLUGIN_GROUP, read=lambda s: getattr(s.settings, field), put=put,
              part=_settings)  # fmt: skip


def _settings(state: PluginState) -> object:
    return state.settings


def _array(state: PluginState) -> Any:
    return state.array


def _pool_of(plugin: Plugin[Any]) -> Callable[[PluginState], Pool]:
    def pool(state: PluginState) -> Pool:
        used = state.queued * state.source.byte_count
        return Pool(plugin.memory_limit, used, state.queued, 0, state.queued, state.settings.preallocated)

    return pool


def _empty(plugin: Plugin[Any]) -> None:
    plugin.last = None


def _preallocate(plugin: Plugin[Any], count: int) -> None:
    plugin.change(preallocated=count)


def _identity_rows(plugin: Plugin[Any]) -> Iterator[PluginPv]:
    for name, text, doc in (
        ("PortName", plugin.name, "Name in the plugin graph"),
        ("PluginType", plugin.plugin_type, "Class of this plugin"),
        ("Manufacturer", _MANUFACTURER, "Who made this plugin"),
        ("Model", plugin.plugin_type.partition(" ")[0], "Class of this plugin"),
        ("SerialNumber", "", "None: plugins are software"),
        ("FirmwareVersion", "", "None: plugins are software"),
    ):
        yield _constant(name, Text(), doc, text)


def _type_rows(group: str) -> Iterator[PluginPv]:
    def put(plugin: Plugin[Any], value: int) -> None:
        shown = DATA_TYPE.accept(plugin.state.array.geometry.data_type)
        require(value == shown, "the type of the pixels is that of the images that come in")

    yield Pv(name="DataType", kind=DATA_TYPE, doc="Type of the pixels", group=group,
             read=lambda s: s.array.geometry.data_type, put=put, part=lambda s: s.array.geometry)  # fmt: skip


def _queue_rows(plugin: Plugin[Any]) -> Iterator[PluginPv]:
    size = plugin.state.settings.queue_size
    alarms = None if plugin.keeps_newest else AlarmLimits(high=size - size // 4, hihi=size)
    more = f"Alarms at {size - size // 4} and {size}, those of the usual QueueSize." if alarms else ""
    yield Pv(name="QueueFree", kind=Int(), doc="Free places of the queue", group=PLUGIN_GROUP, read=_free, rbv=False)
    yield Pv(name="QueueUse", kind=Int(alarms=alarms), doc="Images in the queue", group=PLUGIN_GROUP,
             read=lambda s: s.queued, rbv=False, more=more)  # fmt: skip
    yield Pv(name="ExecutionTime", kind=Float("ms", 3), doc="Time that the last image took", group=PLUGIN_GROUP,
             read=lambda s: s.execution_ms)  # fmt: skip
    for name, field, doc in (
        ("DroppedArrays", "dropped", "Images lost because the queue was full"),
        ("DroppedOutputArrays", "dropped_outputs", "Images not given on, see MaxByteRate"),
        ("DisorderedArrays", "disordered", "Images older than the one before"),
    ):
        yield _counter(name, field, doc)


def _counter(name: str, field: str, doc: str) -> PluginPv:
    def put(plugin: Plugin[Any], value: int) -> None:
        plugin.update(**{field: value})

    return Pv(name=name, kind=Int(low=0), doc=doc, group=PLUGIN_GROUP, read=lambda s: getattr(s, field), put=put)


def _counter_rows(group: str) -> Iterator[PluginPv]:
    def put(plugin: Plugin[Any], value: int) -> None:
        plugin.update(array=replace(plugin.state.array, counter=value))

    yield Pv(name="ArrayCounter", kind=Int(low=0), doc="Images since it was set to 0", group=group,
             read=lambda s: s.array.counter, put=put)  # fmt: skip


def _setting_rows() -> Iterator[PluginPv]:
    yield Pv(name="NDArrayPort", kind=Text(), doc="Port whose images are taken", group=PLUGIN_GROUP,
             read=lambda s: s.settings.array_port, put=lambda plugin, value: plugin.connect(value),
             part=_settings)  # fmt: skip
    yield Pv(name="NDArrayAddress", kind=Int(low=0), doc="Kind of arrays: 0 images, 1 statistics",
             group=PLUGIN_GROUP, read=lambda s: s.settings.array_address,
             put=lambda plugin, value: plugin.connect(plugin.state.settings.array_port, value),
             part=_settings)  # fmt: skip
    yield setting_row("EnableCallbacks", DISABLE_ENABLE, "Whether images are taken", "enabled", bool)
    yield setting_row("BlockingCallbacks", NO_YES, "Whether the camera waits meanwhile", "blocking", bool)
    yield setting_row("ArrayCallbacks", DISABLE_ENABLE, "Whether images are given on", "array_callbacks", bool)
    yield setting_row("MinCallbackTime", Float("s", 3, 0.0), "Least time between two images", "min_callback_seconds")
    yield Pv(name="MaxArrayRate", kind=Float("Hz", 3, 0.0), doc="The same as a rate, 0 is no limit",
             group=PLUGIN_GROUP, read=lambda s: _inverse(s.settings.min_callback_seconds),
             put=lambda plugin, value: plugin.change(min_callback_seconds=_inverse(value)),
             part=_settings)  # fmt: skip
    yield setting_row("MaxByteRate", Float("B/s", 3, 0.0), "Most that is given on, 0 is no limit", "max_byte_rate")
    yield setting_row("QueueSize", Int(low=1, high=10_000), "Images that may wait", "queue_size")
    yield setting_row("SortMode", Choice(("Unsorted", "Sorted")), "Unused: images are in order", "is_sorted", bool)
    yield setting_row("SortTime", Float("s", 3, 0.0), "Unused: images are in order", "sort_seconds")
    yield setting_row("SortSize", Int(low=1, high=10_000), "Unused: images are in order", "sort_size")
    yield Pv(name="SortFree", kind=Int(), doc="Unused: images are in order", group=PLUGIN_GROUP,
             read=lambda s: s.settings.sort_size, rbv=False, part=_settings)  # fmt: skip
    yield Pv(name="NumThreads", kind=Int(low=1, high=1), doc="Threads of this plugin, always 1", group=PLUGIN_GROUP,
             read=lambda _: 1, put=lambda _o, _value: None, part=never)  # fmt: skip
    yield _constant("MaxThreads", Int(), "Threads that are possible", 1)
    yield Pv(name="ProcessPlugin", kind=Choice(("Done", "Process")), doc="Process the last image once more",
             group=PLUGIN_GROUP, read=lambda _: 0, put=_process, rbv=False, part=never)  # fmt: skip


def _attribute_rows() -> Iterator[PluginPv]:
    for name, field, doc in (
        ("NDAttributesFile", "attributes_file", "Attributes of what goes out: an XML file"),
        ("NDAttributesMacros", "attributes_macros", "Macros in the XML file"),
    ):
        yield replace(setting_row(name, Text(LONGEST_TEXT), doc, field), put=_put_attributes(field), rbv=False)
    yield Pv(name="NDAttributesStatus", kind=ATTRIBUTES_STATUS, doc="What became of the XML file", group=PLUGIN_GROUP,
             read=lambda s: s.attributes_status, rbv=False)  # fmt: skip


def _put_attributes(field: str) -> Callable[[Plugin[Any], str], Awaitable[None]]:
    async def put(plugin: Plugin[Any], value: str) -> None:
        plugin.change(**{field: value})
        await plugin.attributes.load()

    return put


def _idle_rows() -> Iterator[PluginPv]:
    """Yield what areaDetector has for each port, and what is of use for that of a camera only."""
    yield _constant("Acquire", DONE_ACQUIRING, "Unused: a plugin does not acquire", 0)
    yield _unused("Acquire", DONE_ACQUIRE, "Unused: a plugin does not acquire")
    yield _constant("AcquireBusy", DONE_ACQUIRING, "Unused: a plugin does not acquire", 0, rbv=False)
    yield _constant("AcquireBusyCB", DONE_ACQUIRING, "Unused: a plugin does not acquire", 0, rbv=False)
    yield _unused("WaitForPlugins", NO_YES, "Unused: a plugin does not acquire")
    yield _constant("AsynIO.CNCT", Choice(("Disconnect", "Connect")), "Always there", 1, rbv=False)


def _constant(name: str, kind: Kind, doc: str, value: Any, *, rbv: bool = True) -> PluginPv:
    return Pv(name=name, kind=kind, doc=doc, group=PLUGIN_GROUP, read=lambda _: value, rbv=rbv, part=never)


def _unused(name: str, kind: Kind, doc: str) -> PluginPv:
    return Pv(name=name, kind=kind, doc=doc, group=PLUGIN_GROUP, read=lambda _: 0, put=lambda _o, _value: None,
              rbv=False, part=never)  # fmt: skip


def _free(state: PluginState) -> int:
    return max(state.settings.queue_size - state.queued, 0)


def _inverse(number: float) -> float:
    return 1 / number if number else 0.0


async def _process(plugin: Plugin[Any], value: int) -> None:
    if value:
        await plugin.again()
