"""p4p against the whole program: images as NTNDArray, and every record."""

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from .conftest import SHAPE

SCRIPT = "pva_script.py"


def digest(path: Path) -> str:
    return hashlib.sha256(np.ascontiguousarray(fits.getdata(path), "<u2").tobytes()).hexdigest()


def taken(ioc: Any) -> Path:
    """Return the last file that the camera wrote."""
    return max((ioc.folder / "fits").glob("*.fits"))


def expose(script: Any) -> None:
    assert script("put('cam1:AcquireTime', 0.01)") == ""
    assert script("put('cam1:Acquire', 1)") == ""


def test_an_image_is_the_one_that_was_filed(script: Any, ioc: Any) -> None:
    assert script("get('Pva1:PvName_RBV')") == "ARCHON:Pva1:Image"
    script("watch()")
    expose(script)
    image = script(f"next_image({script('image()')['uniqueId'] - 1})")
    assert image["id"].startswith("epics:nt/NTNDArray:1.")
    assert image["sha256"] == digest(taken(ioc))
    assert image["dtype"] == "uint16"
    assert [one["size"] for one in image["dimension"]] == [SHAPE[1], SHAPE[0]]
    assert [(one["offset"], one["binning"], one["reverse"]) for one in image["dimension"]] == [(0, 1, False)] * 2
    assert [one["fullSize"] for one in image["dimension"]] == [SHAPE[1], SHAPE[0]]
    assert image["attributes"]["ColorMode"] == 0
    assert image["uncompressedSize"] == image["compressedSize"] == 2 * SHAPE[0] * SHAPE[1]
    assert image["codec"]["name"] == ""
    for stamp in ("timeStamp", "dataTimeStamp"):
        assert abs(image[stamp]["secondsPastEpoch"] - time.time()) < 60, "seconds since 1970"


def test_numbers_of_images_count_up_and_none_is_shown_twice(script: Any) -> None:
    first = script("image()")["uniqueId"]
    for number in range(first + 1, first + 6):
        expose(script)
        assert script(f"next_image({number - 1})")["uniqueId"] == number


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cam1:AcquireTime", "epics:nt/NTScalar:1.0"),
        ("cam1:NumImages", "epics:nt/NTScalar:1.0"),
        ("cam1:ImageMode", "epics:nt/NTEnum:1.0"),
        ("cam1:Model_RBV", "epics:nt/NTScalar:1.0"),
        ("HDF1:FilePath", "epics:nt/NTScalar:1.0"),
        ("Stats1:Histogram_RBV", "epics:nt/NTScalarArray:1.0"),
    ],
)
def test_records_are_normative_types(script: Any, name: str, kind: str) -> None:
    facts = script(f"structure({name!r})")
    assert facts["id"] == kind
    assert {"alarm", "timeStamp"} <= set(facts)


def test_a_wrong_put_is_refused_with_its_reason(script: Any) -> None:
    assert script("put('cam1:ImageMode', 7)") != ""
    assert script("put('cam1:AcquireTime', float('nan'))") != ""
    assert script("put('cam1:Model_RBV', 'mine')") != ""
    expose(script)
