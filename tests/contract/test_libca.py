"""EPICS base's client library against the whole program: every record, and puts that complete when they are done."""

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits

from .conftest import SHAPE
from .test_adcore import TEMPLATES, golden, ours

SCRIPT = "libca_script.py"

TYPES = {
    "ai": "double", "ao": "double", "longin": "long", "longout": "long", "bi": "enum", "bo": "enum", "mbbi": "enum",
    "mbbo": "enum", "stringin": "string", "stringout": "string",
}  # fmt: skip
"""Record types as Channel Access sees them."""


@pytest.fixture
def camera(script: Any) -> None:
    """Short single exposures."""
    for name, value in (("Acquire", 0), ("ImageMode", "Single"), ("NumImages", 1), ("AcquireTime", 0.02)):
        assert script(f"put('cam1:{name}', {value!r})") == 1


@pytest.mark.parametrize("table", TEMPLATES)
def test_every_record_is_what_areadetector_has(script: Any, table: str) -> None:
    records = {f"{table}{suffix}": record for suffix, record in ours()[table].items() if "." not in suffix}
    found = script(f"dump({sorted(records)})")
    wrong = []
    for name, record in records.items():
        facts, kind = found[name], record.row.kind
        wrong += [f"{name} is {facts}" for _ in "x" if facts["type"] != TYPES.get(record.record_type, facts["type"])]
        wrong += [f"{name}: {facts}" for _ in "x" if facts["choices"] != list(getattr(kind, "labels", ()))]
        wrong += [f"{name}: {facts}" for _ in "x" if facts["writable"] != record.writable]
        wrong += [f"{name}: {facts}" for _ in "x" if facts["egu"] != getattr(kind, "unit", "")]
    assert wrong == []


@pytest.mark.parametrize("table", TEMPLATES)
def test_fields_tell_the_type_and_the_purpose(script: Any, table: str) -> None:
    names = sorted(f"{table}{suffix}" for suffix in ours()[table] if "." not in suffix)
    types, purposes = script(f"fields({names}, 'RTYP')"), script(f"fields({names}, 'DESC')")
    assert types == {name: ours()[table][name.removeprefix(table)].record_type for name in names}
    assert [name for name, text in purposes.items() if not text] == []


def test_plugins_are_primed_before_the_first_frame(script: Any) -> None:
    for table in ("cam1:", "image1:", "ROI1:", "Stats1:", "Pva1:", "FITS1:", "HDF1:", "TIFF1:"):
        sizes = [script(f"get({table + name!r})") for name in ("ArraySize1_RBV", "ArraySize0_RBV", "NDimensions_RBV")]
        assert (table, *sizes) == (table, *SHAPE, 2)
        assert script(f"get({table + 'DataType_RBV'!r}, as_string=True)") == "UInt16"
        assert script(f"get({table + 'ColorMode_RBV'!r}, as_string=True)") == "Mono"


# What this program starts with instead of the VAL of areaDetector's template, and why.
STARTS = {
    "ImageMode": "Single: a CCD does not start to read out for ever by mistake",
    "SizeX": "the whole CCD",
    "SizeY": "the whole CCD",
    "DataType": "what the controller delivers",
    "ShutterMode": "Detector output: the controller has one",
    "WaitForPlugins": "Yes: an acquisition is done when its files are there",
    "EnableCallbacks": "Enable: ophyd-async enables no TIFF plugin",
    "ArrayCallbacks": "file plugins pass nothing on",
    "HistMax": "16 bits",
    "HighClip": "16 bits",
    "ScaleFlatField": "16 bits",
    "LazyOpen": "Yes: a file is opened when there is something to write",
    "FileNumber": "each run of the program goes on counting",
    "CreateDirectory": "-3: the folder of a night is made",
    "AutoSave": "FITS1 saves every image",
    "Temperature": "of the controller",
    "NumPreAllocBuffers": "there is no pool to fill",
    "RC1": "as the filter RecursiveAve has it, which is chosen",
    **dict.fromkeys(("TSRead", "SaveBackground", "SaveFlatField", "ResetFilter"), "a command, not given yet"),
}


@pytest.mark.parametrize("table", TEMPLATES)
def test_setpoints_start_as_those_of_areadetector(script: Any, table: str) -> None:
    known = {name: row["initial"] for name, row in golden(table).items() if row["initial"].lstrip("-")[:1].isdigit()}
    names = [name for name in known if name in ours()[table] and ours()[table][name].writable]
    found = script(f"dump({[table + name for name in names]})")
    started = {name: found[table + name]["value"] for name in names}
    assert {n: v for n, v in started.items() if float(v) != float(known[n]) and not STARTS.get(n)} == {}


@pytest.mark.parametrize(
    ("name", "kind", "value", "readback"),
    [
        ("cam1:AcquireTime", "double", 0.25, 0.25),
        ("cam1:AcquireTime", "long", 1, 1.0),
        ("cam1:AcquireTime", "string", "0.125", 0.125),
        ("cam1:NumImages", "long", 3, 3),
        ("cam1:NumImages", "double", 2.0, 2),
        ("cam1:NumImages", "string", "1", 1),
        ("cam1:ImageMode", "long", 1, "Multiple"),
        ("cam1:ImageMode", "enum", 2, "Continuous"),
        ("cam1:ImageMode", "string", "Single", "Single"),
        ("cam1:ReverseX", "string", "Yes", "Yes"),
        ("cam1:ReverseX", "enum", 0, "No"),
        ("ROI1:Name", "string", "a region", "a region"),
        ("ROI1:Name", "string", "", ""),
        ("HDF1:TempSuffix", "string", ".part", ".part"),
        ("HDF1:TempSuffix", "string", "", ""),
    ],
)
def test_a_put_of_any_type_is_taken(script: Any, name: str, kind: str, value: object, readback: object) -> None:
    assert script(f"status_of_put({name!r}, {value!r}, {kind!r})") == 1
    text = isinstance(readback, str)
    for shown in (name, f"{name}_RBV"):
        assert script(f"get({shown!r}, as_string={text})") == readback


@pytest.mark.parametrize("text", ["/tmp/", "a name of more than forty characters, as they are in path names/", ""])
def test_long_text_is_taken_and_read_back(script: Any, text: str) -> None:
    assert script(f"put('HDF1:XMLFileName', {text!r})") == 1
    assert script("get('HDF1:XMLFileName_RBV', as_string=True)") == text


def test_acquire_completes_when_all_is_done_and_last(script: Any, camera: None) -> None:
    script("put('cam1:ImageMode', 'Multiple')"), script("put('cam1:NumImages', 3)")
    names = ("ArrayCounter_RBV", "NumImagesCounter_RBV", "DetectorState_RBV", "Acquire_RBV", "AcquireBusy")
    script(f"monitor(*{[f'cam1:{name}' for name in names]}, 'Stats1:UniqueId_RBV', 'FITS1:WriteFile_RBV')")
    script("events()")
    assert script("status_of_put('cam1:Acquire', 1)") == 1
    told = [(name, value) for _, name, value, *_ in script("events()")]
    assert [value for name, value in told if name == "cam1:NumImagesCounter_RBV" and value] == [1, 2, 3]
    tail = [name for name, _ in told[-4:]]
    assert tail == ["cam1:DetectorState_RBV", "cam1:Acquire_RBV", "cam1:AcquireBusy", "cam1:Acquire"]
    last_count = max(place for place, (name, _) in enumerate(told) if name == "Stats1:UniqueId_RBV")
    assert last_count < len(told) - 4


def test_a_stop_completes_the_put_that_waits(script: Any, camera: None) -> None:
    script("put('cam1:AcquireTime', 600)")
    script("events()")
    script("start('cam1:Acquire')")
    assert script("until('cam1:DetectorState_RBV', 'Acquire')")
    assert script("status_of_put('cam1:Acquire', 1)") != 1, "one exposure at a time"
    assert script("status_of_put('cam1:Acquire', 0)") == 1
    assert script("ended('cam1:Acquire')") == 1
    assert script("get('cam1:DetectorState_RBV', as_string=True)") == "Aborted"
    script("put('cam1:AcquireTime', 0.05)")
    assert script("status_of_put('cam1:Acquire', 1)") == 1


def test_a_new_start_is_safe_at_once(script: Any, camera: None) -> None:
    count = script("get('cam1:ArrayCounter_RBV')")
    for _ in range(20):
        assert script("status_of_put('cam1:Acquire', 1)") == 1
        assert script("get('cam1:DetectorState_RBV', as_string=True)") == "Idle"
    assert script("get('cam1:ArrayCounter_RBV')") == count + 20


def test_capture_completes_at_the_end_of_the_capture(script: Any, ioc: Any, camera: None) -> None:
    folder = f"{ioc.folder}/captured/"
    script("put('HDF1:CreateDirectory', -1)"), script(f"put('HDF1:FilePath', {folder!r})")
    assert script("get('HDF1:FilePath_RBV', as_string=True)") == folder
    script("put('HDF1:FileWriteMode', 'Stream')"), script("put('HDF1:NumCapture', 2)")
    script("monitor('HDF1:NumCaptured_RBV', 'HDF1:Capture_RBV')")
    script("events()")
    script("start('HDF1:Capture')")
    assert script("until('HDF1:Capture_RBV', 'Capturing')")
    for _ in range(2):
        assert script("status_of_put('cam1:Acquire', 1)") == 1
    assert script("ended('HDF1:Capture')") == 1
    told = [(name, value) for _, name, value, *_ in script("events()") if "HDF1" in name]
    assert told.index(("HDF1:Capture_RBV", 1)) < told.index(("HDF1:NumCaptured_RBV", 1))
    assert [value for name, value in told if name == "HDF1:NumCaptured_RBV"][-2:] == [1, 2]
    assert script("get('HDF1:FullFileName_RBV', as_string=True)").startswith(folder)


def test_the_page_for_users(script: Any, ioc: Any, camera: None) -> None:
    found = script("page()")
    first, *_ = [path for path in sorted((ioc.folder / "fits").glob("*.fits")) if path.name == Path(found["file"]).name]
    assert found["image"] == hashlib.sha256(np.ascontiguousarray(fits.getdata(first), "<u2").tobytes()).hexdigest()
    with h5py.File(found["series"]) as file:
        assert file["/entry/data/data"].shape == (5, *SHAPE)
    assert found["states"][-1] == "Idle"
