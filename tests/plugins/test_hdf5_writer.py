# pyright: standard, reportAttributeAccessIssue=false, reportIndexIssue=false
"""HDF5 files, read back."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from archon_ioc.errors import InputError, SaveError
from archon_ioc.plugins.hdf5_layout import parse
from archon_ioc.plugins.hdf5_settings import Compression, Hdf5Settings
from archon_ioc.plugins.hdf5_writer import Hdf5Writer
from archon_ioc.plugins.ndarray import DATA_TYPES, Attribute, Geometry, NDArray
from archon_ioc.plugins.open_file import Opening
from tests.plugins.arrays import array

DATA = "/entry/data/data"
ATTRIBUTES = "/entry/instrument/NDAttributes"
assert hdf5plugin.get_config()  # reading needs its filters


def made(path: Path, geometry: Geometry, xml: str = "", *, single: bool = False, **settings: Any) -> Hdf5Writer:
    opening = Opening(path, path, geometry, single, 0)
    return Hdf5Writer(opening, Hdf5Settings().changed(**settings), parse(xml))


def written(path: Path, images: list[NDArray], xml: str = "", **settings: Any) -> Any:
    """Write images and return the file that they are in."""
    writer = made(path, images[0].geometry, xml, **settings)
    for image in images:
        writer.write(image)
    writer.close()
    return opened(path)


def opened(path: Path) -> Any:
    return h5py.File(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


@pytest.mark.parametrize("dtype", DATA_TYPES)
def test_every_type_of_pixels_can_be_read_back(path: Path, dtype: str) -> None:
    images = [array(number, (5, 7), dtype.lower()) for number in (1, 2, 3)]
    with written(path, images) as file:
        np.testing.assert_array_equal(file[DATA], [image.pixels for image in images])
        assert file[DATA].dtype == dtype.lower()
        assert file["/entry/instrument/detector/data"] == file[DATA]


def test_attributes_are_beside_the_images(path: Path) -> None:
    images = [
        replace(array(n), attributes={"Gain": Attribute(n / 2), "ColorMode": Attribute(0), "Filter": Attribute("V")})
        for n in (1, 2, 3)
    ]
    with written(path, images) as file:
        found = {name: list(values) for name, values in file[ATTRIBUTES].items()}
        assert found["NDArrayUniqueId"] == [1, 2, 3]
        assert found["Gain"] == [0.5, 1.0, 1.5]
        assert found["Filter"] == [b"V"] * 3
        assert "ColorMode" not in found  # it has a place of its own
        assert list(file["/entry/instrument/detector/NDAttributes/ColorMode"]) == [0, 0, 0]
        assert file["/entry/instrument/performance/timestamp"].shape == (3, 5)


def test_attributes_and_performance_can_be_left_out(path: Path) -> None:
    with written(path, [array()], store_attributes=False, store_performance=False) as file:
        assert list(file[ATTRIBUTES]) == []
        assert list(file["/entry/instrument/performance"]) == []


def test_a_single_image_needs_no_axis_for_its_number(path: Path) -> None:
    with written(path, [array(3)], single=True) as file:
        np.testing.assert_array_equal(file[DATA], array(3).pixels)


@pytest.mark.parametrize("kind", [kind for kind in Compression if kind is not Compression.JPEG])
@pytest.mark.parametrize("chunks", [1, 3])
def test_compressed_pixels_are_the_same(path: Path, kind: Compression, chunks: int) -> None:
    images = [array(number, (64, 64)) for number in range(1, 6)]
    more: dict[str, Any] = {"data_bits": 13, "zlib_level": 1, "frames_per_chunk": chunks}
    with written(path, images, compression=kind, **more) as file:
        np.testing.assert_array_equal(file[DATA], [image.pixels for image in images])
        assert file[DATA].chunks == (chunks, 64, 64)
        filters = file[DATA].id.get_create_plist().get_nfilters()
        assert filters == (kind is not Compression.NONE)


def test_bits_that_pixels_do_not_have(path: Path) -> None:
    with pytest.raises(InputError, match="17 bits from bit 0 are not in uint16"):
        made(path, array().geometry, compression=Compression.NBIT, data_bits=17)
    assert not path.exists()


@pytest.mark.parametrize("compressor", [0, 1, 2, 4, 5])
def test_compressors_of_blosc(path: Path, compressor: int) -> None:
    with written(path, [array()], compression=4, blosc_compressor=compressor, blosc_shuffle=2) as file:
        np.testing.assert_array_equal(file[DATA][0], array().pixels)


def test_smaller_chunks(path: Path) -> None:
    images = [array(number, (40, 60)) for number in (1, 2, 3)]
    chunks: dict[str, Any] = {
        "auto_chunks": False,
        "rows_per_chunk": 16,
        "columns_per_chunk": 17,
        "frames_per_chunk": 2,
    }
    with written(path, images, **chunks) as file:
        assert file[DATA].chunks == (2, 16, 17)
        np.testing.assert_array_equal(file[DATA], [image.pixels for image in images])


def test_chunks_that_hdf5_does_not_have(path: Path) -> None:
    with pytest.raises(InputError, match=r"a chunk of 8.6 GB is too large"):
        made(path, Geometry(1 << 16, 1 << 15), frames_per_chunk=2)
    assert not path.exists()


def test_a_scan_has_its_dimensions(path: Path) -> None:
    images = [array(number) for number in range(12)]
    scan = {"extra_dimensions": 2, "sizes": (2, 3, 2, *[1] * 7)}
    writer = made(path, images[0].geometry, dimension_attributes=True, fill_value=9, **scan)
    for image in images[:11]:
        writer.write(image)
    writer.close()
    with opened(path) as file:
        assert file[DATA].shape == (2, 3, 2, 4, 6)
        np.testing.assert_array_equal(file[DATA][1, 2, 0], images[10].pixels)
        assert (file[DATA][1, 2, 1] == 9).all()
        assert file[f"{ATTRIBUTES}/NDArrayUniqueId"][0, 2, 1] == 5


def test_a_scan_has_an_end(path: Path) -> None:
    writer = made(path, array().geometry, extra_dimensions=1, sizes=(1, 2, *[1] * 8))
    for number in (1, 2):
        writer.write(array(number))
    with pytest.raises(InputError, match=r"image 3 has no place in a scan of \(2, 1\)"):
        writer.write(array(3))
    writer.close()


def placed(number: int, **places: int | str) -> NDArray:
    return replace(array(number), attributes={name: Attribute(place) for name, place in places.items()})


def test_images_may_say_where_they_go(path: Path) -> None:
    names = ("n", "x", *[""] * 8)
    scan = {"extra_dimensions": 1, "sizes": (2, 3, *[1] * 8), "position_mode": True, "position_names": names}
    writer = made(path, array().geometry, **scan)
    writer.write(placed(1, n=1, x=2))
    writer.write(placed(2, n=0, x=0))
    for image, words in (
        (placed(3, n=2, x=0), "no place"), (placed(3, n=-1, x=0), "no place"), (placed(3, n=0), "number x"),
        (placed(3, n="0", x=0), "number n"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            writer.write(image)
    writer.close()
    with opened(path) as file:
        assert file[DATA].shape == (3, 2, 4, 6)
        np.testing.assert_array_equal(file[DATA][2, 1], array(1).pixels)
        np.testing.assert_array_equal(file[DATA][0, 0], array(2).pixels)


def test_positions_without_a_scan(path: Path) -> None:
    writer = made(path, array().geometry, position_mode=True, position_names=("n", *[""] * 9))
    for number in (3, 1):
        writer.write(placed(number, n=number))
    writer.close()
    with opened(path) as file:
        assert file[DATA].shape == (4, 4, 6)
        np.testing.assert_array_equal(file[DATA][3], array(3).pixels)


def test_a_layout_of_ones_own(path: Path) -> None:
    xml = """<hdf5_layout auto_ndattr_default="false"><group name="ours">
      <attribute name="site" source="constant" value="LCO"/>
      <attribute name="gain" source="ndattribute" ndattribute="Gain"/>
      <dataset name="frames" source="detector"><attribute name="n" source="constant" type="int" value="1,2"/></dataset>
      <dataset name="numbers" source="constant" type="float" value="1.5,2"/>
      <dataset name="gains" source="ndattribute" ndattribute="Gain"/>
      <dataset name="first" source="ndattribute" ndattribute="Gain" when="OnFileOpen"/>
      <dataset name="lost" source="ndattribute" ndattribute="Lost"/>
      <hardlink name="again" target="/ours/gains"/><hardlink name="never" target="/none"/>
    </group></hdf5_layout>"""
    images = [replace(array(n), attributes={"Gain": Attribute(n), "More": Attribute(1)}) for n in (1, 2)]
    for swmr in (False, True):
        with written(path.with_stem(f"swmr{swmr}"), images, xml, swmr=swmr) as file:
            ours = file["ours"]
            assert sorted(ours) == ["again", "first", "frames", "gains", "numbers"]
            assert list(ours["frames"].attrs["n"]) == [1, 2]
            assert (ours.attrs["site"], ours.attrs["gain"]) == ("LCO", 1 if swmr else 2)
            assert (list(ours["again"]), list(ours["first"]), list(ours["numbers"])) == ([1, 2], [1], [1.5, 2.0])


def test_disk_boundaries(path: Path) -> None:
    with written(path, [array()], boundary_align=1 << 16, boundary_threshold=32) as file:
        assert file[DATA].id.get_chunk_info(0).byte_offset % (1 << 16) == 0


READER = """
import sys, h5py
with h5py.File(sys.argv[1], "r", libver="latest", swmr=True) as file:
    for line in sys.stdin:
        data, ids = file["/entry/data/data"], file["/entry/instrument/NDAttributes/NDArrayUniqueId"]
        data.refresh()
        ids.refresh()
        print(len(data), int(data[-1, 0, 0]), list(map(int, ids)), flush=True)
"""


def test_others_read_while_it_is_written(path: Path) -> None:
    writer = made(path, array().geometry, swmr=True)
    assert not writer.swmr_active
    writer.write(array(1))
    assert writer.swmr_active
    command = [sys.executable, "-c", READER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin
        assert reader.stdout
        for number in (2, 3):
            writer.write(array(number))
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"{number} {number} {list(range(1, number + 1))}\n"
        reader.stdin.close()
    writer.close()
    assert (writer.flushes, writer.swmr_active, writer.is_open) == (3, False, False)


def test_files_are_flushed_as_often_as_is_wanted(path: Path) -> None:
    writer = made(path, array().geometry, flush_every=2)
    for number in (1, 2, 3):
        writer.write(array(number))
    assert writer.flushes == 1
    writer.flush()
    assert writer.flushes == 2
    writer.close()


def test_a_file_without_images_can_be_read(path: Path) -> None:
    made(path, array().geometry, swmr=True).close()
    with opened(path) as file:
        assert file[DATA].shape == (0, 4, 6)


@pytest.fixture
def full_disk() -> Iterator[Any]:
    """Return a function after which no file can have more than so many bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("swmr", [False, True])
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.BSLZ4])
def test_a_full_disk_costs_no_image_that_was_written(
    path: Path, full_disk: Any, *, swmr: bool, compression: Compression
) -> None:
    noise = np.random.default_rng(1).integers(0, 1 << 16, (1024, 1024), np.uint16)
    images = [array(number).with_pixels(noise + number) for number in range(30)]
    writer = made(path, images[0].geometry, swmr=swmr, compression=compression)
    writer.write(images[0])
    full_disk(24 << 20)

    def write_until_full() -> None:
        for image in images[1:]:
            writer.write(image)

    with pytest.raises(SaveError, match="File too large"):
        write_until_full()
    count = writer.count
    writer.close()
    assert 5 < count < 13
    with opened(path) as file:
        np.testing.assert_array_equal(file[DATA], [image.pixels for image in images[:count]])
        assert list(file[f"{ATTRIBUTES}/NDArrayUniqueId"]) == list(range(count))
    assert path.stat().st_size < (count + 1) << 21  # what was reserved is given back


def test_disks_that_reserve_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with written(path, [array()]) as file:
        assert len(file[DATA]) == 1


def test_a_file_that_was_removed_takes_no_more_images(path: Path) -> None:
    writer = made(path, array().geometry)
    writer.write(array(1))
    path.unlink()
    with pytest.raises(SaveError, match="No such file"):
        writer.write(array(2))
    assert writer.count == 1
    with pytest.raises(SaveError):
        writer.close()


def test_a_file_that_exists_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(SaveError, match="File exists"):
        made(path, array().geometry)
    assert path.read_text() == "precious"
