"""ophyd's areaDetector classes and bluesky's RunEngine, unchanged, against the whole program."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from .conftest import SHAPE

SCRIPT = "ophyd_script.py"

PARTS = ("cam1:", "image1:", "image2:", "ROI1:", "Stats1:", "Proc1:", "Pva1:", "HDF1:", "TIFF1:")

LINKS = {
    "AsynIO", "QueueFreeLow", "QueueUseHIGH", "QueueUseHIHI", "SortFreeLow", "MaxArrayRate_COUT", "SetXHOPR",
    "SetYHOPR", "ShutterFanout", "Reset1", "FileNumber_Sync", "FileNumber_write",
    *(f"Dim{n}SA{end}" for n in range(10) for end in ("", "_RBV")),
}  # fmt: skip
"""Records that only join others; ophyd lists them too, and connects to them when somebody asks for one."""

OLD = {"TSControl", "TSAcquiring", "TSCurrentPoint", "TSNumPoints", "TSRead"}
"""What areaDetector moved from Stats1: to Stats1:TS: in its release 3.3; ophyd's plain class knows the old names."""


@pytest.mark.parametrize("newest", [False, True], ids=["plain", "V34"])
@pytest.mark.parametrize("suffix", PARTS)
def test_what_ophyd_knows_is_there(script: Any, suffix: str, newest: bool) -> None:
    lost = {name.rpartition(":")[2] for name in script(f"unconnected({suffix!r}, {newest})")}
    assert lost - LINKS - (set() if newest else OLD) == set()


def files(ioc: Any) -> list[Path]:
    """Return the FITS files in the order in which they were taken."""
    return sorted((ioc.folder / "fits").glob("*.fits"))


def digest(path: Path) -> str:
    return hashlib.sha256(np.ascontiguousarray(fits.getdata(path), "<u2").tobytes()).hexdigest()


@pytest.mark.parametrize("kind", ["hdf", "tiff"])
@pytest.mark.parametrize("images", [1, 3])
def test_count_reads_back_what_the_camera_took(script: Any, ioc: Any, kind: str, images: int) -> None:
    before = len(files(ioc))
    found = script(f"count({kind!r}, 3, {images})")
    assert found["exit"] == "success"
    assert found["shapes"] == [[images, *SHAPE]] * 3
    assert found["described"]["shape"][-2:] == list(SHAPE)
    assert found["frames"] == [digest(path) for path in files(ioc)[before:]]


def test_scan_with_a_viewer_and_statistics(script: Any, ioc: Any) -> None:
    found = script("scan('plain', 4)")
    assert found["exit"] == "success"
    assert found["total"] == [int(np.sum(fits.getdata(path), dtype=np.int64)) for path in files(ioc)[-4:]]
    assert script("image_of('plain')") == digest(files(ioc)[-1])


def test_statistics_of_a_region(script: Any, ioc: Any) -> None:
    size, total = script("run_region('plain')")
    assert size == [8, 10]
    assert total == int(np.sum(fits.getdata(files(ioc)[-1])[0:10, 8:24], dtype=np.int64))


@pytest.mark.parametrize("kind", ["plain", "hdf", "tiff"])
def test_a_pause_and_a_resume_lose_nothing(script: Any, kind: str) -> None:
    found = script(f"interrupted({kind!r}, 4, 2)")
    assert found["exit"] == "success"
    assert len(found["total"]) == 4
    assert len(found["frames"]) == (0 if kind == "plain" else 4)


@pytest.mark.parametrize("kind", ["plain", "hdf", "tiff"])
def test_an_abort_ends_a_long_exposure_and_the_next_count_works(script: Any, kind: str) -> None:
    before = script(f"settings({kind!r})")
    found = script(f"aborted({kind!r})")
    assert found["exit"] == "abort"
    assert found["acquire"] == 0
    assert found["state"] in ("Aborted", "Idle")
    assert script(f"settings({kind!r})") == before
    assert script(f"count({kind!r}, 1)")["exit"] == "success"


def test_the_page_for_users(script: Any, ioc: Any) -> None:
    (ioc.folder / "page").mkdir()
    assert script("page()")["frames"] == [digest(path) for path in files(ioc)[-3:]]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("kind", "points"), [("hdf", 200), ("tiff", 50), ("plain", 50)])
def test_many_triggers_without_a_miss(script: Any, ioc: Any, kind: str, points: int) -> None:
    # SingleTrigger misses what is over before the client has looked, which on a busy machine takes a while.
    found = script(f"count({kind!r}, {points}, seconds=0.15)")
    assert found["exit"] == "success"
    assert len(found["total"]) == points
    assert found["frames"] == ([] if kind == "plain" else [digest(path) for path in files(ioc)[-points:]])
