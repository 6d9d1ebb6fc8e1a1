"""What clients set of the HDF5 plugin; names and meaning are those of areaDetector's NDFileHDF5."""

import importlib.util
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Self

from archon_ioc.errors import InputError

DIMENSIONS = ("N", "X", "Y", "3", "4", "5", "6", "7", "8", "9")
"""Names of the dimensions of images: N is their number, the others are those of a scan."""
LONGEST_LAYOUT = 2048


class Compression(IntEnum):
    """How images are made smaller, in areaDetector's order."""

    NONE = 0
    NBIT = 1
    SZIP = 2
    ZLIB = 3
    BLOSC = 4
    BSLZ4 = 5
    LZ4 = 6
    JPEG = 7


_PLUGINS = (Compression.BLOSC, Compression.BSLZ4, Compression.LZ4)
BLOSC_COMPRESSORS = ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd")
_RANGES = {
    "frames_per_chunk": (0, 1 << 20),
    "attribute_chunk": (0, 1 << 20),
    "extra_dimensions": (0, len(DIMENSIONS) - 1),
    "flush_every": (0, 1 << 20),
    "data_bits": (1, 64),
    "bits_offset": (0, 63),
    "szip_pixels": (2, 32),
    "zlib_level": (0, 9),
    "blosc_level": (0, 9),
    "jpeg_quality": (1, 100),
}


@dataclass(frozen=True, slots=True)
class Hdf5Settings:
    """Where a number is of several dimensions, they are in the order of `DIMENSIONS`."""

    auto_chunks: bool = True
    """Whether a chunk is as large as an image."""
    rows_per_chunk: int = 0
    columns_per_chunk: int = 0
    frames_per_chunk: int = 1
    attribute_chunk: int = 0
    boundary_align: int = 0
    boundary_threshold: int = 1
    extra_dimensions: int = 0
    """Of a scan, beside N; then the sizes of all are fixed."""
    sizes: tuple[int, ...] = (1,) * len(DIMENSIONS)
    chunks: tuple[int, ...] = (1,) * len(DIMENSIONS)
    """Of the dimensions of a scan; that of N is ``frames_per_chunk``."""
    further_chunks: tuple[int, ...] = (0,) * 8
    """Of dimensions that images do not have: no effect."""
    position_mode: bool = False
    """Whether attributes of each image, named in ``position_names``, say where it goes."""
    position_names: tuple[str, ...] = ("",) * len(DIMENSIONS)
    dimension_attributes: bool = False
    """Whether attributes have the dimensions of the scan."""
    store_attributes: bool = True
    store_performance: bool = True
    fill_value: float = 0.0
    layout: str = ""
    """XML, or the name of a file that has it."""
    swmr: bool = False
    flush_every: int = 1
    compression: Compression = Compression.NONE
    data_bits: int = 16
    bits_offset: int = 0
    szip_pixels: int = 16
    zlib_level: int = 6
    blosc_shuffle: int = 1
    blosc_compressor: int = 0
    blosc_level: int = 5
    jpeg_quality: int = 90

    def changed(self, **changes: Any) -> Self:
        """Return a copy with other values.

        Raises:
            InputError: if a value makes no sense, or cannot be had here.
        """
        new = replace(self, **changes)
        new = replace(new, compression=Compression(new.compression))
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(new, name) <= high:
                raise InputError(f"{name.replace('_', ' ')} is {low} to {high}, not {getattr(new, name)}")
        if min(*new.sizes, *new.chunks) < 1 or min(new.rows_per_chunk, new.columns_per_chunk, new.boundary_align) < 0:
            raise InputError("a size is a number from 1 on")
        if BLOSC_COMPRESSORS[new.blosc_compressor] == "snappy":
            raise InputError("hdf5plugin has no Snappy")
        if new.compression is Compression.JPEG:
            raise InputError("JPEG would change pixels; the lossless ones are possible")
        if new.compression in _PLUGINS and importlib.util.find_spec("hdf5plugin") is None:
            raise InputError(f"for {new.compression.name} install archon-ioc[codecs]")
        return new

    @property
    def scan(self) -> tuple[int, ...]:
        """Sizes of the dimensions of a scan as the file has them, the slowest first; none without a scan."""
        return tuple(reversed(self.sizes[: self.extra_dimensions + 1])) if self.extra_dimensions else ()

    def part(self, rows: int, columns: int) -> tuple[int, ...]:
        """Return the shape of a chunk for images of a size."""
        if not self.auto_chunks:
            rows, columns = min(self.rows_per_chunk or rows, rows), min(self.columns_per_chunk or columns, columns)
        count = max(self.frames_per_chunk, 1)
        if not self.extra_dimensions:
            return count, rows, columns
        wanted = (count, *self.chunks[1:])[: self.extra_dimensions + 1]
        return (*(min(pair) for pair in zip(reversed(wanted), self.scan, strict=True)), rows, columns)


@dataclass(frozen=True, slots=True)
class Hdf5Results:
    """What is known of the last file: ``run_seconds`` and ``megabits`` a second, from its first image to its end."""

    swmr_active: bool = False
    flushes: int = 0
    run_seconds: float = 0.0
    megabits: float = 0.0
    layout_valid: bool = True
    layout_message: str = field(default="Default layout selected")
