"""ExposureSettings: what an operator sets before an exposure, kept across restarts."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

from archon_ioc.config import FilesConfig
from archon_ioc.errors import InputError
from archon_ioc.exposure.fields import DATE_FOLDERS
from archon_ioc.exposure.kept import KeptFile, differences, restored
from archon_ioc.image.fits import COMPRESSIONS, SUMS
from archon_ioc.image.layout import LAYOUTS

LONGEST_EXPOSURE = 36_000.0
"""Seconds; the timing script may allow less."""
MOST_FLUSHES = 1000
LARGEST_NUMBER = (1 << 31) - 1
"""Of what a record of 32 bits holds."""


class ImageMode(IntEnum):
    """How many images one Acquire takes."""

    SINGLE = 0
    MULTIPLE = 1
    CONTINUOUS = 2


class FrameType(IntEnum):
    """What an image is for, in areaDetector's words; DblCorrelation is what the Archon does by itself."""

    NORMAL = 0
    BACKGROUND = 1
    FLAT_FIELD = 2
    DBL_CORRELATION = 3


class TriggerMode(IntEnum):
    """What starts an exposure: the put on Acquire, or the controller's trigger input."""

    INTERNAL = 0
    EXTERNAL = 1


class ShutterMode(IntEnum):
    """Who moves the shutter: nobody, another IOC, or the Archon's trigger output."""

    NONE = 0
    EPICS_PV = 1
    DETECTOR = 2


class FileWriteMode(IntEnum):
    """How a file plugin writes: each image by itself, or those of a capture after it or as they come."""

    SINGLE = 0
    CAPTURE = 1
    STREAM = 2


_CHOICES: Mapping[str, type[IntEnum]] = {
    "image_mode": ImageMode,
    "frame_type": FrameType,
    "trigger_mode": TriggerMode,
    "shutter_mode": ShutterMode,
}


_WORDS: Mapping[str, Collection[str]] = {
    "layout": LAYOUTS,
    "compression": COMPRESSIONS,
    "checksum": SUMS,
    "date_folder": DATE_FOLDERS,
}


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Where and under what name files are written: areaDetector's NDFile words."""

    path: str = "data/"
    name: str = "archon"
    template: str = "%s%s_%4.4d.fits"
    number: int = 1
    auto_increment: bool = True
    auto_save: bool = True
    create_directory: int = -3
    layout: str = "ccd"
    compression: str = "none"
    checksum: str = "none"
    date_folder: str = "none"
    write_mode: FileWriteMode = FileWriteMode.SINGLE
    num_capture: int = 1
    """Images of a capture; 0: until it is stopped."""
    lazy_open: bool = False
    temp_suffix: str = ""
    delete_driver_file: bool = False

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        new = replace(self, **changes)
        new = replace(new, write_mode=FileWriteMode(new.write_mode))
        if not 0 <= new.number <= LARGEST_NUMBER:
            raise InputError(f"a file number is 0 to {LARGEST_NUMBER}, not {new.number}")
        if new.num_capture < 0:
            raise InputError("a capture has a number of images, or 0 for no end")
        for name, words in _WORDS.items():
            if getattr(new, name) not in words:
                raise InputError(f"{name.replace('_', ' ')} is one of {', '.join(words)}")
        return new


def default_files(config: FilesConfig) -> FileSettings:
    """Return what the site file says of files; clients of other folders and hosts must find them too."""
    return FileSettings(
        path=f"{config.path.absolute()}/",
        name=config.name,
        template=config.template,
        layout=config.layout,
        compression=config.compression,
        checksum=config.checksum,
        date_folder=config.date_folder,
    )


@dataclass(frozen=True, slots=True)
class ExposureSettings:
    """One consistent set of everything that an operator chooses. Times are in seconds, sizes in pixels."""

    seconds: float = 1.0
    period: float = 0.0
    image_mode: ImageMode = ImageMode.SINGLE
    num_images: int = 1
    num_exposures: int = 1
    frame_type: FrameType = FrameType.NORMAL
    trigger_mode: TriggerMode = TriggerMode.INTERNAL
    shutter_mode: ShutterMode = ShutterMode.DETECTOR
    shutter_open_delay: float = 0.0
    shutter_close_delay: float = 0.0
    min_x: int = 0
    min_y: int = 0
    size_x: int = 0  # 0: up to the edge
    size_y: int = 0
    reverse_x: bool = False
    reverse_y: bool = False
    array_callbacks: bool = True
    wait_for_plugins: bool = True
    quick_look: bool = True
    readout: bool = True
    readout_delay: float = 0.0
    exposure_type: str = ""  # none: what the FrameType says
    image_type: str = ""  # its word for IMAGETYP
    opens_shutter: bool = True
    zero_time: bool = False
    with_dark: bool = False
    flush_count: int = 1
    abort_flush: bool = False
    attributes_file: str = ""
    attributes_macros: str = ""
    header_file: str = ""
    header_json: str = ""
    files: FileSettings = FileSettings()

    @property
    def images(self) -> int | None:
        """How many images one Acquire takes, None for no end."""
        images = {ImageMode.SINGLE: 1, ImageMode.MULTIPLE: self.num_images}.get(self.image_mode)
        return 2 * images if images and self.adds_darks else images

    @property
    def takes_light(self) -> bool:
        """Whether the shutter opens."""
        return self.opens_shutter and self.frame_type is not FrameType.BACKGROUND

    @property
    def adds_darks(self) -> bool:
        """Whether a dark of the same length follows each image."""
        return self.with_dark and self.takes_light

    @property
    def host_moves_shutter(self) -> bool:
        """Whether we open and close the shutter, not the timing script."""
        return self.shutter_mode is ShutterMode.EPICS_PV and self.takes_light

    @property
    def holds_charge(self) -> bool:
        """Whether the readout does not follow the integration by itself."""
        return not self.readout or self.readout_delay > 0

    def of_image(self, number: int) -> Self:
        """Return the settings of one image of an acquisition, counted from 0."""
        if not (self.adds_darks and number % 2):
            return self
        return replace(self, frame_type=FrameType.BACKGROUND, exposure_type="dark", image_type="dark")

    def effective(self) -> Self:
        """Return the settings as an exposure uses them: a bias takes no time."""
        return replace(self, seconds=0.0) if self.zero_time else self

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense.
        """
        try:
            choices = {name: _CHOICES[name](changes[name]) for name in changes.keys() & _CHOICES.keys()}
        except ValueError as error:
            raise InputError(str(error)) from error
        new = replace(self, **changes | choices)
        if "frame_type" in changes and "exposure_type" not in changes:  # it says all
            new = replace(new, exposure_type="", image_type="", opens_shutter=True, zero_time=False)
        if not 0 <= new.seconds <= LONGEST_EXPOSURE:
            raise InputError(f"an exposure takes 0 to {LONGEST_EXPOSURE:g} s, not {new.seconds:g}")
        if not 1 <= new.flush_count <= MOST_FLUSHES:
            raise InputError(f"the CCD is flushed 1 to {MOST_FLUSHES} times, not {new.flush_count}")
        if min(new.num_images, new.num_exposures) < 1:
            raise InputError("there must be at least one image and one exposure")
        if not all(0 <= time < math.inf for time in _times(new)):
            raise InputError("a time is a number of seconds from 0 on")
        if min(new.min_x, new.min_y, new.size_x, new.size_y) < 0:
            raise InputError("a window cannot be negative")
        if new.frame_type is FrameType.DBL_CORRELATION:
            raise InputError("the Archon samples each pixel twice by itself; choose Normal")
        return new


def _times(settings: ExposureSettings) -> tuple[float, ...]:
    delays = settings.shutter_open_delay, settings.shutter_close_delay, settings.readout_delay
    return settings.period, *delays


class SettingsFile:
    """Keeps in a small JSON file what differs from the site's settings. The methods block.

    What nobody changed is not kept: where the site file says something new, it holds. Cameras that share a folder for
    their numbers are told apart by the ``prefix`` of their process variables.
    """

    def __init__(self, folder: Path, default: ExposureSettings, prefix: str = "") -> None:
        self._file = KeptFile(folder, "settings", prefix)
        self._default = default

    def load(self) -> ExposureSettings:
        """Return the kept settings; what is missing or wrong is taken from the site's and logged."""
        default, kept = self._default, self._file.load()
        if not kept:
            return default
        files = restored(default.files, self._file.part(kept, "files"))
        return restored(replace(default, files=files), {name: kept[name] for name in kept if name != "files"})

    def save(self, settings: ExposureSettings) -> None:
        """Write the settings, whole or not at all.

        Raises:
            SaveError: if the file cannot be written.
        """
        pairs = differences(self._default, settings)
        if "files" in pairs:
            pairs["files"] = differences(self._default.files, settings.files)
        self._file.save(pairs)
