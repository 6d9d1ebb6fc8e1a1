"""CameraState: all that is known of the camera, as one frozen snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from archon_ioc.config import BUILT_IN_TYPES, ExposureTypeConfig, ShutterConfig, SiteConfig
from archon_ioc.driver.state import ControllerState
from archon_ioc.exposure import region
from archon_ioc.exposure.phase import Outcome, Phase, check_step
from archon_ioc.exposure.settings import ExposureSettings
from archon_ioc.image.quicklook import Amplifier
from archon_ioc.live import Live


@dataclass(frozen=True, slots=True)
class ImageState:
    """The last image; POSIX seconds: ``timestamp`` of the begin of integration, ``published`` when clients got it."""

    unique_id: int = 0
    timestamp: float = 0.0
    published: float = 0.0
    width: int = 0
    height: int = 0
    data_type: str = "UInt16"
    counter: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class FileState:
    """What became of the last file. ``held_bytes``: of the last image, which can still be written.

    ``captured`` images of the capture that goes on, or was last, are on the disk, ``filed`` since the program began.
    """

    path_exists: bool = False
    full_name: str = ""
    next_name: str = ""
    error: bool = False
    message: str = ""
    writing: bool = False
    held_bytes: int = 0
    captured: int = 0
    capturing: bool = False
    filed: int = 0


@dataclass(frozen=True, slots=True)
class JournalState:
    """What was exposed earlier and is not on the disk.

    ``pending`` is how many exposures there are, None before the journal was read; ``recovering`` is the one that is
    being recovered, and ``waiting`` says for what that waits.
    """

    pending: int | None = None
    recovering: str = ""
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera. ``acquiring`` is true from the accepted Acquire to the end of everything it started."""

    controllers: tuple[ControllerState, ...] = (ControllerState(),)
    settings: ExposureSettings = field(default_factory=ExposureSettings)
    phase: Phase = Phase.IDLE
    outcome: Outcome = Outcome.NONE
    acquiring: bool = False
    message: str = ""
    images_done: int = 0
    exposures_done: int = 0
    remaining: float = 0.0
    paused_seconds: float = 0.0  # of this exposure so far
    shutter_open: bool = False
    shutter_config: ShutterConfig = field(default_factory=ShutterConfig)
    shutter_told: bool = False  # the last word to a shutter of another IOC was to open
    temperature_sensor: str = ""
    window_modes: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    window_mode: str = ""  # the one that was chosen last
    keeps_whole: bool = False  # images are not cut
    attributes_status: int = 0
    queued: int = 0
    image: ImageState = field(default_factory=ImageState)
    file: FileState = field(default_factory=FileState)
    journal: JournalState = field(default_factory=JournalState)
    quick_look: tuple[Amplifier, ...] = ()
    exposure_types: Mapping[str, ExposureTypeConfig] = field(default_factory=lambda: BUILT_IN_TYPES)
    auto_flush: int = 2  # as configured
    hook_problem: str = ""  # what the site's own code did wrong in this acquisition

    @classmethod
    def at_start(cls, site: SiteConfig, controllers: Sequence[ControllerState], settings: ExposureSettings) -> Self:
        """Return that of a camera that has done nothing yet."""
        return cls(
            controllers=tuple(controllers),
            temperature_sensor=site.temperature_sensor,
            window_modes={name: window.changes for name, window in site.windows.items()},
            keeps_whole=bool(site.detectors) or len(controllers) > 1,
            shutter_config=site.shutter,
            exposure_types={**BUILT_IN_TYPES, **site.exposure_types},
            settings=settings,
        )

    @property
    def controller(self) -> ControllerState:
        """The controller that leads, or the only one."""
        return self.controllers[0]

    @property
    def is_up(self) -> bool:
        """Whether every controller can be used."""
        return all(controller.is_up for controller in self.controllers)

    def alone(self, name: str) -> Self:
        """Return the camera as if it had this controller only."""
        return replace(self, controllers=tuple(unit for unit in self.controllers if unit.name == name))

    @property
    def full_size(self) -> tuple[int, int]:
        """Columns and rows of a whole unbinned frame, 0 without a configuration."""
        return region.full_size(self.controller)

    @property
    def window(self) -> region.Rectangle:
        """First column, first row, columns and rows of the part of it that the next image shows, unbinned."""
        return region.kept(self.controller, self.settings, whole=self.keeps_whole)


def update(live: Live[CameraState], **changes: Any) -> None:
    """Replace fields of the state."""
    live.set(replace(live.value, **changes))


def set_array_counter(live: Live[CameraState], count: int) -> None:
    """Set the number of images counted so far."""
    update(live, image=replace(live.value.image, counter=count))


def enter(live: Live[CameraState], phase: Phase) -> None:
    """Take a step of the table of phases."""
    check_step(live.value.phase, phase)
    update(live, phase=phase)
