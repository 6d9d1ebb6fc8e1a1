"""The site file: frozen models, read once. Each part of the program gets only its own model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from archon_ioc.config_names import NamesConfig, PluginsConfig, PvName
from archon_ioc.errors import ConfigError

Seconds = Annotated[float, Field(gt=0)]
PythonName = Annotated[str, Field(pattern=r"^([^:]+:[A-Za-z_][A-Za-z0-9_.]*)?$")]
"""``module:attribute``, or ``file.py:attribute`` of a file beside the site file."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_Part = TypeVar("_Part", bound=_Model)


class ControllerConfig(_Model):
    """One Archon controller."""

    name: str = Field(default="archon", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    host: str = ""
    """Address; controllers leave the factory with 10.0.0.2."""
    port: int = Field(default=4242, ge=1, le=65535)
    acf: Path | None = None
    """Configuration file offered in ArchonConfigFile; it is never loaded by itself."""
    check: Literal["refuse", "warn", "off"] = "refuse"
    """Before an ACF is loaded: check it and refuse what is dangerous, only tell what is found, or do nothing."""
    status_period: Seconds = 1.0
    """Seconds between two STATUS requests."""
    frame_period: Seconds = 0.02
    """Seconds between two FRAME requests while a frame is awaited."""
    connect_timeout: Seconds = 5.0
    longest_retry: Seconds = 10.0
    """Longest pause between two attempts to connect."""


class LongIntegrationConfig(_Model):
    """A second parameter of the integration time, which the script adds to the first."""

    parameter: str
    unit: Literal["cs", "s"] = "cs"


class IntegrationConfig(_Model):
    """The timing-script parameter that holds the integration time; by default IntMS or IntCS, as the ACF has.

    It counts to 1000000. What takes longer needs a second parameter: ``long``, whose time is added, or ``multiplier``.
    """

    parameter: str | None = None
    unit: Literal["ms", "cs"] = "ms"
    long: LongIntegrationConfig | None = None
    multiplier: str | None = None

    @model_validator(mode="after")
    def _check_long(self) -> Self:
        if self.long and self.multiplier:
            raise ValueError("there is either long or multiplier")
        if self.long and self.long.unit == self.unit:
            raise ValueError("the unit of long must be a longer one")
        return self


class ScriptConfig(_Model):
    """Names of the timing script's parameters, and how long the script may take."""

    integration: IntegrationConfig = IntegrationConfig()
    exposures: str = "Exposures"
    continuous: str = "ContinuousExposures"
    readout: str = "ReadOut"
    abort: str = "AbortExposure"
    auto_flush: str = "AutoFlush"
    do_flush: str = "DoFlush"
    flush_count: str = "FlushCount"
    external_trigger: str = "ExternalTrigger"
    pause: str = "PauseExposure"
    pause_by_hold: bool = False
    """Whether an integration may be paused by holding the cores, and its rest be integrated as another one."""
    horizontal_binning: str = "HorizontalBinning"
    vertical_binning: str = "VerticalBinning"
    horizontal_binning_none: Literal[0, 1] | None = None
    """Value that means no horizontal binning; by default 0 where the configuration has 0, 1 otherwise."""
    vertical_binning_none: Literal[0, 1] | None = None
    """Value that means no vertical binning; by default 0 where the configuration has 0, 1 otherwise."""
    readout_start: Seconds = 30.0
    """Longest time from the end of the integration to the first line, beyond what the script is known to take."""
    readout_stall: Seconds = 10.0
    """Longest time without a new line during a readout, beyond what a line is known to take."""


_Lines = Annotated[int, Field(ge=0, le=65535)]
_WindowName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+.\-]+$", max_length=39)]


class WindowConfig(_Model):
    """A named window; what it does not give is as in the configuration that is loaded. Unbinned lines and pixels."""

    lines: _Lines | None = None
    pixels: _Lines | None = None
    preskiplines: _Lines | None = None
    postskiplines: _Lines | None = None
    preskippixels: _Lines | None = None
    postskippixels: _Lines | None = None
    overscanlines: _Lines | None = None
    overscanpixels: _Lines | None = None
    hbin: _Lines | None = None
    vbin: _Lines | None = None

    @property
    def changes(self) -> dict[str, int]:
        """What it gives, by name."""
        return self.model_dump(exclude_none=True)


class ExposureTypeConfig(_Model):
    """What an exposure can be for."""

    shutter: bool = True
    """Whether the shutter opens; with the FrameType Background it never does."""
    zero_time: bool = False
    """Whether it takes no time, whatever AcquireTime says."""
    frame_type: Literal["Normal", "Background", "FlatField"] = "Normal"
    """FrameType that goes with it."""
    word: str = Field(default="", pattern=r"^[ -~]*$", max_length=60)
    """IMAGETYP; by default its name."""


BUILT_IN_TYPES = {
    "object": ExposureTypeConfig(),
    "arc": ExposureTypeConfig(),
    "flat": ExposureTypeConfig(frame_type="FlatField"),
    "dark": ExposureTypeConfig(shutter=False, frame_type="Background"),
    "bias": ExposureTypeConfig(shutter=False, frame_type="Background", zero_time=True),
}
"""Exposure types that every site has."""


class FilesConfig(_Model):
    """Where images go until a client says otherwise."""

    path: Path = Path("data")
    name: str = "archon"
    template: str = "%s%s_%4.4d.fits"
    state: Path = Path("state")
    """Folder in which settings and the next file number are kept across restarts."""
    layout: Literal["ccd", "mef", "controller"] = "ccd"
    """A file per CCD, a file per CCD with an extension per amplifier, or a file with an extension per CCD."""
    compression: Literal["none", "gzip", "rice"] = "none"
    checksum: Literal["none", "md5", "sha1", "sha256"] = "none"
    """Sum that is written to a file of its own beside each image."""
    date_folder: Literal["none", "mjd", "sjd", "date"] = "none"
    """Folder of the night below ``path``."""
    sjd_offset: float = Field(default=0.0, ge=-1.0, le=1.0)
    """Days: the field ``{sjd}`` is the whole part of MJD plus this."""
    hemisphere: Literal["", "n", "s"] = ""
    """What the field ``{hemisphere}`` of a file name stands for."""


CardValue = str | int | float | bool
Cards = dict[str, tuple[CardValue, str]]
"""Keyword to value and comment."""
StatusCards = dict[str, tuple[str, str] | tuple[str, str, int]]
"""Keyword to a field of STATUS or SYSTEM, comment, and the number of digits to round to."""


class DetectorConfig(_Model):
    """One CCD: the taps that read it, in any order, and what the header says about it."""

    name: str = Field(pattern=r"^[A-Za-z0-9_\-]+$")
    taps: tuple[str, ...] = Field(min_length=1)
    """Tap names such as AD5L."""
    controller: str = ""
    """Name of the controller that reads it; by default the first."""
    serial: str = ""
    type: str = ""
    gain: tuple[float, ...] = ()
    """Electrons per ADU, one number per tap or one for all."""
    read_noise: tuple[float, ...] = ()
    """Electrons, one number per tap or one for all."""
    prescan: int | None = Field(default=None, ge=0)
    """Unbinned pixels that each tap reads in a line before those of the light area; by default none."""
    overscan: int | None = Field(default=None, ge=0)
    """Unbinned pixels that each tap reads in a line after them; by default those of the timing script's window."""
    overscan_lines: int | None = Field(default=None, ge=0)
    """Unbinned lines that each tap reads after the light area; by default those of the timing script's window."""
    flip_x: bool = False
    flip_y: bool = False
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees by which the image is turned counterclockwise, after it was flipped."""
    position: tuple[int, int] = (0, 0)
    """Unbinned pixels: where the first column and row of the image are in the mosaic of all CCDs, from 0."""
    exclude: bool = False
    """Whether there are no images of this CCD."""
    cards: Cards = {}
    """Header cards of this CCD only."""
    status: StatusCards = {}
    """Header cards of this CCD only, from what the controller says."""
    saturation: int | None = Field(default=None, ge=1)
    """ADU from which on the quick look counts a pixel as saturated; by default the end of the ADC's scale."""


class HeaderConfig(_Model):
    """Header cards of the site."""

    observatory: str = ""
    instrument: str = ""
    cards: Cards = {}
    """Further cards: keyword to value and comment."""
    status: StatusCards = {}
    """Further cards from what the controller says."""


class ShutterConfig(_Model):
    """The controller whose trigger output moves the shutter, and the PVs of one that another IOC drives."""

    controller: str = ""
    """Of several controllers that whose trigger output moves the shutter; by default the first."""
    open_pv: PvName = ""
    open_value: str = "1"
    close_pv: PvName = ""
    close_value: str = "0"
    status_pv: PvName = ""
    status_open: str = "1"
    hook: PythonName = ""
    """In place of PVs: an object with ``open`` and ``close``, or a class that makes one."""

    @model_validator(mode="after")
    def _check_hook(self) -> Self:
        if self.hook and (self.open_pv or self.close_pv):
            raise ValueError("a shutter is moved by a hook or by PVs")
        return self


class HooksConfig(_Model):
    """Python functions of the site that are called at certain moments of an exposure (exposure/hooks.py)."""

    pre_expose: PythonName = ""
    """Before each image; it may refuse it."""
    during_exposure: PythonName = ""
    """Beside each integration."""
    during_readout: PythonName = ""
    """Beside each readout."""
    post_process: PythonName = ""
    """When the files of an image have their names."""
    timeout: Seconds = 30.0
    """Seconds that one may take, or may go on when what it goes along with is over."""
    wait: bool = True
    """Whether Acquire ends when ``post_process`` has done its work."""


class SiteConfig(_Model):
    """Everything about one IOC: one camera."""

    prefix: PvName = "ARCHON:"
    controller: ControllerConfig = ControllerConfig()
    """The only controller …"""
    controllers: tuple[ControllerConfig, ...] = ()
    """… or several that expose together; the first one leads."""
    sync: Literal["host", "hardware"] = "host"
    """What starts several controllers together: commands sent at the same moment, or the first one by its SYNCOUT."""
    script: ScriptConfig = ScriptConfig()
    windows: dict[_WindowName, WindowConfig] = {}
    """Windows that ArchonWindowMode chooses by their names, beside "default"."""
    exposure_types: dict[_WindowName, ExposureTypeConfig] = {}
    """Exposure types beside object, arc, flat, dark and bias, by the names that ArchonExposureType takes."""
    files: FilesConfig = FilesConfig()
    detectors: tuple[DetectorConfig, ...] = ()
    """The CCDs; none means that the whole frame is one."""
    header: HeaderConfig = HeaderConfig()
    shutter: ShutterConfig = ShutterConfig()
    hooks: HooksConfig = HooksConfig()
    names: NamesConfig = NamesConfig()
    plugins: PluginsConfig = PluginsConfig()
    pvaccess: bool = True
    """Serve everything over PVAccess too, where the package p4p is installed."""
    image_bits: Literal[16, 32] | None = None
    """Width of image1:ArrayData; by default that of the ACF's SAMPLEMODE, 16 without an ACF."""
    temperature_sensor: str = ""
    """Sensor shown as TemperatureActual, MOD2/TEMPA for instance; by default the first of the first heater."""

    @property
    def units(self) -> tuple[ControllerConfig, ...]:
        """All controllers; the first one leads."""
        return self.controllers or (self.controller,)

    def detectors_of(self, controller: str) -> tuple[DetectorConfig, ...]:
        """Return the CCDs that a controller reads."""
        first = self.units[0].name
        return tuple(detector for detector in self.detectors if (detector.controller or first) == controller)

    def images_of(self, controller: str) -> tuple[str, ...]:
        """Return the names of the images that a controller's frame gives.

        Without CCDs the whole frame is one image, which has the name of the controller where there are several.
        """
        if detectors := self.detectors_of(controller):
            return tuple(detector.name for detector in detectors if not detector.exclude)
        return (controller if len(self.units) > 1 else "",)

    @property
    def image_names(self) -> tuple[str, ...]:
        """The names of all images of one exposure."""
        return tuple(name for unit in self.units for name in self.images_of(unit.name))

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if reserved := {"default", "custom"} & self.windows.keys():
            raise ValueError(f"no window can be called {' or '.join(sorted(reserved))}")
        return self

    @model_validator(mode="after")
    def _check_types(self) -> Self:
        if twice := BUILT_IN_TYPES.keys() & self.exposure_types.keys():
            raise ValueError(f"the exposure type {min(twice)} is there already")
        return self

    @model_validator(mode="after")
    def _check_controllers(self) -> Self:
        if self.controllers and "controller" in self.model_fields_set:
            raise ValueError("there is either controller or controllers")
        names = [unit.name for unit in self.units]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"two controllers have the name {twice[0]}")
        taken = set(self.names.model_dump().values())
        if len(names) > 1 and (wrong := [name for name in names if f"{name}:" in taken]):
            raise ValueError(f"a controller cannot be called {wrong[0]}, process variables are")
        if unknown := [d for d in self.detectors if d.controller not in ("", *names)]:
            raise ValueError(f"CCD {unknown[0].name}: there is no controller {unknown[0].controller}")
        if self.shutter.controller not in ("", *names):
            raise ValueError(f"the shutter: there is no controller {self.shutter.controller}")
        if twice := [name for name, count in Counter(self.image_names).items() if count > 1]:
            raise ValueError(f"two images have the name {twice[0]}")
        return self


def load(path: str | Path) -> SiteConfig:
    """Read a site file; the ACF that it names is looked for beside it.

    Raises:
        ConfigError: if it cannot be read or something in it is wrong; every problem is named with its place.
    """
    path = Path(path)
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(error.strerror or str(error), path=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not YAML: {error}", path=str(path)) from error
    site = validated({} if raw is None else raw, str(path))
    site = with_units(site, [_beside(path.parent, unit) for unit in site.units])
    parts = {"hooks": site.hooks, "shutter": site.shutter}
    return site.model_copy(update={name: _python_beside(path.parent, part) for name, part in parts.items()})


def with_units(site: SiteConfig, units: Sequence[ControllerConfig]) -> SiteConfig:
    """Return the site with other controllers."""
    update = {"controllers": tuple(units)} if site.controllers else {"controller": units[0]}
    return site.model_copy(update=update)


def _beside(folder: Path, unit: ControllerConfig) -> ControllerConfig:
    return unit.model_copy(update={"acf": folder / unit.acf}) if unit.acf else unit


def _python_beside(folder: Path, part: _Part) -> _Part:
    """Return it with the files of its Python names looked for beside the site file."""
    names = {key: value for key, value in part if isinstance(value, str) and ".py:" in value}
    return part.model_copy(update={key: str(folder / value) for key, value in names.items()})


def validated(raw: Any, path: str = "") -> SiteConfig:
    """Return the site that plain data describe.

    Raises:
        ConfigError: naming every problem with its place.
    """
    try:
        return SiteConfig.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ConfigError(problems, path=path) from error
