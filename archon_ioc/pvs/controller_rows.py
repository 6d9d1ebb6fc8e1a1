"""Rows of the controller, with ADArchon's names where it has one, and of the IOC itself."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from archon_ioc.driver.prediction import readout_progress
from archon_ioc.driver.state import ConfigState, ControllerState, Link
from archon_ioc.exposure.operations import Operations
from archon_ioc.protocol.enums import BackplaneType, ModuleType
from archon_ioc.protocol.replies import RAILS, DeviceStatus, ModuleInfo, ModuleStatus, SystemInfo
from archon_ioc.pvs.array_rows import CONTROLLER_GROUP
from archon_ioc.pvs.row import AlarmLimits, Choice, Float, Int, Kind, Pv, Severity, Text

ControllerPv = Pv[ControllerState, Operations]
Put = Callable[[Operations, Any], Awaitable[object] | None]

POWER_GROUP, CONFIG_GROUP, MODULE_GROUP, IOC_GROUP = "Power", "Configuration", "Modules", "IOC"

# Limits of the power board's own supervision, V (protocol sheet, STATUS). The other rails are optional: they read 0
# where they are not installed.
_RAIL_LIMITS = {
    "P2V5": (2.1, 2.9),
    "P5V": (4.4, 5.6),
    "P6V": (5.5, 6.6),
    "N6V": (-6.6, -5.3),
    "P17V": (16.4, 17.5),
    "N17V": (-17.7, -16.6),
    "P35V": (34.3, 36.0),
}
# The first 16 types as ADArchon has them; newer ones are Unknown here, ArchonModuleTypeName has them all.
_MODULE_TYPES = (
    "None", "Driver", "AD", "LVBias", "HVBias", "Heater", "Unknown", "HS", "HVXBias", "LVXBias", "LVDS", "HeaterX",
    "XVBias", "ADF", "ADX", "ADLN",
)  # fmt: skip
_SLOTS = 12


def _local(
    name: str,
    kind: Kind,
    doc: str,
    group: str,
    read: Callable[[ControllerState], Any],
    *,
    put: Put | None = None,
    rbv: bool = True,
    linked: bool = False,
    optional: bool = False,
) -> ControllerPv:
    """Return a row that is valid without a link."""
    return Pv(name=name, kind=kind, doc=doc, group=group, read=read, put=put, rbv=rbv, linked=linked, optional=optional)


_row = partial(_local, linked=True)


def _of_status(read: Callable[[DeviceStatus], Any]) -> Callable[[ControllerState], Any]:
    return lambda state: read(state.status) if state.status else None


def _of_system(read: Callable[[SystemInfo], Any]) -> Callable[[ControllerState], Any]:
    return lambda state: read(state.system) if state.system else None


LINK_ROWS: tuple[ControllerPv, ...] = (
    _local("ArchonLink", Choice(("Disconnected", "Connected"), {"Disconnected": Severity.MAJOR}),
           "Link to the controller", CONTROLLER_GROUP, lambda s: s.is_up),
    _local("ArchonLinkErrors", Int(), "Times the link was lost", CONTROLLER_GROUP, lambda s: s.link_errors),
    _local("ArchonMessage", Text(256), "What is known of the link", CONTROLLER_GROUP,
           lambda s: s.reason if s.link is not Link.UP else s.config_message),
    _local("ArchonReconnect", Choice(("Done", "Reconnect")), "Drop the link and connect again", CONTROLLER_GROUP,
           lambda _: 0, put=lambda o, _value: o.controller.reconnect(), rbv=False),
    _row("ArchonBackplaneType", Choice(("None", "X12", "X16", "Unknown")), "Type of the backplane", CONTROLLER_GROUP,
         _of_system(lambda s: 3 if s.backplane_type is BackplaneType.UNKNOWN else int(s.backplane_type))),
    _row("ArchonBackplaneRev", Int(), "Revision of the backplane, 0 is A", CONTROLLER_GROUP,
         _of_system(lambda s: s.backplane_revision)),
    _row("ArchonBackplaneRevLetter", Text(), "Revision of the backplane", CONTROLLER_GROUP,
         _of_system(lambda s: s.revision_letter)),
    _row("ArchonBackplaneTemp", Float("C", 3), "Temperature of the backplane", CONTROLLER_GROUP,
         _of_status(lambda s: s.backplane_temperature)),
    _row("ArchonFan", Float("rpm", 0), "Speed of the fan", CONTROLLER_GROUP, _of_status(lambda s: s.fan_rpm)),
    _row("ArchonStatusCount", Int(), "Refreshes of STATUS by the controller", CONTROLLER_GROUP,
         _of_status(lambda s: s.count & 0x7FFFFFFF)),
    _row("ArchonLog", Text(2048), "Last entries of the controller's log", CONTROLLER_GROUP,
         lambda s: "\n".join(s.log)[-2047:]),
    _row("ArchonReset", Choice(("Done", "Reset")), "Abort, restart the timing script", CONTROLLER_GROUP,
         lambda _: 0, put=lambda o, value: o.reset(value), rbv=False),
)  # fmt: skip

POWER_ROWS: tuple[ControllerPv, ...] = (
    _row("ArchonPowerMode", Choice(("Off", "On")), "Switch the CCD power", POWER_GROUP, lambda s: s.is_powered,
         put=lambda o, value: o.power(value), rbv=False),
    _row("ArchonPowerMode",
         Choice(("Unknown", "NotConfigured", "Off", "Intermediate", "On", "Standby"),
                {"Unknown": Severity.INVALID, "NotConfigured": Severity.MINOR}),
         "State of the CCD power", POWER_GROUP, _of_status(lambda s: int(s.power))),
    _row("ArchonPowerStatus", Choice(("Faulted", "Ok"), {"Faulted": Severity.MAJOR}), "Supervision of the supply",
         POWER_GROUP, _of_status(lambda s: s.power_good)),
    _row("ArchonOverheated", Choice(("Ok", "Faulted"), {"Faulted": Severity.MAJOR}), "Controller too hot",
         POWER_GROUP, _of_status(lambda s: s.overheat)),
)  # fmt: skip


def _rail_rows() -> Iterator[ControllerPv]:
    for rail in RAILS:
        low, high = _RAIL_LIMITS.get(rail, (None, None))
        yield _row(f"ArchonRail:{rail}:V", Float("V", 3, alarms=AlarmLimits(lolo=low, hihi=high)),
                   f"Voltage of supply rail {rail}", POWER_GROUP, _rail(rail, "volts"))  # fmt: skip
        yield _row(f"ArchonRail:{rail}:I", Float("A", 3), f"Current of supply rail {rail}", POWER_GROUP,
                   _rail(rail, "amperes"))  # fmt: skip


def _rail(rail: str, what: str) -> Callable[[ControllerState], Any]:
    return _of_status(lambda status: getattr(status.rails.get(rail), what, None))


CONFIG_ROWS: tuple[ControllerPv, ...] = (
    _local("ArchonConfigFile", Text(256), "The ACF to load", CONFIG_GROUP, lambda s: s.config_file,
           put=lambda o, value: o.controller.choose_config(value)),
    _row("ArchonConfigLoad", Choice(("Done", "Load")), "Upload, verify, apply; power goes off", CONFIG_GROUP,
         lambda s: s.config in (ConfigState.LOADING, ConfigState.APPLYING), put=lambda o, value: o.load_config(value),
         rbv=False),
    _row("ArchonConfigStatus",
         Choice(("Unloaded", "Loading", "Loaded", "Applying", "Applied", "Modified", "Error"),
                {"Error": Severity.MAJOR, "Modified": Severity.MINOR}),
         "State of the configuration", CONFIG_GROUP, lambda s: int(s.config)),
    _row("ArchonConfigProgress", Float("%", 0), "Progress of the upload", CONFIG_GROUP,
         lambda s: s.upload.percent if s.upload else 100.0),
    _row("ArchonConfigLines", Int(), "Lines of the configuration", CONFIG_GROUP,
         lambda s: len(s.acf.keys) if s.acf else 0),
    _row("ArchonConfigHash", Text(80), "SHA-256 of the configuration", CONFIG_GROUP,
         lambda s: s.acf.digest if s.acf else ""),
    _row("ArchonTotalTaplines", Int(), "TAPLINES of the configuration", CONFIG_GROUP,
         lambda s: s.acf.number("TAPLINES", 0) if s.acf else 0),
    _row("ArchonActiveTaplines", Int(), "Taps that are used", CONFIG_GROUP, lambda s: len(s.acf.taps) if s.acf else 0),
    _row("ArchonPixelsPerTap", Int("px"), "Pixels per line of a tap", CONFIG_GROUP,
         lambda s: s.acf.pixel_count if s.acf else 0),
    _row("ArchonReadoutTime", Float("s", 3), "Time of a readout, predicted", CONTROLLER_GROUP,
         lambda s: s.readout.whole.seconds if s.readout else None),
    _row("ArchonLineTime", Float("ms", 4), "Time of a line, predicted", CONTROLLER_GROUP,
         lambda s: 1000 * s.readout.line.seconds if s.readout and s.readout.line else None),
    _row("ArchonReadoutProgress", Float("%", 1), "Progress of the readout", CONTROLLER_GROUP,
         lambda s: p.percent if (p := readout_progress(s)) else 100.0),
    _row("ArchonFetchProgress", Float("%", 1), "Progress of the fetch", CONTROLLER_GROUP,
         lambda s: s.fetch.percent if s.fetch else 100.0),
    _row("ArchonFetchTime", Float("s", 3), "Duration of the last fetch", CONTROLLER_GROUP, lambda s: s.fetch_seconds),
)  # fmt: skip


def _buffer_rows() -> Iterator[ControllerPv]:
    fields = (("Number", "frame", "Number of its frame", ""), ("Complete", "complete", "Whether it is whole", ""),
              ("Width", "width", "Width of its frame", "px"), ("Height", "height", "Height of its frame", "px"),
              ("Lines", "lines", "Lines of a tap so far", ""))  # fmt: skip
    for number in (1, 2, 3):
        for name, field, doc, unit in fields:
            kind = Choice(("No", "Yes")) if field == "complete" else Int(unit)
            yield _row(f"ArchonFrameBuffer{number}:{name}", kind, f"Buffer {number}: {doc}", CONTROLLER_GROUP,
                       _buffer(number, field))  # fmt: skip


def _buffer(number: int, field: str) -> Callable[[ControllerState], Any]:
    # The frame counter's width is not known; a record has 31 bits.
    return lambda state: getattr(state.frames.buffer(number), field) & 0x7FFFFFFF if state.frames else None


def _module_rows() -> Iterator[ControllerPv]:
    for slot in range(1, _SLOTS + 1):
        prefix = f"MOD{slot}:ArchonModule"
        yield _row(f"{prefix}Type", Choice(_MODULE_TYPES), f"Type of the module in slot {slot}", MODULE_GROUP,
                   _of_module(slot, _type_index, 0))  # fmt: skip
        yield _row(f"{prefix}TypeName", Text(), f"Type of the module in slot {slot}", MODULE_GROUP,
                   _of_module(slot, lambda m: m.type.label, "None"))  # fmt: skip
        yield _row(f"{prefix}Rev", Int(), f"Revision of the module in slot {slot}", MODULE_GROUP,
                   _of_module(slot, lambda m: m.revision, 0))  # fmt: skip
        yield _row(f"{prefix}Firmware", Text(), f"Firmware of the module in slot {slot}", MODULE_GROUP,
                   _of_module(slot, lambda m: m.version, ""))  # fmt: skip
        yield _row(f"{prefix}Id", Text(), f"ID of the module in slot {slot}", MODULE_GROUP,
                   _of_module(slot, lambda m: m.id, ""))  # fmt: skip
        yield _row(f"{prefix}Temp", Float("C", 3), f"Temperature of the module in slot {slot}", MODULE_GROUP,
                   _of_readings(slot, lambda m: m.temperature), optional=True)  # fmt: skip


def _type_index(module: ModuleInfo) -> int:
    unknown = module.type in (ModuleType.UNKNOWN, ModuleType.ATLAS) or module.type >= len(_MODULE_TYPES)
    return _MODULE_TYPES.index("Unknown") if unknown else int(module.type)


def _of_module(slot: int, read: Callable[[ModuleInfo], Any], empty: Any) -> Callable[[ControllerState], Any]:
    return _of_system(lambda system: read(module) if (module := system.module(slot)) else empty)


def _of_readings(slot: int, read: Callable[[ModuleStatus], Any]) -> Callable[[ControllerState], Any]:
    return _of_status(lambda status: read(module) if (module := status.modules.get(slot)) else None)


def _heater_rows() -> Iterator[ControllerPv]:
    for sensor in "ABC":
        yield _row(f"SEN{sensor}:ArchonSensorTemperature", Float("C", 3), f"Sensor {sensor} of the first heater",
                   MODULE_GROUP, _of_heater(lambda m, s=sensor: m.sensors.get(s)), optional=True)  # fmt: skip
    for heater in "AB":
        yield _row(f"HTR{heater}:ArchonHeaterOutput", Float("V", 3), f"Output {heater} of the first heater",
                   MODULE_GROUP, _of_heater(lambda m, h=heater: getattr(m.heaters.get(h), "volts", None)),
                   optional=True)  # fmt: skip


def _of_heater(read: Callable[[ModuleStatus], Any]) -> Callable[[ControllerState], Any]:
    def reading(status: DeviceStatus) -> Any:
        first = next((module for _, module in sorted(status.modules.items()) if module.sensors), None)
        return read(first) if first else None

    return _of_status(reading)


CONTROLLER_ROWS: tuple[ControllerPv, ...] = (
    *LINK_ROWS, *POWER_ROWS, *_rail_rows(), *CONFIG_ROWS, *_buffer_rows(), *_module_rows(), *_heater_rows(),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IocState:
    """The program itself."""

    heartbeat: int = 0
    started: str = ""
    uptime: str = ""
    process_id: int = 0
    host: str = ""


IOC_ROWS: tuple[Pv[IocState, Operations], ...] = (
    Pv(name="HEARTBEAT", kind=Int(), doc="Counts seconds while the IOC lives", group=IOC_GROUP,
       read=lambda s: s.heartbeat, rbv=False),
    Pv(name="UPTIME", kind=Text(), doc="Time since the start", group=IOC_GROUP, read=lambda s: s.uptime, rbv=False),
    Pv(name="STARTTOD", kind=Text(), doc="Time of the start", group=IOC_GROUP, read=lambda s: s.started, rbv=False),
    Pv(name="PROCESS_ID", kind=Int(), doc="Process number", group=IOC_GROUP, read=lambda s: s.process_id, rbv=False),
    Pv(name="HOSTNAME", kind=Text(), doc="Host", group=IOC_GROUP, read=lambda s: s.host, rbv=False),
)  # fmt: skip
