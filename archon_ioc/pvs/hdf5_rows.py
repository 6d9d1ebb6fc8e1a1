"""Rows of HDF1: areaDetector's NDFileHDF5."""

from collections.abc import Callable, Iterator
from typing import Any

from archon_ioc.plugins.hdf5 import Hdf5Plugin
from archon_ioc.plugins.hdf5_settings import DIMENSIONS, LONGEST_LAYOUT
from archon_ioc.pvs.array_rows import FILE_GROUP, NO_YES, require
from archon_ioc.pvs.ndfile_rows import ndfile_rows
from archon_ioc.pvs.plugin_rows import PluginPv, plugin_rows
from archon_ioc.pvs.row import Choice, Float, Int, Kind, Pv, Text

HDF5_GROUP = "HDF5"
OFF_ON = Choice(("Off", "On"))
COMPRESSIONS = Choice(("None", "N-bit", "szip", "zlib", "Blosc", "BSLZ4", "LZ4", "JPEG"))

_SETTINGS: tuple[tuple[str, Kind, str, str], ...] = (
    ("ChunkSizeAuto", NO_YES, "Chunks as large as an image", "auto_chunks"),
    ("NumRowChunks", Int(low=0), "Rows of a chunk, 0 is all", "rows_per_chunk"),
    ("NumColChunks", Int(low=0), "Columns of a chunk, 0 is all", "columns_per_chunk"),
    ("NumFramesChunks", Int(low=0), "Images of a chunk", "frames_per_chunk"),
    ("NDAttributeChunk", Int(low=0), "Values of a chunk, 0 is as usual", "attribute_chunk"),
    ("BoundaryAlign", Int("bytes", low=0), "Align chunks to this, 0 is not", "boundary_align"),
    ("BoundaryThreshold", Int("bytes", low=0), "Smallest part that is aligned", "boundary_threshold"),
    ("NumExtraDims", Int(low=0, high=9), "Dimensions of a scan, beside N", "extra_dimensions"),
    ("PositionMode", OFF_ON, "Images say where they go, see PosNameDim", "position_mode"),
    ("DimAttDatasets", NO_YES, "Attributes have the scan's dimensions", "dimension_attributes"),
    ("StoreAttr", NO_YES, "Write the attributes of images", "store_attributes"),
    ("StorePerform", NO_YES, "Write how long it took", "store_performance"),
    ("FillValue", Float(precision=1), "Pixels that were not written", "fill_value"),
    ("SWMRMode", OFF_ON, "Others may read while it is written", "swmr"),
    ("NumFramesFlush", Int(low=0), "Images after which readers see them", "flush_every"),
    ("Compression", COMPRESSIONS, "How images are made smaller", "compression"),
    ("NumDataBits", Int("bit", low=1, high=64), "N-bit: bits of a pixel", "data_bits"),
    ("DataBitsOffset", Int("bit", low=0, high=63), "N-bit: its lowest bit", "bits_offset"),
    ("SZipNumPixels", Int("bit", low=2, high=32), "szip: pixels of a block", "szip_pixels"),
    ("ZLevel", Int(low=0, high=9), "zlib: effort", "zlib_level"),
    ("BloscShuffle", Choice(("None", "Byte", "Bit")), "Blosc: what is shuffled", "blosc_shuffle"),
    ("BloscCompressor", Choice(("BloscLZ", "LZ4", "LZ4HC", "SNAPPY", "ZLIB", "ZSTD")), "Blosc: compressor",
     "blosc_compressor"),
    ("BloscLevel", Int(low=0, high=9), "Blosc: effort", "blosc_level"),
    ("JPEGQuality", Int(low=1, high=100), "Unused: JPEG would change pixels", "jpeg_quality"),
)  # fmt: skip
_FLAGS = (NO_YES, OFF_ON)


def hdf5_rows(plugin: Hdf5Plugin) -> tuple[PluginPv, ...]:
    """Return the rows of the HDF5 plugin; what concerns its file comes before the end of a capture is shown."""
    settings = (
        _setting(name, kind, doc, (field, bool if kind in _FLAGS else None)) for name, kind, doc, field in _SETTINGS
    )
    return (
        *plugin_rows(plugin, FILE_GROUP), *settings, *_dimension_rows(), *_layout_rows(), *_result_rows(),
        *ndfile_rows(plugin.file_format),
    )  # fmt: skip


def _setting(name: str, kind: Kind, doc: str, of: tuple[str, Callable[[Any], Any] | None], more: str = "") -> PluginPv:
    field, convert = of

    async def put(plugin: Hdf5Plugin, value: Any) -> None:
        await plugin.set_hdf5(**{field: convert(value) if convert else value})

    return Pv(name=name, kind=kind, doc=doc, group=HDF5_GROUP, read=lambda s: getattr(s.hdf5, field), put=put,
              part=lambda s: s.hdf5, more=more)  # fmt: skip


def _dimension_rows() -> Iterator[PluginPv]:
    for index, name in enumerate(DIMENSIONS):
        yield _one_of(f"ExtraDimSize{name}", Int(low=1), f"Size of dimension {name} of a scan", ("sizes", index))
        yield _constant(f"ExtraDimName{name}", name, "Name of a dimension of a scan")
        yield _one_of(f"PosNameDim{name}", Text(), f"Attribute with the place in {name}", ("position_names", index))
        yield _index_row(name)
        if index:
            yield _one_of(f"ExtraDimChunk{name}", Int(low=1), f"Chunk in dimension {name} of a scan", ("chunks", index))
    for index in range(8):
        name, doc = f"ChunkSize{index + 2}", "Unused: images have 2 dimensions"
        yield _one_of(name, Int(low=0), doc, ("further_chunks", index))


def _one_of(name: str, kind: Kind, doc: str, of: tuple[str, int]) -> PluginPv:
    """Return the row of one of several values in one setting."""
    field, index = of

    async def put(plugin: Hdf5Plugin, value: Any) -> None:
        values = list(getattr(plugin.state.hdf5, field))
        values[index] = value
        await plugin.set_hdf5(**{field: tuple(values)})

    return Pv(name=name, kind=kind, doc=doc, group=HDF5_GROUP, read=lambda s: getattr(s.hdf5, field)[index],
              put=put, part=lambda s: s.hdf5)  # fmt: skip


def _constant(name: str, value: str, doc: str) -> PluginPv:
    return Pv(name=name, kind=Text(), doc=doc, group=HDF5_GROUP, read=lambda _: value)


def _index_row(name: str) -> PluginPv:
    def put(_: Hdf5Plugin, value: str) -> None:
        require(not value, "there are no index datasets: the attributes have the positions")

    return Pv(name=f"PosIndexDim{name}", kind=Text(), doc="Unused: attributes have the positions", group=HDF5_GROUP,
              read=lambda _: "", put=put)  # fmt: skip


def _layout_rows() -> Iterator[PluginPv]:
    yield _setting("XMLFileName", Text(LONGEST_LAYOUT), "Layout: a file, or XML", ("layout", None),
                   "areaDetector's hdf5_layout; empty: the default, with images in /entry/data/data.")  # fmt: skip
    yield Pv(name="XMLValid", kind=NO_YES, doc="Whether it is a layout", group=HDF5_GROUP,
             read=lambda s: s.results.layout_valid)  # fmt: skip
    yield Pv(name="XMLErrorMsg", kind=Text(256), doc="What is wrong with it", group=HDF5_GROUP,
             read=lambda s: s.results.layout_message)  # fmt: skip


def _result_rows() -> Iterator[PluginPv]:
    yield Pv(name="SWMRSupported", kind=Choice(("Not Supported", "Supported")), doc="Always supported",
             group=HDF5_GROUP, read=lambda _: 1)  # fmt: skip
    yield Pv(name="SWMRActive", kind=Choice(("Off", "Active")), doc="Whether others may read now", group=HDF5_GROUP,
             read=lambda s: s.results.swmr_active)  # fmt: skip
    yield Pv(name="SWMRCbCounter", kind=Int(), doc="How often readers were given images", group=HDF5_GROUP,
             read=lambda s: s.results.flushes)  # fmt: skip
    yield Pv(name="RunTime", kind=Float("s", 3), doc="From the first image to the end", group=HDF5_GROUP,
             read=lambda s: s.results.run_seconds, rbv=False)  # fmt: skip
    yield Pv(name="IOSpeed", kind=Float("Mbit/s", 1), doc="Speed in that time", group=HDF5_GROUP,
             read=lambda s: s.results.megabits, rbv=False)  # fmt: skip
    yield Pv(name="FlushNow", kind=Choice(("Done", "Flush")), doc="Let readers see all images now", group=HDF5_GROUP,
             read=lambda _: 0, put=_flush, rbv=False)  # fmt: skip


async def _flush(plugin: Hdf5Plugin, start: int) -> None:
    await plugin.flush(start)
