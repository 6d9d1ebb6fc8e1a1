# pyright: standard, reportAttributeAccessIssue=false, reportIndexIssue=false
"""Writes HDF5 files as areaDetector's NDFileHDF5 does. Everything here blocks, and runs in the plugin's thread."""

import contextlib
import importlib
import os
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

from archon_ioc.errors import InputError, SaveError
from archon_ioc.plugins.hdf5_columns import Column, described
from archon_ioc.plugins.hdf5_layout import Dataset, Label, Layout
from archon_ioc.plugins.hdf5_settings import BLOSC_COMPRESSORS, Compression, Hdf5Settings
from archon_ioc.plugins.ndarray import DATA_TYPES, Attribute, NDArray
from archon_ioc.plugins.open_file import NO_RESERVING, Opening

HDF5_VERSION: str = h5py.version.hdf5_version
_LARGEST_CHUNK = 1 << 32
_SPARE_BYTES = 1 << 20
_COLUMN_BYTES = 1 << 17
"""What is reserved on the disk beyond the next image, for HDF5 itself and for the values of each attribute."""
_STEP_IMAGES, _STEP_BYTES = 8, 16 << 20
_PERFORMANCE = "/entry/instrument/performance"


class Hdf5Writer:
    """One open file. Room for an image is reserved before HDF5 is told of it: it cannot recover from a full disk.

    ``count`` is how many images it has, ``flushes`` how often readers were given them; ``begun`` and ``ended`` are
    when the first image came and when it was closed, on time.monotonic.
    """

    def __init__(self, opening: Opening, settings: Hdf5Settings, layout: Layout) -> None:
        """Make a file.

        Raises:
            SaveError: if it cannot be made; there is none then.
            InputError: if settings do not fit the images.
        """
        self.count = self.flushes = 0
        self.begun: float | None = None
        self.ended = 0.0
        self.image_bytes = 0
        self._opening, self._settings, self._layout = opening, settings, layout
        self._columns: dict[str, Column] = {}
        self._labels: list[tuple[str, Label]] = []
        self._performance: list[tuple[float, ...]] = []
        self._reserved = 0
        self._latest: Mapping[str, Attribute] = {}
        self._shape = () if opening.single else settings.scan
        with _failing(opening.name):
            self._h5 = _new_file(opening.path, settings)
        with contextlib.ExitStack() as undo:
            undo.callback(opening.path.unlink, missing_ok=True)
            undo.callback(self._h5.close)
            with _failing(opening.name):
                self._images = self._build()
            undo.pop_all()

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return bool(self._h5)

    @property
    def swmr_active(self) -> bool:
        """Whether others may read the file now, with SWMR."""
        return bool(self._h5) and bool(self._h5.swmr_mode)

    def write(self, array: NDArray) -> None:
        """Add an image, and with it what its attributes are.

        Raises:
            SaveError: if there is no room, or it cannot be written.
            InputError: if the image has no place in the scan.
        """
        began = time.monotonic()
        place = self._place(array)
        with _failing(self._opening.name):
            self._opening.path.stat()  # what goes into a removed file is lost
            self._reserve(max(self._chunk_bytes, array.pixels.nbytes), len(array.attributes))
            if self.count == 0:
                self._begin(array)
            self._put(array.pixels, place)
            self._latest = described(array)
            for column in self._columns.values():
                column.write(self._latest, place if self._settings.dimension_attributes else (self.count,))
            self.count += 1
            if self._settings.flush_every and self.count % self._settings.flush_every == 0:
                self.flush()
        self._measure(began, array.pixels.nbytes)

    def flush(self) -> None:
        """Let readers see all images.

        Raises:
            SaveError: if they cannot be written.
        """
        with _failing(self._opening.name):
            self._h5.flush()
        self.flushes += 1

    def close(self) -> None:
        """Close the file; it is on the disk then.

        Raises:
            SaveError: if it cannot be written; images up to the last flush may be there.
        """
        with _failing(self._opening.name):
            try:
                self._finish()
                size = self._h5.id.get_filesize()
            finally:
                self._h5.close()
            _settle(self._opening.path, size)
        self.ended = time.monotonic()

    def _build(self) -> h5d.DatasetID:
        """Make all that does not depend on the first image."""
        images = None
        for path, group in self._layout.walk():
            made = self._h5.require_group(path)
            self._label(made, group.labels)
            for dataset in group.datasets:
                if dataset.source == "detector":
                    images = self._make_images(path + dataset.name)
                    self._label(h5py.Dataset(images), dataset.labels)
                elif dataset.source == "constant":
                    self._label(made.create_dataset(dataset.name, data=dataset.constant), dataset.labels)
        self._link()
        if self._settings.store_performance and not self._opening.single and _PERFORMANCE in self._h5:
            self._h5[_PERFORMANCE].create_dataset("timestamp", (0, 5), "f8", maxshape=(None, 5), chunks=(1024, 5))
        self._h5.flush()
        if images is None:
            raise InputError("the layout has no place for images")
        return images

    def _make_images(self, path: str) -> h5d.DatasetID:
        opening, settings = self._opening, self._settings
        rows, columns = opening.geometry.height, opening.geometry.width
        properties = h5p.create(h5p.DATASET_CREATE)
        if opening.single:
            shape, largest, chunk = (rows, columns), (rows, columns), settings.part(rows, columns)[-2:]
        elif self._shape:
            shape, chunk = (*self._shape, rows, columns), settings.part(rows, columns)
            largest = shape
        else:
            shape, largest = (0, rows, columns), (h5s.UNLIMITED, rows, columns)
            chunk = settings.part(rows, columns)
        dtype = DATA_TYPES[opening.geometry.data_type]
        self._chunk, self._chunk_bytes = chunk, int(np.prod(chunk)) * dtype.itemsize
        if self._chunk_bytes >= _LARGEST_CHUNK:
            raise InputError(f"a chunk of {self._chunk_bytes / 1e9:.1f} GB is too large for HDF5")
        properties.set_chunk(chunk)
        properties.set_fill_value(np.asarray(settings.fill_value).astype(dtype))
        properties.set_fill_time(h5d.FILL_TIME_IFSET)
        _add_filter(properties, settings)
        access = h5p.create(h5p.DATASET_ACCESS)
        access.set_chunk_cache(521, max(1 << 20, self._chunk_bytes), 1.0)
        space = h5s.create_simple(shape, largest)
        links = h5p.create(h5p.LINK_CREATE)
        links.set_create_intermediate_group(True)
        return h5d.create(self._h5.id, path.encode(), _type_of(dtype, settings), space, properties, links, access)

    def _begin(self, array: NDArray) -> None:
        """Make what depends on the attributes of the first image; then readers may come."""
        self.begun = time.monotonic()
        self._latest = described(array)
        if self._settings.store_attributes:
            self._make_columns()
        self._link()
        if self._settings.swmr:
            self._write_labels()
            self._h5.swmr_mode = True

    def _make_columns(self) -> None:
        waiting = dict(self._latest)
        for path, dataset in self._layout.datasets():
            if dataset.source == "ndattribute" and dataset.ndattribute in self._latest:
                waiting.pop(dataset.ndattribute, None)
                self._make_column(path + dataset.name, dataset.ndattribute, dataset)
        if not self._layout.leaves_out:
            for name in waiting:
                self._make_column(self._layout.rest + name, name)

    def _make_column(self, path: str, name: str, dataset: Dataset | None = None) -> None:
        shape = self._shape if self._settings.dimension_attributes else ()
        count = 1 if self._opening.single or (dataset and dataset.once) else self._opening.count
        chunk = self._settings.attribute_chunk or min(count, 1 << 14)
        column = Column(self._h5, path, (name, self._latest[name]), shape, chunk)
        if dataset and dataset.once:
            column.write(self._latest, (0,) * max(len(shape), 1))
        else:
            self._columns[path] = column
        if dataset:
            self._label(self._h5[path], dataset.labels)

    def _label(self, made: Any, labels: tuple[Label, ...]) -> None:
        for label in labels:
            if label.ndattribute:
                self._labels.append((made.name, label))
            else:
                made.attrs[label.name] = _constant(label.constant)

    def _write_labels(self) -> None:
        """Write the attributes of groups and datasets that come from images."""
        for path, label in self._labels:
            if label.ndattribute in self._latest:
                self._h5[path].attrs[label.name] = self._latest[label.ndattribute].value
        self._labels.clear()

    def _link(self) -> None:
        """Make the links whose targets are there."""
        for path, group in self._layout.walk():
            for link in group.links:
                if link.target in self._h5 and path + link.name not in self._h5:
                    self._h5[path + link.name] = self._h5[link.target]

    def _place(self, array: NDArray) -> tuple[int, ...]:
        """Where in the scan an image goes."""
        settings = self._settings
        if self._opening.single:
            return ()
        if settings.position_mode:
            names = reversed(settings.position_names[: settings.extra_dimensions + 1])
            place = tuple(_index(array, name) for name in names)
        elif self._shape:
            beyond = self.count >= int(np.prod(self._shape))
            place = (-1,) if beyond else tuple(int(i) for i in np.unravel_index(self.count, self._shape))
        else:
            return (self.count,)
        if min(place) < 0 or any(i >= size for i, size in zip(place, self._shape, strict=False)):
            raise InputError(f"image {array.unique_id} has no place in a scan of {self._shape}")
        return place

    def _put(self, pixels: np.ndarray, place: tuple[int, ...]) -> None:
        if not self._opening.single and not self._shape and place[0] >= self._images.shape[0]:
            self._images.set_extent((place[0] + 1, *pixels.shape))
        is_chunk = self._chunk == (1,) * len(place) + pixels.shape
        pixels = np.ascontiguousarray(pixels)
        if is_chunk and self._settings.compression is Compression.NONE and pixels.dtype.isnative:
            self._images.write_direct_chunk((*place, 0, 0), pixels)
            return
        space = self._images.get_space()
        space.select_hyperslab((*place, 0, 0), (*((1,) * len(place)), *pixels.shape))
        self._images.write(h5s.create_simple(pixels.shape), space, pixels)

    def _reserve(self, needed: int, attributes: int) -> None:
        """Have the disk set room aside for the next image, and for some more while there is plenty."""
        used = self._h5.id.get_filesize()
        wanted = used + needed + needed // 64 + _SPARE_BYTES + _COLUMN_BYTES * attributes
        if wanted <= self._reserved:
            return
        try:
            self._allocate(used, wanted + min(_STEP_IMAGES * needed, _STEP_BYTES))
        except OSError as error:
            if error.errno in NO_RESERVING:
                return
            self._allocate(used, wanted)

    def _allocate(self, used: int, wanted: int) -> None:
        os.posix_fallocate(self._h5.id.get_vfd_handle(), used, wanted - used)
        self._reserved = wanted

    def _measure(self, began: float, image_bytes: int) -> None:
        now, first = time.monotonic(), self.begun or began
        self.image_bytes += image_bytes
        period = now - first - self._performance[-1][0] if self._performance else now - first
        speeds = (_megabits(image_bytes, period), _megabits(self.image_bytes, now - first))
        self._performance.append((now - first, now - began, period, *speeds))

    def _finish(self) -> None:
        self._write_labels()
        path = f"{_PERFORMANCE}/timestamp"
        if self._performance and path in self._h5:
            self._h5[path].resize(len(self._performance), axis=0)
            self._h5[path][...] = np.array(self._performance)
        self._h5.flush()


@contextlib.contextmanager
def _failing(path: Path) -> Generator[None]:
    """Say in few words what HDF5 says in many."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error).partition("\n")[0][:120]
        raise SaveError(str(path), reason) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path.name}: {str(error)[:120]}") from error


def _new_file(path: Path, settings: Hdf5Settings) -> h5py.File:
    # SWMR needs the file format of HDF5 1.10; without it every reader there is can read the file.
    versions = ("v110", "v110") if settings.swmr else ("earliest", "v110")
    aligned: dict[str, Any] = {
        "alignment_threshold": settings.boundary_threshold,
        "alignment_interval": settings.boundary_align,
    }
    return h5py.File(
        path, "x", libver=versions, locking="best-effort", **(aligned if settings.boundary_align else {})
    )  # fmt: skip


def _type_of(dtype: np.dtype, settings: Hdf5Settings) -> h5t.TypeID:
    made = h5t.py_create(dtype)
    if settings.compression is Compression.NBIT:
        if dtype.kind not in "iu" or settings.data_bits + settings.bits_offset > 8 * dtype.itemsize:
            raise InputError(f"{settings.data_bits} bits from bit {settings.bits_offset} are not in {dtype.name}")
        made = made.copy()
        made.set_precision(settings.data_bits)
        made.set_offset(settings.bits_offset)
    return made


def _add_filter(properties: h5p.PropDCID, settings: Hdf5Settings) -> None:
    kind = settings.compression
    if kind is Compression.NBIT:
        properties.set_filter(h5z.FILTER_NBIT, h5z.FLAG_OPTIONAL)
    elif kind is Compression.SZIP:
        if not h5z.filter_avail(h5z.FILTER_SZIP):
            raise InputError("this HDF5 has no szip")
        properties.set_szip(h5z.SZIP_NN_OPTION_MASK, settings.szip_pixels)
    elif kind is Compression.ZLIB:
        properties.set_deflate(settings.zlib_level)
    elif kind is not Compression.NONE:
        plugin = importlib.import_module("hdf5plugin")
        options = {
            Compression.BLOSC: lambda: plugin.Blosc(
                BLOSC_COMPRESSORS[settings.blosc_compressor], settings.blosc_level, settings.blosc_shuffle
            ),
            Compression.BSLZ4: lambda: plugin.Bitshuffle(cname="lz4"),
            Compression.LZ4: plugin.LZ4,
        }[kind]()
        properties.set_filter(options.filter_id, h5z.FLAG_OPTIONAL, options["compression_opts"])


def _index(array: NDArray, name: str) -> int:
    attribute = array.attributes.get(name)
    if attribute is None or not isinstance(attribute.value, int):
        raise InputError(f"image {array.unique_id} has no whole number {name or '(PosNameDim is empty)'} for its place")
    return attribute.value


def _constant(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value, "i4" if np.asarray(value).dtype.kind == "i" else "f8")


def _megabits(count: int, seconds: float) -> float:
    return 8e-6 * count / seconds if seconds > 0 else 0.0


def _settle(path: Path, size: int) -> None:
    """Give back what was reserved but not used, and wait for the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        if os.fstat(descriptor).st_size > size:
            os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
