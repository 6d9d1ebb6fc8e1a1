"""Triggers and files of nslsii and apstools, and tiled's readers, against the whole program."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from .conftest import Script


def taken(ioc: Any, count: int) -> list[str]:
    """Return the digests of the last images that the camera filed."""
    paths = sorted((ioc.folder / "fits").glob("*.fits"))[-count:]
    return [digest(path) for path in paths]


def digest(path: Path) -> str:
    return hashlib.sha256(np.ascontiguousarray(fits.getdata(path), "<u2").tobytes()).hexdigest()


@pytest.mark.timeout(300)  # the environment may have to be made
def test_nslsii_waits_for_the_end_of_its_put(beamline: Script, ioc: Any) -> None:
    found = beamline("nsls_count(3, 2)")
    assert (found["exit"], found["frames_taken"]) == ("success", 6)
    totals = [event["ccd_stats_total"] for event in found["events"]]
    assert len(totals) == 3


@pytest.mark.parametrize("plugin", ["hdf1", "tiff1"])
def test_apstools_finds_a_primed_plugin_and_reads_back_what_was_taken(beamline: Script, ioc: Any, plugin: str) -> None:
    assert beamline(f"primed({plugin!r})")
    found = beamline(f"aps_count({plugin!r}, 3)")
    assert found["exit"] == "success"
    assert found["frames"] == taken(ioc, 3)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("call", ["nsls_count(50, 1)", "aps_triggers(50)"])
def test_fifty_triggers_without_a_miss(beamline: Script, ioc: Any, call: str) -> None:
    found = beamline(call)
    assert (found["exit"], found["frames_taken"], len(found["events"])) == ("success", 50, 50)
    totals = [event.get("ccd_stats_total", event.get("ccd_stats1_total")) for event in found["events"]]
    assert len(set(totals)) > 25, "each point has its own image"
