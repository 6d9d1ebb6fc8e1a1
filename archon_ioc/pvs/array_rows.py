"""Rows of areaDetector's NDArrayBase: what the camera and every plugin say of their images."""

from collections.abc import Callable, Iterator
from platform import python_version
from typing import Any, Generic, TypeVar

from archon_ioc import __version__
from archon_ioc.errors import InputError
from archon_ioc.exposure.operations import Operations
from archon_ioc.exposure.state import CameraState
from archon_ioc.plugins.ndarray import DATA_TYPES, EPICS_EPOCH, ArrayState, Geometry
from archon_ioc.pvs.row import Array, Choice, Float, Int, Kind, Pv, Severity, Text

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
ATTRIBUTES_STATUS = Choice(
    ("Attributes file OK", "File not found", "XML syntax error", "Macro substitution error"),
    dict.fromkeys(("File not found", "XML syntax error", "Macro substitution error"), Severity.MAJOR),
)
DONE_ACQUIRE, DONE_ACQUIRING = Choice(("Done", "Acquire")), Choice(("Done", "Acquiring"))


class Once(Generic[S, R]):
    """A function of a state whose results for the last two states are kept: many rows ask for the same."""

    def __init__(self, function: Callable[[S], R]) -> None:
        self._function = function
        self._known: list[tuple[S, R]] = []

    def __call__(self, state: S) -> R:
        for known, result in self._known:
            if known is state:
                return result
        result = self._function(state)
        self._known = [*self._known[-1:], (state, result)]
        return result


def array_rows(array: Callable[[S], ArrayState], group: str = IMAGE_GROUP) -> Iterator[Pv[S, Any]]:
    """Yield the rows that the camera and each plugin have alike; ``array`` is what they say of their images.

    Sizes come first: clients look at them when a counter or the pixels change.
    """
    rows = _Rows(array, group)
    yield rows.always("ADCoreVersion", Text(), "ADCore release of this interface", ADCORE_VERSION)
    yield rows.always("DriverVersion", Text(), "Version of this program", __version__)
    yield rows.always("SDKVersion", Text(), "Version of Python", PYTHON)
    yield from _size_rows(rows)
    yield rows.always("BayerPattern", Choice(("RGGB", "GBRG", "GRBG", "BGGR")), "Order of colours, unused", 0)
    yield rows.always("Codec", Text(), "Compression of the image, none", "")
    yield rows.of_size("CompressedSize", Int("bytes"), "Size of the compressed image", lambda g: g.byte_count)
    yield rows("UniqueId", Int(), "Number of the last image", lambda a: a.unique_id)
    yield rows("TimeStamp", Float("s", 3), "Begin of its integration since 1990", lambda a: _since_1990(a.timestamp))
    yield rows("EpicsTSSec", Int("s"), "Seconds since 1990 when it was ready", lambda a: int(_since_1990(a.published)))
    yield rows("EpicsTSNsec", Int("ns"), "Nanoseconds of that", lambda a: int(a.published % 1 * 1e9))
    yield rows("ArrayRate", Float("Hz", 2), "Images per second", lambda a: a.rate)


def _size_rows(rows: "_Rows[S]") -> Iterator[Pv[S, Any]]:
    yield rows.always("NDimensions", Int(), "Number of dimensions, always 2", 2, put=_put_dimensions)
    for rbv in (True, False):
        yield rows.of_size("Dimensions", Array(10), "Sizes, fastest first", lambda g: (*_size(g), *[0] * 8), rbv=rbv)
    for axis in range(10):
        for rbv in (False, True):
            yield rows.of_size(f"ArraySize{axis}", Int("px"), f"Size of dimension {axis}", _axis(axis), rbv=rbv)
    for axis, name in enumerate("XYZ"):
        yield rows.of_size(f"ArraySize{name}", Int("px"), f"Size of the image in {name}", _axis(axis))
    yield rows.of_size("ArraySize", Int("bytes"), "Size of the image", lambda g: g.byte_count)
    yield rows.always("ColorMode", COLOR_MODE, "Mono, always", 0, put=_put_color_mode)


def _put_dimensions(_: object, value: int) -> None:
    require(value == 2, "an image has 2 dimensions")


def _put_color_mode(_: object, value: int) -> None:
    require(value == 0, "an image is Mono")


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

    def of_size(
        self, name: str, kind: Kind, doc: str, of: Callable[[Geometry], Any], *, rbv: bool = True
    ) -> Pv[S, Any]:
        """Return the row of something that follows from the size."""
        array = self._array

        def geometry(state: S) -> Geometry:
            return array(state).geometry

        return Pv(name=name, kind=kind, doc=doc, group=self._group, read=lambda state: of(geometry(state)), rbv=rbv,
                  part=geometry)  # fmt: skip

    def always(
        self, name: str, kind: Kind, doc: str, value: Any, *, put: Callable[[Any, Any], None] | None = None
    ) -> Pv[S, Any]:
        """Return a row that shows always the same."""
        return Pv(name=name, kind=kind, doc=doc, group=self._group, read=lambda _: value, put=put, part=never)


def never(_: object) -> None:
    """The part of a state of which a row speaks that shows always the same."""


def _size(geometry: Geometry) -> tuple[int, int]:
    return geometry.width, geometry.height


def _axis(axis: int) -> Callable[[Geometry], int]:
    return lambda geometry: _size(geometry)[axis] if axis < 2 else 0


def _since_1990(seconds: float) -> float:
    return seconds - EPICS_EPOCH if seconds else 0.0
