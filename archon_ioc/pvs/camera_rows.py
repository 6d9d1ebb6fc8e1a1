"""Rows of the camera and its image: areaDetector's ADBase and NDStdArrays."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.exposure.attribute_xml import LONGEST_TEXT
from archon_ioc.exposure.operations import Operations, heater_target
from archon_ioc.exposure.phase import Outcome, Phase
from archon_ioc.exposure.picture import ccd_temperature
from archon_ioc.exposure.settings import LONGEST_EXPOSURE, FrameType, ImageMode, ShutterMode, TriggerMode
from archon_ioc.exposure.state import CameraState, set_array_counter
from archon_ioc.plugins.feed import next_geometry
from archon_ioc.plugins.ndarray import ArrayState
from archon_ioc.protocol.replies import SystemInfo
from archon_ioc.pvs.array_rows import (
    ATTRIBUTES_STATUS,
    CONTROLLER_GROUP,
    DATA_TYPE,
    DISABLE_ENABLE,
    DONE_ACQUIRE,
    DONE_ACQUIRING,
    EXPOSURE_GROUP,
    FILE_GROUP,
    NO_YES,
    READOUT_GROUP,
    SHUTTER_GROUP,
    CameraPv,
    Once,
    array_rows,
)
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Severity, Text

DETECTOR_STATES = (
    "Idle", "Acquire", "Readout", "Correct", "Saving", "Aborting", "Error", "Waiting", "Initializing",
    "Disconnected", "Aborted",
)  # fmt: skip
CAMERA_PORT = "ARCHON"
"""What the camera is called in the plugin graph."""

_PHASES = {
    Phase.PREPARING: "Initializing",
    Phase.INTEGRATING: "Acquire",
    Phase.PAUSED: "Waiting",
    Phase.PENDING: "Waiting",
    Phase.READING: "Readout",
    Phase.FETCHING: "Readout",
    Phase.SAVING: "Saving",
    Phase.WAITING: "Waiting",
    Phase.ABORTING: "Aborting",
}


def detector_state(state: CameraState) -> str:
    """Return what areaDetector calls the state of the camera."""
    if state.phase is not Phase.IDLE:
        return _PHASES[state.phase]
    if not state.is_up:
        return "Disconnected"
    return {Outcome.FAILED: "Error", Outcome.ABORTED: "Aborted"}.get(state.outcome, "Idle")


def _next_array(state: CameraState) -> ArrayState:
    """Return what is known of the last image, with the geometry of the next one."""
    last = state.image
    return ArrayState(next_geometry(state), last.unique_id, last.timestamp, last.published, last.counter, last.rate)


def _identity_rows() -> Iterator[CameraPv]:
    yield Pv(name="PortName", kind=Text(), doc="Name in the plugin graph", group=CONTROLLER_GROUP,
             read=lambda _: CAMERA_PORT)  # fmt: skip
    yield Pv(name="Manufacturer", kind=Text(), doc="Manufacturer of the controller", group=CONTROLLER_GROUP,
             read=lambda _: "STA")  # fmt: skip
    for name, doc, read in _SYSTEM:
        yield Pv(name=name, kind=Text(), doc=doc, group=CONTROLLER_GROUP, read=_of_system(read), linked=True)


def _of_system(read: Callable[[SystemInfo], str]) -> Callable[[CameraState], str | None]:
    return lambda state: read(state.controller.system) if state.controller.system else None


_SYSTEM: tuple[tuple[str, str, Callable[[SystemInfo], str]], ...] = (
    ("Model", "Model of the controller", lambda s: f"Archon {s.backplane_type.name} rev {s.revision_letter}"),
    ("SerialNumber", "Backplane ID", lambda s: s.backplane_id),
    ("FirmwareVersion", "Backplane firmware", lambda s: s.backplane_version),
)


def _same(value: Any) -> Any:
    return value


def _setting(
    name: str,
    kind: Kind,
    doc: str,
    field: str,
    group: str = EXPOSURE_GROUP,
    *,
    convert: Callable[[Any], Any] = _same,
    rbv: bool = True,
    more: str = "",
) -> CameraPv:
    """Return the row of a field of the exposure settings."""

    def put(operations: Operations, value: Any) -> None:
        operations.camera.change(**{field: convert(value)})

    return Pv(
        name=name, kind=kind, doc=doc, group=group, read=lambda state: getattr(state.settings, field), put=put, rbv=rbv,
        part=_settings, more=more,
    )  # fmt: skip


def _settings(state: CameraState) -> object:
    return state.settings


ACQUISITION_ROWS: tuple[CameraPv, ...] = (
    _setting("AcquireTime", Float("s", 3, 0.0, LONGEST_EXPOSURE), "Exposure time", "seconds"),
    _setting("AcquirePeriod", Float("s", 3, 0.0, 10 * LONGEST_EXPOSURE), "Start to start of two images", "period"),
    Pv(
        name="TimeRemaining",
        kind=Float("s", 1),
        doc="Rest of exposure, then of the readout",
        group=EXPOSURE_GROUP,
        read=lambda s: max(c.readout_left for c in s.controllers) if s.phase is Phase.READING else s.remaining,
    ),
    _setting("NumExposures", Int(low=1, high=65535), "Exposures summed in one image", "num_exposures"),
    Pv(
        name="NumExposuresCounter",
        kind=Int(),
        doc="Exposures of this image so far",
        group=EXPOSURE_GROUP,
        read=lambda s: s.exposures_done,
    ),
    _setting("NumImages", Int(low=1), "Images of one Acquire, mode Multiple", "num_images"),
    _setting(
        "ImageMode",
        Choice(("Single", "Multiple", "Continuous")),
        "How many images one Acquire takes",
        "image_mode",
        convert=ImageMode,
    ),
    _setting(
        "TriggerMode",
        Choice(("Internal", "External")),
        "Start at once or by the trigger input",
        "trigger_mode",
        convert=TriggerMode,
    ),
    _setting(
        "FrameType",
        Choice(("Normal", "Background", "FlatField", "DblCorrelation")),
        "What the image is for",
        "frame_type",
        convert=FrameType,
        more="Background keeps the shutter closed. DblCorrelation is refused: the Archon does it by itself.",
    ),
    Pv(
        name="Gain",
        kind=Float("", 3, 1.0, 1.0),
        doc="Always 1: gains are in the ACF, per tap",
        group=EXPOSURE_GROUP,
        read=lambda _: 1.0,
        put=lambda _o, _value: None,
    ),
    _setting("WaitForPlugins", NO_YES, "Acquire waits for image clients", "wait_for_plugins", rbv=False, convert=bool,
             more="Files are waited for in any case: an exposure is done when it is on disk."),
    _setting("ArrayCallbacks", DISABLE_ENABLE, "Publish images", "array_callbacks", convert=bool),
    Pv(
        name="ArrayCounter",
        kind=Int(low=0),
        doc="Images since it was set to 0",
        group=EXPOSURE_GROUP,
        read=lambda s: s.image.counter,
        put=lambda o, value: set_array_counter(o.camera.live, value),
    ),
)  # fmt: skip

READOUT_ROWS: tuple[CameraPv, ...] = (
    Pv(name="MaxSizeX", kind=Int("px"), doc="Columns of a whole frame", group=READOUT_GROUP,
       read=lambda s: s.full_size[0], linked=True),
    Pv(name="MaxSizeY", kind=Int("px"), doc="Rows of a whole frame", group=READOUT_GROUP,
       read=lambda s: s.full_size[1], linked=True),
    Pv(name="BinX", kind=Int(low=1, high=64), doc="Horizontal binning on the CCD", group=READOUT_GROUP,
       read=lambda s: s.controller.window.hbin if s.controller.window else 1,
       put=lambda o, value: o.windows.set(hbin=value), linked=True),
    Pv(name="BinY", kind=Int(low=1, high=64), doc="Vertical binning on the CCD", group=READOUT_GROUP,
       read=lambda s: s.controller.window.vbin if s.controller.window else 1,
       put=lambda o, value: o.windows.set(vbin=value), linked=True),
    Pv(name="MinX", kind=Int("px", 0), doc="First column that is kept", group=READOUT_GROUP,
       read=lambda s: s.window[0], put=lambda o, value: o.windows.set_region(min_x=value)),
    Pv(name="MinY", kind=Int("px", 0), doc="First row that is kept", group=READOUT_GROUP,
       read=lambda s: s.window[1], put=lambda o, value: o.windows.set_region(min_y=value)),
    Pv(name="SizeX", kind=Int("px", 1), doc="Columns that are kept", group=READOUT_GROUP,
       read=lambda s: s.window[2], put=lambda o, value: o.windows.set_region(size_x=value)),
    Pv(name="SizeY", kind=Int("px", 1), doc="Rows that are kept", group=READOUT_GROUP,
       read=lambda s: s.window[3], put=lambda o, value: o.windows.set_region(size_y=value)),
    _setting("ReverseX", NO_YES, "Mirror left and right", "reverse_x", READOUT_GROUP, convert=bool),
    _setting("ReverseY", NO_YES, "Mirror top and bottom", "reverse_y", READOUT_GROUP, convert=bool),
    Pv(name="DataType", kind=DATA_TYPE, doc="Type of the pixels", group=READOUT_GROUP,
       read=lambda s: next_geometry(s).data_type, put=lambda o, value: o.set_data_type(value), linked=True,
       more="Of the next image. UInt16 and UInt32 choose the controller's SAMPLEMODE, the others are refused."),
    Pv(name="Temperature", kind=Float("C", 1, -250.0, 50.0), doc="Target of the first heater", group=CONTROLLER_GROUP,
       read=lambda s: heater_target(s.controller), put=lambda o, value: o.set_temperature(value), linked=True),
    Pv(name="TemperatureActual", kind=Float("C", 2), doc="Temperature of the CCD", group=CONTROLLER_GROUP,
       read=lambda s: ccd_temperature(s.controller, s.temperature_sensor), rbv=False, linked=True),
)  # fmt: skip

SHUTTER_ROWS: tuple[CameraPv, ...] = (
    _setting("ShutterMode", Choice(("None", "EPICS PV", "Detector output")), "Who moves the shutter", "shutter_mode",
             SHUTTER_GROUP, convert=ShutterMode),
    Pv(name="ShutterControl", kind=Choice(("Close", "Open")), doc="Move the shutter by hand", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_open, put=lambda o, value: o.camera.set_shutter(bool(value))),
    Pv(name="ShutterStatus", kind=Choice(("Closed", "Open")), doc="Whether the shutter is open", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_open, linked=True),
    _setting("ShutterOpenDelay", Float("s", 3, 0.0, 60.0), "Time to open, mode EPICS PV", "shutter_open_delay",
             SHUTTER_GROUP),
    _setting("ShutterCloseDelay", Float("s", 3, 0.0, 60.0), "Time to close, mode EPICS PV", "shutter_close_delay",
             SHUTTER_GROUP),
)  # fmt: skip

# What areaDetector has for a shutter of another IOC: here the PVs are in the site file, and this is what they are
# told. The names with a dot are fields of ADCore's records.
EPICS_SHUTTER_ROWS: tuple[CameraPv, ...] = (
    Pv(name="ShutterControlEPICS", kind=Choice(("Closed", "Open")), doc="Last word to the other IOC's shutter",
       group=SHUTTER_GROUP, read=lambda s: s.shutter_told, rbv=False),
    Pv(name="ShutterStatusEPICS", kind=Choice(("Closed", "Open")), doc="Last word to the other IOC's shutter",
       group=SHUTTER_GROUP, read=lambda s: s.shutter_told),
    Pv(name="ShutterFanout", kind=Choice(("Done", "Tell")), doc="Unused: the shutter is told at once",
       group=SHUTTER_GROUP, read=lambda _: 0, put=lambda _o, _value: None, rbv=False),
    Pv(name="ShutterOpenEPICS", kind=Float("", 0), doc="1 when the last word was to open", group=SHUTTER_GROUP,
       read=lambda s: float(s.shutter_told), rbv=False),
    Pv(name="ShutterCloseEPICS", kind=Float("", 0), doc="1 when the last word was to close", group=SHUTTER_GROUP,
       read=lambda s: float(not s.shutter_told), rbv=False),
    Pv(name="ShutterOpenEPICS.OUT", kind=Text(), doc="PV that opens the shutter", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_config.open_pv, rbv=False),
    Pv(name="ShutterOpenEPICS.OCAL", kind=Text(), doc="What opens the shutter", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_config.open_value, rbv=False),
    Pv(name="ShutterCloseEPICS.OUT", kind=Text(), doc="PV that closes the shutter", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_config.close_pv, rbv=False),
    Pv(name="ShutterCloseEPICS.OCAL", kind=Text(), doc="What closes the shutter", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_config.close_value, rbv=False),
    Pv(name="ShutterStatusEPICS_RBV.INP", kind=Text(), doc="PV that says how the shutter is", group=SHUTTER_GROUP,
       read=lambda s: s.shutter_config.status_pv, rbv=False),
)  # fmt: skip

# What an acquisition changes, in the order in which clients must see it: counters, state, and Acquire last.
STATE_ROWS: tuple[CameraPv, ...] = (
    Pv(name="StringToServer", kind=Text(256), doc="Last command to the controller", group=CONTROLLER_GROUP,
       read=lambda s: s.controller.last_command),
    Pv(name="StringFromServer", kind=Text(256), doc="Its reply", group=CONTROLLER_GROUP,
       read=lambda s: s.controller.last_reply, linked=True),
    Pv(name="ReadStatus", kind=Choice(("Done", "Read")), doc="Read STATUS and FRAME now", group=CONTROLLER_GROUP,
       read=lambda _: 0, put=lambda o, _value: o.refresh(), rbv=False, linked=True),
    Pv(name="AsynIO.CNCT", kind=Choice(("Disconnect", "Connect")), doc="Link to the controllers",
       group=CONTROLLER_GROUP, read=lambda s: s.is_up, rbv=False),
    Pv(name="NumImagesCounter", kind=Int(), doc="Images of this Acquire so far", group=EXPOSURE_GROUP,
       read=lambda s: s.images_done),
    Pv(name="StatusMessage", kind=Text(256), doc="What happened last, in words", group=EXPOSURE_GROUP,
       read=lambda s: s.message),
    Pv(name="DetectorState",
       kind=Choice(DETECTOR_STATES, {"Error": Severity.MAJOR, "Disconnected": Severity.INVALID}),
       doc="What the camera is doing", group=EXPOSURE_GROUP, read=detector_state),
    Pv(name="Acquire", kind=DONE_ACQUIRE, doc="1 takes images, 0 stops", group=EXPOSURE_GROUP,
       read=lambda s: s.acquiring, put=lambda o, value: o.acquire(value), rbv=False,
       more="A put with callback is answered when the last image is on disk."),
    Pv(name="Acquire", kind=DONE_ACQUIRING, doc="Whether images are being taken",
       group=EXPOSURE_GROUP, read=lambda s: s.acquiring),
    Pv(name="AcquireBusy", kind=DONE_ACQUIRING, doc="Whether images are being taken",
       group=EXPOSURE_GROUP, read=lambda s: s.acquiring, rbv=False),
    Pv(name="AcquireBusyCB", kind=DONE_ACQUIRING, doc="Whether images are being taken",
       group=EXPOSURE_GROUP, read=lambda s: s.acquiring, rbv=False),
)  # fmt: skip


def _attributes_setting(name: str, field: str, doc: str, more: str) -> CameraPv:
    async def put(operations: Operations, value: Any) -> None:
        await operations.camera.attributes.change(**{field: value})

    return Pv(name=name, kind=Text(LONGEST_TEXT), doc=doc, group=FILE_GROUP,
              read=lambda state: getattr(state.settings, field), put=put, rbv=False, more=more)  # fmt: skip


ATTRIBUTES_ROWS: tuple[CameraPv, ...] = (
    _attributes_setting("NDAttributesFile", "attributes_file", "Further header cards: an XML file",
                        "The name of a file or XML itself. CONST, and EPICS_PV of this IOC, become header cards."),
    _attributes_setting("NDAttributesMacros", "attributes_macros", "Macros in the XML file", "NAME=value, OTHER=value"),
    Pv(name="NDAttributesStatus",
       kind=ATTRIBUTES_STATUS,
       doc="What became of the XML file", group=FILE_GROUP, read=lambda s: s.attributes_status, rbv=False,
       more="StatusMessage_RBV says what is wrong."),
)  # fmt: skip

CAMERA_ROWS: tuple[CameraPv, ...] = (
    *_identity_rows(), *array_rows(Once(_next_array)), *ACQUISITION_ROWS, *READOUT_ROWS, *SHUTTER_ROWS,
    *EPICS_SHUTTER_ROWS, *ATTRIBUTES_ROWS, *STATE_ROWS,
)  # fmt: skip
