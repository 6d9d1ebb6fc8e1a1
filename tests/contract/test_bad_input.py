"""What clients do wrong, and what happens to files: it ends, it says what happened, and the next one works."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from .conftest import SHAPE

SCRIPT = "libca_script.py"

GOOD = 1
"""Status of libca: it worked."""


@pytest.fixture(autouse=True)
def camera(script: Any) -> Iterator[None]:
    """Short single exposures, and nothing that captures; afterwards an acquisition works."""
    for name, value in (("Acquire", 0), ("ImageMode", "Single"), ("NumImages", 1), ("AcquireTime", 0.02)):
        assert script(f"put('cam1:{name}', {value!r})") == GOOD
    for plugin in ("HDF1", "TIFF1"):
        script(f"put('{plugin}:Capture', 0)")
        script(f"put('{plugin}:EnableCallbacks', 'Enable')")
    yield
    assert script("status_of_put('cam1:Acquire', 1)") == GOOD
    assert script("get('cam1:DetectorState_RBV', as_string=True)") == "Idle"


@pytest.mark.parametrize(
    ("name", "kind", "value", "words"),
    [
        ("cam1:ImageMode", "string", "Sometimes", "Sometimes"),
        ("cam1:ImageMode", "long", 99, "99"),
        ("cam1:AcquireTime", "double", float("nan"), "finite"),
        ("cam1:AcquireTime", "double", float("inf"), "finite"),
        ("cam1:AcquireTime", "string", "soon", "soon"),
        ("cam1:NumImages", "double", float("nan"), "finite"),
        ("ROI1:BinX", "string", "two", "two"),
        ("Stats1:CentroidThreshold", "double", float("nan"), "finite"),
        ("ROI1:NDArrayPort", "string", "NOWHERE", "NOWHERE"),
        ("ROI1:NDArrayPort", "string", "ROI1", "itself"),
        ("HDF1:Compression", "string", "magic", "magic"),
        ("HDF1:FileWriteMode", "long", 9, "9"),
    ],
)
def test_a_wrong_value_is_refused_and_told(script: Any, name: str, kind: str, value: object, words: str) -> None:
    before = script(f"get({name!r})")
    assert script(f"status_of_put({name!r}, {literal(value)}, {kind!r})") != GOOD
    assert words in script("get('cam1:StatusMessage_RBV', as_string=True)")
    assert script(f"get({name!r})") == before


def literal(value: object) -> str:
    return f"float('{value}')" if isinstance(value, float) else repr(value)


@pytest.mark.parametrize("name", ["cam1:AcquireTime", "cam1:ImageMode", "cam1:NumImages", "ROI1:Name", "HDF1:Capture"])
def test_an_array_is_no_scalar(script: Any, name: str) -> None:
    before = script(f"get({name!r})")
    assert script(f"put_array({name!r}, [1.0, 2.0, 3.0])") != GOOD
    assert script(f"get({name!r})") == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("cam1:AcquireTime_RBV", 1.0), ("cam1:Model_RBV", "mine"), ("Stats1:Total_RBV", 0), ("image1:ArrayData", [1, 2])],
)
def test_what_is_read_only_cannot_be_put(script: Any, name: str, value: object) -> None:
    with pytest.raises(AssertionError, match=r"(?i)write access"):
        script(f"put({name!r}, {value!r})")


@pytest.mark.parametrize(("name", "length"), [("HDF1:FileName", 255), ("HDF1:XMLFileName", 2047)])
def test_text_of_full_length_fits_and_longer_does_not(script: Any, name: str, length: int) -> None:
    assert script(f"put({name!r}, {'x' * length!r})") == GOOD
    assert len(script(f"get({name!r}, as_string=True)")) == length
    script(f"put({name!r}, {'x' * (length + 200)!r})")
    assert len(script(f"get({name!r}, as_string=True)")) <= length
    script(f"put({name!r}, 'short')"), script(f"put({name!r}, '')")


def stream(script: Any, plugin: str, folder: Path, count: int = 0, mode: str = "Stream") -> None:
    """Begin to capture into a folder."""
    suffix = "h5" if plugin == "HDF1" else "tiff"
    for name, value in (
        ("FileWriteMode", mode), ("CreateDirectory", 0), ("FilePath", f"{folder}/"), ("FileName", "frames"),
        ("FileTemplate", f"%s%s_%3.3d.{suffix}"), ("NumCapture", count), ("AutoIncrement", 1),
    ):  # fmt: skip
        assert script(f"put('{plugin}:{name}', {value!r})") == GOOD
    script(f"start('{plugin}:Capture')")


def expose(script: Any, count: int = 1) -> None:
    for _ in range(count):
        assert script("status_of_put('cam1:Acquire', 1)") == GOOD


def message(script: Any, plugin: str) -> str:
    assert script(f"get('{plugin}:WriteStatus', as_string=True)") == "Write error"
    return script(f"get('{plugin}:WriteMessage', as_string=True)")


@pytest.mark.parametrize("plugin", ["HDF1", "TIFF1"])
def test_a_folder_that_is_missing_ends_the_capture(script: Any, plugin: str, tmp_path: Path) -> None:
    stream(script, plugin, tmp_path / "nowhere")
    assert script(f"get('{plugin}:FilePathExists_RBV', as_string=True)") == "No"
    expose(script)
    assert script(f"until('{plugin}:Capture_RBV', 'Done')")
    assert str(tmp_path / "nowhere") in message(script, plugin)
    stream(script, plugin, tmp_path, count=1)
    expose(script)
    assert script(f"ended('{plugin}:Capture')") == GOOD
    assert script(f"get('{plugin}:WriteStatus', as_string=True)") == "Write OK"
    assert len(list(tmp_path.glob("frames_*"))) == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB; a frame has 16 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("plugin", ["HDF1", "TIFF1"])
def test_a_full_disk_in_the_middle_of_a_stream_costs_no_frame_before_it(
    script: Any, plugin: str, full_disk: Path, tmp_path: Path
) -> None:
    stream(script, plugin, full_disk)
    assert script(f"until('{plugin}:Capture_RBV', 'Capturing')")
    expose(script, 2)
    subprocess.run(["dd", "if=/dev/zero", f"of={full_disk}/more", "bs=4096"], check=False, stderr=subprocess.DEVNULL)
    for _ in range(12):  # some room was reserved
        script("status_of_put('cam1:Acquire', 1)")
    assert "space" in message(script, plugin).lower()
    script(f"put('{plugin}:Capture', 0)")
    assert script(f"until('{plugin}:Capture_RBV', 'Done')")
    kept = script(f"get('{plugin}:NumCaptured_RBV')")
    assert 2 <= kept < 14
    paths = sorted(full_disk.glob("frames_*"))
    if plugin == "HDF1":
        with h5py.File(paths[0]) as file:
            assert len(file["/entry/data/data"]) >= kept
    else:
        assert len(paths) == kept
    stream(script, plugin, tmp_path, count=1)
    expose(script)
    assert script(f"ended('{plugin}:Capture')") == GOOD
    assert script(f"get('{plugin}:WriteStatus', as_string=True)") == "Write OK"


@pytest.mark.parametrize("plugin", ["HDF1", "TIFF1"])
def test_a_plugin_that_is_disabled_while_it_captures_takes_no_frame_and_can_be_stopped(
    script: Any, plugin: str, tmp_path: Path
) -> None:
    stream(script, plugin, tmp_path)
    assert script(f"until('{plugin}:Capture_RBV', 'Capturing')")
    expose(script)
    assert script(f"get('{plugin}:NumCaptured_RBV')") == 1
    assert script(f"put('{plugin}:EnableCallbacks', 'Disable')") == GOOD
    expose(script)
    assert script(f"get('{plugin}:NumCaptured_RBV')") == 1
    assert script(f"put('{plugin}:Capture', 0)") == GOOD
    assert script(f"ended('{plugin}:Capture')") == GOOD
    assert script(f"get('{plugin}:Capture_RBV', as_string=True)") == "Done"


def test_a_window_that_changes_in_a_capture_ends_no_acquisition_and_the_file_is_whole(
    script: Any, tmp_path: Path
) -> None:
    stream(script, "HDF1", tmp_path)
    assert script("until('HDF1:Capture_RBV', 'Capturing')")
    expose(script, 2)
    assert script("put('cam1:SizeY', 64)") == GOOD
    try:
        expose(script)
        assert "64" in message(script, "HDF1")
        assert script("get('HDF1:NumCaptured_RBV')") == 2
        script("put('HDF1:Capture', 0)")
        assert script("ended('HDF1:Capture')") == GOOD
    finally:
        script("put('cam1:SizeY', 128)")
    with h5py.File(script("get('HDF1:FullFileName_RBV', as_string=True)")) as file:
        assert file["/entry/data/data"].shape == (2, *SHAPE)
    assert script("get('HDF1:ArraySize1_RBV')") == SHAPE[0]


@pytest.mark.parametrize("plugin", ["HDF1", "TIFF1"])
def test_a_folder_that_is_removed_in_a_stream_ends_it(script: Any, plugin: str, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    stream(script, plugin, folder)
    assert script(f"until('{plugin}:Capture_RBV', 'Capturing')")
    expose(script, 2)
    shutil.rmtree(folder)
    expose(script)
    assert script(f"until('{plugin}:Capture_RBV', 'Done')")
    assert str(folder) in message(script, plugin)
    assert script(f"get('{plugin}:NumCaptured_RBV')") == 2
    assert script(f"until('{plugin}:FilePathExists_RBV', 'No')")
    folder.mkdir()
    assert script(f"until('{plugin}:FilePathExists_RBV', 'Yes')")


def test_a_window_that_changes_in_a_buffer_costs_no_image_of_it(script: Any, tmp_path: Path) -> None:
    stream(script, "HDF1", tmp_path, mode="Capture", count=5)
    assert script("until('HDF1:Capture_RBV', 'Capturing')")
    expose(script, 2)
    assert script("put('cam1:SizeY', 64)") == GOOD
    try:
        expose(script)
        assert "64" in message(script, "HDF1")
        assert script("get('HDF1:NumCaptured_RBV')") == 2
        assert script("status_of_put('HDF1:WriteFile', 1)") == GOOD
    finally:
        script("put('cam1:SizeY', 128)")
    with h5py.File(script("get('HDF1:FullFileName_RBV', as_string=True)")) as file:
        assert file["/entry/data/data"].shape == (2, *SHAPE)
