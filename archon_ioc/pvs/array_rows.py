"""Rows of areaDetector's NDArrayBase: what the camera and every plugin say of their images."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from platform import python_version
from typing import Any

from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState
from archon_ioc.pvs.row import Array, Choice, Float, Int, Pv, Text

CameraPv = Pv[CameraState, Operations]

ADCORE_VERSION = "3.15.0"
"""The release of ADCore whose records these are."""
DATA_TYPES = (
    "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64",
)  # fmt: skip
COLOR_MODES = ("Mono", "Bayer", "RGB1", "RGB2", "RGB3", "YUV444", "YUV422", "YUV421")
EPICS_EPOCH = 631_152_000
"""POSIX seconds of 1990-01-01."""
CONTROLLER_GROUP, EXPOSURE_GROUP, READOUT_GROUP, IMAGE_GROUP = "Controller", "Exposure", "Readout", "Image"
SHUTTER_GROUP, FILE_GROUP = "Shutter", "Files"
NO_YES = Choice(("No", "Yes"))
DISABLE_ENABLE = Choice(("Disable", "Enable"))


def size(state: CameraState) -> tuple[int, int]:
    """Return columns and rows of the last image; before the first one what the settings promise."""
    if state.image.unique_id:
        return state.image.width, state.image.height
    _, _, width, height = state.window
    window = state.controller.window
    hbin, vbin = (window.hbin, window.vbin) if window else (1, 1)
    return width // hbin, height // vbin


def data_type(state: CameraState) -> str:
    """Return the name of the pixels' type."""
    if state.image.unique_id or state.controller.acf is None:
        return state.image.data_type
    return "UInt32" if state.controller.acf.sample_mode.bytes_per_pixel == 4 else "UInt16"


def byte_count(state: CameraState) -> int:
    """Return the size of an image."""
    columns, rows = size(state)
    return columns * rows * (4 if data_type(state) == "UInt32" else 2)


def array_rows(port: str) -> Iterator[CameraPv]:
    """Yield the rows that the camera and each plugin have alike; ``port`` is their name in the plugin graph."""
    yield from _identity_rows(port)
    yield from _size_rows()
    yield _show("BayerPattern", Choice(("RGGB", "GBRG", "GRBG", "BGGR")), "Order of colours, unused", lambda _: 0)
    yield _show("Codec", Text(), "Compression of the image, none", lambda _: "")
    yield _show("CompressedSize", Int("bytes"), "Size of the compressed image", byte_count)
    yield _show("UniqueId", Int(), "Number of the last image", lambda s: s.image.unique_id)
    yield _show(
        "TimeStamp",
        Float("s", 3),
        "Time of the last image since 1990",
        lambda s: s.image.timestamp - EPICS_EPOCH if s.image.unique_id else 0.0,
    )
    yield _show(
        "EpicsTSSec",
        Int("s"),
        "Seconds of the time stamp since 1990",
        lambda s: int(s.image.timestamp) - EPICS_EPOCH if s.image.unique_id else 0,
    )
    yield _show("EpicsTSNsec", Int("ns"), "Nanoseconds of the time stamp", lambda s: int(s.image.timestamp % 1 * 1e9))
    yield _show("ArrayRate", Float("Hz", 2), "Images per second", lambda s: s.image.rate)
    yield _show("NumQueuedArrays", Int(), "Images not filed yet", lambda s: s.queued, rbv=False)


def _identity_rows(port: str) -> Iterator[CameraPv]:
    yield _show("PortName", Text(), "Name in the plugin graph", lambda _: port)
    yield _show("ADCoreVersion", Text(), "ADCore release of this interface", lambda _: ADCORE_VERSION)
    yield _show("DriverVersion", Text(), "Version of this program", lambda _: version("archon-ioc"))
    yield _show("SDKVersion", Text(), "Version of Python", lambda _: f"Python {python_version()}")
    yield _show("Manufacturer", Text(), "Manufacturer of the controller", lambda _: "STA")
    yield _show("Model", Text(), "Model of the controller", _of_system(_model), linked=True)
    yield _show(
        "SerialNumber",
        Text(),
        "Backplane ID",
        _of_system(lambda c: c.system and c.system.backplane_id),
        linked=True,
    )
    yield _show(
        "FirmwareVersion",
        Text(),
        "Backplane firmware",
        _of_system(lambda c: c.system and c.system.backplane_version),
        linked=True,
    )


def _size_rows() -> Iterator[CameraPv]:
    yield _show("NDimensions", Int(), "Number of dimensions", lambda _: 2)
    yield _show("NDimensions", Int(), "Number of dimensions", lambda _: 2, rbv=False)
    yield _show("Dimensions", Array(10), "Sizes, fastest first", lambda s: (*size(s), *[0] * 8))
    yield _show("Dimensions", Array(10), "Sizes, fastest first", lambda s: (*size(s), *[0] * 8), rbv=False)
    for axis in range(10):
        for rbv in (False, True):
            yield _show(f"ArraySize{axis}", Int("px"), f"Size of dimension {axis}", _axis(axis), rbv=rbv)
    for axis, name in enumerate("XYZ"):
        yield _show(f"ArraySize{name}", Int("px"), f"Size of the image in {name}", _axis(axis))
    yield _show("ArraySize", Int("bytes"), "Size of the image", byte_count)


def _show(
    name: str,
    kind: Text | Int | Float | Choice | Array,
    doc: str,
    read: Callable[[CameraState], Any],
    *,
    rbv: bool = True,
    linked: bool = False,
) -> CameraPv:
    return Pv(name=name, kind=kind, doc=doc, group=IMAGE_GROUP, read=read, rbv=rbv, linked=linked)


def _axis(axis: int) -> Callable[[CameraState], int]:
    return lambda state: size(state)[axis] if axis < 2 else 0


def _of_system(read: Callable[[ControllerState], Any]) -> Callable[[CameraState], Any]:
    return lambda state: read(state.controller)


def _model(controller: ControllerState) -> str | None:
    system = controller.system
    return f"Archon {system.backplane_type.name} rev {system.revision_letter}" if system else None
