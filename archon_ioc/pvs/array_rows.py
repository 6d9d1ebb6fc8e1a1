"""Rows of areaDetector's NDArrayBase: what the camera and every plugin say of their images."""

from collections.abc import Callable, Iterator
from platform import python_version
from typing import Any, Generic, TypeVar

from archon_ioc import __version__
from archon_ioc.errors import InputError
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState
from archon_ioc.plugins.ndarray import DATA_TYPES, EPICS_EPOCH, ArrayState
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Pv, Text

S = TypeVar("S")
R = TypeVar("R")

CameraPv = Pv[CameraState, Operations]

ADCORE_VERSION = "3.15.0"
"""The release of ADCore whose records these are."""
PYTHON = f"Python {python_version()}"
DATA_TYPE = Choice(tuple(DATA_TYPES))
COLOR_MODE = Choice(("Mono", "Bayer", "RGB1", "RGB2", "RGB3", "YUV444", "YUV422", "YUV421"))
CONTROLLER_GROUP, EXPOSURE_GROUP, READOUT_GROUP, IMAGE_GROUP = "Controller", "Exposure", "Readout", "Image"
SHUTTER_GROUP, FILE_GROUP = "Shutter", "Files"
NO_YES = Choice(("No", "Yes"))
DISABLE_ENABLE = Choice(("Disable", "Enable"))
DONE_ACQUIRE, DONE_ACQUIRING = Choice(("Done", "Acquire")), Choice(("Done", "Acquiring"))


class Once(Generic[S, R]):
    """A function of a state whose last result is kept: many rows ask for the same."""

    def __init__(self, function: Callable[[S], R]) -> None:
        self._function = function
        self._last: tuple[S, R] | None = None

    def __call__(self, state: S) -> R:
        if self._last is None or self._last[0] is not state:
            self._last = state, self._function(state)
        return self._last[1]


def array_rows(array: Callable[[S], ArrayState], group: str = IMAGE_GROUP) -> Iterator[Pv[S, Any]]:
    """Yield the rows that the camera and each plugin have alike; ``array`` is what they say of their images.

    Sizes come first: clients look at them when a counter or the pixels change.
    """
    show = _Rows(array, group)
    yield Pv(name="ADCoreVersion", kind=Text(), doc="ADCore release of this interface", group=group,
             read=lambda _: ADCORE_VERSION)  # fmt: skip
    yield Pv(name="DriverVersion", kind=Text(), doc="Version of this program", group=group, read=lambda _: __version__)
    yield Pv(name="SDKVersion", kind=Text(), doc="Version of Python", group=group, read=lambda _: PYTHON)
    yield from _size_rows(array, group)
    yield show("BayerPattern", Choice(("RGGB", "GBRG", "GRBG", "BGGR")), "Order of colours, unused", lambda _: 0)
    yield show("Codec", Text(), "Compression of the image, none", lambda _: "")
    yield show("CompressedSize", Int("bytes"), "Size of the compressed image", lambda a: a.geometry.byte_count)
    yield show("UniqueId", Int(), "Number of the last image", lambda a: a.unique_id)
    yield show("TimeStamp", Float("s", 3), "Begin of its integration since 1990", lambda a: _since_1990(a.timestamp))
    yield show("EpicsTSSec", Int("s"), "Seconds since 1990 when it was ready", lambda a: int(_since_1990(a.published)))
    yield show("EpicsTSNsec", Int("ns"), "Nanoseconds of that", lambda a: int(a.published % 1 * 1e9))
    yield show("ArrayRate", Float("Hz", 2), "Images per second", lambda a: a.rate)


def _size_rows(array: Callable[[S], ArrayState], group: str) -> Iterator[Pv[S, Any]]:
    show = _Rows(array, group)
    yield Pv(name="NDimensions", kind=Int(), doc="Number of dimensions, always 2", group=group, read=lambda _: 2,
             put=lambda _o, value: require(value == 2, "an image has 2 dimensions"))  # fmt: skip
    for rbv in (True, False):
        yield show("Dimensions", Array(10), "Sizes, fastest first", lambda a: (*_size(a), *[0] * 8), rbv=rbv)
    for axis in range(10):
        for rbv in (False, True):
            yield show(f"ArraySize{axis}", Int("px"), f"Size of dimension {axis}", _axis(axis), rbv=rbv)
    for axis, name in enumerate("XYZ"):
        yield show(f"ArraySize{name}", Int("px"), f"Size of the image in {name}", _axis(axis))
    yield show("ArraySize", Int("bytes"), "Size of the image", lambda a: a.geometry.byte_count)
    yield Pv(name="ColorMode", kind=COLOR_MODE, doc="Mono, always", group=group, read=lambda _: 0,
             put=lambda _o, value: require(value == 0, "an image is Mono"))  # fmt: skip


def require(is_possible: bool, reason: str) -> None:
    """Refuse what is not possible.

    Raises:
        InputError: with the reason.
    """
    if not is_possible:
        raise InputError(reason)


class _Rows(Generic[S]):
    """Makes the rows of what a port says of its images."""

    def __init__(self, array: Callable[[S], ArrayState], group: str) -> None:
        self._array = array
        self._group = group

    def __call__(
        self, name: str, kind: Kind, doc: str, of: Callable[[ArrayState], Any], *, rbv: bool = True
    ) -> Pv[S, Any]:
        array = self._array
        return Pv(name=name, kind=kind, doc=doc, group=self._group, read=lambda state: of(array(state)), rbv=rbv)


def _size(array: ArrayState) -> tuple[int, int]:
    return array.geometry.width, array.geometry.height


def _axis(axis: int) -> Callable[[ArrayState], int]:
    return lambda array: _size(array)[axis] if axis < 2 else 0


def _since_1990(seconds: float) -> float:
    return seconds - EPICS_EPOCH if seconds else 0.0
