"""What one frame shows: its geometry, the light on the CCD, and which part of the CCD is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from archon_ioc.acf.file import Acf
from archon_ioc.acf.framing import Format, Probe
from archon_ioc.acf.taps import TapArea, place
from archon_ioc.errors import ConfigError
from archon_ioc.protocol.enums import FrameMode, SampleMode

RAW_BLOCK_SAMPLES = 1024  # manual, RAWSAMPLES: rounded up to whole blocks
RAW_BLOCK_BYTES = 2 * RAW_BLOCK_SAMPLES  # raw samples have 16 bits in either sample mode

_LARGEST_COUNT = 65535  # manual: LINECOUNT and PIXELCOUNT are 1 to 65535
_OVERSCAN = 100  # without a word about it, one in so many pixels and lines is overscan


class Division(NamedTuple):
    """How the frame memory is divided: where each buffer begins, and the size of the ``used`` first ones."""

    bases: tuple[int, int, int]
    size: int
    used: int


BUFFERS = Division((0xA0000000, 0xC0000000, 0xE0000000), 512 << 20, 3)  # manual, FRAME: three of 512 MB …
BIG_BUFFERS = Division((0xA0000000, 0xD0000000, 0xD0000000), 768 << 20, 2)  # … or two, the third one listed only
REV_H_BIG_BUFFERS = Division((0x20000000, 0x50000000, 0x60000000), 768 << 20, 2)  # as a Rev H reports them


@dataclass(frozen=True, slots=True)
class RawWindow:
    """What raw capture records of a frame (manual, RAWENABLE).

    ``channel`` counts the video inputs from 0. Of each line from ``first_line`` on, ``lines`` of them, it records
    ``blocks`` times 1024 samples of 10 ns, from the PIXEL edge of ``first_pixel`` on. ``reset`` and ``video`` are
    the sampling windows of the correlated double sampling in ticks after the PIXEL edge.
    """

    channel: int
    first_line: int
    lines: int
    first_pixel: int
    blocks: int
    reset: tuple[int, int]
    video: tuple[int, int]

    @classmethod
    def of(cls, acf: Acf, line_count: int) -> Self | None:
        """Return the window of a configuration, None without raw capture."""
        first = acf.number("RAWSTARTLINE", 0)
        lines = min(acf.number("RAWENDLINE", 0), line_count - 1) - first + 1
        blocks = -(-acf.number("RAWSAMPLES", 0) // RAW_BLOCK_SAMPLES)
        if acf.number("RAWENABLE", 0) != 1 or lines < 1 or blocks < 1:
            return None
        reset, video = ((acf.number(f"{name}1", 0), acf.number(f"{name}2", 0)) for name in ("SHP", "SHD"))
        return cls(acf.number("RAWSEL", 0), first, lines, acf.number("RAWSTARTPIXEL", 0), blocks, reset, video)

    @property
    def samples(self) -> int:
        """How many samples of each line."""
        return self.blocks * RAW_BLOCK_SAMPLES

    @property
    def size(self) -> int:
        """Size of the whole capture in bytes."""
        return self.lines * self.blocks * RAW_BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Geometry:
    """The shape of a frame: what APPLYCDS settles."""

    areas: tuple[TapArea, ...]
    frame_mode: FrameMode
    sample_mode: SampleMode
    width: int
    height: int
    pixel_count: int
    line_count: int
    linescan: bool = False
    raw: RawWindow | None = None

    @classmethod
    def of(cls, acf: Acf) -> Self | None:
        """Return the geometry of a configuration, None if it describes no frame at all.

        Raises:
            ConfigError: if the taps, the counts or the modes are wrong.
        """
        if "PIXELCOUNT" not in acf and "LINECOUNT" not in acf:
            return None
        for key in ("PIXELCOUNT", "LINECOUNT"):
            if not 1 <= acf.number(key) <= _LARGEST_COUNT:
                raise ConfigError(f"{key}={acf.number(key)} is not 1 to {_LARGEST_COUNT}")
        if acf.frame_mode is FrameMode.UNKNOWN or acf.sample_mode is SampleMode.UNKNOWN:
            raise ConfigError("FRAMEMODE is 0 to 2, SAMPLEMODE 0 or 1")
        areas = place(acf.taps, acf.frame_mode, acf.pixel_count, acf.line_count)
        if not areas:
            return None
        height, width = acf.frame_shape
        geometry = cls(
            areas, acf.frame_mode, acf.sample_mode, width, height, acf.pixel_count, acf.line_count,
            acf.number("LINESCAN", 0) == 1, RawWindow.of(acf, acf.line_count),
        )  # fmt: skip
        room = (BIG_BUFFERS if acf.number("BIGBUF", 0) else BUFFERS).size
        if geometry.size > room:
            raise ConfigError(f"a frame of {geometry.size} bytes does not fit into a buffer of {room}")
        return geometry

    @property
    def format(self) -> Format:
        """What makes the frame whole."""
        raw = self.raw
        probe = Probe(raw.first_line, raw.first_pixel, raw.samples) if raw else None
        return Format(self.pixel_count, self.line_count, self.linescan, probe)

    @property
    def image_bytes(self) -> int:
        """Size of the image."""
        return self.width * self.height * self.sample_mode.bytes_per_pixel

    @property
    def raw_offset(self) -> int:
        """Where the raw capture begins in the buffer: behind the image, at a whole block."""
        return -(-self.image_bytes // RAW_BLOCK_BYTES) * RAW_BLOCK_BYTES

    @property
    def size(self) -> int:
        """Size of everything that a frame writes."""
        return self.raw_offset + self.raw.size if self.raw else self.image_bytes


@dataclass(frozen=True, slots=True)
class View:
    """Which part of the CCD the taps read; each has ``lines`` by ``pixels`` of it, counted in its reading order.

    Lines and pixels before ``first_line`` and ``first_pixel`` are skipped; ``line_bin`` lines and ``pixel_bin``
    pixels become one. What is read beyond the CCD is overscan, and so is what is read after lines or pixels were
    skipped a second time: ``read_lines`` and ``read_pixels`` are read before that, None if there is no such skip.
    """

    lines: int
    pixels: int
    first_line: int = 0
    first_pixel: int = 0
    line_bin: int = 1
    pixel_bin: int = 1
    read_lines: int | None = None
    read_pixels: int | None = None

    @classmethod
    def whole(cls, geometry: Geometry) -> Self:
        """Return the view of a frame about which nothing more is known: 1 % is overscan."""
        return cls(
            max(geometry.line_count - geometry.line_count // _OVERSCAN, 1),
            max(geometry.pixel_count - geometry.pixel_count // _OVERSCAN, 1),
        )

    def active(self, geometry: Geometry) -> tuple[int, int]:
        """Return how many lines and pixels of each tap's part of the image are on the CCD."""
        lines = -(-max(self.lines - self.first_line, 0) // self.line_bin)
        pixels = -(-max(self.pixels - self.first_pixel, 0) // self.pixel_bin)
        lines = lines if self.read_lines is None else min(lines, self.read_lines)
        pixels = pixels if self.read_pixels is None else min(pixels, self.read_pixels)
        return min(lines, geometry.line_count), min(pixels, geometry.pixel_count)


@dataclass(frozen=True, slots=True)
class Shot:
    """What the pixels of one frame show, settled when the frame starts."""

    frame: int
    geometry: Geometry
    light_seconds: float = 0.0
    """How long light fell on the CCD since it was cleared."""
    dark_seconds: float = 0.0
    """How long charge gathered, with or without light."""
    view: View | None = None

    @property
    def shown(self) -> View:
        """The part of the CCD that is read."""
        return self.view or View.whole(self.geometry)


class Ccd:
    """How big the CCD is, and which part of it a readout shows.

    Both follow from the parameters that the scripts of STA and SDSS have in common: ``Lines``, ``Pixels``,
    ``PreSkipLines``, ``PreSkipPixels``, ``PostSkipLines``, ``PostSkipPixels``, ``VerticalBinning`` and
    ``HorizontalBinning``. The CCD is as big as the
    largest readout of its taps that was configured.
    """

    def __init__(self) -> None:
        self._taps: tuple[str, ...] = ()
        self._lines = self._pixels = 0
        self._extra_bin = 0

    def learn(self, acf: Acf, geometry: Geometry) -> None:
        """Take notice of a configuration."""
        stored = {name.upper(): value for name, value in acf.parameters.items()}
        taps = tuple(area.tap.name for area in geometry.areas)
        if taps != self._taps:
            self._taps = taps
            self._lines = self._pixels = 0
            self._extra_bin = int(stored.get("HORIZONTALBINNING") == 0)
        whole, view = View.whole(geometry), self.view(stored)
        # Where the script reads no more than fits into the frame it does not say what of it is overscan.
        if (lines := stored.get("LINES", geometry.line_count)) < geometry.line_count or not self._lines:
            self._lines = max(self._lines, view.first_line + min(lines, whole.lines) * view.line_bin)
        if (pixels := stored.get("PIXELS", geometry.pixel_count)) < geometry.pixel_count or not self._pixels:
            self._pixels = max(self._pixels, view.first_pixel + min(pixels, whole.pixels) * view.pixel_bin)

    @property
    def lines(self) -> int:
        """How many lines of the CCD each tap has."""
        return self._lines

    def view(self, parameters: Mapping[str, int]) -> View:
        """Return the part of the CCD that a readout with these parameters, names in upper case, shows."""
        # HorizontalBinning is 1 without binning, or 0: then it counts the extra shifts (protocol sheet).
        return View(
            self._lines,
            self._pixels,
            parameters.get("PRESKIPLINES", 0),
            parameters.get("PRESKIPPIXELS", 0),
            max(parameters.get("VERTICALBINNING", 1), 1),
            max(parameters.get("HORIZONTALBINNING", 1 - self._extra_bin) + self._extra_bin, 1),
            parameters.get("LINES") if parameters.get("POSTSKIPLINES") else None,
            parameters.get("PIXELS") if parameters.get("POSTSKIPPIXELS") else None,
        )
