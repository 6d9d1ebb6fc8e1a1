"""Settings of the HDF5 plugin."""

import sys
from typing import Any

import pytest

from archon_ioc.errors import InputError
from archon_ioc.plugins.hdf5_settings import Compression, Hdf5Settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zlib_level": 10}, "zlib level is 0 to 9"),
        ({"extra_dimensions": 10}, "extra dimensions is 0 to 9"),
        ({"sizes": (0,) * 10}, "a size is a number from 1 on"),
        ({"rows_per_chunk": -1}, "a size is a number"),
        ({"compression": Compression.JPEG}, "lossless"),
        ({"blosc_compressor": 3}, "no Snappy"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Hdf5Settings().changed(**changes)


def test_a_filter_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Hdf5Settings().changed(compression=5).compression is Compression.BSLZ4
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(InputError, match=r"for BSLZ4 install archon-ioc\[codecs\]"):
        Hdf5Settings().changed(compression=5)
    assert Hdf5Settings().changed(compression=3).compression is Compression.ZLIB


@pytest.mark.parametrize(
    ("changes", "chunk"),
    [
        ({}, (1, 40, 60)),
        ({"frames_per_chunk": 8}, (8, 40, 60)),
        ({"frames_per_chunk": 0, "rows_per_chunk": 10}, (1, 40, 60)),
        ({"auto_chunks": False, "rows_per_chunk": 10, "columns_per_chunk": 100}, (1, 10, 60)),
        ({"extra_dimensions": 1, "sizes": (3, 4, *[1] * 8), "chunks": (1, 2, *[1] * 8)}, (2, 1, 40, 60)),
        ({"extra_dimensions": 2, "sizes": (3, 4, 5, *[1] * 7), "frames_per_chunk": 9}, (1, 1, 3, 40, 60)),
    ],
)
def test_chunks(changes: dict[str, Any], chunk: tuple[int, ...]) -> None:
    assert Hdf5Settings().changed(**changes).part(40, 60) == chunk


def test_the_slowest_dimension_comes_first() -> None:
    settings = Hdf5Settings().changed(sizes=(3, 4, 5, *[1] * 7))
    assert settings.scan == ()
    assert settings.changed(extra_dimensions=1).scan == (4, 3)
    assert settings.changed(extra_dimensions=2).scan == (5, 4, 3)
