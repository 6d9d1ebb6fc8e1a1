"""ophyd-async's areaDetector classes and bluesky's RunEngine, unchanged, against the whole program."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from .conftest import SHAPE

SCRIPT = "ophyd_async_script.py"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("ADBaseIO", "cam1:"),
        ("NDPluginBaseIO", "image1:"),
        ("NDPluginBaseIO", "Pva1:"),
        ("NDROIIO", "ROI1:"),
        ("NDROIIO", "ROI2:"),
        ("NDStatsIO", "Stats1:"),
        ("NDStatsIO", "Stats2:"),
        ("NDFileHDF5IO", "HDF1:"),
        ("NDPluginFileIO", "TIFF1:"),
        ("NDPluginFileIO", "FITS1:"),
    ],
)
def test_every_signal_is_there_and_of_its_type(script: Any, name: str, suffix: str) -> None:
    assert script(f"connects({name!r}, {suffix!r})")


@pytest.fixture(autouse=True)
def files(script: Any) -> None:
    """The camera's own files, whatever was captured before."""
    script("restore_files()")


def taken(ioc: Any) -> list[Path]:
    """Return the FITS files of the camera in the order in which they were taken."""
    return sorted((ioc.folder / "fits").glob("*.fits"))


def digest(path: Path) -> str:
    return hashlib.sha256(np.ascontiguousarray(fits.getdata(path), "<u2").tobytes()).hexdigest()


@pytest.mark.parametrize("kind", ["hdf", "tiff", "fits"])
@pytest.mark.parametrize("images", [1, 3])
def test_steps_read_back_what_the_camera_took(script: Any, ioc: Any, kind: str, images: int) -> None:
    before = len(taken(ioc))
    found = script(f"count({kind!r}, 3, {images})")
    assert found["exit"] == "success"
    assert found["announced"] == 3
    assert found["shape"] == list(SHAPE)
    assert len(found["frames"]) == 3 * images
    if kind != "fits":
        assert found["frames"] == [digest(path) for path in taken(ioc)[before:]]


@pytest.mark.parametrize("kind", ["hdf", "tiff", "fits"])
def test_the_plan_that_everybody_uses(script: Any, kind: str) -> None:
    found = script(f"counted({kind!r}, 2)")
    assert (found["exit"], found["announced"], len(found["frames"])) == ("success", 2, 2)


@pytest.mark.parametrize("kind", ["hdf", "tiff", "fits"])
def test_a_flight_announces_every_frame_in_order(script: Any, kind: str) -> None:
    found = script(f"fly({kind!r}, 10)")
    assert (found["exit"], found["announced"], found["in_order"]) == ("success", 10, True)
    assert len(found["frames"]) == 10


def test_statistics_instead_of_files(script: Any, ioc: Any) -> None:
    found = script("count('stats', 3)")
    totals = [int(np.sum(fits.getdata(path), dtype=np.int64)) for path in taken(ioc)[-3:]]
    assert [values["ccd-stats-total"] for values in found["values"]] == totals


@pytest.mark.parametrize("kind", ["hdf", "tiff", "fits"])
def test_an_abort_ends_a_long_exposure_and_the_next_run_works(script: Any, kind: str) -> None:
    found = script(f"aborted({kind!r})")
    assert (found["exit"], found["state"]) == ("abort", "Aborted")
    assert script(f"count({kind!r}, 1)")["announced"] == 1


def test_the_page_for_users(script: Any, ioc: Any) -> None:
    (ioc.folder / "page").mkdir()
    steps, flight = script("page()")
    assert (steps["exit"], steps["announced"], len(steps["frames"])) == ("success", 3, 3)
    assert (flight["exit"], flight["announced"], len(flight["frames"])) == ("success", 20, 20)
    assert steps["frames"] + flight["frames"] == [digest(path) for path in taken(ioc)[-23:]]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("kind", "points"), [("hdf", 200), ("tiff", 50), ("fits", 50)])
def test_many_triggers_without_a_miss(script: Any, kind: str, points: int) -> None:
    found = script(f"count({kind!r}, {points})")
    assert (found["exit"], found["announced"], found["events"]) == ("success", points, points)
    assert len(set(found["frames"])) == points, "each point has its own image"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["hdf", "tiff", "fits"])
def test_two_hundred_frames_in_one_flight(script: Any, kind: str) -> None:
    found = script(f"fly({kind!r}, 200)")
    assert (found["exit"], found["announced"], found["in_order"]) == ("success", 200, True)
    assert len(found["frames"]) == 200


@pytest.mark.timeout(300)  # tiled's environment may have to be made
@pytest.mark.parametrize("kind", ["hdf", "tiff"])
def test_tiled_reads_what_was_announced(script: Any, beamline: Any, kind: str) -> None:
    found = script(f"count({kind!r}, 4)")
    (resource,) = found["resources"]
    key = found["data_keys"][resource["data_key"]]
    assert beamline(f"tiled_frames({resource!r}, {key!r}, 4)") == found["frames"]
