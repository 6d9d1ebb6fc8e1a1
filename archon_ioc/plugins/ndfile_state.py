"""What is known of a file plugin: settings of NDFile, and what images themselves want of it."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from archon_ioc.errors import InputError
from archon_ioc.exposure.files import file_name, normal_path
from archon_ioc.exposure.settings import LARGEST_NUMBER, FileWriteMode
from archon_ioc.plugins.ndarray import Geometry, NDArray
from archon_ioc.plugins.plugin import PluginSettings, PluginState

LONGEST_SUFFIX = 16
LOOK_PERIOD = 2.0
"""Seconds between two looks at a folder."""
MESSAGE_LENGTH = 255
"""Characters of WriteMessage."""


@dataclass(frozen=True, slots=True)
class NDFileSettings:
    """Where and how a file plugin writes; names and meaning are those of NDFile."""

    path: str = ""
    name: str = "archon"
    template: str = "%s%s_%4.4d.dat"
    number: int = 1
    auto_increment: bool = True
    auto_save: bool = False
    create_directory: int = -3
    write_mode: FileWriteMode = FileWriteMode.SINGLE
    num_capture: int = 1
    """Images of a capture; 0: until it is stopped."""
    lazy_open: bool = True
    temp_suffix: str = ""
    delete_driver_file: bool = False

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        new = replace(new, path=normal_path(new.path), write_mode=FileWriteMode(new.write_mode))
        if not 0 <= new.number <= LARGEST_NUMBER:
            raise InputError(f"a file number is 0 to {LARGEST_NUMBER}, not {new.number}")
        if new.num_capture < 0:
            raise InputError("a capture has a number of images, or 0 for no end")
        if "/" in new.temp_suffix or len(new.temp_suffix) > LONGEST_SUFFIX:
            raise InputError(f"{new.temp_suffix!r} is not an ending of a file name")
        if "template" in changes:
            file_name(new.template, "/", "name", new.number)
        return new


@dataclass(frozen=True, slots=True)
class NDFileState(PluginState):
    """A file plugin, and what became of its last file."""

    settings: PluginSettings = field(default_factory=lambda: PluginSettings(array_callbacks=False))
    files: NDFileSettings = field(default_factory=NDFileSettings)
    path_exists: bool = False
    full_name: str = ""
    """The last file that was opened, by the name that it has in the end."""
    captured: int = 0
    """Images of this capture that are safe; while a buffer is written those that are still to be."""
    capturing: bool = False
    writing: bool = False
    error: bool = False
    message: str = ""


# Attributes of an image that steer file plugins, by areaDetector's names.
_NAME, _NUMBER = "FilePluginFileName", "FilePluginFileNumber"
_DESTINATION, _CLOSE, _DRIVER_FILE = "FilePluginDestination", "FilePluginClose", "DriverFileName"


def is_meant_for(array: NDArray, port: str) -> bool:
    """Return whether an image is for the file plugin with this name; without a destination it is for all."""
    wanted = str(_value(array, _DESTINATION) or "all").casefold()
    return wanted in ("all", port.casefold())


def names_its_file(array: NDArray) -> bool:
    """Return whether an image says what its file is called."""
    return _value(array, _NAME) is not None


def steered(files: NDFileSettings, array: NDArray) -> NDFileSettings:
    """Return the settings with name and number as the image wants them; its number is not counted up.

    Raises:
        InputError: if they cannot be used.
    """
    name, number = _value(array, _NAME), _value(array, _NUMBER)
    if name is not None:
        files = files.changed(name=str(name))
    if isinstance(number, int):
        files = files.changed(number=number, auto_increment=False)
    return files


def is_last(array: NDArray) -> bool:
    """Return whether the file is to be closed after this image."""
    value = _value(array, _CLOSE)
    return value is not None and value != 0


def driver_file(array: NDArray) -> str:
    """Return the name of the file that the driver itself has written of this image, empty if there is none."""
    return str(_value(array, _DRIVER_FILE) or "")


def require_same(array: NDArray, known: Geometry) -> None:
    """Check that an image fits into a file of images of one geometry.

    Raises:
        InputError: if it does not.
    """
    if array.geometry != known:
        raise InputError(f"image {array.unique_id} is {_words(array.geometry)}, its file has {_words(known)}")


def require_memory(count: int, geometry: Geometry, limit: int) -> None:
    """Check that ``count`` images of one geometry have room in ``limit`` bytes.

    Raises:
        InputError: if they do not.
    """
    each = geometry.byte_count
    if count * each > limit:
        room = limit // each
        raise InputError(f"there is memory for {room} images of {each / 1e6:.0f} MB, not for {count}; use Stream")


def shortened(message: str) -> str:
    """Return a message that fits; what a long name hides is at its end."""
    tail = MESSAGE_LENGTH - 105
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:100]} ... {message[-tail:]}"


def _words(geometry: Geometry) -> str:
    return f"{geometry.width} x {geometry.height} {geometry.data_type}"


def _value(array: NDArray, name: str) -> float | int | str | None:
    attribute = array.attributes.get(name)
    return None if attribute is None else attribute.value
