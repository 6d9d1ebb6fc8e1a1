"""Rows of areaDetector's NDArrayBase: what the camera and every plugin say of their images."""

from collections.abc import Callable, Iterator
from functools import partial
from platform import python_version
from typing import Any

from archon_ioc import __version__
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
_PYTHON = f"Python {python_version()}"
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
    """Return the name of the type of the last image's pixels; before the first one what the settings promise."""
    return state.image.data_type if state.image.unique_id else next_data_type(state)


def next_data_type(state: CameraState) -> str:
    """Return the name of the type that the next image's pixels have; sums take 32 bits."""
    acf = state.controller.acf
    is_long = state.settings.num_exposures > 1 or (acf is not None and acf.sample_mode.bytes_per_pixel == 4)
    return "UInt32" if is_long else "UInt16"


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
    yield _show("NumQueuedArrays", Int(), "Images on their way to clients", lambda s: s.queued, rbv=False)
    yield from _pool_rows()


def _identity_rows(port: str) -> Iterator[CameraPv]:
    yield _show("PortName", Text(), "Name in the plugin graph", lambda _: port)
    yield _show("ADCoreVersion", Text(), "ADCore release of this interface", lambda _: ADCORE_VERSION)
    yield _show("DriverVersion", Text(), "Version of this program", lambda _: __version__)
    yield _show("SDKVersion", Text(), "Version of Python", lambda _: _PYTHON)
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
    yield Pv(
        name="NDimensions",
        kind=Int(),
        doc="Number of dimensions, always 2",
        group=IMAGE_GROUP,
        read=lambda _: 2,
        put=lambda o, value: o.require(value == 2, "an image has 2 dimensions"),
    )
    yield _show("Dimensions", Array(10), "Sizes, fastest first", lambda s: (*size(s), *[0] * 8))
    yield _show("Dimensions", Array(10), "Sizes, fastest first", lambda s: (*size(s), *[0] * 8), rbv=False)
    for axis in range(10):
        for rbv in (False, True):
            yield _show(f"ArraySize{axis}", Int("px"), f"Size of dimension {axis}", _axis(axis), rbv=rbv)
    for axis, name in enumerate("XYZ"):
        yield _show(f"ArraySize{name}", Int("px"), f"Size of the image in {name}", _axis(axis))
    yield _show("ArraySize", Int("bytes"), "Size of the image", byte_count)


def _pool_rows() -> Iterator[CameraPv]:
    """The memory of images: the last one is kept until it is dropped or replaced, so that it can be written again."""
    one = partial(_show, rbv=False)
    yield one("PoolMaxMem", Float("MB", 1), "Limit of the memory, 0 is none", lambda _: 0.0)
    yield one("PoolUsedMem", Float("MB", 1), "Memory of the last image", lambda s: s.file.held_bytes / (1 << 20))
    yield one("PoolMaxBuffers", Int(), "Limit of the images, 0 is none", lambda _: 0)
    yield one("PoolAllocBuffers", Int(), "Images in memory", _kept)
    yield one("PoolUsedBuffers", Int(), "Images in memory and in use", _used_buffers)
    yield one("PoolFreeBuffers", Int(), "Images kept to be written again", lambda s: _kept(s) - _used_buffers(s))
    yield Pv(
        name="PoolPollStats",
        kind=Choice(("Done", "Poll")),
        doc="Unused: the numbers are always new",
        group=IMAGE_GROUP,
        read=lambda _: 0,
        put=lambda _o, _value: None,
        rbv=False,
    )
    yield Pv(
        name="EmptyFreeList",
        kind=Choice(("Done", "Empty")),
        doc="Give back the memory of the last image",
        group=IMAGE_GROUP,
        read=lambda _: 0,
        put=lambda o, value: o.filing.drop() if value else None,
        rbv=False,
    )


def _kept(state: CameraState) -> int:
    return int(state.file.held_bytes > 0)


def _used_buffers(state: CameraState) -> int:
    return _kept(state) if state.acquiring or state.file.writing else 0


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
