"""ControllerState: all that is known of one controller, as one frozen snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from archon_ioc.acf.estimate import ReadoutTimes
from archon_ioc.acf.file import Acf
from archon_ioc.driver.window import Window
from archon_ioc.protocol.enums import Power
from archon_ioc.protocol.replies import DeviceStatus, FrameStatus, SystemInfo


class Link(Enum):
    """The link to the controller. UP means in step: everything below was read on this connection."""

    DOWN = "down"
    SYNCING = "syncing"
    UP = "up"


class ConfigState(IntEnum):
    """What is known of the controller's configuration."""

    UNLOADED = 0
    LOADING = 1
    LOADED = 2
    APPLYING = 3
    APPLIED = 4
    MODIFIED = 5
    ERROR = 6


class Step(Enum):
    """What is being counted in a `Progress`."""

    READING_BACK = "reading back"
    READING_OUT = "reading out"
    WRITING = "writing"
    VERIFYING = "verifying"
    APPLYING = "applying"
    FETCHING = "fetching"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long operation is: ``done`` of ``total`` lines or blocks."""

    step: Step
    done: int
    total: int

    @property
    def percent(self) -> float:
        """The part that is done, 0 to 100."""
        return 100.0 * self.done / self.total if self.total else 100.0


@dataclass(frozen=True, slots=True)
class ControllerState:
    """One controller.

    ``doubtful`` are the keys of ``acf`` whose value is perhaps not in effect: it was written and not applied, or the
    outcome is not known. ``parameters`` are the timing script's values as far as this program set or loaded them.
    ``default_window`` is the window of the configuration as it was loaded.
    ``readout`` is how long the script takes for a readout, as predicted, and ``readout_left`` the seconds that are left
    of the one that is awaited.
    """

    name: str = "archon"
    link: Link = Link.DOWN
    reason: str = ""
    link_errors: int = 0
    system: SystemInfo | None = None
    status: DeviceStatus | None = None
    frames: FrameStatus | None = None
    config: ConfigState = ConfigState.UNLOADED
    config_message: str = ""
    config_file: str = ""
    acf: Acf | None = None
    doubtful: frozenset[str] = frozenset()
    parameters: Mapping[str, int] = field(default_factory=dict[str, int])
    window: Window | None = None
    default_window: Window | None = None
    upload: Progress | None = None
    readout: ReadoutTimes | None = None
    readout_left: float = 0.0
    fetch: Progress | None = None
    fetch_seconds: float = 0.0
    last_command: str = ""
    last_reply: str = ""
    log: tuple[str, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether the link can be used and the readings can be trusted."""
        return self.link is Link.UP

    @property
    def power(self) -> Power:
        """The CCD power as the controller reports it."""
        return self.status.power if self.status and self.is_up else Power.UNKNOWN

    @property
    def is_powered(self) -> bool:
        """Whether the CCD has its voltages."""
        return self.power is Power.ON
